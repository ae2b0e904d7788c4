package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
	"purser/proxy/policy"
)

// made compiles a route in a test.
func made(t interface{ Fatal(...any) }, s Spec) *Route {
	r, err := Compile("r", s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// of is candidates by their models.
func of(models ...string) (list []Candidate) {
	for _, m := range models {
		list = append(list, Candidate{Model: m})
	}
	return list
}

// shown is a decision on one line: those in order, and behind a bar those that are out.
func shown(r *Route, d *Decision) string {
	var in, out []string
	for _, p := range d.Order {
		in = append(in, r.Named(p.At))
	}
	for _, p := range d.Out {
		out = append(out, r.Named(p.At)+" ("+p.Why+")")
	}
	s := strings.Join(in, " ")
	if len(out) > 0 {
		s += " | " + strings.Join(out, ", ")
	}
	return s
}

const ms = 1_000_000

// TestStrategies has each strategy's orders as a table.
func TestStrategies(t *testing.T) {
	input := func() *policy.Input {
		return &policy.Input{Dims: &ledger.Dimensions{}, Tools: 2, Params: policy.Params{N: 1}}
	}
	for _, x := range []struct {
		name string
		spec Spec
		f    Facts
		want string
		why  string // part of the reason
	}{
		{"as written", Spec{Candidates: of("a", "b", "c")}, Facts{Of: make([]Fact, 3)}, "a b c", "the first that may serve it: a"},
		{"one is out", Spec{Candidates: of("a", "b", "c")}, Facts{Of: []Fact{{Barred: "no"}, {}, {}}}, "b c | a (no)", "b"},
		{"all are out", Spec{Candidates: of("a", "b")}, Facts{Of: []Fact{{Barred: "x"}, {Barred: "y"}}}, " | a (x), b (y)", "no candidate may serve"},
		{"one ails", Spec{Candidates: of("a", "b")}, Facts{Of: []Fact{{Ailing: "its circuit breaker is open"}, {}}}, "b a", "a, which ails; then b"},
		{"what it lacks", Spec{Candidates: []Candidate{{Model: "a", Lacks: []Need{Images, Tools}}, {Model: "b"}}},
			Facts{Of: make([]Fact, 2), Needs: []Need{Tools}}, "b | a (it lacks tools)", "b"},
		{"too long for the window", Spec{Candidates: of("a", "b")}, Facts{Of: []Fact{{Window: 100}, {Window: 101}}, Tokens: 101},
			"b | a (the prompt has about 101 tokens, more than 100)", "b"},
		{"too long for the route", Spec{Candidates: []Candidate{{Model: "a", MaxInput: 10}, {Model: "b"}}}, Facts{Of: []Fact{{Window: 100}, {Window: 100}}, Tokens: 11},
			"b | a (the prompt has about 11 tokens, more than 10)", "b"},
		{"by cost", Spec{Strategy: Cheapest, Candidates: of("a", "b", "c")}, Facts{Of: []Fact{{Cost: 300}, {Cost: 100}, {Cost: 200}}}, "b c a", "the least: b"},
		{"by latency, unmeasured last", Spec{Strategy: Fastest, Candidates: of("a", "b", "c")},
			Facts{Of: []Fact{{}, {P50: 900 * ms, P90: 1000 * ms}, {P50: 200 * ms, P90: 300 * ms}}, Random: 7}, "c b a", "the soonest lately: c"},
		{"by score", Spec{Strategy: Learned, Learner: "l", Candidates: of("a", "b")}, Facts{Of: []Fact{{Score: 1}, {Score: 2}}, Ranked: "cluster 3"}, "b a", "cluster 3"},
		{"nothing was learned", Spec{Strategy: Learned, Learner: "l", Candidates: of("a", "b")}, Facts{Of: []Fact{{Score: 1}, {Score: 2}}, Unranked: "no artifact"}, "a b", "no artifact"},
		{"the first rule that holds", Spec{Strategy: Rules, Candidates: []Candidate{{Model: "a", When: "request.tools > 5"}, {Model: "b", When: `route.provider == "p"`}, {Model: "c"}}},
			Facts{Of: []Fact{{}, {Provider: "p"}, {}}, Input: input()}, "b c | a (its condition does not hold)", "condition holds: b"},
		{"a rule that nobody can decide", Spec{Candidates: []Candidate{{Model: "a", When: "cost.usd < 1.0"}, {Model: "b"}}},
			Facts{Of: make([]Fact, 2), Input: input()}, "b | a (its condition cannot be decided)", "b"},
		{"a rule without a request", Spec{Candidates: []Candidate{{Model: "a", When: "true"}, {Model: "b"}}},
			Facts{Of: make([]Fact, 2)}, "b | a (its condition cannot be decided)", "b"},
		{"a rule by the candidate's own cost", Spec{Candidates: []Candidate{{Model: "a", When: "cost.usd < 1.0"}, {Model: "b", When: "cost.usd < 1.0"}}},
			Facts{Of: []Fact{{Bounds: policy.Fixed{Cost: 2 * ledger.NanoPerUSD}}, {Bounds: policy.Fixed{Cost: 1}}}, Input: input()}, "b | a (its condition does not hold)", "b"},
	} {
		r := made(t, x.spec)
		d := r.Order(&x.f)
		if got := shown(r, &d); got != x.want || !strings.Contains(d.Reason, x.why) {
			t.Errorf("%s: %s (%s), want %s (%s)", x.name, got, d.Reason, x.want, x.why)
		}
	}
}

// TestBudgetAwareMovesDownAsTheLimitNears: smoothly, from one to the next, at the limit
// to the cheapest; each request moves once.
func TestBudgetAwareMovesDownAsTheLimitNears(t *testing.T) {
	r := made(t, Spec{Strategy: BudgetAware, Candidates: of("large", "dearest", "middle", "small")})
	facts := func(spent int64, random uint64) *Facts {
		return &Facts{Of: []Fact{{Cost: 100}, {Cost: 500}, {Cost: 40}, {Cost: 10}}, Spent: spent, Random: random}
	}
	first := func(spent int64, random uint64) string {
		d := r.Order(facts(spent, random))
		return r.Named(d.Order[0].At)
	}
	for _, x := range []struct {
		spent int64
		want  string
	}{{-1, "large dearest middle small"}, {0, "large dearest middle small"}, {800_000, "large dearest middle small"}, {1_000_000, "small middle large dearest"}, {2_000_000, "small middle large dearest"}} {
		d := r.Order(facts(x.spent, 42))
		if got := shown(r, &d); got != x.want {
			t.Errorf("at %d: %s, want %s (%s)", x.spent, got, x.want, d.Reason)
		}
	}
	const draws = 2000
	share := func(spent int64) map[string]int {
		n := map[string]int{}
		for i := range uint64(draws) {
			n[first(spent, mix(i))]++
		}
		return n
	}
	for _, x := range []struct {
		spent                int64
		large, middle, small float64
	}{{850_000, .5, .5, 0}, {900_000, 0, 1, 0}, {950_000, 0, .5, .5}, {875_000, .25, .75, 0}} {
		n := share(x.spent)
		for name, want := range map[string]float64{"large": x.large, "middle": x.middle, "small": x.small} {
			if got := float64(n[name]) / draws; got < want-.05 || got > want+.05 {
				t.Errorf("at %d: %s leads %.3f of the requests, want %.2f", x.spent, name, got, want)
			}
		}
	}
	rung := map[string]int{"large": 0, "middle": 1, "small": 2}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "random")
		low := rapid.Int64Range(0, 1_000_000).Draw(t, "low")
		high := rapid.Int64Range(low, 1_000_000).Draw(t, "high")
		if a, b := first(low, seed), first(high, seed); rung[a] > rung[b] {
			t.Errorf("at %d %s leads, and at %d %s", low, a, high, b)
		}
	})
}

