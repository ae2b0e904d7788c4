package purse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

const tenCents = ledger.NanoPerUSD / 10

// TestExactlyFiftyOfAHundred: holds of 0.10 USD on a cap of 5 USD, all at once.
// Exactly 50 run, at every concurrency, and every other one is refused.
func TestExactlyFiftyOfAHundred(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 25, 49, 50, 51, 64, 99, 100, 101, 250, 500, 777, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := open(t, newWire(dollars("cap", 5*ledger.NanoPerUSD)), &memoryMarks{}, nil)
				part := &r.resolve(t, ledger.Dimensions{}).Money
				var ran, refused atomic.Int64
				var all sync.WaitGroup
				for range n {
					all.Go(func() {
						h, refusal, err := r.Reserve(t.Context(), part, Claim{USD: tenCents})
						switch {
						case err != nil:
							t.Errorf("undecided: %v", err)
						case refusal.Refused():
							refused.Add(1)
							if refusal.Spent+refusal.Held+refusal.Unreachable+refusal.Hold <= refusal.Limit {
								t.Errorf("a refusal without ground: %+v", refusal)
							}
						default:
							ran.Add(1)
							time.Sleep(100 * time.Millisecond) // virtual: the upstream call
							h.Settle(Claim{USD: tenCents}, nil)
						}
					})
				}
				all.Wait()
				want := int64(min(n, 50))
				if ran.Load() != want || refused.Load() != int64(n)-want {
					t.Errorf("%d ran and %d were refused, want %d and %d", ran.Load(), refused.Load(), want, int64(n)-want)
				}
				drain(t, r)
				if v := r.wire.account(t, whole("cap")); v.Spent != ledger.Amount(want)*tenCents || v.Outstanding != 0 {
					t.Errorf("the ledger has %+v", v)
				}
			})
		})
	}
}

func drain(t *testing.T, r *rig) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if n := r.Outstanding(); n != 0 {
		t.Errorf("%d holds leak", n)
	}
}

// TestRealThreads is the same on real threads and a real clock, for the race
// detector: 0.10 USD, cap 5 USD, 200 goroutines, over three levels.
func TestRealThreads(t *testing.T) {
	b := []ledger.Budget{dollars("a", 50*ledger.NanoPerUSD), dollars("b", 5*ledger.NanoPerUSD), dollars("c", 50*ledger.NanoPerUSD)}
	r := open(t, newWire(b...), &memoryMarks{}, nil)
	part := &r.resolve(t, ledger.Dimensions{}).Money
	var ran atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			for range 20 {
				h, refusal, err := r.Reserve(t.Context(), part, Claim{USD: tenCents})
				if err == nil && !refusal.Refused() {
					ran.Add(1)
					h.Settle(Claim{USD: tenCents}, nil)
				}
			}
		})
	}
	all.Wait()
	if ran.Load() != 50 {
		t.Errorf("%d ran, want 50", ran.Load())
	}
	drain(t, r)
	for _, id := range []ledger.BudgetID{"a", "b", "c"} {
		if v := r.wire.account(t, whole(id)); v.Spent != 5*ledger.NanoPerUSD || v.Outstanding != 0 {
			t.Errorf("%s: %+v", id, v)
		}
	}
}

// TestExhaustedIsAnsweredFromMemory: once the ledger said that a hold can never
// fit, no further question is asked, until the rules change.
func TestExhaustedIsAnsweredFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 1000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 900}).Settle(Claim{USD: 900}, nil)
		began, before := time.Now(), w.sent()
		for range 50 {
			_, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 101})
			if err != nil || refusal.Code != Exhausted || refusal.Spent != 900 || refusal.Budget != "cap" {
				t.Fatalf("%+v, %v", refusal, err)
			}
		}
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Errorf("50 refusals took %v", took)
		}
		if n := w.sent() - before; n > 2 {
			t.Errorf("50 refusals made %d exchanges", n)
		}
		w.put(dollars("cap", 2000))
		r.rules(2)
		r.must(t, part, Claim{USD: 1100}).Release()
		if _, refusal, _ := r.Reserve(t.Context(), part, Claim{USD: 1101}); refusal.Code != Exhausted {
			t.Errorf("%+v after the limit was raised", refusal)
		}
	})
}

// TestContendedWaitsForASettle: money held in flight comes back within the
// wait, and goes to who waited first, however large the hold.
func TestContendedWaitsForASettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		first := r.must(t, part, Claim{USD: 500})
		second := r.must(t, part, Claim{USD: 500})
		var order []string
		var mu sync.Mutex
		var all sync.WaitGroup
		ask := func(name string, amt ledger.Amount) {
			all.Go(func() {
				h := r.must(t, part, Claim{USD: amt})
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				h.Release()
			})
			synctest.Wait()
		}
		ask("large", 1000)
		ask("small", 10)
		first.Release() // enough for the small one, who must not overtake
		time.Sleep(50 * time.Millisecond)
		second.Release()
		all.Wait()
		if fmt.Sprint(order) != "[large small]" {
			t.Errorf("served %v", order)
		}
	})
}

