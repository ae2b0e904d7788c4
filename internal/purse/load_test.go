package purse

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"purser/ledger"
)

// slowDisk takes as long as a synced write.
type slowDisk struct {
	memoryMarks
	delay time.Duration
}

func (d *slowDisk) SaveMarks(seq uint64, marks []Mark) error {
	time.Sleep(d.delay) // virtual
	return d.memoryMarks.SaveMarks(seq, marks)
}

// TestACapIsUsedUp: 50 agents spend 20 USD in 40 s, in calls that hold five times what
// they cost, with an Exchange of 5 ms and a disk of 2 ms. Nearly all of the cap
// is spent, and the ledger and the disk are asked seldom.
func TestACapIsUsedUp(t *testing.T) {
	const limit = 20 * ledger.NanoPerUSD
	synctest.Test(t, func(t *testing.T) {
		w := newWire(dollars("cap", limit))
		w.delay = 5 * time.Millisecond
		disk := &slowDisk{delay: 2 * time.Millisecond}
		r := open(t, w, &disk.memoryMarks, func(_ *Config, s *Seams) { s.Marks = disk })
		part := &r.resolve(t, ledger.Dimensions{}).Money
		var calls, missed atomic.Int64
		var agents sync.WaitGroup
		for range 50 {
			agents.Go(func() {
				for {
					h, ok := r.TryReserve(part, Claim{USD: 1_000_000})
					if !ok {
						missed.Add(1)
						var refusal Refusal
						var err error
						h, refusal, err = r.Reserve(t.Context(), part, Claim{USD: 1_000_000})
						if err != nil {
							t.Errorf("undecided: %v", err)
							return
						}
						if refusal.Refused() {
							return
						}
					}
					time.Sleep(20 * time.Millisecond)
					h.Settle(Claim{USD: 200_000}, nil)
					calls.Add(1)
				}
			})
		}
		agents.Wait()
		began := w.sent()
		drain(t, r)
		v := w.account(t, whole("cap"))
		t.Logf("%d calls, %d missed the hot path, %d exchanges, %d saves, %d spent", calls.Load(), missed.Load(), began, disk.saves, v.Spent)
		if v.Spent < limit*999/1000 || v.Spent > limit {
			t.Errorf("%d of %d spent", v.Spent, limit)
		}
		if missed.Load() > calls.Load()/20 {
			t.Errorf("%d of %d missed the hot path", missed.Load(), calls.Load())
		}
		if n := int64(began + disk.saves); n > calls.Load()/100 {
			t.Errorf("%d exchanges and saves for %d calls", n, calls.Load())
		}
	})
}