// drawnSpec draws a route of any strategy, and facts.
func drawnSpec(t *rapid.T) (Spec, *Facts) {
	n := rapid.IntRange(1, 6).Draw(t, "candidates")
	s := Spec{Strategy: rapid.SampledFrom([]Strategy{"", Fallback, Weighted, Cheapest, Fastest, BudgetAware, Learned, Rules}).Draw(t, "strategy")}
	if s.Strategy == Learned {
		s.Learner = "l"
	}
	f := &Facts{
		Spent: rapid.Int64Range(-1, 1_000_000).Draw(t, "spent"), Random: rapid.Uint64().Draw(t, "random"), Sticky: rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "sticky"),
		Unranked: rapid.SampledFrom([]string{"", "nothing"}).Draw(t, "unranked"), Tokens: rapid.Int64Range(0, 100).Draw(t, "tokens"),
		Input: &policy.Input{Dims: &ledger.Dimensions{}},
	}
	for i := range n {
		s.Candidates = append(s.Candidates, Candidate{
			Model: fmt.Sprintf("m%d", i), Weight: rapid.IntRange(0, 5).Draw(t, "weight"), MaxInput: rapid.Int64Range(0, 100).Draw(t, "most"),
			When: rapid.SampledFrom([]string{"", "true", "false", "cost.usd > 1.0"}).Draw(t, "when"),
		})
		f.Of = append(f.Of, Fact{
			Cost: ledger.Amount(rapid.Int64Range(0, 1<<40).Draw(t, "cost")), P50: rapid.Int64Range(0, 5).Draw(t, "p50") * 300 * ms, Score: rapid.Int64Range(-5, 5).Draw(t, "score"),
			Barred: rapid.SampledFrom([]string{"", "", "forbidden"}).Draw(t, "barred"), Ailing: rapid.SampledFrom([]string{"", "", "ails"}).Draw(t, "ailing"),
		})
	}
	if s.Strategy == Rules && !slices.ContainsFunc(s.Candidates, func(c Candidate) bool { return c.When != "" }) {
		s.Candidates[0].When = "true"
	}
	return s, f
}