// TestContendedIsRefusedWhenTheWaitEnds, with the word where the money is.
func TestContendedIsRefusedWhenTheWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 1000})
		began := time.Now()
		_, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 1})
		if err != nil || refusal.Code != Contended || refusal.Held != 1000 || refusal.Spent != 0 || refusal.Limit != 1000 {
			t.Errorf("%+v, %v", refusal, err)
		}
		if took := time.Since(began); took < 250*time.Millisecond || took > 270*time.Millisecond {
			t.Errorf("the wait was %v", took)
		}
		h.Release()
	})
}

// TestOtherLevelsAreNotBlocked: a customer whose own budget is exhausted does
// not make the rest of the organisation wait.
func TestOtherLevelsAreNotBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		each := dollars("customer", 100)
		each.Each = []ledger.DimRef{{Dim: ledger.DimCustomer}}
		r := open(t, newWire(dollars("org", 10_000), each), &memoryMarks{}, nil)
		var d ledger.Dimensions
		d.Values[ledger.DimCustomer] = "poor"
		poor := &r.resolve(t, d).Money
		d.Values[ledger.DimCustomer] = "rich"
		rich := &r.resolve(t, d).Money
		h := r.must(t, poor, Claim{USD: 100})
		r.must(t, rich, Claim{USD: 10}).Release()
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				if _, refusal, err := r.Reserve(t.Context(), poor, Claim{USD: 50}); err != nil || !refusal.Refused() {
					t.Errorf("%+v, %v", refusal, err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		for range 100 {
			r.must(t, rich, Claim{USD: 10}).Release()
		}
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("100 requests of another customer took %v", took)
		}
		all.Wait()
		h.Release()
	})
}

// TestL4LostAnswers: each message may be lost, there or back, come twice, or be
// answered by an older answer; the same seq is tried until it is answered, and
// no money is lost or made.
func TestL4LostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		var seqs []uint64
		w.fate = func(n int, x *ledger.Exchange) fate {
			seqs = append(seqs, x.Seq)
			return []fate{loseAnswer, loseRequest, wrongAnswer, repeatRequest, deliver}[n%5]
		}
		r := open(t, w, &memoryMarks{}, func(c *Config, _ *Seams) { c.AdmissionWait = 10 * time.Second })
		part := &r.resolve(t, ledger.Dimensions{}).Money
		for range 100 {
			r.must(t, part, Claim{USD: 1000}).Settle(Claim{USD: 500}, nil)
			time.Sleep(50 * time.Millisecond)
		}
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != 50_000 || v.Available != 50_000 {
			t.Errorf("%+v", v)
		}
		for i := 1; i < len(seqs); i++ {
			if seqs[i] != seqs[i-1] && seqs[i] != seqs[i-1]+1 {
				t.Fatalf("seq %d after %d", seqs[i], seqs[i-1])
			}
		}
	})
}

// TestNoQuorum: no answer is no decision, and what is in the purse goes on
// being spent until authority_ttl ends.
func TestNoQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 100}).Release()
		w.mu.Lock()
		w.fate = func(int, *ledger.Exchange) fate { return loseRequest }
		w.mu.Unlock()
		r.must(t, part, Claim{USD: 100}).Release()
		_, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 90_000})
		if !errors.Is(err, ErrUndecided) || refusal.Refused() {
			t.Errorf("%+v, %v; want undecided", refusal, err)
		}
		time.Sleep(65 * time.Second)
		if _, _, err := r.Reserve(t.Context(), part, Claim{USD: 1}); !errors.Is(err, ErrNoAuthority) {
			t.Errorf("%v after authority_ttl", err)
		}
		if _, ok := r.TryReserve(part, Claim{USD: 1}); ok {
			t.Error("the hot path admits without authority")
		}
		w.mu.Lock()
		w.fate = nil
		w.mu.Unlock()
		time.Sleep(2 * time.Second)
		r.must(t, part, Claim{USD: 90_000}).Release()
	})
}

// TestMarkFailureIsFatal: a mark that cannot be made durable ends admission and
// the process, and what was not marked is never used.
func TestMarkFailureIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memoryMarks{}
		r := open(t, newWire(dollars("cap", 100_000)), disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		disk.mu.Lock()
		disk.fail = true
		disk.mu.Unlock()
		_, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 100})
		if !errors.Is(err, ErrClosed) || refusal.Refused() {
			t.Errorf("%+v, %v", refusal, err)
		}
		if err := <-r.fatal; !errors.Is(err, errDisk) {
			t.Errorf("fatal with %v", err)
		}
		if _, ok := r.TryReserve(part, Claim{}); ok {
			t.Error("still admitting")
		}
		if _, _, err := r.Reserve(t.Context(), part, Claim{USD: 1}); !errors.Is(err, ErrClosed) {
			t.Errorf("still deciding: %v", err)
		}
	})
}

