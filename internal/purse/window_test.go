package purse

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

func perMinute(id ledger.BudgetID, u ledger.Unit, limit ledger.Amount) ledger.Budget {
	return ledger.Budget{ID: id, Unit: u, Limit: limit, Window: ledger.Window{Kind: ledger.PerMinute}}
}

// TestL6WindowRollsMidRequest: a request that began in one window and ends in
// the next is charged to the first, and takes nothing from the second.
func TestL6WindowRollsMidRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := perMinute("cap", ledger.USD, 1000)
		w := newWire(b)
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		start, end := b.Window.Bounds(wallNow())
		h := r.must(t, part, Claim{USD: 1000})
		time.Sleep(time.Duration(end-wallNow()) + 10*time.Millisecond)
		next := r.must(t, part, Claim{USD: 1000})
		charges := append(h.Settle(Claim{USD: 900}, nil), next.Settle(Claim{USD: 100}, nil)...)
		if charges[0].Account.Start != start || charges[1].Account.Start != end {
			t.Errorf("charged to %v", charges)
		}
		drain(t, r)
		for at, want := range map[ledger.Instant]ledger.Amount{start: 900, end: 100} {
			if v := w.account(t, ledger.AccountKey{Budget: "cap", Start: at}); v.Spent != want || v.Outstanding != 0 {
				t.Errorf("window %d: %+v", at, v)
			}
		}
	})
}

// TestNextWindowIsOpenedAhead: while requests flow, none waits for a refill,
// nor at the roll of a window, although an Exchange takes 20 ms.
func TestNextWindowIsOpenedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(perMinute("rate", ledger.Requests, 600), perMinute("cap", ledger.USD, 1_000_000))
		w.delay = 20 * time.Millisecond
		r := open(t, w, &memoryMarks{}, nil)
		c := r.resolve(t, ledger.Dimensions{})
		waited := 0
		for i := range 3 * 60 * 5 {
			began := time.Now()
			l := r.must(t, &c.Limits, Claim{})
			m := r.must(t, &c.Money, Claim{USD: 1000})
			if time.Since(began) > 0 && i > 50 {
				waited++
			}
			l.Settle(Claim{}, nil)
			m.Settle(Claim{USD: 700}, nil)
			time.Sleep(200 * time.Millisecond)
		}
		if waited > 0 {
			t.Errorf("%d requests waited", waited)
		}
		drain(t, r)
	})
}

// TestRateLimitRefusesUntilTheWindowEnds and tells when that is.
func TestRateLimitRefusesUntilTheWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := perMinute("rate", ledger.Requests, 3)
		r := open(t, newWire(b), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Limits
		_, end := b.Window.Bounds(wallNow())
		for range 3 {
			r.must(t, part, Claim{}).Settle(Claim{}, nil)
		}
		_, refusal, err := r.Reserve(t.Context(), part, Claim{})
		if err != nil || refusal.Code != Exhausted || refusal.ResetsAt != end || refusal.Unit != ledger.Requests {
			t.Errorf("%+v, %v", refusal, err)
		}
		time.Sleep(time.Duration(end - wallNow()))
		r.must(t, part, Claim{}).Settle(Claim{}, nil)
	})
}

// TestReleasedRequestDoesNotCount: what never ran is not counted.
func TestReleasedRequestDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(perMinute("rate", ledger.Requests, 3))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Limits
		for range 20 {
			r.must(t, part, Claim{}).Release()
		}
	})
}

// TestSlotsComeBack: n at a time, however many in all; and no marks for them.
func TestSlotsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := ledger.Budget{ID: "slots", Unit: ledger.Slots, Limit: 4, Window: ledger.Window{Kind: ledger.Total}}
		w, disk := newWire(slots), &memoryMarks{}
		r := open(t, w, disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Limits
		var held []Hold
		for range 4 {
			held = append(held, r.must(t, part, Claim{}))
		}
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{}); err != nil || refusal.Code != Contended {
			t.Errorf("%+v, %v", refusal, err)
		}
		held[0].Settle(Claim{}, nil)
		held[0] = r.must(t, part, Claim{})
		for _, h := range held {
			h.Release()
		}
		if _, marks, _ := disk.LoadMarks(); len(marks) != 0 {
			t.Errorf("marks for slots: %v", marks)
		}
		r.crash()
		r = open(t, w, disk, nil)
		part = &r.resolve(t, ledger.Dimensions{}).Limits
		for range 4 {
			r.must(t, part, Claim{})
		}
	})
}

// TestSoftBudgetCountsAndNeverRefuses, also beyond its limit and with no ledger
// to ask.
func TestSoftBudgetCountsAndNeverRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := dollars("watch", 100)
		b.Soft = true
		w := newWire(b)
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		w.mu.Lock()
		w.fate = func(n int, _ *ledger.Exchange) fate { return []fate{loseAnswer, deliver}[n%2] }
		w.mu.Unlock()
		for range 50 {
			r.must(t, part, Claim{USD: 20}).Settle(Claim{USD: 15}, nil)
		}
		drain(t, r)
		if v := w.account(t, whole("watch")); v.Spent != 750 || v.Overrun != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// TestSoftBecomesHard and back, with requests in flight.
func TestSoftBecomesHard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := dollars("cap", 100)
		w := newWire(b)
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		spent := ledger.Amount(0)
		version := uint64(1)
		for i := range 6 {
			b.Soft = i%2 == 0
			before := r.must(t, part, Claim{USD: 10})
			w.put(b)
			version++
			r.rules(version)
			after := r.must(t, part, Claim{USD: 10})
			before.Settle(Claim{USD: 4}, nil)
			after.Settle(Claim{USD: 5}, nil)
			spent += 9
			time.Sleep(3 * time.Second)
		}
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != spent || v.Outstanding != 0 {
			t.Errorf("%+v, want %d spent", v, spent)
		}
	})
}

