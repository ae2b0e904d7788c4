package cluster

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestASeededDirectoryGoesOnFromItsSnapshot(t *testing.T) {
	for _, peers := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "raft")
		from := &chain{sum: 7, entries: 40}
		snap, err := from.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		var state bytes.Buffer
		if err := snap.Persist(bufferSink{&state}); err != nil {
			t.Fatal(err)
		}
		fsm := &chain{}
		c := testConfig(t, dir, fsm)
		c.Existed = true
		if peers {
			c.Peers = founder(t)
			c.Peers.Found = false // its life began with the seed
		}
		write := func(w io.Writer) error { _, err := w.Write(state.Bytes()); return err }
		if err := Seed(dir, "n1", c.address(), 1000, write); err != nil {
			t.Fatal(err)
		}
		n := open(t, c)
		if got := fsm.state(); got != from.state() {
			t.Errorf("it begins with %v, not %v", got, from.state())
		}
		if v := apply(t, n, "next"); v != uint64(41) || n.Stats().Last <= 1000 {
			t.Errorf("the next entry is answered with %v, at %d", v, n.Stats().Last)
		}
		want := fsm.state()
		shut(t, n)
		c.FSM = &chain{}
		if peers {
			c.Peers = founder(t)
		}
		n = open(t, c)
		if got := c.FSM.(*chain).state(); got != want {
			t.Errorf("after a restart %v, not %v", got, want)
		}
		shut(t, n)
	}
}

func TestASeedReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := Seed(dir, "n1", "", 1, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Seed into a directory that is there: %v", err)
	}
	dir = filepath.Join(dir, "raft")
	broken := errors.New("the backup ends early")
	if err := Seed(dir, "n1", "", 1, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Seed = %v", err)
	}
	if left, err := filepath.Glob(dir + "*"); err != nil || len(left) > 0 {
		t.Errorf("a seed that failed leaves %v, %v", left, err)
	}
}

func TestACondemnedNodeDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, testConfig(t, dir, &chain{}))
	shut(t, n)
	if err := Condemn(dir, errors.New("its digest is another one")); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testConfig(t, dir, &chain{}))
	if !errors.Is(err, ErrCondemned) || !strings.Contains(err.Error(), "another one; give this node") {
		t.Errorf("Open = %v", err)
	}
}

// bufferSink is a snapshot sink in memory.
type bufferSink struct{ *bytes.Buffer }

func (bufferSink) ID() string    { return "seed" }
func (bufferSink) Close() error  { return nil }
func (bufferSink) Cancel() error { return nil }