// TestAnOrderIsAPermutation of what may serve the request; what is forbidden is in
// none, what ails comes last, and equal arguments give equal decisions.
func TestAnOrderIsAPermutation(t *testing.T) {
	ordered := 0
	rapid.Check(t, func(t *rapid.T) {
		s, f := drawnSpec(t)
		r := made(t, s)
		d := r.Order(f)
		again := r.Order(f)
		if fmt.Sprint(d) != fmt.Sprint(again) {
			t.Fatalf("%v, and again %v", d, again)
		}
		var all []int
		ailed := false
		for _, p := range d.Order {
			all = append(all, p.At)
			c, of := s.Candidates[p.At], f.Of[p.At]
			if of.Barred != "" || c.When == "false" || c.When == "cost.usd > 1.0" || c.MaxInput > 0 && f.Tokens > c.MaxInput {
				t.Fatalf("candidate %d may not serve it: %+v of %+v", p.At, d, f)
			}
			if p.Why == "" || d.Reason == "" {
				t.Fatalf("no reason: %+v", d)
			}
			if ailed && of.Ailing == "" {
				t.Fatalf("candidate %d stands behind one that ails: %+v", p.At, d)
			}
			ailed = of.Ailing != ""
		}
		ordered += len(d.Order)
		for _, p := range d.Out {
			all = append(all, p.At)
			if p.Why == "" {
				t.Fatalf("no reason: %+v", d)
			}
		}
		slices.Sort(all)
		for i := range s.Candidates {
			if i >= len(all) || all[i] != i {
				t.Fatalf("%v is no permutation of %d candidates", all, len(s.Candidates))
			}
		}
	})
	if ordered == 0 {
		t.Error("nothing was put in order")
	}
}

