package purse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

func someBudget(rng *rand.Rand, i int) ledger.Budget {
	dims := []ledger.DimRef{{Dim: ledger.DimOrg}, {Dim: ledger.DimTeam}, {Dim: ledger.DimModel}, {Dim: ledger.DimTag, Tag: "x"}}
	b := ledger.Budget{ID: ledger.BudgetID(fmt.Sprintf("b%02d", i)), Unit: ledger.USD, Limit: 1, Window: ledger.Window{Kind: ledger.Total}}
	rng.Shuffle(len(dims), func(i, j int) { dims[i], dims[j] = dims[j], dims[i] })
	for _, d := range dims[:rng.IntN(3)] {
		c := ledger.Condition{Dim: d}
		for range 1 + rng.IntN(3) {
			c.Values = append(c.Values, fmt.Sprint(rng.IntN(4))) // may repeat
		}
		b.Match = append(b.Match, c)
	}
	b.Each = dims[3-rng.IntN(3) : 3]
	return b
}

// TestIndexAgreesWithCovers: the compiled index finds exactly the budgets that
// a look at each of them finds.
func TestIndexAgreesWithCovers(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		var budgets []ledger.Budget
		for i := range 1 + rng.IntN(30) {
			budgets = append(budgets, someBudget(rng, i))
		}
		r := compile(budgets, 1, nil)
		for range 50 {
			var d ledger.Dimensions
			for _, dim := range []ledger.Dim{ledger.DimOrg, ledger.DimTeam, ledger.DimModel} {
				if rng.IntN(4) > 0 {
					d.Values[dim] = fmt.Sprint(rng.IntN(4))
				}
			}
			if rng.IntN(2) > 0 {
				d.Tags = []ledger.Tag{{Name: "x", Value: fmt.Sprint(rng.IntN(4))}}
			}
			var got, want []ledger.BudgetID
			err := r.candidates(&d, func(u *rule) error {
				if _, ok := u.budget.Covers(&d); ok {
					got = append(got, u.budget.ID)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range budgets {
				if _, ok := budgets[i].Covers(&d); ok {
					want = append(want, budgets[i].ID)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%v: found %v, covered by %v", d, got, want)
			}
		}
	}
}

// TestResolveTouchesOnlyCandidates: ten thousand budgets of other teams cost a
// request nothing.
func TestResolveTouchesOnlyCandidates(t *testing.T) {
	var budgets []ledger.Budget
	for i := range 10_000 {
		b := dollars(ledger.BudgetID(fmt.Sprint("team-", i)), 1)
		b.Match = []ledger.Condition{
			{Dim: ledger.DimRef{Dim: ledger.DimOrg}, Values: []string{"o", "p", "q"}},
			{Dim: ledger.DimRef{Dim: ledger.DimTeam}, Values: []string{fmt.Sprint(i)}},
		}
		budgets = append(budgets, b)
	}
	r := compile(budgets, 1, nil)
	var d ledger.Dimensions
	d.Values[ledger.DimOrg], d.Values[ledger.DimTeam] = "o", "77"
	looked := 0
	if err := r.candidates(&d, func(*rule) error { looked++; return nil }); err != nil || looked != 1 {
		t.Errorf("looked at %d rules, %v", looked, err)
	}
}

// TestRulesKeepTheirAccounts across a change, and an older version is ignored.
func TestRulesKeepTheirAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 1000))
		r := open(t, w, &memoryMarks{}, nil)
		before := r.resolve(t, ledger.Dimensions{}).Money.series[0]
		w.put(dollars("cap", 2000))
		r.rules(2)
		r.SetRules(nil, 1)
		after := &r.resolve(t, ledger.Dimensions{}).Money
		if after.Len() != 1 || after.series[0] != before || before.book.limit.Load() != 2000 {
			t.Errorf("%+v after %+v", after, before)
		}
	})
}

func TestTooManyBudgetsCoverARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		for i := range MaxChain + 1 {
			w.put(dollars(ledger.BudgetID(fmt.Sprint("b", i)), 1000))
		}
		r := open(t, w, &memoryMarks{}, nil)
		if err := r.Resolve(new(Chain), new(ledger.Dimensions)); !errors.Is(err, ErrChain) {
			t.Errorf("resolved: %v", err)
		}
		w.apply(ledger.DeleteBudget{ID: "b0"})
		r.rules(2)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		ids := slices.Collect(part.Budgets)
		if part.Len() != MaxChain || len(ids) != MaxChain || slices.Contains(ids, "b0") {
			t.Errorf("%v", ids)
		}
		r.must(t, part, Claim{USD: 1000}).Settle(Claim{USD: 1000}, nil)
		drain(t, r)
	})
}

