package usage

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// seed is printed by the tests that use it, and read from SEED.
func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s = n
	}
	t.Logf("repeat with: SEED=%d go test ./internal/usage -run '^%s$'", s, t.Name())
	return s
}

// Seeded crashes at random operations of the file system: what was waited for is
// there, and nothing is there in part (L5: the proofs are what a node may rely on
// when it comes back).
func TestCrashLeavesWholeEntriesAndLosesNoneWaitedFor(t *testing.T) {
	s := seed(t)
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	crashes := 0
	for round := range rounds {
		if crashOnce(t, s+uint64(round)) {
			crashes++
		}
	}
	if crashes < rounds/2 {
		t.Errorf("only %d of %d rounds crashed before their end", crashes, rounds)
	}
}

// crasher takes what a crash would leave of a file system, right before the nth
// operation that changes it.
type crasher struct {
	mu    sync.Mutex
	fs    *vfs.MemFS
	rng   *rand.Rand
	left  int // operations until the crash
	after *vfs.MemFS
	safe  map[string]bool // records waited for until then
}

func (c *crasher) String() string { return "crasher" }

// MaybeError implements errorfs.Injector; it never injects an error.
func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.after = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.rng.IntN(101), RNG: c.rng})
	}
	return nil
}

func (c *crasher) waited(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left > 0 {
		c.safe[id] = true
	}
}

