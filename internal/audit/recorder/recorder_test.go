package recorder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/audit"
	"purser/ledger"
)

// world is a trail and the way to it.
type world struct {
	*Recorder
	log bytes.Buffer

	mu      sync.Mutex
	trail   *audit.Trail
	batches int
	fails   func() (lost bool, err error) // lost: it is appended all the same
	begins  bool
}

var errAway = errors.New("no leader")

func newWorld() *world {
	w := &world{trail: audit.New()}
	w.Recorder = New(Seams{
		Node: "n1", Incarnation: func() uint32 { return 4 }, Now: func() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) },
		Begins: func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.begins && w.trail.Head().Seq == 0 },
		Log:    slog.New(slog.NewTextHandler(&w.log, nil)),
		Append: func(ctx context.Context, b *audit.Batch) (audit.Outcome, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			// Through its stored form: what a batch cannot carry must not be in one.
			b, err := audit.DecodeBatch(audit.AppendBatch(nil, b))
			if err != nil {
				return audit.Outcome{}, err
			}
			w.batches++
			if w.fails != nil {
				if lost, err := w.fails(); err != nil {
					if lost {
						w.trail.Append(1, b)
					}
					return audit.Outcome{}, err
				}
			}
			return w.trail.Append(1, b), nil
		},
	})
	return w
}

func (w *world) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

func (w *world) entries(t *testing.T) (list []audit.Entry) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.trail.Recent() {
		e, err := l.Entry()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func denied(policy, key, address string) Denial {
	return Denial{Policy: policy, Rule: "r", Code: "policy_denied", Key: key, Address: netip.MustParseAddr(address)}
}

func TestEqualDenialsAreOneEventOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t)()
		synctest.Wait()
		for _, d := range []Denial{
			denied("p", "k1", "192.0.2.1"), denied("p", "k1", "192.0.2.200"), denied("p", "k1", "::ffff:192.0.2.7"),
			denied("p", "k1", "192.0.3.1"), denied("p", "k2", "192.0.2.1"), denied("q", "k1", "192.0.2.1"),
			denied("p", "k1", "2001:db8::1"), denied("p", "k1", "2001:db8::ffff:1"), denied("p", "k1", "2001:db8:1::1"), {Policy: "p"},
		} {
			w.Deny(d)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(Every)
		var got []string
		for _, e := range w.entries(t) {
			if e.Result != audit.Denied || e.Action != "policy.denied" || e.First == 0 || e.Node != "n1" {
				t.Errorf("%+v", e)
			}
			got = append(got, fmt.Sprint(e.Target, " ", e.Actor, " ", e.Address, " ", e.Count))
		}
		want := []string{
			"policy/p key:k1 192.0.2.0/24 3", "policy/p key:k1 192.0.3.0/24 1", "policy/p key:k2 192.0.2.0/24 1", "policy/q key:k1 192.0.2.0/24 1",
			"policy/p key:k1 2001:db8::/64 2", "policy/p key:k1 2001:db8:1::/64 1", "policy/p   1",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || w.batches != 1 {
			t.Errorf("%d batches\n got %q\nwant %q", w.batches, got, want)
		}
		if after := string(w.entries(t)[0].After); after != `{"code":"policy_denied","rule":"r"}` {
			t.Error(after)
		}
	})
}

