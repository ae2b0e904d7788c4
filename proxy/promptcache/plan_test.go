package promptcache

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"purser/ledger"
)

// traffic is conversations of some applications: how often they begin, how likely they
// go on, and after how long.
type traffic struct {
	apps    int
	system  int // tokens of each application's
	turn    int // tokens of a turn
	goesOn  float64
	gap     time.Duration // mean until the next turn
	between time.Duration // mean between two beginnings
	n       int           // prompts in all
	nodes   int
}

type event struct {
	at ledger.Instant
	t  *talk
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(v any)        { *e = append(*e, v.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// run sends the traffic past nodes in turn, and gives what the provider charges with
// their plans, and with none.
func (tr traffic) run(seed uint64, terms Terms, check func(*Prompt, *Plan)) (with, without cache) {
	r := rand.New(rand.NewPCG(seed, 1))
	with.least, without.least = 1024, 1024
	learners := make([]Learner, max(tr.nodes, 1))
	terms.Nodes = len(learners)
	wait := func(mean time.Duration) ledger.Instant {
		return ledger.Instant(-math.Log(1-r.Float64()) * float64(mean))
	}
	var queue events
	var p Prompt
	serial := 0
	begin := func(at ledger.Instant) {
		serial++
		heap.Push(&queue, event{at, &talk{system: words(r.IntN(max(tr.apps, 1)), tr.system), said: []string{words(1000+serial*100, tr.turn)}}})
	}
	next := ledger.Instant(1_790_000_000 * ledger.Second)
	begin(next)
	for i := range tr.n {
		e := heap.Pop(&queue).(event)
		for len(queue) == 0 || queue[0].at > next {
			next += wait(tr.between)
			begin(next)
		}
		p.ReadAnthropic(e.t.body(), Seed("t"))
		l := &learners[i%len(learners)]
		plan := l.Visit(&p, &terms, e.at)
		check(&p, &plan)
		with.prompt(&p, plan.Marks, e.at)
		without.prompt(&p, nil, e.at)
		l.Confirm(&plan, e.at)
		if r.Float64() < tr.goesOn && len(e.t.said) < 30 {
			said := append(append([]string{}, e.t.said...), words(serial*100+len(e.t.said)+50_000_000, tr.turn/2), words(serial*100+len(e.t.said)+90_000_000, tr.turn))
			heap.Push(&queue, event{e.at + wait(tr.gap), &talk{system: e.t.system, said: said}})
		}
	}
	return with, without
}

func quiet(*Prompt, *Plan) {}

// TestCoordinationSaves: what kind of traffic there is decides whether and where marks
// are, and what they save against none.
func TestCoordinationSaves(t *testing.T) {
	for _, x := range []struct {
		name      string
		tr        traffic
		low, high float64 // of the cost with plans, by that without
	}{
		{"a long system that all share", traffic{apps: 1, system: 8000, turn: 200, goesOn: 0, between: 20 * time.Second, n: 500}, 0.10, 0.20},
		{"one that comes every ten minutes", traffic{apps: 1, system: 8000, turn: 200, goesOn: 0, between: 10 * time.Minute, n: 300}, 0.10, 0.60},
		{"conversations that go on", traffic{apps: 3, system: 300, turn: 800, goesOn: 0.9, gap: time.Minute, between: 20 * time.Second, n: 800}, 0.15, 0.45},
		{"the same past three nodes", traffic{apps: 3, system: 300, turn: 800, goesOn: 0.9, gap: time.Minute, between: 20 * time.Second, n: 800, nodes: 3}, 0.15, 0.5},
		{"conversations that go on after half an hour", traffic{apps: 3, system: 300, turn: 800, goesOn: 0.9, gap: 25 * time.Minute, between: 5 * time.Minute, n: 800}, 0.2, 0.85},
		{"single questions, nothing in common", traffic{apps: 1000, system: 100, turn: 3000, goesOn: 0, between: time.Second, n: 600}, 1, 1},
		{"conversations that rarely go on", traffic{apps: 1, system: 100, turn: 3000, goesOn: 0.1, gap: time.Minute, between: time.Second, n: 800}, 0.9, 1.01},
		{"and that go on after days", traffic{apps: 1, system: 100, turn: 3000, goesOn: 0.9, gap: 30 * time.Hour, between: 30 * time.Minute, n: 800}, 0.9, 1.03},
	} {
		with, without := x.tr.run(1, claude, quiet)
		ratio := with.cost / without.cost
		t.Logf("%-45s cost %.3f of that without, %.3f of tokens read, %.3f written", x.name, ratio, float64(with.read)/float64(with.all), float64(with.wrote)/float64(with.all))
		if ratio < x.low || ratio > x.high {
			t.Errorf("%s: the cost is %.3f of that without, want %.2f to %.2f", x.name, ratio, x.low, x.high)
		}
	}
}

// TestPlansKeepToTheLimits: at most four marks, in order, the longer lifetimes first, on
// blocks that take them and are long enough, and only where something is expected to be
// saved.
func TestPlansKeepToTheLimits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		terms := claude
		terms.Hour = rapid.Bool().Draw(r, "hour")
		terms.MinTokens = rapid.SampledFrom([]int64{512, 1024, 4096}).Draw(r, "min")
		tr := drawTraffic(rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "traffic"), 1)))
		tr.n = 40
		tr.run(rapid.Uint64().Draw(r, "seed"), terms, func(p *Prompt, plan *Plan) {
			if len(plan.Marks) > MaxMarks || (len(plan.Marks) > 0) != (plan.Saves > 0) {
				r.Fatalf("%+v", plan)
			}
			for i, m := range plan.Marks {
				b := p.Blocks[m.Block]
				if b.place.at < 0 || b.Tokens < terms.MinTokens || i > 0 && (m.Block <= plan.Marks[i-1].Block || m.Long && !plan.Marks[i-1].Long) || m.Long && !terms.Hour {
					r.Fatalf("mark %d of %+v", i, plan.Marks)
				}
			}
		})
	})
}

