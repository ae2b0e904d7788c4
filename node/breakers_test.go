package node

import (
	"slices"
	"strings"
	"testing"

	"purser/internal/purse"
	"purser/ledger"
)

// heardEvents keeps what was raised.
type heardEvents []string

// Raise implements Events.
func (h *heardEvents) Raise(kind, subject string, detail map[string]string) {
	*h = append(*h, kind+" "+subject+" "+detail["state"])
}

// chainOf is the chain of a request of one customer, over a purse with one budget
// that splits by customers and one that does not.
func chainOf(t *testing.T, customer string) *purse.Chain {
	t.Helper()
	d, err := purse.NewDriver(purseConfig(), purse.Seams{Marks: noMarks{}, Proofs: noProofs}, purse.Moment{},
		func(ledger.Register) (uint32, error) { return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	d.SetRules([]ledger.Budget{
		{ID: "all", Unit: ledger.Requests, Limit: 10, Window: ledger.Window{Kind: ledger.Total}},
		{ID: "cust", Unit: ledger.USD, Limit: 10, Window: ledger.Window{Kind: ledger.Total}, Each: []ledger.DimRef{{Dim: ledger.DimCustomer}}},
	}, 1, purse.Moment{})
	var dims ledger.Dimensions
	dims.Values[ledger.DimCustomer] = customer
	c := new(purse.Chain)
	if err := d.Resolve(c, &dims); err != nil {
		t.Fatal(err)
	}
	return c
}

type noMarks struct{}

func (noMarks) SaveMarks(uint64, []purse.Mark) error          { return nil }
func (noMarks) LoadMarks() (uint64, []purse.Mark, error)      { return 0, nil, nil }
func noProofs(ledger.AccountKey, uint32) (purse.Proof, error) { return purse.Proof{}, nil }

func trips(list ...ledger.BreakerTrip) map[ledger.BudgetID][]ledger.BreakerTrip {
	out := map[ledger.BudgetID][]ledger.BreakerTrip{}
	for _, t := range list {
		out[t.Scope.Budget] = append(out[t.Scope.Budget], t)
	}
	return out
}

func TestAnOpenBreakerStopsWhatItCovers(t *testing.T) {
	acme := ledger.Scope{Budget: "cust", Split: "acme"}
	for name, c := range map[string]struct {
		trips    []ledger.BreakerTrip
		customer string
		stops    bool
	}{
		"none":                        {nil, "acme", false},
		"the account":                 {[]ledger.BreakerTrip{{Scope: acme, State: ledger.Tripped}}, "acme", true},
		"another account":             {[]ledger.BreakerTrip{{Scope: acme, State: ledger.Tripped}}, "beta", false},
		"all accounts":                {[]ledger.BreakerTrip{{Scope: ledger.Scope{Budget: "cust", All: true}, State: ledger.Tripped}}, "beta", true},
		"a limit of requests":         {[]ledger.BreakerTrip{{Scope: ledger.Scope{Budget: "all", All: true}, State: ledger.Tripped}}, "beta", true},
		"open beside half open":       {[]ledger.BreakerTrip{{Scope: ledger.Scope{Budget: "cust", All: true}, State: ledger.HalfOpen}, {Scope: acme, State: ledger.Tripped}}, "acme", true},
		"half open, the first":        {[]ledger.BreakerTrip{{Scope: acme, State: ledger.HalfOpen}}, "acme", false},
		"a budget that covers nobody": {[]ledger.BreakerTrip{{Scope: ledger.Scope{Budget: "other", All: true}, State: ledger.Tripped}}, "acme", false},
	} {
		b := newBreakers(new(heardEvents))
		b.swap(trips(c.trips...))
		stop, probes := b.enter(chainOf(t, c.customer), nil)
		if (stop != nil) != c.stops {
			t.Errorf("%s: stopped by %+v", name, stop)
		}
		if b.leave(probes); len(b.probing) != 0 {
			t.Errorf("%s: a probe is left", name)
		}
	}
}

// TestProbesGoOneAtATime: of those that were settled the ledger is told, with the
// trip they probed; others leave room for the next.
func TestProbesGoOneAtATime(t *testing.T) {
	b := newBreakers(new(heardEvents))
	half := ledger.Scope{Budget: "all", All: true}
	both := ledger.Scope{Budget: "cust", Split: "acme"}
	b.swap(trips(ledger.BreakerTrip{Scope: half, State: ledger.HalfOpen, Serial: 4}, ledger.BreakerTrip{Scope: both, State: ledger.HalfOpen, Serial: 9}))
	chain := chainOf(t, "acme")
	stop, first := b.enter(chain, nil)
	if stop != nil || len(first) != 2 {
		t.Fatalf("the first: %+v, %+v", stop, first)
	}
	if stop, second := b.enter(chain, nil); stop == nil || stop.State != ledger.HalfOpen || len(second) != 0 {
		t.Errorf("beside it: %+v, %+v", stop, second)
	}
	settleProbes(first, []purse.Charge{
		{Account: ledger.AccountKey{Budget: "all"}, Held: 1, Spent: 1},
		{Account: ledger.AccountKey{Budget: "cust", Split: "acme"}, Held: 5, Spent: 6},
	})
	b.leave(first)
	for _, want := range []ledger.Probed{{Scope: half, Serial: 4, Good: true}, {Scope: both, Serial: 9, Good: false}} {
		if got := <-b.reports; got != want {
			t.Errorf("reported %+v, want %+v", got, want)
		}
	}
	_, third := b.enter(chain, nil)
	if len(third) != 2 {
		t.Fatalf("after it: %+v", third)
	}
	b.leave(third) // refused elsewhere, or answered from a cache
	select {
	case got := <-b.reports:
		t.Errorf("of a probe that was not settled: %+v", got)
	default:
	}
}

func TestChangesOfBreakersAreTold(t *testing.T) {
	heard := new(heardEvents)
	b := newBreakers(heard)
	c := ledger.Scope{Budget: "cust", Split: "acme"}
	open := ledger.BreakerTrip{Scope: c, State: ledger.Tripped, Serial: 1}
	half := ledger.BreakerTrip{Scope: c, State: ledger.HalfOpen, Serial: 2, Probes: 2}
	b.swap(trips(open))
	b.swap(trips(open))
	b.swap(trips(half))
	half.Probes = 1
	b.swap(trips(half))
	b.swap(trips())
	want := []string{"budget_breaker cust[acme] open", "budget_breaker cust[acme] half-open", "budget_breaker cust[acme] closed"}
	if !slices.Equal(*heard, want) {
		t.Errorf("told %q", *heard)
	}
}

// TestASpentAccountIsOpenUntilItHasRoom: the ledger may not know yet what was spent,
// but a raised limit is room at once.
func TestASpentAccountIsOpenUntilItHasRoom(t *testing.T) {
	heard := new(heardEvents)
	b := newBreakers(heard)
	at := now()
	k := ledger.AccountKey{Budget: "cap"}
	v := ledger.AccountView{Key: k, Limit: 100, Available: 60, Spent: 40, WindowEnd: ledger.MaxInstant}
	if _, yes := b.exhausted(v, at); yes {
		t.Error("nobody was refused")
	}
	refuse := func(code purse.RefusalCode) {
		b.refused(&purse.Refusal{Code: code, Account: k, Budget: "cap", Limit: 100, Hold: 50, Spent: 40, Held: 20, ResetsAt: ledger.MaxInstant})
	}
	if refuse(purse.Contended); len(b.spent) != 0 {
		t.Error("a wait for others is no end")
	}
	refuse(purse.Exhausted)
	refuse(purse.Exhausted)
	x, yes := b.exhausted(v, now())
	if !yes || len(*heard) != 1 {
		t.Errorf("refused just now: %v, told %q", yes, *heard)
	}
	if why := x.reason(ledger.AccountView{Unit: ledger.Tokens}); !strings.HasSuffix(why, "needed 50 tokens, when 40 of 100 was spent and 20 held by others") {
		t.Errorf("the reason is %q", why)
	}
	if _, yes := b.exhausted(v, now()+reportedBy+ledger.Second); yes {
		t.Error("what was held came back")
	}
	refuse(purse.Exhausted)
	if v.Limit = 200; len(*heard) != 2 {
		t.Errorf("told %q", *heard)
	}
	if _, yes := b.exhausted(v, now()); yes {
		t.Error("the limit was raised")
	}
	if _, yes := b.exhausted(ledger.AccountView{Limit: 5, Spent: 5}, at); !yes {
		t.Error("nothing is left")
	}
	for i := range maxSpentOut + 10 {
		b.refused(&purse.Refusal{Code: purse.Exhausted, Account: ledger.AccountKey{Budget: "x", Start: ledger.Instant(i)}, ResetsAt: ledger.MaxInstant})
	}
	if len(b.spent) > maxSpentOut {
		t.Errorf("%d accounts are remembered", len(b.spent))
	}
}

func purseConfig() purse.Config {
	c := purse.Default()
	c.Node = "n1"
	return c
}