// TestNoDenialIsLostFromTheCounts: in a flood of many kinds, over a time without a
// leader, and with answers that were lost after the batch was appended.
func TestNoDenialIsLostFromTheCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		calls := 0
		w.fails = func() (bool, error) {
			if calls++; calls%3 != 0 {
				return calls%2 == 0, errAway
			}
			return false, nil
		}
		stop := w.run(t)
		const kinds, rounds = 500, 40
		for i := range rounds {
			for k := range kinds {
				w.Deny(denied("p", fmt.Sprint("k", k), "192.0.2.1"))
			}
			time.Sleep(Every/3 + time.Duration(i))
		}
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		var sum, most uint64
		for _, e := range w.entries(t) {
			sum += e.Count
			if e.Target == "others" {
				most++
			}
		}
		if sum != kinds*rounds || most == 0 || len(w.entries(t)) > (MaxGroups+1)*w.batches {
			t.Errorf("%d of %d denials are in the trail, in %d entries of %d batches", sum, kinds*rounds, len(w.entries(t)), w.batches)
		}
		if most := int(time.Duration(rounds)*Every/3/Every) + 5; w.batches > most {
			t.Errorf("%d batches in %d seconds", w.batches, most)
		}
		if strings.Count(w.log.String(), "takes nothing") == 0 || strings.Contains(w.log.String(), "did not get into") {
			t.Error(w.log.String())
		}
	})
}

// TestANoteIsWaitedFor, and goes at once; one that is not taken says so.
func TestANoteIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t)()
		synctest.Wait()
		began := time.Now()
		if err := w.Note(t.Context(), audit.Facts{Node: "n1", Action: "node.lead"}); err != nil || time.Since(began) >= Every {
			t.Fatalf("Note = %v after %v", err, time.Since(began))
		}
		if got := w.entries(t); len(got) != 1 || got[0].Action != "node.lead" || got[0].Result != audit.Noted {
			t.Errorf("%+v", got)
		}
		w.mu.Lock()
		w.fails = func() (bool, error) { return false, errAway }
		w.mu.Unlock()
		w.Deny(denied("p", "k", "192.0.2.1"))
		time.Sleep(2 * Every) // a batch is on its way
		ctx, cancel := context.WithTimeout(t.Context(), 5*Every)
		defer cancel()
		if err := w.Note(ctx, audit.Facts{Action: "withdrawn"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Note = %v", err)
		}
		w.mu.Lock()
		w.fails = nil
		w.mu.Unlock()
		time.Sleep(2 * Every)
		if got := w.entries(t); len(got) != 2 || got[1].Result != audit.Denied {
			t.Errorf("%+v", got)
		}
	})
}

func TestNotesAreBounded(t *testing.T) {
	w := newWorld() // nobody runs it
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	full := make(chan error, maxNotes+1)
	for range maxNotes + 1 {
		waiting.Go(func() { full <- w.Note(ctx, audit.Facts{}) })
	}
	if err := <-full; !errors.Is(err, errFull) {
		t.Errorf("Note = %v", err)
	}
	cancel()
	waiting.Wait()
	if n := w.left(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// TestTheFirstEntrySaysThatTheTrailBegins, unless there is something to tell late.
func TestTheFirstEntrySaysThatTheTrailBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fails = func() (bool, error) { return false, errAway }
		for i := range maxLate + 3 {
			w.Late(audit.Facts{Action: "key.revoke", Target: fmt.Sprint("key/", i)})
		}
		defer w.run(t)()
		time.Sleep(3 * Every)
		w.Late(audit.Facts{Action: "key.put"})
		w.mu.Lock()
		w.fails, w.begins = nil, true
		w.mu.Unlock()
		time.Sleep(3 * Every)
		got := w.entries(t)
		if len(got) != maxLate+2 || got[0].Target != "key/0" || got[maxLate].Action != actionLost || got[maxLate].Count != 3 || got[maxLate+1].Action != "key.put" {
			t.Errorf("%d entries: %+v", len(got), got[maxLate:])
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.begins = true
		defer w.run(t)()
		time.Sleep(3 * Every)
		if got := w.entries(t); len(got) != 1 || got[0].Action != ActionBegin || got[0].Actor != "node:n1" {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhatIsLeftAtTheEndIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fails = func() (bool, error) { return false, errAway }
		stop := w.run(t)
		for range 7 {
			w.Deny(denied("p", "k", "192.0.2.1"))
		}
		time.Sleep(2 * Every)
		w.Deny(denied("p", "k", "192.0.2.1"))
		stop()
		if !strings.Contains(w.log.String(), "count=8") {
			t.Error(w.log.String())
		}
	})
}