func drawTraffic(r *rand.Rand) traffic {
	return traffic{
		apps: 1 + r.IntN(5), system: 10 + r.IntN(4000), turn: 50 + r.IntN(3000), goesOn: 0.97 * r.Float64(), n: 200, nodes: 1 + r.IntN(3),
		gap: time.Duration(1+r.IntN(5000)) * time.Second, between: time.Duration(1+r.IntN(2000)) * time.Second,
	}
}

// TestOverAnyTraffic: over many kinds of traffic plans save, and on none does it cost
// more than learning it does.
func TestOverAnyTraffic(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	var with, without, worst float64
	for i := range uint64(30) {
		tr := drawTraffic(r)
		w, wo := tr.run(i, claude, quiet)
		with, without, worst = with+w.cost, without+wo.cost, max(worst, w.cost/wo.cost)
	}
	t.Logf("cost %.3f of that without; of the worst of 30 kinds of traffic, %.3f", with/without, worst)
	if with > 0.9*without || worst > 1.1 {
		t.Errorf("cost %.3f of that without; of the worst, %.3f", with/without, worst)
	}
}

// TestNothingIsPlacedInVain: what cannot pay gets no marks.
func TestNothingIsPlacedInVain(t *testing.T) {
	long := talk{system: words(1, 4000), said: []string{words(2, 100)}}
	for name, change := range map[string]func(*Terms){
		"the upstream takes none": func(t *Terms) { t.Marks = false },
		"reading is not cheaper":  func(t *Terms) { t.Read = t.Input },
		"there is no price":       func(t *Terms) { t.Input = 0 },
		"the shortest is longer":  func(t *Terms) { t.MinTokens = 8000 },
		"writing costs a fortune": func(t *Terms) { t.Write5, t.Write60 = 1000, 1000 },
	} {
		terms := claude
		change(&terms)
		var l Learner
		var p Prompt
		for i := range 20 {
			p.ReadAnthropic(long.body(), Seed("t"))
			if plan := l.Visit(&p, &terms, ledger.Instant(i)*10*ledger.Second); len(plan.Marks) > 0 {
				t.Errorf("%s: %+v", name, plan)
				break
			}
		}
	}
}

