package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/record"
)

// TestKilledAtAnyMoment kills the node with SIGKILL at a random moment under
// load, starts it again, lets the load go on, and compares with the bill.
func TestKilledAtAnyMoment(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*kills); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("repeat with: go test ./e2e -run TestKilledAtAnyMoment -seed %d -kills 1", seed)
				}
			}()
			killOnce(t, seed)
		})
	}
}

func killOnce(t *testing.T, seed uint64) {
	r := newRig(t, rigOptions{provider: []string{"--seed", fmt.Sprint(seed), "--first-byte", "2ms", "--chunk-tokens", "8"}})
	rng := rand.New(rand.NewPCG(seed, 0))
	limit := fmt.Sprintf("0.%03d", 20+rng.IntN(200))
	r.budget(usd("cap", limit))
	key := r.key(admin.NewKey{Name: "kill"}).Secret
	l := newLoad(r.url, key, 16)
	l.noService = true
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, 16, seed) })
	<-time.After(time.Duration(rng.IntN(400_000)) * time.Microsecond)
	_ = r.node.signal(t, syscall.SIGKILL)
	r.startNode()
	before := l.sent.Load()
	r.eventually("the load goes on", func() error {
		if l.sent.Load() < before+200 && l.refused.Load() == 0 {
			return fmt.Errorf("%d requests since the restart", l.sent.Load()-before)
		}
		return nil
	})
	stop()
	running.Wait()
	r.accountedFor()
}

// accountedFor stops the node and compares its ledger and records with the bill,
// after a crash.
func (r *rig) accountedFor() {
	t := r.t
	t.Helper()
	a := r.settled("cap")
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
	r.stopNode()
	got := compare(t, r.billRows(), r.records())
	if got.billed > a.Limit {
		t.Errorf("billed %d, the cap is %d", got.billed, a.Limit)
	}
	if got.billed > a.Spent {
		t.Errorf("billed %d, accounted for %d", got.billed, a.Spent)
	}
	if got.unrecorded > a.Presumed {
		t.Errorf("%d are billed without a record, but only %d presumed", got.unrecorded, a.Presumed)
	}
	if settled := a.Spent - a.Presumed; settled != got.recorded {
		t.Errorf("%d are spent beside what is presumed, the records sum to %d", settled, got.recorded)
	}
	if sum := a.Available + a.Outstanding + a.Spent + a.WrittenOff; sum != a.Limit {
		t.Errorf("the account does not add up: %+v", a)
	}
}

// TestAccountsAgreeAtSaturation drives the node flat out while clients hang up
// at random: every bill row has one record of the same amount, and the ledger
// has spent exactly that.
func TestAccountsAgreeAtSaturation(t *testing.T) {
	r := newRig(t, rigOptions{provider: []string{"--chunk-tokens", "2", "--tokens", "bytes4"}})
	r.budget(usd("cap", "1000"))
	key := r.key(admin.NewKey{Name: "saturation"}).Secret
	l := newLoad(r.url, key, 64)
	l.hangUps = 0.1
	ctx, stop := context.WithTimeout(context.Background(), *saturation)
	defer stop()
	quarters := r.watchMemory(ctx, *saturation)
	l.run(ctx, 64, *firstSeed)
	l.check(t)
	memory := quarters()
	a := r.settled("cap")
	r.eventually("no hold is left", func() error {
		if h := r.holds(); h != 0 {
			return fmt.Errorf("%d holds", h)
		}
		return nil
	})
	status, err := r.admin.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range status.Upstreams {
		if u.State != "closed" {
			t.Errorf("the breaker of %s is %s: a client's hang-up counted against the upstream", u.Name, u.State)
		}
	}
	r.stopNode()
	got := compare(t, r.billRows(), r.records())
	t.Logf("%d requests in %v: %d answered, %d hung up; %d bill rows, %d nano-dollars; node's resident memory in the quarters of the time: %d, %d, %d, %d MiB",
		l.sent.Load(), *saturation, l.ok.Load(), l.left.Load(), got.rows, got.billed, memory[0]>>20, memory[1]>>20, memory[2]>>20, memory[3]>>20)
	if got.unrecorded != 0 || got.different != 0 || got.unbilled != 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
	if a.Spent != got.billed {
		t.Errorf("the ledger has spent %d, the provider billed %d", a.Spent, got.billed)
	}
	if most := int64(512 << 20); slices.Max(memory[:]) > most {
		t.Errorf("resident memory came to %d bytes, more than %d", slices.Max(memory[:]), most)
	}
	// In less time the caches are still filling.
	if *saturation >= time.Minute && memory[3] > memory[2]+memory[2]/8 {
		t.Errorf("resident memory still grows: %d bytes in the third quarter, %d in the last", memory[2], memory[3])
	}
}

// watchMemory samples the node's resident memory until ctx ends; the function it
// returns waits for that, and gives the most in each quarter of the span.
func (r *rig) watchMemory(ctx context.Context, span time.Duration) func() [4]int64 {
	var most [4]int64
	pid, began := r.node.cmd.Process.Pid, time.Now()
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(span / 40)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				i := min(int(4*time.Since(began)/span), 3)
				most[i] = max(most[i], resident(r.t, pid))
			}
		}
	})
	return func() [4]int64 {
		watching.Wait()
		return most
	}
}

// resident is the process's resident set in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Logf("resident memory is not known here: %v", err)
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Error(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestDisconnectsKeepTheRealUsage: clients leave in the middle of a stream; the
// record holds what the provider billed, not a guess, and never zero.
func TestDisconnectsKeepTheRealUsage(t *testing.T) {
	r := newRig(t, rigOptions{provider: []string{"--chunk-gap", "2ms", "--output-min", "60", "--output-max", "60"}})
	r.budget(usd("cap", "100"))
	l := newLoad(r.url, r.key(admin.NewKey{Name: "leaver"}).Secret, 32)
	l.hangUps = 1
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, 32, *firstSeed) })
	r.eventuallyWithin(patience+time.Duration(*trials)*10*time.Millisecond, "the trials are done", func() error {
		if l.sent.Load() < int64(2**trials) {
			return fmt.Errorf("%d requests", l.sent.Load())
		}
		return nil
	})
	stop()
	running.Wait()
	r.settled("cap")
	r.stopNode()
	rows, records := r.billRows(), r.records()
	compare(t, rows, records)
	left, real := 0, 0
	for _, rec := range records {
		if rec.Outcome != record.Disconnected {
			continue
		}
		left++
		if rec.Cost == 0 {
			t.Errorf("record %s of a client that left costs nothing", rec.ID)
		}
		if rec.Basis == record.Reported {
			real++
		}
	}
	t.Logf("%d clients left in the middle of a stream; %d records hold the provider's own usage", left, real)
	if left < *trials/2 || real*100 < left*99 {
		t.Errorf("of %d records of clients that left, %d hold the real usage", left, real)
	}
}