// TestOverrunIsTakenAtOnce and reported apart.
func TestOverrunIsTakenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 1000)), &memoryMarks{}
		r := open(t, w, disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 1000})
		if ch := h.Settle(Claim{USD: 1100}, nil); ch[0].Held != 1000 || ch[0].Spent != 1100 {
			t.Errorf("charged %v", ch)
		}
		time.Sleep(2 * time.Second)
		if v := w.account(t, whole("cap")); v.Spent != 1100 || v.Overrun != 100 || v.Available != -100 {
			t.Errorf("%+v", v)
		}
		if _, marks, _ := disk.LoadMarks(); len(marks) != 1 || marks[0].Amount != 1100 {
			t.Errorf("marks %v", marks)
		}
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 1}); err != nil || refusal.Code != Exhausted {
			t.Errorf("%+v, %v", refusal, err)
		}
		drain(t, r)
	})
}

// TestLimitLowered: what is held stays held, nothing new is had, and idle
// allowance goes back when the ledger recalls it.
func TestLimitLowered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 10_000})
		w.put(dollars("cap", 11_000))
		r.rules(2)
		r.must(t, part, Claim{USD: 500}).Settle(Claim{USD: 500}, nil) // makes the node report
		time.Sleep(3 * time.Second)
		if v := w.account(t, whole("cap")); v.Available < 0 {
			t.Errorf("idle allowance was not returned: %+v", v)
		}
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 1000}); err != nil || !refusal.Refused() || refusal.Limit != 11_000 {
			t.Errorf("%+v, %v", refusal, err)
		}
		h.Settle(Claim{USD: 10_000}, nil)
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != 10_500 || v.Available != 500 {
			t.Errorf("%+v", v)
		}
	})
}

// TestBudgetDeleted: it stops to constrain at once, also chains resolved
// before; what was held is settled, what was idle returned.
func TestBudgetDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 1000), dollars("org", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 800})
		w.apply(ledger.DeleteBudget{ID: "cap"})
		r.rules(2)
		r.must(t, part, Claim{USD: 5000}).Settle(Claim{USD: 5000}, nil)
		if n := r.resolve(t, ledger.Dimensions{}).Money.Len(); n != 1 {
			t.Errorf("%d budgets cover a new request", n)
		}
		h.Settle(Claim{USD: 300}, nil)
		time.Sleep(3 * time.Second)

		// It comes back: what it had spent of its window is not forgotten.
		w.put(dollars("cap", 1000))
		r.rules(3)
		part = &r.resolve(t, ledger.Dimensions{}).Money
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 701}); err != nil || refusal.Budget != "cap" {
			t.Errorf("%+v, %v", refusal, err)
		}
		r.must(t, part, Claim{USD: 700}).Release()
		drain(t, r)
	})
}

// TestOverrunOfNothingHeldAfterItsWindow: a call that held nothing of a hard
// budget cost something all the same, and the window ended before the ledger
// ever had an account of it. There is nowhere to book it; the node goes on.
func TestOverrunOfNothingHeldAfterItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := perMinute("cap", ledger.USD, 1000)
		r := open(t, newWire(b), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		_, end := b.Window.Bounds(wallNow())
		h := r.must(t, part, Claim{})
		time.Sleep(time.Duration(end-wallNow()) + 10*time.Millisecond)
		h.Settle(Claim{USD: 5}, nil)
		time.Sleep(3 * time.Minute)
		select {
		case err := <-r.fatal:
			t.Fatal(err)
		default:
		}
		if n := len(r.Snapshot().Accounts); n != 0 {
			t.Errorf("%d accounts are kept two windows later", n)
		}
		drain(t, r)
	})
}

// TestClockAhead: a node whose clock is far ahead cannot open a window that the
// ledger has not reached; when the clock is put right it goes on.
func TestClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		skew := make(chan ledger.Instant, 1)
		skew <- 0
		w := newWire(perMinute("cap", ledger.USD, 1000))
		r := open(t, w, &memoryMarks{}, func(_ *Config, s *Seams) {
			s.Wall = func() ledger.Instant { d := <-skew; skew <- d; return wallNow() + d }
		})
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 100}).Settle(Claim{USD: 100}, nil)
		<-skew
		skew <- ledger.Hour
		time.Sleep(time.Second)
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 100}); err == nil || refusal.Refused() {
			t.Errorf("%+v, %v; want undecided", refusal, err)
		}
		<-skew
		skew <- 0
		time.Sleep(time.Second)
		h := r.must(t, part, Claim{USD: 100})
		if c := h.Held(nil)[0]; c.Account.Start > wallNow() {
			t.Errorf("charged to %v", c)
		}
		h.Release()
	})
}

// TestClockBehind: the ledger is in the next window already; the node follows.
func TestClockBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := perMinute("cap", ledger.USD, 1000)
		w := newWire(b)
		r := open(t, w, &memoryMarks{}, func(_ *Config, s *Seams) {
			s.Wall = func() ledger.Instant { return wallNow() - 10*ledger.Minute }
		})
		part := &r.resolve(t, ledger.Dimensions{}).Money
		for range 200 { // each try moves it on by one window at the least
			h, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 100})
			if err != nil || refusal.Refused() {
				continue
			}
			start, _ := b.Window.Bounds(wallNow())
			if c := h.Held(nil)[0]; c.Account.Start != start {
				t.Errorf("charged to %v, the window is %d", c, start)
			}
			h.Release()
			return
		}
		t.Error(fmt.Sprint("never admitted: ", r.Snapshot()))
	})
}
