package loop

import (
	"container/list"
	"sync"

	"purser/ledger"
)

// Bounds of a guard's memory.
const (
	// MaxSubjects is how many runs and sessions are remembered.
	MaxSubjects = 16_384
	// maxAnswers is how many answers of each.
	maxAnswers = 128
)

// Subject is a run or session of one key: what clients call theirs may be the name
// of another's.
type Subject struct {
	Key   string
	Dim   ledger.Dim // run or session
	Value string
}

// SubjectOf is whom a request is counted for: its run, else its session.
func SubjectOf(d *ledger.Dimensions) (Subject, bool) {
	for _, dim := range [...]ledger.Dim{ledger.DimRun, ledger.DimSession} {
		if v := d.Values[dim]; v != "" {
			return Subject{Key: d.Values[ledger.DimKey], Dim: dim, Value: v}, true
		}
	}
	return Subject{}, false
}

// Found is a loop.
type Found struct {
	Rule    string
	Subject Subject
	Why     Why
	Times   int // how many times the step, the circle or the request; how many times the usual cost
	Enforce bool
	First   bool           // it was not known before this request
	Since   ledger.Instant // when it was found
	Until   ledger.Instant // when the cool-down ends
}

// Guard remembers subjects. It may be used by any number of goroutines.
type Guard struct {
	mu       sync.Mutex
	subjects map[Subject]*list.Element // of *memory
	recent   list.List                 // the one used last in front
	found    map[Why]uint64
}

// memory is what is known of a subject.
type memory struct {
	subject  Subject
	answers  [maxAnswers]answered // a ring
	next     int
	burn     burn
	baseline int            // steps of its conversation that do not count
	begun    ledger.Instant // when it was last forgiven
	trip     Found          // the latest; Why is None before one
}

type answered struct {
	whole uint64
	at    ledger.Instant
}

// NewGuard returns a guard that knows nobody.
func NewGuard() *Guard {
	return &Guard{subjects: map[Subject]*list.Element{}, found: map[Why]uint64{}}
}

// Visit is a request that the guard has seen and is to hear the end of.
type Visit struct {
	subject Subject
	whole   uint64
	on      bool
}

// Enter looks at a request. What it finds is for the caller to refuse or to let
// pass, as the rule says; the visit is to be ended by Leave in any case.
func (g *Guard) Enter(r *Rule, s Subject, e Evidence, at ledger.Instant) (Visit, Found) {
	v := Visit{subject: s, whole: e.whole, on: true}
	baseline, known := g.meet(r, s, e, at)
	if known.Why != None {
		return v, known
	}
	// The texts are compared without the lock, which requests of all subjects take.
	why, times := repetition(e.steps, baseline-(e.total-len(e.steps)), r)
	return v, g.settle(r, s, e, at, why, times)
}

// meet begins a visit: from which step on the conversation counts, or the loop that
// the subject cools down from.
func (g *Guard) meet(r *Rule, s Subject, e Evidence, at ledger.Instant) (baseline int, known Found) {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.know(s)
	m.forgive(r, e, at)
	if known = m.cooling(r, at); known.Why != None {
		return 0, known
	}
	if m.trip.Why != None {
		m.restart(e, at) // it has cooled down
	}
	m.baseline = min(m.baseline, e.total) // less if the client has cut its conversation
	return m.baseline, Found{}
}

// cooling is the loop that the subject cools down from, if there is one.
func (m *memory) cooling(r *Rule, at ledger.Instant) Found {
	if m.trip.Why == None || at >= m.trip.Until {
		return Found{}
	}
	m.trip.First, m.trip.Enforce = false, r.Enforce
	return m.trip
}

// settle takes what the conversation shows of repetition, looks at what is remembered,
// and notes the loop.
func (g *Guard) settle(r *Rule, s Subject, e Evidence, at ledger.Instant, why Why, times int) Found {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.know(s)
	if known := m.cooling(r, at); known.Why != None {
		return known // another request of the subject has found it meanwhile
	}
	if why == None {
		why, times = m.judge(r, e, at)
	}
	if why == None {
		return Found{}
	}
	g.found[why]++
	m.trip = Found{Rule: r.Name, Subject: s, Why: why, Times: times, Enforce: r.Enforce, First: true, Since: at, Until: at + r.CoolDown}
	return m.trip
}

// Leave ends a visit. A request that was answered counts, and so does what one cost
// that was not, in nano-dollars: who hangs up and asks again burns as fast.
func (g *Guard) Leave(v Visit, answer bool, cost ledger.Amount, at ledger.Instant) {
	if !v.on || !answer && cost == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.know(v.subject)
	if answer {
		m.answers[m.next%maxAnswers] = answered{v.whole, at}
		m.next++
	}
	m.burn.add(cost, at)
}

// know finds the memory of a subject, or makes it, in place of the one that was
// used least lately where there are too many.
func (g *Guard) know(s Subject) *memory {
	if at, ok := g.subjects[s]; ok {
		g.recent.MoveToFront(at)
		return at.Value.(*memory)
	}
	if len(g.subjects) >= MaxSubjects {
		last := g.recent.Back()
		delete(g.subjects, g.recent.Remove(last).(*memory).subject)
	}
	m := &memory{subject: s}
	g.subjects[s] = g.recent.PushFront(m)
	return m
}

// forgive begins anew where an operator has said so since.
func (m *memory) forgive(r *Rule, e Evidence, at ledger.Instant) {
	said := r.forgiven[Forgiven{Dim: m.subject.Dim.String(), Value: m.subject.Value}]
	if said > m.begun && said <= at {
		m.restart(e, at)
	}
}

// restart counts from here on.
func (m *memory) restart(e Evidence, at ledger.Instant) {
	*m = memory{subject: m.subject, baseline: e.total, begun: at}
}

// judge looks for a loop in what is remembered.
func (m *memory) judge(r *Rule, e Evidence, at ledger.Instant) (Why, int) {
	same := 1
	for _, a := range m.answers {
		if a.at > 0 && a.whole == e.whole && at-a.at <= r.Window {
			same++
		}
	}
	if same > r.Repeats {
		return Same, same
	}
	if times, minute := m.burn.times(at); r.BurnTimes > 0 && times >= int64(r.BurnTimes) && minute >= r.BurnFloor {
		return Burn, int(min(times, 1<<30))
	}
	return None, 0
}

// Trips yields the subjects that cool down at a moment, the latest used first.
func (g *Guard) Trips(at ledger.Instant, yield func(Found)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for x := g.recent.Front(); x != nil; x = x.Next() {
		if t := x.Value.(*memory).trip; t.Why != None && at < t.Until {
			yield(t)
		}
	}
}

// Counts is how many loops were found, by kind.
func (g *Guard) Counts() map[Why]uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := map[Why]uint64{}
	for why, n := range g.found {
		out[why] = n
	}
	return out
}
