package decide_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"purser/semcache/decide"
)

func TestClopperPearsonOfTables(t *testing.T) {
	// Values of R's binom.test, to four places.
	for _, c := range []struct {
		bad, n      int
		lower, uppr float64
	}{{0, 10, 0, 0.3085}, {1, 10, 0.0025, 0.4450}, {5, 10, 0.1871, 0.8129}, {10, 10, 0.6915, 1}, {0, 300, 0, 0.0122}, {3, 1000, 0.0006, 0.0087}} {
		lower, upper := decide.ClopperPearson(c.bad, c.n, 0.95)
		if math.Abs(lower-c.lower) > 6e-5 || math.Abs(upper-c.uppr) > 6e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.bad, c.n, lower, upper, c.lower, c.uppr)
		}
	}
	if lower, upper := decide.ClopperPearson(0, 0, 0.95); lower != 0 || upper != 1 {
		t.Errorf("nothing seen: %v to %v", lower, upper)
	}
}

// route is a simulated stream of would-be hits. The model says that they are wrong
// with probability 1-p; they are wrong factor times as often.
type route struct {
	factor          float64
	delta, rate     float64
	served, wrong   int
	late, lateWrong int
	disabled        bool
	c               decide.Controller
}

func (s *route) run(r *rand.Rand, n int) {
	for i := range n {
		doubt := s.delta * 2 * r.Float64() // what the model says: 0 to twice what is allowed
		lower := 1 - doubt*1.3
		if !s.c.Serves(lower, s.delta) {
			continue
		}
		wrong := r.Float64() < min(1, s.factor*doubt)
		if s.c.Explores(s.delta, s.rate, r.Float64()) {
			label := decide.Agrees
			if wrong {
				label = decide.Disagrees
			}
			var e decide.Event
			if s.c, e = s.c.Observe(label, s.delta); e == decide.Disabled {
				s.disabled = true
			}
			continue
		}
		s.served++
		if i > n/2 {
			s.late++
		}
		if wrong {
			s.wrong++
			if i > n/2 {
				s.lateWrong++
			}
		}
	}
}

// TestControllerKeepsTheServedError: a model that is right about itself serves within
// the bound, and is hardly ever switched off; one that errs twice as often as it
// says stays within it; one that errs five or ten times as often stays within one and a
// half times the bound, all that was served before it was noticed included.
func TestControllerKeepsTheServedError(t *testing.T) {
	for _, delta := range []float64{0.01, 0.03, 0.05} {
		off, late, lateWrong := 0, 0, 0
		for seed := range uint64(30) {
			s := route{factor: 0.9, delta: delta, rate: 0.05}
			s.run(rand.New(rand.NewPCG(seed, 3)), 30_000)
			late, lateWrong = late+s.late, lateWrong+s.lateWrong
			if s.disabled {
				off++
			}
		}
		if off > 1 {
			t.Errorf("delta %v: %d of 30 honest routes were switched off", delta, off)
		}
		if late == 0 || float64(lateWrong) > delta*float64(late) {
			t.Errorf("delta %v: honest routes served %d wrong of %d", delta, lateWrong, late)
		}
		for _, factor := range []float64{2, 5, 10} {
			late, lateWrong, served, wrong := 0, 0, 0, 0
			for seed := range uint64(20) {
				s := route{factor: factor, delta: delta, rate: 0.05}
				s.run(rand.New(rand.NewPCG(seed, 4)), 30_000)
				late, lateWrong, served, wrong = late+s.late, lateWrong+s.lateWrong, served+s.served, wrong+s.wrong
			}
			allowed := delta
			if factor > 2 {
				allowed *= 1.5 // what is served until it is noticed
			}
			if float64(wrong) > allowed*float64(served) || float64(lateWrong) > 1.2*delta*float64(late) {
				t.Errorf("delta %v, factor %v: %d wrong of %d served late", delta, factor, lateWrong, late)
			}
			t.Logf("delta %v, factor %v: wrong of all %.4f, of the later half %.4f of %d", delta, factor, float64(wrong)/float64(max(served, 1)), float64(lateWrong)/float64(max(late, 1)), late)
		}
	}
}

func TestControllerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delta := rapid.Float64Range(0.001, 0.05).Draw(t, "delta")
		var c decide.Controller
		labels := rapid.SliceOfN(rapid.SampledFrom([]decide.Label{decide.Agrees, decide.Agrees, decide.Agrees, decide.Disagrees, decide.Undecided}), 0, 200).Draw(t, "labels")
		for _, l := range labels {
			before := c
			var e decide.Event
			c, e = c.Observe(l, delta)
			if l == decide.Agrees && c.Bar(delta) > before.Bar(delta) {
				t.Fatalf("a good label raised the bar: %+v, %+v", before, c)
			}
			if l == decide.Undecided && c != before {
				t.Fatalf("an undecided label moved %+v to %+v", before, c)
			}
			if l == decide.Disagrees && c.Bar(delta) < before.Bar(delta) {
				t.Fatalf("a bad label lowered the bar: %+v, %+v", before, c)
			}
			if c.Bad > c.All || c.Level < -3 || c.Level > 4 || c.Off && c.Serves(1, delta) {
				t.Fatalf("%+v", c)
			}
			if (e == decide.Kept) != (c.Level == before.Level && c.Off == before.Off) {
				t.Fatalf("event %d from %+v to %+v", e, before, c)
			}
		}
		if c.Serves(0, delta) {
			t.Fatal("a bound of 0 is served")
		}
	})
}

