package cluster

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// filled returns the directory of a stopped node with entries in its log.
func filled(t *testing.T, entries, snapshots int) (dir string, state [2]uint64) {
	t.Helper()
	dir = t.TempDir()
	fsm := &chain{}
	c := testConfig(t, dir, fsm)
	n := open(t, c)
	for s := range snapshots + 1 {
		for i := range entries {
			apply(t, n, fmt.Sprint(s, " ", i, strings.Repeat("x", 500)))
		}
		if s < snapshots {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	shut(t, n)
	return dir, fsm.state()
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(slices.Clone(b)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func refusedAsCorrupt(t *testing.T, dir, what string) {
	t.Helper()
	n, err := Open(testConfig(t, dir, &chain{}))
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(err), "restore the directory") {
		t.Errorf("%s: %v", what, err)
	}
	if n != nil {
		shut(t, n)
	}
}

func TestADamagedLogIsRefusedWithWhatToDo(t *testing.T) {
	const page = 4096
	garbage := func(b []byte) {
		for i := range b {
			b[i] = 0xa5
		}
	}
	cases := map[string]func([]byte) []byte{
		"not a log":         func(b []byte) []byte { return []byte("hello") },
		"older or newer 0":  func(b []byte) []byte { garbage(b[:page]); return b },
		"older or newer 1":  func(b []byte) []byte { garbage(b[page : 2*page]); return b },
		"one bit of a head": func(b []byte) []byte { b[page+16+48] ^= 4; return b },
		"both metas":        func(b []byte) []byte { garbage(b[:2*page]); return b },
		"all but metas":     func(b []byte) []byte { garbage(b[2*page:]); return b },
		"cut to the metas":  func(b []byte) []byte { return b[:2*page] },
		"zeros":             func(b []byte) []byte { clear(b[2*page:]); return b },
	}
	source, _ := filled(t, 40, 0)
	good, err := os.ReadFile(filepath.Join(source, logFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range cases {
		edit(t, filepath.Join(source, logFile), func([]byte) []byte { return damage(slices.Clone(good)) })
		refusedAsCorrupt(t, source, name)
	}
	// Put back, it is as good as ever: the refusals wrote nothing.
	edit(t, filepath.Join(source, logFile), func([]byte) []byte { return good })
	shut(t, open(t, testConfig(t, source, &chain{})))
}

// TestNoSingleDamagedPageIsFatalOrUnnoticed: a page of garbage anywhere is
// either refused, or was of no account (a free page).
func TestNoSingleDamagedPageIsFatalOrUnnoticed(t *testing.T) {
	const page = 4096
	dir, want := filled(t, 60, 0)
	path := filepath.Join(dir, logFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 0; at < len(good); at += page {
		b := slices.Clone(good)
		for i := range page {
			b[at+i] = byte(i) | 1
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		fsm := &chain{}
		n, err := Open(testConfig(t, dir, fsm))
		if err != nil {
			refused++
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("page %d: %v", at/page, err)
			}
			continue
		}
		ready(t, n)
		if fsm.state() != want {
			t.Errorf("page %d: the node started with another state", at/page)
		}
		shut(t, n)
	}
	if refused < 5 {
		t.Errorf("%d of %d pages mattered", refused, len(good)/page)
	}
}

func TestAGapInTheLogIsRefused(t *testing.T) {
	dir, _ := filled(t, 20, 0)
	s := boltStore(t, filepath.Join(dir, logFile))
	if err := errors.Join(s.DeleteRange(5, 7), s.Close()); err != nil {
		t.Fatal(err)
	}
	refusedAsCorrupt(t, dir, "a gap")
}

func TestAnEntryThatCannotBeReadIsRefused(t *testing.T) {
	for _, index := range []uint64{3, 8} { // in the midst, and the last
		dir, _ := filled(t, 5, 0)
		db, err := bbolt.Open(filepath.Join(dir, logFile), 0o600, boltOptions(false))
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("logs"))
			key := binary.BigEndian.AppendUint64(nil, index)
			if b.Get(key) == nil {
				t.Fatalf("there is no entry %d", index)
			}
			return b.Put(key, []byte{0xc1}) // no msgpack begins so
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		refusedAsCorrupt(t, dir, fmt.Sprint("entry ", index))
	}
}

func snapshotsOf(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "state.bin"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Compare(indexOf(a), indexOf(b)) })
	return list
}

// indexOf reads the entry a snapshot ends at from the name of its directory.
func indexOf(path string) (index uint64) {
	_, _ = fmt.Sscanf(filepath.Base(filepath.Dir(path)), "%d-%d-", new(uint64), &index)
	return index
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 1
	return b
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	dir, _ := filled(t, 5, 1)
	for _, s := range snapshotsOf(t, dir) {
		edit(t, s, flip)
	}
	// The whole log is still there, but nobody said that it may be replayed from
	// its beginning: the library has no such start.
	refusedAsCorrupt(t, dir, "a damaged snapshot")
}

func TestADamagedSnapshotIsPassedOverWhenTheLogReachesBack(t *testing.T) {
	dir, want := filled(t, 5, 2)
	list := snapshotsOf(t, dir)
	edit(t, list[len(list)-1], flip)
	fsm := &chain{}
	shut(t, open(t, testConfig(t, dir, fsm)))
	if fsm.state() != want {
		t.Errorf("state %v, want %v", fsm.state(), want)
	}
}

func TestADamagedSnapshotIsNotPassedOverWhenTheLogDoesNotReachBack(t *testing.T) {
	dir, _ := filled(t, 5, 2)
	list := snapshotsOf(t, dir)
	edit(t, list[len(list)-1], flip)
	s := boltStore(t, filepath.Join(dir, logFile))
	if err := errors.Join(s.DeleteRange(1, 10), s.Close()); err != nil {
		t.Fatal(err)
	}
	refusedAsCorrupt(t, dir, "an older snapshot that leads nowhere")
}

func TestLostSnapshotsAreNoticed(t *testing.T) {
	dir, _ := filled(t, 5, 1)
	s := boltStore(t, filepath.Join(dir, logFile))
	if err := errors.Join(s.DeleteRange(1, 4), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "snapshots")); err != nil {
		t.Fatal(err)
	}
	refusedAsCorrupt(t, dir, "a log that continues a snapshot that is gone")
}

func TestASnapshotThatTheStateMachineRefuses(t *testing.T) {
	dir, _ := filled(t, 5, 1)
	why := errors.New("digest differs")
	_, err := Open(testConfig(t, dir, &chain{fail: why}))
	if !errors.Is(err, ErrCorrupt) || !errors.Is(err, why) {
		t.Errorf("Open = %v", err)
	}
}

func TestUsableSnapshots(t *testing.T) {
	at := func(i uint64) *raft.SnapshotMeta { return &raft.SnapshotMeta{Index: i} }
	cases := []struct {
		all  []*raft.SnapshotMeta
		log  logSpan
		want int
	}{
		{nil, logSpan{}, 0},
		{[]*raft.SnapshotMeta{at(10)}, logSpan{}, 1},
		{[]*raft.SnapshotMeta{at(10), at(5)}, logSpan{}, 1},
		{[]*raft.SnapshotMeta{at(10), at(5)}, logSpan{run: 6, last: 10}, 2},
		{[]*raft.SnapshotMeta{at(10), at(5)}, logSpan{run: 7, last: 10}, 1},
		{[]*raft.SnapshotMeta{at(10), at(5)}, logSpan{run: 1, last: 9}, 1},
	}
	for i, c := range cases {
		got, err := presentSnapshots{SnapshotStore: fixed(c.all), log: c.log}.List()
		if err != nil || len(got) != c.want {
			t.Errorf("case %d: %d usable, %v, want %d", i, len(got), err, c.want)
		}
	}
}

type fixedSnapshots struct {
	raft.SnapshotStore
	list []*raft.SnapshotMeta
}

func fixed(list []*raft.SnapshotMeta) raft.SnapshotStore { return fixedSnapshots{list: list} }

func (f fixedSnapshots) List() ([]*raft.SnapshotMeta, error) { return f.list, nil }

// BenchmarkApply is one entry at a time on the disk of the temporary directory.
func BenchmarkApply(b *testing.B) {
	c := Config{Dir: b.TempDir(), NodeID: "n1", FSM: &chain{}, Exit: func(err error) { b.Error(err) }}
	n, err := Open(c)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	if err := n.WaitReady(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	entry := make([]byte, 200)
	for b.Loop() {
		if _, err := n.Apply(entry, time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