// TestNothingIsUsedBeforeItsMark: the ledger has granted, the disk is slow.
func TestNothingIsUsedBeforeItsMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memoryMarks{}
		r := open(t, newWire(dollars("cap", 100_000)), disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		gate := make(chan struct{})
		disk.mu.Lock()
		disk.gate = gate
		disk.mu.Unlock()
		if _, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 100}); !errors.Is(err, ErrUndecided) {
			t.Errorf("%+v, %v", refusal, err)
		}
		if s := r.Snapshot().Accounts[0]; s.Granted < 100 || s.Free != 0 {
			t.Errorf("%+v", s)
		}
		close(gate)
		r.must(t, part, Claim{USD: 100}).Release()
	})
}

// TestFencedNodeEnds: an operator said that this node is dead.
func TestFencedNodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 100}).Settle(Claim{USD: 50}, nil)
		w.apply(ledger.Fence{Node: "n1"})
		err := <-r.fatal
		if rejected := (*RejectedError)(nil); !errors.As(err, &rejected) || rejected.Code != ledger.FencedNode {
			t.Errorf("fatal with %v", err)
		}
		if _, ok := r.TryReserve(part, Claim{USD: 1}); ok {
			t.Error("a fenced node admits")
		}
	})
}

// TestIdleLeasesGoBack: after 30 s without use nothing is out, and the next
// request gets a new lease.
func TestIdleLeasesGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 100_000)), &memoryMarks{}
		r := open(t, w, disk, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		r.must(t, part, Claim{USD: 100}).Settle(Claim{USD: 60}, nil)
		time.Sleep(35 * time.Second)
		if v := w.account(t, whole("cap")); v.Outstanding != 0 || v.Spent != 60 || v.Holders != 0 {
			t.Errorf("%+v", v)
		}
		if s := r.Snapshot(); len(s.Accounts) != 0 {
			t.Errorf("%+v", s.Accounts)
		}
		if _, marks, _ := disk.LoadMarks(); len(marks) != 0 {
			t.Errorf("marks left: %v", marks)
		}
		r.must(t, part, Claim{USD: 100}).Settle(Claim{USD: 7}, nil)
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != 67 || v.Available != 100_000-67 {
			t.Errorf("%+v", v)
		}
	})
}

// TestAHoldKeepsItsLease: a request that takes longer than the idle time.
func TestAHoldKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 100})
		free := r.must(t, part, Claim{USD: 0}) // holds nothing, and may still turn out to cost
		time.Sleep(5 * time.Minute)
		if v := w.account(t, whole("cap")); v.Outstanding < 100 {
			t.Errorf("%+v", v)
		}
		h.Settle(Claim{USD: 100}, nil)
		time.Sleep(5 * time.Minute)
		free.Settle(Claim{USD: 3}, nil)
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != 103 || v.Overrun != 3 || v.Outstanding != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// TestDrainWaitsForHolds and gives up with its context.
func TestDrainWaitsForHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", 100_000))
		r := open(t, w, &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 100})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v", err)
		}
		if _, _, err := r.Reserve(t.Context(), part, Claim{USD: 1}); !errors.Is(err, ErrDraining) {
			t.Errorf("reserve while draining: %v", err)
		}
		if v := w.account(t, whole("cap")); v.Outstanding != 100 {
			t.Errorf("%+v", v)
		}
		h.Settle(Claim{USD: 40}, nil)
		drain(t, r)
		if v := w.account(t, whole("cap")); v.Spent != 40 || v.Outstanding != 0 {
			t.Errorf("%+v", v)
		}
	})
}

// TestCallerGoesAway: the parked request ends, nothing is held.
func TestCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, newWire(dollars("cap", 1000)), &memoryMarks{}, nil)
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 1000})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, _, err := r.Reserve(ctx, part, Claim{USD: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		h.Release()
		r.must(t, part, Claim{USD: 1000}).Release()
		if n := r.Outstanding(); n != 0 {
			t.Errorf("%d holds leak", n)
		}
	})
}

// lateDisk takes a second for a mark, once it is told to.
type lateDisk struct {
	memoryMarks
	late atomic.Bool
}

func (d *lateDisk) SaveMarks(seq uint64, marks []Mark) error {
	if d.late.Load() {
		time.Sleep(time.Second) // virtual
	}
	return d.memoryMarks.SaveMarks(seq, marks)
}

// TestWhatHasComeIsNotRefused: a request whose allowance was granted within its wait,
// and waits for its mark when that is over, is not told that there is none.
func TestWhatHasComeIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, disk := newWire(dollars("cap", 1000)), &lateDisk{}
		r := open(t, w, &disk.memoryMarks, func(_ *Config, s *Seams) { s.Marks = disk })
		part := &r.resolve(t, ledger.Dimensions{}).Money
		h := r.must(t, part, Claim{USD: 500})
		time.AfterFunc(100*time.Millisecond, func() {
			disk.late.Store(true)
			w.put(dollars("cap", 3000))
			r.rules(2)
		})
		_, refusal, err := r.Reserve(t.Context(), part, Claim{USD: 900})
		if !errors.Is(err, ErrUndecided) || refusal.Refused() {
			t.Errorf("%+v, %v", refusal, err)
		}
		h.Release()
	})
}
