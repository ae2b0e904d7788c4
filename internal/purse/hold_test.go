package purse

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"purser/ledger"
)

func panics(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		got, _ := recover().(string)
		if !strings.Contains(got, want) {
			t.Errorf("panic %q, want one about %q", got, want)
		}
	}()
	f()
}

// TestAHoldEndsOnce: a second end is noticed even when the object already
// serves another request.
func TestAHoldEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 10})
		h.Settle(Claim{USD: 1}, nil)
		panics(t, "has ended", func() { h.Release() })
		panics(t, "has ended", func() { h.Settle(Claim{}, nil) })
		panics(t, "has ended", func() { h.Held(nil) })
		again := r.must(t, part, Claim{USD: 10})
		panics(t, "has ended", func() { h.Release() })
		again.Release()
		panics(t, "zero Hold", func() { Hold{}.Release() })
		if n := r.Outstanding(); n != 0 {
			t.Errorf("%d outstanding", n)
		}
	})
}

func TestImpossibleAmountsPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		panics(t, "impossible claim", func() { r.TryReserve(part, Claim{USD: -1}) })
		panics(t, "impossible claim", func() { r.TryReserve(part, Claim{Tokens: ledger.MaxAmount + 1}) })
		h := r.must(t, part, Claim{USD: 10})
		panics(t, "impossible cost", func() { h.Settle(Claim{USD: -1}, nil) })
		h.Release()
	})
}

// TestAllOrNothing: a chain that misses at its last level holds nothing at the
// others.
func TestAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("a", 10_000), dollars("b", 10_000), dollars("c", 50)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 10}).Release()
		for range 10 {
			if _, ok := r.TryReserve(part, Claim{USD: 60}); ok {
				t.Fatal("held beyond c")
			}
			if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 60}); err != nil || refusal.Budget != "c" {
				t.Fatalf("%+v, %v", refusal, err)
			}
		}
		for _, a := range r.Snapshot().Accounts {
			if a.Held != 0 || a.Spent != 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}

// TestNoBudgetNoLimit: a part without accounts always holds, and costs nothing.
func TestNoBudgetNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(), &memoryMarks{}, nil)
		c := r.resolve(t, ledger.Dimensions{})
		if ch := r.must(t, &c.Money, Claim{USD: ledger.MaxAmount}).Settle(Claim{USD: 5}, nil); len(ch) != 0 {
			t.Errorf("charged %v", ch)
		}
	})
}

// TestChargesByUnit: each account of the chain is charged in its own unit.
func TestChargesByUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		total := ledger.Window{Kind: ledger.Total}
		r := open(t, newWire(
			ledger.Budget{ID: "r", Unit: ledger.Requests, Limit: 10, Window: total},
			ledger.Budget{ID: "s", Unit: ledger.Slots, Limit: 10, Window: total},
			ledger.Budget{ID: "t", Unit: ledger.Tokens, Limit: 10_000, Window: total},
			dollars("u", 10_000),
		), &memoryMarks{}, nil)
		c := r.resolve(t, ledger.Dimensions{})
		charges := r.must(t, &c.Limits, Claim{}).Settle(Claim{}, nil)
		charges = r.must(t, &c.Money, Claim{USD: 500, Tokens: 70}).Settle(Claim{USD: 300, Tokens: 80}, charges)
		want := []Charge{
			{Account: whole("r"), Incarnation: 1, Held: 1, Spent: 1},
			{Account: whole("s"), Incarnation: 1, Held: 1},
			{Account: whole("t"), Incarnation: 1, Held: 70, Spent: 80},
			{Account: whole("u"), Incarnation: 1, Held: 500, Spent: 300},
		}
		if len(charges) != len(want) {
			t.Fatalf("%v", charges)
		}
		for i := range want {
			if charges[i] != want[i] {
				t.Errorf("%v, want %v", charges[i], want[i])
			}
		}
		drain(t, r)
	})
}

// TestNoMoreIsTakenThanThereIs: whoever takes at the same moment, together they
// take what is there, and what is free never falls below nothing.
func TestNoMoreIsTakenThanThereIs(t *testing.T) {
	const takers, added = 4, 300_000
	a := &account{bell: newBell(1)}
	var taken, short atomic.Int64
	var end atomic.Bool
	var done sync.WaitGroup
	for range takers {
		done.Go(func() {
			for last := false; !last; {
				last = end.Load()
				for a.take(1) {
					taken.Add(1)
					if a.free.Load() < 0 {
						short.Add(1)
					}
				}
			}
		})
	}
	for range added {
		a.free.Add(1)
	}
	end.Store(true)
	done.Wait()
	if taken.Load() != added || a.free.Load() != 0 || short.Load() != 0 {
		t.Errorf("%d of %d were taken, %d are left; it fell short %d times", taken.Load(), added, a.free.Load(), short.Load())
	}
}
