package ledger

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestSnapshotRefuses(t *testing.T) {
	good := recordsOf(sampleState(t))
	if _, err := loadAll(good); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := loadAll(good[:n]); err == nil {
			t.Errorf("the first %d records of %d load", n, len(good))
		}
		if _, err := loadAll(slices.Delete(slices.Clone(good), n, n+1)); err == nil {
			t.Errorf("without record %d it loads", n)
		}
		if _, err := loadAll(slices.Insert(slices.Clone(good), n, good[n])); err == nil {
			t.Errorf("with record %d twice it loads", n)
		}
		if n > 0 {
			swapped := slices.Clone(good)
			swapped[n], swapped[n-1] = swapped[n-1], swapped[n]
			if _, err := loadAll(swapped); err == nil {
				t.Errorf("with record %d before its predecessor it loads", n)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := Load(func(yield func([]byte, error) bool) { yield(nil, broken) }); !errors.Is(err, broken) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

// TestSnapshotBitFlips: a changed byte is refused, or makes a state that is
// consistent and is not the one that was written.
func TestSnapshotBitFlips(t *testing.T) {
	s := sampleState(t)
	good := recordsOf(s)
	for i := range good {
		for at := range good[i] {
			for bit := range 8 {
				bad := slices.Clone(good)
				bad[i] = bytes.Clone(good[i])
				bad[i][at] ^= 1 << bit
				if loaded, err := loadAll(bad); err == nil && loaded.Digest() == s.Digest() {
					t.Fatalf("record %d, byte %d, bit %d makes no difference", i, at, bit)
				}
			}
		}
	}
}

func TestSnapshotOfEmpty(t *testing.T) {
	s := New()
	if reload(t, s).Digest() != s.Digest() {
		t.Error("an empty state has another digest when loaded")
	}
	stopped := 0
	for range s.Records() {
		stopped++
		break
	}
	if stopped != 1 {
		t.Error("records do not stop")
	}
}

// FuzzLoad feeds anything, cut into records at each 0xfe. What loads must be
// consistent and survive commands.
func FuzzLoad(f *testing.F) {
	f.Add(bytes.Join(recordsOf(sampleState(f)), []byte{0xfe}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := loadAll(bytes.Split(b, []byte{0xfe}))
		if err != nil {
			return
		}
		if again, err := loadAll(recordsOf(s)); err != nil || again.Digest() != s.Digest() {
			t.Fatalf("what loaded does not load again: %v", err)
		}
		for n := range s.Nodes() {
			s.Clone().Apply(0, Register{Node: n.ID, Store: n.Store, Previous: n.Incarnation})
			s.Clone().Apply(0, Fence{n.ID})
		}
		s.Apply(s.Now()+Hour, Tick{})
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