// TestTheFirstOfItsKindIsNotMarked, and the second is.
func TestTheFirstOfItsKindIsNotMarked(t *testing.T) {
	var l Learner
	var p Prompt
	for i, want := range []int{0, 1, 1} {
		q := talk{system: words(1, 4000), said: []string{words(10+i, 100)}}
		p.ReadAnthropic(q.body(), Seed("t"))
		plan := l.Visit(&p, &claude, ledger.Instant(i)*10*ledger.Second)
		if len(plan.Marks) != want {
			t.Errorf("prompt %d: %+v", i, plan)
		}
	}
	// Another tenant's is another: nothing is learned from it.
	q := talk{system: words(1, 4000), said: []string{words(99, 100)}}
	p.ReadAnthropic(q.body(), Seed("other"))
	if plan := l.Visit(&p, &claude, 40*ledger.Second); len(plan.Marks) != 0 {
		t.Errorf("another tenant: %+v", plan)
	}
}

// TestALookBackIsReachedByAnotherMark: a turn of more blocks than a mark looks back
// needs a mark at its begin, or nothing is read.
func TestALookBackIsReachedByAnotherMark(t *testing.T) {
	agent := func(turns, blocks int) []byte {
		b := `{"system":"` + words(1, 200) + `","messages":[{"role":"user","content":"` + words(2, 2000) + `"}`
		for i := range turns {
			b += `,{"role":"assistant","content":[`
			for j := range blocks {
				b += map[bool]string{true: ","}[j > 0] + `{"type":"tool_use","id":"t","name":"f","input":{"a":"` + words(100*i+j, 20) + `"}}`
			}
			b += `]},{"role":"user","content":[`
			for j := range blocks {
				b += map[bool]string{true: ","}[j > 0] + `{"type":"tool_result","tool_use_id":"t","content":"` + words(9000+100*i+j, 40) + `"}`
			}
			b += `]}`
		}
		return []byte(b + `]}`)
	}
	var l Learner
	var p Prompt
	c := cache{least: 1024}
	for run := range 30 {
		for turns := range 8 {
			at := ledger.Instant(run*100+turns*10) * ledger.Second
			p.ReadAnthropic(append([]byte{}, agent(turns, 15)...), Seed(string(rune('a'+run))))
			plan := l.Visit(&p, &claude, at)
			c.prompt(&p, plan.Marks, at)
			l.Confirm(&plan, at)
		}
	}
	if share := float64(c.read) / float64(c.all); share < 0.6 {
		t.Errorf("%.2f of the tokens were read", share)
	}
}

// TestLearnerIsBounded: whatever comes, no more is kept than the limits say.
func TestLearnerIsBounded(t *testing.T) {
	var l Learner
	var p Prompt
	for i := range maxEntries + 100 {
		p.reset(Seed("t"))
		p.add([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		p.bytes = 1 << 16
		p.end(System, nowhere)
		l.Visit(&p, &claude, ledger.Instant(i))
	}
	if len(l.now) > maxEntries || len(l.old) > maxEntries || len(l.apps.now) > maxApps || len(l.apps.old) > maxApps {
		t.Errorf("%d and %d beginnings, %d and %d applications", len(l.now), len(l.old), len(l.apps.now), len(l.apps.old))
	}
	if len(l.old) == 0 {
		t.Error("nothing was dropped")
	}
}

// TestALearnerIsShared by many requests at once.
func TestALearnerIsShared(t *testing.T) {
	var l Learner
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			var p Prompt
			for j := range 50 {
				q := talk{system: words(1, 2000), said: []string{words(10+i, 50)}}
				p.ReadAnthropic(q.body(), Seed("t"))
				at := ledger.Instant(j) * ledger.Second
				plan := l.Visit(&p, &claude, at)
				l.Confirm(&plan, at)
			}
		})
	}
	all.Wait()
	if e := l.peek(func() Hash {
		var p Prompt
		p.ReadAnthropic((&talk{system: words(1, 2000), said: []string{"x"}}).body(), Seed("t"))
		return p.Static().Hash.within(claude.Scope)
	}()); e == nil || e.alive == 0 {
		t.Errorf("the system that all share: %+v", e)
	}
}
