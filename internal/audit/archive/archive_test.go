package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"purser/internal/audit"
	"purser/internal/store"
	"purser/ledger"
)

func openStore(t testing.TB, fs vfs.FS) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{
		Dir: "data", FS: fs, CacheBytes: 64 << 20, Fatal: func(err error) { t.Error(err) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func open(t testing.TB, s *store.Store) *Archive {
	t.Helper()
	a, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// grow appends n entries that say what made them; their time is their number.
func grow(trail *audit.Trail, n int, what string) *audit.Trail {
	for range n {
		trail.Record(ledger.Instant(trail.Head().Seq+1), &audit.Facts{Node: "n1", Actor: "root", Action: what, After: []byte(`{"a":1}`)})
	}
	return trail
}

func follow(t testing.TB, a *Archive, trail *audit.Trail) Followed {
	t.Helper()
	f, err := a.Follow(trail)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// verify verifies what is on disk, from its anchor, against the trail.
func verify(a *Archive, heads ...audit.Head) (audit.Verified, error) {
	after := a.Span().After
	return audit.Verify(a.Read(0), audit.Expect{After: &after, Heads: heads})
}

func sound(t testing.TB, a *Archive, trail *audit.Trail, entries uint64) {
	t.Helper()
	v, err := verify(a, trail.Head())
	if err != nil || v.Entries != entries || v.Head != trail.Head() || a.Span().Last != trail.Head() {
		t.Fatalf("%+v, %v; %d entries up to %v are wanted", v, err, entries, trail.Head())
	}
}

func TestTheArchiveFollowsTheTrail(t *testing.T) {
	fs := vfs.NewMem()
	s := openStore(t, fs)
	a, trail := open(t, s), audit.New()
	follow(t, a, trail)
	for i := range 5 {
		follow(t, a, grow(trail, 100*i, "a"))
		follow(t, a, trail)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, fs)
		a = open(t, s)
		sound(t, a, trail, trail.Head().Seq)
	}
	// A log that is read again from its beginning takes nothing away.
	follow(t, a, grow(audit.New(), 10, "a"))
	sound(t, a, trail, 1000)
}

// TestAGapIsSaidAndFilled: by whoever has the entries, or by beginning after them.
func TestAGapIsSaidAndFilled(t *testing.T) {
	for _, had := range []int{0, 50} {
		other, trail := open(t, openStore(t, vfs.NewMem())), audit.New()
		a := open(t, openStore(t, vfs.NewMem()))
		follow(t, a, grow(trail, had, "a"))
		for range 3 {
			follow(t, other, grow(trail, audit.MaxRecent/2+10, "a"))
		}
		f := follow(t, a, trail)
		if !f.Lacks || f.Until != trail.Base() || a.Span().Last.Seq != uint64(had) {
			t.Fatalf("%+v with the archive at %v", f, a.Span())
		}
		for f.Lacks {
			var some []audit.Link
			for l, err := range other.Read(a.Span().Last.Seq) {
				if err != nil {
					t.Fatal(err)
				}
				if some = append(some, l); len(some) == 1000 {
					break
				}
			}
			if err := a.Extend(some); err != nil {
				t.Fatal(err)
			}
			f = follow(t, a, trail)
		}
		sound(t, a, trail, trail.Head().Seq)

		lost := open(t, openStore(t, vfs.NewMem()))
		follow(t, lost, grow(audit.New(), had, "a"))
		if n, err := lost.BeginAt(trail.Base()); err != nil || n != had {
			t.Fatalf("BeginAt = %d, %v", n, err)
		}
		follow(t, lost, trail)
		sound(t, lost, trail, audit.MaxRecent)
		if got := lost.Span().After; got != trail.Base() || open(t, lost.store).Span() != lost.Span() {
			t.Errorf("it begins after %v", got)
		}
	}
}

// TestAForkIsSetAside: after a restore the chain goes on from an earlier entry. What
// the old one had is kept beside it.
func TestAForkIsSetAside(t *testing.T) {
	for _, at := range []int{0, 1, 299, 300} {
		s := openStore(t, vfs.NewMem())
		a := open(t, s)
		follow(t, a, grow(grow(audit.New(), at, "common"), 900-at, "old"))
		next := grow(grow(audit.New(), at, "common"), 5, "new")
		if f := follow(t, a, next); f.Aside != 900-at || f.Lacks {
			t.Errorf("fork after %d: %+v", at, f)
		}
		sound(t, a, next, uint64(at+5))
		if n, err := a.Aside(); err != nil || n != 900-at {
			t.Errorf("fork after %d: %d set aside, %v", at, n, err)
		}
		sound(t, open(t, s), next, uint64(at+5))
		if f := follow(t, a, grow(next, 1, "new")); f.Aside != 0 {
			t.Errorf("fork after %d: %+v again", at, f)
		}
	}
}

// TestAnotherChainIsSetAside, of which the trail shows nothing in common.
func TestAnotherChainIsSetAside(t *testing.T) {
	a := open(t, openStore(t, vfs.NewMem()))
	follow(t, a, grow(audit.New(), 3*audit.MaxRecent/4, "old"))
	trail := grow(audit.New(), 2*audit.MaxRecent, "new")
	if f := follow(t, a, trail); !f.Lacks || a.Span().Last.Seq != 3*audit.MaxRecent/4 {
		t.Fatalf("what cannot be compared yet: %+v, %v", f, a.Span())
	}
	// The entries in between do not continue what is here.
	if err := a.Extend(trail.Recent()[:1]); err == nil {
		t.Error("a link that continues nothing was taken")
	}
	if n, err := a.BeginAt(trail.Base()); err != nil || n != 3*audit.MaxRecent/4 {
		t.Fatalf("BeginAt = %d, %v", n, err)
	}
	follow(t, a, trail)
	sound(t, a, trail, audit.MaxRecent)
}

// TestOldEntriesGoFromTheBeginning, and the rest is verified from the anchor.
func TestOldEntriesGoFromTheBeginning(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	a, trail := open(t, s), grow(audit.New(), 100, "a")
	follow(t, a, trail)
	for _, c := range []struct{ before, dropped, left uint64 }{{1, 0, 100}, {41, 40, 60}, {41, 0, 60}, {1000, 60, 0}} {
		n, err := a.DropBefore(ledger.Instant(c.before))
		if err != nil || n != c.dropped {
			t.Fatalf("DropBefore(%d) = %d, %v", c.before, n, err)
		}
		sound(t, a, trail, c.left)
		sound(t, open(t, s), trail, c.left)
	}
	follow(t, a, grow(trail, 3, "a"))
	sound(t, a, trail, 3)
	// Whoever removes the beginning, and no anchor says so, is found out.
	b := s.NewBatch()
	if err := errors.Join(b.Delete(entryKey(101), nil), s.Apply(b, store.Synced)); err != nil {
		t.Fatal(err)
	}
	if _, err := verify(a); err == nil {
		t.Error("the first entry is gone, and that was not found")
	}
}

// TestA1EveryEditOfTheStoreIsFound edits the bytes under the entries' keys.
func TestA1EveryEditOfTheStoreIsFound(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	a, trail := open(t, s), grow(audit.New(), 8, "a")
	follow(t, a, trail)
	if _, err := a.DropBefore(3); err != nil {
		t.Fatal(err)
	}
	const first, last = 3, 8
	values := map[uint64][]byte{}
	for seq := uint64(first); seq <= last; seq++ {
		v, closer, err := s.DB().Get(entryKey(seq))
		if err != nil {
			t.Fatal(err)
		}
		values[seq] = bytes.Clone(v)
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write := func(t interface{ Fatal(...any) }, edit func(*pebble.Batch) error) {
		b := s.NewBatch()
		if err := errors.Join(edit(b), s.Apply(b, store.Buffered)); err != nil {
			t.Fatal(err)
		}
	}
	restore := func(b *pebble.Batch) error {
		errs := []error{b.DeleteRange(entryKey(0), entryKey(1<<40), nil)}
		for seq, v := range values {
			errs = append(errs, b.Set(entryKey(seq), v, nil))
		}
		return errors.Join(errs...)
	}
	found := func(t interface {
		Fatal(...any)
		Errorf(string, ...any)
	}, what string, edit func(*pebble.Batch) error) {
		write(t, edit)
		_, err := verify(a, trail.Head())
		var broken *audit.BrokenError
		if !errors.As(err, &broken) || broken.Seq < first || broken.Seq > last+1 {
			t.Errorf("%s: %v", what, err)
		}
		write(t, restore)
	}
	for seq, v := range values {
		for i := range v {
			changed := bytes.Clone(v)
			changed[i] ^= 1 << (i % 8)
			found(t, fmt.Sprintf("byte %d of entry %d", i, seq), func(b *pebble.Batch) error { return b.Set(entryKey(seq), changed, nil) })
		}
		found(t, fmt.Sprint("without entry ", seq), func(b *pebble.Batch) error { return b.Delete(entryKey(seq), nil) })
		for other := range values {
			if other != seq {
				found(t, fmt.Sprintf("%d and %d exchanged", seq, other), func(b *pebble.Batch) error {
					return errors.Join(b.Set(entryKey(seq), values[other], nil), b.Set(entryKey(other), v, nil))
				})
				found(t, fmt.Sprintf("%d in the place of %d", seq, other), func(b *pebble.Batch) error { return b.Set(entryKey(other), v, nil) })
			}
		}
		found(t, fmt.Sprintf("entry %d before the first", seq), func(b *pebble.Batch) error { return b.Set(entryKey(1), v, nil) })
		found(t, fmt.Sprintf("entry %d after the last", seq), func(b *pebble.Batch) error { return b.Set(entryKey(99), v, nil) })
	}
	rapid.Check(t, func(t *rapid.T) { // several edits at once
		order := rapid.Permutation(slices.Sorted(keysOf(values))).Draw(t, "order")
		keep := order[:rapid.IntRange(0, len(order)).Draw(t, "kept")]
		if slices.Equal(keep, []uint64{3, 4, 5, 6, 7, 8}) {
			return
		}
		found(t, fmt.Sprint("the entries ", keep), func(b *pebble.Batch) error {
			errs := []error{b.DeleteRange(entryKey(0), entryKey(1<<40), nil)}
			for i, seq := range keep {
				errs = append(errs, b.Set(entryKey(first+uint64(i)), values[seq], nil))
			}
			return errors.Join(errs...)
		})
	})
	sound(t, a, trail, last-first+1)
}

func keysOf(m map[uint64][]byte) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestADamagedEndIsSetAsideAndWrittenAnew from the trail, which has it.
func TestADamagedEndIsSetAsideAndWrittenAnew(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	trail := grow(audit.New(), 10, "a")
	follow(t, open(t, s), trail)
	b := s.NewBatch()
	if err := errors.Join(b.Set(entryKey(9), []byte("x"), nil), b.Set(entryKey(10), []byte("y"), nil), s.Apply(b, store.Synced)); err != nil {
		t.Fatal(err)
	}
	a := open(t, s)
	if f := follow(t, a, trail); f.Aside != 2 {
		t.Errorf("%+v", f)
	}
	sound(t, a, trail, 10)
	if n, err := a.Aside(); err != nil || n != 2 {
		t.Errorf("%d set aside, %v", n, err)
	}
}

func TestADamagedAnchorIsNotPassedOver(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	for _, v := range [][]byte{{}, {2}, {1, 5}, {1, 5, 1, 2, 3}} {
		b := s.NewBatch()
		if err := errors.Join(b.Set([]byte{store.PrefixAudit, keyAnchor}, v, nil), s.Apply(b, store.Synced)); err != nil {
			t.Fatal(err)
		}
		if a, err := Open(s); err == nil {
			t.Errorf("the anchor %v is read as %+v", v, a.Span())
		}
	}
}
