package ledger

import (
	"strings"
	"testing"
)

// TestABudgetIsChangedFromTheVersionThatWasSeen: a change that expects another rule
// than there is changes nothing.
func TestABudgetIsChangedFromTheVersionThatWasSeen(t *testing.T) {
	s := New()
	b := Budget{ID: "b", Unit: USD, Limit: 10, Window: Window{Kind: Total}}
	put := func(b Budget, expect uint64) Code { return s.Apply(0, PutBudget{b, expect}).Code }
	if code := put(b, 7); code != StaleVersion {
		t.Errorf("of a budget that is not there: %s", code)
	}
	if code := put(b, ExpectNone); code != Applied {
		t.Fatalf("making it: %s", code)
	}
	if code := put(b, ExpectNone); code != Repeated {
		t.Errorf("making it twice: %s", code)
	}
	was := b.Version()
	b.Limit = 20
	if code := put(b, ExpectNone); code != StaleVersion {
		t.Errorf("making another of its name: %s", code)
	}
	if code := put(b, was); code != Applied {
		t.Errorf("from what was seen: %s", code)
	}
	rulings, digest := s.Rulings(), s.Digest()
	for _, expect := range []uint64{0, was, b.Version()} { // the answer to the change was lost
		if code := put(b, expect); code != Repeated || s.Rulings() != rulings || s.Digest() != digest {
			t.Errorf("the same again, from %d: %s", expect, code)
		}
	}
	b.Limit = 30
	if code := put(b, was); code != StaleVersion {
		t.Errorf("from what it was before: %s", code)
	}
	if now, _ := s.Budget("b"); now.Limit != 20 || now.Version() == was {
		t.Errorf("it is %+v", now)
	}
	if code := put(b, 0); code != Applied {
		t.Errorf("whatever it is: %s", code)
	}
	s.Apply(0, DeleteBudget{ID: "b"})
	if code := put(b, b.Version()); code != StaleVersion {
		t.Errorf("of a deleted one: %s", code)
	}
	if code := put(b, ExpectNone); code != Applied {
		t.Errorf("making it again: %s", code)
	}
}

// TestEveryFieldIsInTheVersion, so that no change goes unnoticed.
func TestEveryFieldIsInTheVersion(t *testing.T) {
	b := Budget{ID: "b", Unit: USD, Limit: 10, Window: Window{Kind: Total}}
	seen := map[uint64]string{b.Version(): "nothing"}
	for name, change := range map[string]func(*Budget){
		"id": func(b *Budget) { b.ID = "c" }, "unit": func(b *Budget) { b.Unit = Tokens }, "limit": func(b *Budget) { b.Limit++ },
		"window": func(b *Budget) { b.Window.Kind = PerDay }, "zone": func(b *Budget) { b.Window.Zone.Name = "Z" }, "soft": func(b *Budget) { b.Soft = true },
		"match": func(b *Budget) { b.Match = []Condition{{Values: []string{"a"}}} }, "each": func(b *Budget) { b.Each = []DimRef{{}} },
		"alerts": func(b *Budget) { b.Alerts = []uint8{5} }, "probes": func(b *Budget) { b.Breaker.Probes = 1 }, "times": func(b *Budget) { b.Breaker.RateTimes = 2 },
		"overrun": func(b *Budget) { b.Breaker.Overrun = 1 }, "cool-down": func(b *Budget) { b.Breaker.CoolDown = 1 },
	} {
		c := b
		change(&c)
		if other, ok := seen[c.Version()]; ok || c.Version() == 0 || c.Version() > 1<<48 {
			t.Errorf("%s: version %d, as with %s", name, c.Version(), other)
		}
		seen[c.Version()] = name
	}
}

