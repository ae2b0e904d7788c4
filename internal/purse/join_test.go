package purse

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

// TestJoinedHoldsEndAsOne: slices taken one after the other are one hold, which
// is settled once, with one charge for each account.
func TestJoinedHoldsEndAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("a", 1000), dollars("b", 1000), ledger.Budget{ID: "t", Unit: ledger.Tokens, Limit: 1000, Window: ledger.Window{Kind: ledger.Total}})
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 10, Tokens: 5})
		for range 9 {
			more := r.must(t, part, Claim{USD: 10, Tokens: 5})
			h.Join(more)
			panics(t, "has ended", func() { more.Release() })
		}
		if n := r.Outstanding(); n != 1 {
			t.Errorf("%d outstanding", n)
		}
		if held := h.Held(nil); len(held) != 3 || held[0].Held != 100 || held[1].Held != 100 || held[2].Held != 50 {
			t.Errorf("held %+v", held)
		}
		charges := h.Settle(Claim{USD: 73, Tokens: 31}, nil)
		if len(charges) != 3 || charges[0].Spent != 73 || charges[0].Held != 100 || charges[2].Spent != 31 {
			t.Errorf("charged %+v", charges)
		}
		panics(t, "has ended", func() { h.Join(r.must(t, part, Claim{USD: 1})) })
	})
}

// TestJoinedHoldsAreReleasedAsOne, and nothing stays behind.
func TestJoinedHoldsAreReleasedAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("a", 100))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 60})
		h.Join(r.must(t, part, Claim{USD: 40}))
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 1}); err != nil || !refusal.Refused() {
			t.Errorf("%+v, %v beside a hold of everything", refusal, err)
		}
		h.Release()
		r.must(t, part, Claim{USD: 100}).Settle(Claim{USD: 100}, nil)
		drain(t, r)
		if v := w.account(t, whole("a")); v.Spent != 100 || v.Outstanding != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// TestL6JoinedHoldsKeepTheirWindows: what was taken in each window is charged
// there, the older first, and what goes beyond all of it to the newest.
func TestL6JoinedHoldsKeepTheirWindows(t *testing.T) {
	for _, end := range []struct {
		cost       ledger.Amount
		want       [3]ledger.Amount // minute by minute
		wholeSpent ledger.Amount
	}{
		{cost: 50, want: [3]ledger.Amount{50, 0, 0}},
		{cost: 450, want: [3]ledger.Amount{200, 200, 50}},
		{cost: 620, want: [3]ledger.Amount{200, 200, 220}}, // 20 beyond
		{cost: -1, want: [3]ledger.Amount{}},               // released
	} {
		synctest.Test(t, func(t *testing.T) {
			b := perMinute("cap", ledger.USD, 300)
			w := newWire(b, dollars("all", 10_000))
			r := open(t, w, &memoryMarks{}, nil)
			part := &r.resolve(t, ledger.Dimensions{}).Money
			var starts [3]ledger.Instant
			var h Hold
			for i := range starts {
				start, till := b.Window.Bounds(wallNow())
				starts[i] = start
				for range 2 {
					more := r.must(t, part, Claim{USD: 100})
					if h.Valid() {
						h.Join(more)
					} else {
						h = more
					}
				}
				time.Sleep(time.Duration(till-wallNow()) + 10*time.Millisecond)
			}
			if r.Outstanding() != 1 || len(h.Held(nil)) != 6 {
				t.Errorf("%d outstanding, held %+v", r.Outstanding(), h.Held(nil))
			}
			spent := map[ledger.AccountKey]ledger.Amount{}
			if end.cost < 0 {
				h.Release()
			} else {
				for _, c := range h.Settle(Claim{USD: end.cost}, nil) {
					spent[c.Account] += c.Spent
				}
			}
			for i, at := range starts {
				if got := spent[ledger.AccountKey{Budget: "cap", Start: at}]; got != end.want[i] {
					t.Errorf("cost %d: window %d was charged %d, want %d", end.cost, i, got, end.want[i])
				}
			}
			if got := spent[whole("all")]; got != max(end.cost, 0) {
				t.Errorf("cost %d: charged %d to the budget without windows", end.cost, got)
			}
			drain(t, r)
			if v := w.account(t, whole("all")); v.Spent != max(end.cost, 0) || v.Outstanding != 0 {
				t.Errorf("cost %d: %+v", end.cost, v)
			}
		})
	}
}