func crashOnce(t *testing.T, seed uint64) bool {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := &crasher{fs: vfs.NewCrashableMem(), rng: rng, left: 1 << 30, safe: map[string]bool{}}
	s, _ := openStore(t, errorfs.Wrap(c.fs, c), "data")
	cfg := DefaultConfig()
	cfg.Linger = time.Duration(rng.IntN(500)) * time.Microsecond
	cfg.MaxGroupEntries = 1 + rng.IntN(20)
	j := journalOn(t, s, cfg)
	c.mu.Lock()
	c.left = 1 + rng.IntN(60)
	c.mu.Unlock()

	const writers, each = 4, 40
	var mu sync.Mutex
	given := map[string]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		rng := rand.New(rand.NewPCG(seed, uint64(2+w)))
		wg.Go(func() {
			for i := range each {
				r := draw(rng, i*writers+w)
				mu.Lock()
				given[r.ID] = true
				mu.Unlock()
				receipt := j.Commit(Entry{Record: r, Extra: fillOf(r.ID)})
				if rng.IntN(2) == 0 {
					if err := receipt.Wait(t.Context()); err != nil {
						t.Error(err)
					}
					c.waited(r.ID)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if found := verify(t, s, j); len(found) != writers*each {
		t.Errorf("seed %d: %d of %d records without a crash", seed, len(found), writers*each)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c.after == nil {
		return false
	}
	s, _ = openStore(t, c.after, "data")
	j = journalOn(t, s, cfg)
	found := verify(t, s, j)
	for id := range c.safe {
		if found[id] != 1 {
			t.Errorf("seed %d: %s was durable before the crash and is gone", seed, id)
		}
	}
	for id := range found {
		if !given[id] {
			t.Errorf("seed %d: %s was never committed", seed, id)
		}
	}
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	return true
}

// At saturation every record, and every charge, is there exactly once.
func TestSaturationKeepsEveryRecordOnce(t *testing.T) {
	const writers = 64
	each := 500
	if testing.Short() {
		each = 50
	}
	cfg := DefaultConfig()
	cfg.MaxGroupEntries = 128 // so that groups fill up and commits block
	s, failures := openStore(t, nil, t.TempDir())
	j := journalOn(t, s, cfg)
	var wg sync.WaitGroup
	ids := make([][]string, writers)
	for w := range writers {
		rng := rand.New(rand.NewPCG(7, uint64(w)))
		wg.Go(func() {
			for i := range each {
				r := draw(rng, i)
				ids[w] = append(ids[w], r.ID)
				receipt := j.Commit(Entry{Record: r, Extra: fillOf(r.ID)})
				// The caller may use the record again at once.
				*r = record.Record{}
				if i%100 == 99 {
					if err := receipt.Wait(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	found := verify(t, s, j)
	for _, list := range ids {
		for _, id := range list {
			if found[id] != 1 {
				t.Fatalf("%s is there %d times", id, found[id])
			}
			delete(found, id)
		}
	}
	if len(found) != 0 {
		t.Errorf("%d records that nobody committed", len(found))
	}
	st := j.Stats()
	t.Logf("%d entries in %d groups, %d commits had to wait", st.Entries, st.Groups, st.Blocked)
	if st.Entries != uint64(writers*each) || failures.Load() != 0 {
		t.Errorf("%+v, %d failures", st, failures.Load())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A batch lingers, is cut short by whoever waits, and is bounded.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	t.Run("a waiter ends the lingering", func(t *testing.T) {
		j := openJournal(t, patient())
		began := time.Now()
		if err := j.Commit(Entry{Record: draw(rng, 1)}).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > patient().Linger/2 {
			t.Errorf("waited %v", d)
		}
	})
	t.Run("records of one moment share a group", func(t *testing.T) {
		j := openJournal(t, patient())
		for i := range 100 {
			j.Commit(Entry{Record: draw(rng, i)})
		}
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := j.Stats(); st.Groups != 1 || st.Entries != 100 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("a full group does not linger", func(t *testing.T) {
		cfg := patient()
		cfg.MaxGroupEntries = 10
		j := openJournal(t, cfg)
		for i := range 100 {
			j.Commit(Entry{Record: draw(rng, i)})
		}
		if st := j.Stats(); st.Groups < 8 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("bytes bound a group, and one entry may pass them", func(t *testing.T) {
		cfg := patient()
		cfg.MaxGroupBytes = 64 << 10
		j := openJournal(t, cfg)
		for i := range 20 {
			body := []store.KV{{Key: []byte{store.PrefixCache, byte(i)}, Value: make([]byte, 100<<10)}}
			j.Commit(Entry{Record: draw(rng, i), Extra: body})
		}
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := j.Stats(); st.Groups != 20 {
			t.Errorf("%+v", st)
		}
	})
}

func TestFlushSeesEverythingCommittedBefore(t *testing.T) {
	j := openJournal(t, eager())
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range 200 {
		r := draw(rng, i)
		j.Commit(Entry{Record: r})
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := j.Get(t.Context(), r.ID); err != nil || len(got) != 1 {
			t.Fatalf("record %d: %v, %v", i, got, err)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{done: make(chan struct{})}
		j := &Journal{work: make(chan struct{}, 1), open: g}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := (Receipt{j: j, g: g}).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if !g.hurry {
			t.Error("the group was not hurried")
		}
	})
}

func TestCloseWritesWhatWasCommitted(t *testing.T) {
	s, _ := openStore(t, vfs.NewMem(), "data")
	j := journalOn(t, s, patient())
	rng := rand.New(rand.NewPCG(4, 4))
	for i := range 10 {
		r := draw(rng, i)
		j.Commit(Entry{Record: r, Extra: fillOf(r.ID)})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(verify(t, s, j)); n != 10 {
		t.Errorf("%d of 10 records", n)
	}
	if err := j.Commit(Entry{Record: draw(rng, 11)}).Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a commit after the end returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestFullDiskIsFatalAndNotSilent(t *testing.T) {
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && op.Kind == errorfs.OpFileWrite {
			return syscall.ENOSPC
		}
		return nil
	})}
	mem := vfs.NewCrashableMem()
	s, failures := openStore(t, errorfs.Wrap(mem, toggle), "data")
	j := journalOn(t, s, eager())
	rng := rand.New(rand.NewPCG(5, 5))
	before := draw(rng, 1)
	if err := j.Commit(Entry{Record: before, Extra: fillOf(before.ID)}).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	toggle.On()
	if err := j.Commit(Entry{Record: draw(rng, 2)}).Wait(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a record that is not on disk was acknowledged: %v", err)
	}
	if failures.Load() != 1 {
		t.Errorf("Fatal was called %d times", failures.Load())
	}
	toggle.Off()
	// 64 requests come after: none of them hangs, none is acknowledged.
	var wg sync.WaitGroup
	for w := range 64 {
		r := draw(rng, 3+w)
		wg.Go(func() {
			if err := j.Commit(Entry{Record: r}).Wait(t.Context()); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if err := j.Flush(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Flush returned %v", err)
	}
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close returned %v", err)
	}
	// The next process finds what was acknowledged.
	s, _ = openStore(t, mem.CrashClone(vfs.CrashCloneCfg{}), "data")
	j = journalOn(t, s, eager())
	if found := verify(t, s, j); found[before.ID] != 1 {
		t.Errorf("found %v", found)
	}
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestRecordWithoutAPlacePanics(t *testing.T) {
	j := openJournal(t, eager())
	for name, r := range map[string]*record.Record{
		"id":      {ID: "req_1", Attempt: 1},
		"attempt": {ID: record.NewID(start), Attempt: maxAttempt + 1},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			j.Commit(Entry{Record: r})
		})
	}
}

func TestConfigIsValidated(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{}, {Linger: -1, MaxGroupEntries: 1, MaxGroupBytes: 1 << 20}, {Linger: time.Minute, MaxGroupEntries: 1, MaxGroupBytes: 1 << 20}, {MaxGroupEntries: 1, MaxGroupBytes: 1 << 30}} {
		if c.Validate() == nil {
			t.Errorf("%+v is valid", c)
		}
		if _, err := Open(nil, c); err == nil {
			t.Errorf("%+v opens", c)
		}
	}
}

func TestProofsAddUpAndAreForgotten(t *testing.T) {
	j := openJournal(t, eager())
	account := ledger.AccountKey{Budget: "org", Split: "acme", Start: 5}
	other := ledger.AccountKey{Budget: "org", Split: "acm", Start: 5}
	charge := func(attempt int, id string, spent ledger.Amount, incarnation uint32) *record.Record {
		return &record.Record{ID: id, Attempt: attempt, Charges: []record.Charge{{Account: account, Incarnation: incarnation, Spent: spent}}}
	}
	id := record.NewID(start)
	commit(t, j, charge(1, id, 5, 1), charge(2, id, 7, 1))
	commit(t, j, charge(1, record.NewID(start), 100, 2), charge(1, record.NewID(start), 0, 3), charge(1, record.NewID(start), 1, 1))
	for incarnation, want := range map[uint32]ledger.Amount{1: 13, 2: 100, 3: 0, 4: 0} {
		if got, err := j.Proven(account, incarnation); err != nil || got != want {
			t.Errorf("incarnation %d: %d, want %d, %v", incarnation, got, want, err)
		}
	}
	if got, err := j.Proven(other, 1); err != nil || got != 0 {
		t.Errorf("another account: %d, %v", got, err)
	}
	if err := j.Roller(Own).Retain(t.Context(), Retention{}, start+10*24*ledger.Hour); err != nil {
		t.Fatal(err)
	}
	if left := ids(t, j, Query{Range: Always}); len(left) != 0 {
		t.Fatalf("kept %q", left)
	}
	if got, err := j.Proven(account, 1); err != nil || got != 13 {
		t.Errorf("without the records: %d, %v", got, err)
	}
	within := record.Charge{Account: account, Incarnation: 7, Held: 9, Spent: 8}
	beyond := record.Charge{Account: other, Incarnation: 7, Held: 3, Spent: 8}
	commit(t, j, &record.Record{ID: record.NewID(start), Attempt: 1, Charges: []record.Charge{within, beyond}})
	overruns := map[lease]bool{}
	if err := j.Overruns(func(a ledger.AccountKey, incarnation uint32) { overruns[lease{a, incarnation}] = true }); err != nil {
		t.Fatal(err)
	}
	// The first ones held nothing, and spent.
	if want := map[lease]bool{{account, 1}: true, {account, 2}: true, {other, 7}: true}; !maps.Equal(overruns, want) {
		t.Errorf("overruns of %v, want %v", overruns, want)
	}
	if err := j.ForgetFrom(7); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Proven(account, 7); err != nil || got != 0 {
		t.Errorf("of a later incarnation: %d, %v", got, err)
	}
	if err := j.Forget(account, 1); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Proven(account, 1); err != nil || got != 0 {
		t.Errorf("forgotten: %d, %v", got, err)
	}
	if got, err := j.Proven(account, 2); err != nil || got != 100 {
		t.Errorf("another lease: %d, %v", got, err)
	}
}