// TestTablesAreBounded: values that never come again neither grow the node nor
// lock it: the table is full for a while, and empties.
func TestTablesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		each := dollars("each", 1000)
		each.Each = []ledger.DimRef{{Dim: ledger.DimCustomer}}
		r := open(t, newWire(each), &memoryMarks{}, func(c *Config, _ *Seams) { c.MaxAccounts = 16 })
		ask := func(i int) error {
			var d ledger.Dimensions
			d.Values[ledger.DimCustomer] = fmt.Sprint(i)
			c := new(Chain)
			if err := r.Resolve(c, &d); err != nil {
				return err
			}
			h, refusal, err := r.Reserve(t.Context(), &c.Money, Claim{USD: 1})
			if err == nil && !refusal.Refused() {
				h.Settle(Claim{USD: 1}, nil)
			}
			return err
		}
		busy := 0
		for i := range 100 {
			if err := ask(i); errors.Is(err, ErrBusy) {
				busy++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if busy != 100-16 {
			t.Errorf("%d of 100 customers found the table full", busy)
		}
		time.Sleep(time.Minute)
		if err := ask(1000); err != nil {
			t.Errorf("after a minute: %v", err)
		}
		if n := r.core.seriesOpen.Load(); n > 2 {
			t.Errorf("%d series after a minute", n)
		}
		drain(t, r)
	})
}

// TestParkedAreBounded: the queue has an end, and says so.
func TestParkedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, func(c *Config, _ *Seams) { c.MaxParked = 3 })
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 1000})
		results := make(chan error, 5)
		for range 5 {
			go func() {
				_, _, err := r.Reserve(t.Context(), part, Claim{USD: 1})
				results <- err
			}()
		}
		busy := 0
		for range 5 {
			if errors.Is(<-results, ErrBusy) {
				busy++
			}
		}
		if busy != 2 {
			t.Errorf("%d of 5 found the queue full", busy)
		}
		h.Release()
	})
}

func TestConfig(t *testing.T) {
	c := Default()
	if err := c.Validate(); err == nil {
		t.Error("valid without a node")
	}
	c.Node = "n1"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"admission_wait":   func(c *Config) { c.AdmissionWait = 0 },
		"authority_ttl":    func(c *Config) { c.AuthorityTTL = 2 * time.Hour },
		"flush":            func(c *Config) { c.Flush = 0 },
		"idle":             func(c *Config) { c.Idle = 0 },
		"tick":             func(c *Config) { c.Tick = time.Minute },
		"horizon":          func(c *Config) { c.Horizon = 0 },
		"exchange_timeout": func(c *Config) { c.ExchangeTimeout = 0 },
		"max_accounts":     func(c *Config) { c.MaxAccounts = 1 << 30 },
		"max_parked":       func(c *Config) { c.MaxParked = 0 },
		"max_rows":         func(c *Config) { c.MaxRows = MaxChain - 1 },
		"max_needs":        func(c *Config) { c.MaxNeeds = 0 },
	} {
		bad := c
		change(&bad)
		if err := bad.Validate(); err == nil {
			t.Errorf("%s: an impossible value is accepted", name)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		x        ledger.Amount
		num, den int64
		want     ledger.Amount
	}{
		{10, 3, 2, 15}, {1, 1, 2, 0}, {0, 5, 1, 0}, {5, 0, 1, 0}, {-5, 1, 1, 0},
		{ledger.MaxAmount, 1 << 62, 1, ledger.MaxAmount},
		{ledger.MaxAmount, 1_000_000_000, 1_000_000_000, ledger.MaxAmount},
		{ledger.MaxAmount, 1_000_000_000, 2_000_000_000, ledger.MaxAmount / 2},
	} {
		if got := scale(c.x, c.num, c.den); got != c.want {
			t.Errorf("%d * %d / %d = %d, want %d", c.x, c.num, c.den, got, c.want)
		}
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.p99(); got != leastRefill {
		t.Errorf("%d before any", got)
	}
	for i := range 100 {
		l.add(int64(i) * 1_000_000)
	}
	if got := l.p99(); got != 98_000_000 {
		t.Errorf("%d", got)
	}
	l.add(1 << 50)
	l.add(1 << 50)
	if got := l.p99(); got != mostRefill {
		t.Errorf("%d", got)
	}
}