// TestJoinedHoldOfASoftBudget: it is counted once, so that its lease can close.
func TestJoinedHoldOfASoftBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soft := dollars("soft", 10)
		soft.Soft = true
		w := newWire(soft)
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 30})
		h.Join(r.must(t, part, Claim{USD: 30}))
		if charges := h.Settle(Claim{USD: 55}, nil); len(charges) != 1 || charges[0].Held != 60 || charges[0].Spent != 55 {
			t.Errorf("%+v", charges)
		}
		drain(t, r)
		if v := w.account(t, whole("soft")); v.Spent != 55 {
			t.Errorf("%+v", v)
		}
	})
}

// TestJoinedHoldsHaveALimit: what is joined to a hold of each of many windows still
// fits into the record of its call, and what does not is not joined.
func TestJoinedHoldsHaveALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budgets := []ledger.Budget{perMinute("cap", ledger.USD, 300)}
		for i := range MaxChain - 1 {
			budgets = append(budgets, dollars(ledger.BudgetID(fmt.Sprintf("b%d", i)), 100_000))
		}
		r := open(t, newWire(budgets...), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 10})
		windows := 1
		for ; ; windows++ {
			time.Sleep(time.Minute)
			more := r.must(t, part, Claim{USD: 10})
			if !h.Join(more) {
				more.Release()
				break
			}
			h.Join(r.must(t, part, Claim{USD: 10})) // the same window: always
		}
		if got := len(h.Held(nil)); windows != maxLegs/MaxChain || got != maxLegs {
			t.Errorf("%d windows, %d legs", windows, got)
		}
		if charges := h.Settle(Claim{USD: 35}, nil); len(charges) != maxLegs {
			t.Errorf("%d charges", len(charges))
		}
		if n := r.Outstanding(); n != 0 {
			t.Errorf("%d outstanding", n)
		}
	})
}

// TestASliceThatCostsNothingIsAbsorbed: of tokens alone, where output is free.
func TestASliceThatCostsNothingIsAbsorbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("usd", 100), ledger.Budget{ID: "t", Unit: ledger.Tokens, Limit: 1000, Window: ledger.Window{Kind: ledger.Total}})
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 60, Tokens: 5})
		for range 3 {
			h.Join(r.must(t, part, Claim{Tokens: 5}))
		}
		if charges := h.Settle(Claim{USD: 55, Tokens: 18}, nil); len(charges) != 2 || charges[0].Held != 20 || charges[0].Spent != 18 || charges[1].Held != 60 {
			t.Errorf("%+v", charges)
		}
		drain(t, r)
		if v := w.account(t, whole("usd")); v.Spent != 55 || v.Outstanding != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// TestRequestsAndSlotsAreNotJoined: a request counts once, however it is held.
func TestRequestsAndSlotsAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(perMinute("rate", ledger.Requests, 10)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Limits
		h := r.must(t, part, Claim{})
		panics(t, "counts requests", func() { h.Join(r.must(t, part, Claim{})) })
		h.Release()
	})
}

// TestASliceOfAPurseAllocatesNothing: the hot path of a stream whose hold grows.
func TestASliceOfAPurseAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	p, chain := fourLevels(t)
	var charges []Charge
	joined := 0
	got := testing.AllocsPerRun(2000, func() {
		h, ok := p.TryReserve(&chain.Money, Claim{USD: 1000})
		if !ok {
			return // spending outran the refill
		}
		for range 4 {
			if more, ok := p.TryReserve(&chain.Money, Claim{USD: 500}); ok {
				h.Join(more)
				joined++
			}
		}
		charges = h.Settle(Claim{USD: 900}, charges[:0])
	})
	if joined < 4000 {
		t.Errorf("only %d slices were to be had", joined)
	}
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