// TestRelaxesNoFurtherThanItMay: a bar that had to rise does not fall below where it rose from.
func TestRelaxesNoFurtherThanItMay(t *testing.T) {
	var c decide.Controller
	c, e := c.Observe(decide.Disagrees, 0.01)
	if e != decide.Tightened || c.Level != 1 {
		t.Fatalf("one bad label of one: %+v, event %d", c, e)
	}
	for range 5000 {
		c, _ = c.Observe(decide.Agrees, 0.01)
	}
	if c.Level != 1 {
		t.Errorf("after 5,000 good labels the level is %d", c.Level)
	}
	var d decide.Controller
	for range 5000 {
		d, _ = d.Observe(decide.Agrees, 0.01)
	}
	if d.Level >= 0 {
		t.Errorf("nothing bad in 5,000 labels, and the level is %d", d.Level)
	}
}

func TestHistories(t *testing.T) {
	a, b := decide.Prepare("how do I bake bread"), decide.Prepare("how do I bake cake")
	var h decide.History
	if p, lower := h.Adjust(0.9, 0.8); p != 0.9 || lower != 0.8 {
		t.Errorf("nothing learned moved it to %v, %v", p, lower)
	}
	h = h.Observe(a, decide.Disagrees)
	if h.Quarantined() || !h.Rejects(a) || h.Rejects(b) {
		t.Errorf("after one bad label: %+v", h)
	}
	if p, lower := h.Adjust(0.9, 0.8); p >= 0.9 || lower >= 0.8 {
		t.Errorf("a bad label moved it to %v, %v", p, lower)
	}
	if g := (decide.History{}).Observe(a, decide.Agrees); g.Quarantined() {
		t.Error("a good label put the entry away")
	} else if p, lower := g.Adjust(0.9, 0.8); p <= 0.9 || lower < 0.8 {
		t.Errorf("a good label moved it to %v, %v", p, lower)
	}
	if h = h.Observe(b, decide.Undecided); h.Rejects(b) || h.Quarantined() {
		t.Errorf("an undecided label: %+v", h)
	}
	if h = h.Observe(b, decide.Disagrees); !h.Quarantined() {
		t.Errorf("after two bad labels: %+v", h)
	}
	want := "\x01\x00\x00\x02\x00\x02"
	stored := h.Append(nil)
	if string(stored[:6]) != want || len(stored) != 22 {
		t.Errorf("the stored form is %x", stored)
	}
	for range 100 {
		h = h.Observe(decide.Prepare("how do I bake "+string(rune('a'+rand.IntN(26)))), decide.Disagrees)
	}
	if n := len(h.Append(nil)); n > 70 {
		t.Errorf("the stored form has %d bytes", n)
	}
	for cut := range stored {
		if _, err := decide.DecodeHistory(stored[:cut]); err == nil {
			t.Errorf("%d bytes of %d were taken", cut, len(stored))
		}
	}
}

func TestAgree(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		stored, fresh string
		similarity    float64
		want          decide.Label
	}{
		{"Oslo.", "Oslo.", nan, decide.Agrees},
		{`{"a": 1, "b": [2]}`, `{"b":[2],"a":1}`, nan, decide.Agrees},
		{`{"a": 1}`, `{"a": 2}`, 0.99, decide.Disagrees},
		{`{"a": 1}`, `one`, 0.99, decide.Disagrees},
		{"Yes, that works.", "No, that fails.", 0.9, decide.Disagrees},
		{"It takes 20 minutes.", "It takes 25 minutes.", 0.99, decide.Disagrees},
		{"The capital of Norway is Oslo.", "Oslo is the capital of Norway.", 0.95, decide.Agrees},
		{"The capital of Norway is Oslo.", "Oslo is the capital of Norway.", nan, decide.Undecided},
		{"Knead the dough, then let it rest overnight.", "Interest rates follow inflation.", 0.1, decide.Disagrees},
		{"Die Hauptstadt ist nicht das was ich meine", "Das ist nicht die Stadt", 0.9, decide.Undecided},
	} {
		if got := decide.Agree(c.stored, c.fresh, c.similarity); got != c.want {
			t.Errorf("%q and %q: %s, want %s", c.stored, c.fresh, got, c.want)
		}
		if got := decide.Agree(c.fresh, c.stored, c.similarity); got != c.want {
			t.Errorf("%q and %q: %s, want %s", c.fresh, c.stored, got, c.want)
		}
	}
}

// TestBarIsEarned: with 5 % allowed, entries of a bound that was never wrong are served
// after enough labels, lower ones are not, and a measured excess takes it all back.
func TestBarIsEarned(t *testing.T) {
	const delta = 0.05
	var m decide.Measured
	if m, _ = m.Observe(decide.Undecided, 0.9, delta, false); m.Bar(delta) != 1-delta {
		t.Fatalf("the bar is %v after nothing was learned", m.Bar(delta))
	}
	for range 300 {
		m, _ = m.Observe(decide.Agrees, 0.82, delta, false)
		m, _ = m.Observe(decide.Disagrees, 0.72, delta, false)
	}
	if m.Bar(delta) != 0.8 || !m.Serves(0.8, delta) || m.Serves(0.79, delta) {
		t.Fatalf("the bar is %v", m.Bar(delta))
	}
	if again := decide.Remember(m.Controller, m.Seen, delta); again != m {
		t.Errorf("remembered %+v, was %+v", again, m)
	}
	if m, did := m.Observe(decide.Disagrees, 0.82, delta, true); did != decide.Tightened || m.Bar(delta) != 1-delta/2 {
		t.Errorf("event %d, and the bar is %v", did, m.Bar(delta))
	}
}