// TestWeightsBecomeShares of requests, by chance and by what the route sticks to, and of
// those that are left where one is out.
func TestWeightsBecomeShares(t *testing.T) {
	const requests = 20_000
	s := Spec{Strategy: Weighted, Sticky: "session", Candidates: []Candidate{{Model: "a", Weight: 70}, {Model: "b", Weight: 20}, {Model: "c", Weight: 10}, {Model: "d"}}}
	r := made(t, s)
	for _, x := range []struct {
		name   string
		sticky bool
		out    int
		want   [4]float64
	}{{"by chance", false, -1, [4]float64{.7, .2, .1, 0}}, {"by session", true, -1, [4]float64{.7, .2, .1, 0}}, {"without a", true, 0, [4]float64{0, 2. / 3, 1. / 3, 0}}} {
		var n, second [4]int
		for i := range requests {
			f := &Facts{Of: make([]Fact, 4), Random: mix(uint64(i))}
			if x.sticky {
				f.Sticky = fmt.Sprintf("session-%d", i)
			}
			if x.out >= 0 {
				f.Of[x.out].Barred = "out"
			}
			d := r.Order(f)
			n[d.Order[0].At]++
			second[d.Order[1].At]++
			if last := d.Order[len(d.Order)-1].At; last != 3 {
				t.Fatalf("%s: weight 0 is not the last: %v", x.name, d.Order)
			}
		}
		for i, want := range x.want {
			if got := float64(n[i]) / requests; got < want-.01 || got > want+.01 {
				t.Errorf("%s: candidate %d leads %.4f of the requests, want %.3f", x.name, i, got, want)
			}
		}
	}
}

// TestACandidateMoreMovesItsShareAlone of the values that a route sticks to, and one less
// moves those that it had.
func TestACandidateMoreMovesItsShareAlone(t *testing.T) {
	for n := 1; n < 8; n++ {
		models := []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"}
		few, more := made(t, Spec{Strategy: Weighted, Candidates: of(models[:n]...)}), made(t, Spec{Strategy: Weighted, Candidates: of(models[:n+1]...)})
		const values = 5000
		moved := 0
		for i := range values {
			sticky := fmt.Sprintf("value %d", i)
			a := few.Order(&Facts{Of: make([]Fact, n), Sticky: sticky, Random: uint64(i)})
			b := more.Order(&Facts{Of: make([]Fact, n+1), Sticky: sticky, Random: uint64(2 * i)})
			if a.Order[0].At != b.Order[0].At {
				moved++
				if b.Order[0].At != n {
					t.Fatalf("%s moved from %d to %d, which both were there", sticky, a.Order[0].At, b.Order[0].At)
				}
			}
		}
		if got, want := float64(moved)/values, 1/float64(n+1); got < want-.03 || got > want+.03 {
			t.Errorf("from %d to %d candidates %.3f of the values moved, want %.3f", n, n+1, got, want)
		}
	}
}

// TestLatencyFollowsAnUpstreamThatBecomesSlow: within few answers, and one that is slow
// is still asked now and then.
func TestLatencyFollowsAnUpstreamThatBecomesSlow(t *testing.T) {
	r := made(t, Spec{Strategy: Fastest, Candidates: of("a", "b")})
	var l [2]Latency
	took := [2]int64{100 * ms, 400 * ms}
	now := ledger.Instant(0)
	run := func(requests int) (led [2]int) {
		for range requests {
			now += ledger.Second / 10
			f := &Facts{Of: make([]Fact, 2), Random: mix(uint64(now))}
			for i := range f.Of {
				f.Of[i].P50, f.Of[i].P90 = l[i].Quantiles(now)
			}
			d := r.Order(f)
			i := d.Order[0].At
			led[i]++
			l[i].Note(now, duration(took[i]))
		}
		return led
	}
	run(100) // until both are measured
	if led := run(1000); led[0] < 900 || led[1] < 20 || led[1] > 100 {
		t.Errorf("a is the faster: %v", led)
	}
	took = [2]int64{900 * ms, 400 * ms}
	if led := run(100); led[1] < 50 {
		t.Errorf("a became slow, and of the next 100 requests b had %d", led[1])
	}
	if led := run(1000); led[1] < 900 || led[0] < 20 {
		t.Errorf("b is the faster: %v", led)
	}
	now += 2 * Fresh
	if p50, p90 := l[0].Quantiles(now); p50 != 0 || p90 != 0 {
		t.Errorf("what is old still counts: %d %d", p50, p90)
	}
}