// TestL9RaisesAndTripsAreBounded, and those that cannot be are refused.
func TestL9RaisesAndTripsAreBounded(t *testing.T) {
	s := New()
	each := []DimRef{{Dim: DimCustomer}}
	for _, b := range []Budget{
		{ID: "one", Unit: USD, Limit: 10, Window: Window{Kind: Total}},
		{ID: "each", Unit: USD, Limit: 10, Window: Window{Kind: Total}, Each: each},
	} {
		s.Apply(1, PutBudget{Budget: b})
	}
	id := func(i int) string { return strings.Repeat("i", i%60+1) + strings.Repeat("x", i/60) }
	raise := Raise{Budget: "one", All: true, Amount: 1, Until: Hour}
	for i := range MaxRaises + 1 {
		raise.ID = RaiseID(id(i))
		if code := s.Apply(1, PutRaise{raise}).Code; (code == Applied) != (i < MaxRaises) {
			t.Errorf("raise %d: %s", i, code)
		}
	}
	raise.ID, raise.Amount = "i", 7
	for i, want := range []Code{Applied, Repeated} {
		if code := s.Apply(1, PutRaise{raise}).Code; code != want {
			t.Errorf("another amount, time %d: %s, want %s", i, code, want)
		}
	}
	for i := range MaxTrips + 1 {
		c := Scope{Budget: "each", Split: Split(id(i))}
		if code := s.Apply(1, TripBudget{Scope: c, Cause: ByOperator}).Code; (code == Applied) != (i < MaxTrips) {
			t.Errorf("trip %d: %s", i, code)
		}
	}
	for name, c := range map[string]Command{
		"a raise of nothing":               PutRaise{Raise{Budget: "one", ID: "a", All: true, Until: Hour}},
		"a raise of too much":              PutRaise{Raise{Budget: "one", ID: "a", All: true, Amount: MaxAmount + 1, Until: Hour}},
		"a raise in the past":              PutRaise{Raise{Budget: "one", ID: "a", All: true, Amount: 1, Until: 1}},
		"a raise without a name":           PutRaise{Raise{Budget: "one", All: true, Amount: 1, Until: Hour}},
		"a raise of a split of none":       PutRaise{Raise{Budget: "one", ID: "a", Split: "x", Amount: 1, Until: Hour}},
		"a raise of no account":            PutRaise{Raise{Budget: "each", ID: "a", Amount: 1, Until: Hour}},
		"a raise of all and one":           PutRaise{Raise{Budget: "each", ID: "a", All: true, Split: "x", Amount: 1, Until: Hour}},
		"a raise with a novel":             PutRaise{Raise{Budget: "one", ID: "a", All: true, Amount: 1, Until: Hour, Reason: strings.Repeat("x", MaxReason+1)}},
		"a trip by nobody":                 TripBudget{Scope: Scope{Budget: "one", All: true}},
		"a trip by a probe":                TripBudget{Scope: Scope{Budget: "one", All: true}, Cause: ByProbe},
		"a trip for ever and a day":        TripBudget{Scope: Scope{Budget: "one", All: true}, Cause: ByRate, For: MaxCoolDown + 1},
		"a trip of a split of none":        TripBudget{Scope: Scope{Budget: "one", Split: "x"}, Cause: ByRate},
		"a reset of a split of none":       ResetBreaker{Scope: Scope{Budget: "one", Split: "x"}},
		"a probe of a split of none":       Probed{Scope: Scope{Budget: "one", Split: "x"}},
		"a breaker with too many probes":   PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}, Breaker: Breaker{Probes: MaxProbes + 1}}},
		"a breaker that trips at its rate": PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}, Breaker: Breaker{RateTimes: 1}}},
		"a breaker that rests before":      PutBudget{Budget: Budget{ID: "b", Unit: USD, Window: Window{Kind: Total}, Breaker: Breaker{CoolDown: -1}}},
	} {
		if code := s.Apply(1, c).Code; code != InvalidCommand {
			t.Errorf("%s: %s", name, code)
		}
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if s.Digest() != reload(t, s).Digest() {
		t.Error("a loaded snapshot has another digest")
	}
	s.Apply(Hour, Tick{})
	if left := s.Raises("one"); left != nil || s.raises != 0 {
		t.Errorf("after their time there are %+v", left)
	}
}

// TestWhatTheLeaderMeasuresDoesNotOverrideAnOperator: a breaker that is open stays as
// it is, whatever else would open it; an operator's word replaces another's.
func TestWhatTheLeaderMeasuresDoesNotOverrideAnOperator(t *testing.T) {
	s := New()
	s.Apply(0, PutBudget{Budget: Budget{ID: "b", Unit: USD, Limit: 10, Window: Window{Kind: Total}}})
	c := Scope{Budget: "b", All: true}
	s.Apply(1, TripBudget{Scope: c, Cause: ByOperator, Reason: "incident"})
	s.Apply(2, TripBudget{Scope: c, Cause: ByRate, Reason: "too fast", For: Minute})
	if got := s.Trips("b"); len(got) != 1 || got[0].Cause != ByOperator || got[0].Until != 0 || got[0].Since != 1 {
		t.Errorf("it is %+v", got)
	}
	s.Apply(3, TripBudget{Scope: c, Cause: ByOperator, Reason: "for a minute", For: Minute})
	if got := s.Trips("b"); len(got) != 1 || got[0].Until != 3+Minute || got[0].Reason != "for a minute" {
		t.Errorf("it is %+v", got)
	}
}
