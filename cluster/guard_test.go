package cluster

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// faultyLogs is a log store whose disk can be made to hang or fail.
type faultyLogs struct {
	raft.LogStore
	hang atomic.Pointer[chan struct{}] // operations wait until it is closed
	fail atomic.Pointer[error]
}

func (f *faultyLogs) disk() error {
	if c := f.hang.Load(); c != nil {
		<-*c
	}
	if err := f.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *faultyLogs) StoreLogs(l []*raft.Log) error {
	if err := f.disk(); err != nil {
		return err
	}
	return f.LogStore.StoreLogs(l)
}

func (f *faultyLogs) StoreLog(l *raft.Log) error { return f.StoreLogs([]*raft.Log{l}) }

func (f *faultyLogs) GetLog(i uint64, l *raft.Log) error {
	if err := f.disk(); err != nil {
		return err
	}
	return f.LogStore.GetLog(i, l)
}

func (f *faultyLogs) DeleteRange(a, b uint64) error {
	if err := f.disk(); err != nil {
		return err
	}
	return f.LogStore.DeleteRange(a, b)
}

func TestEveryOperationIsWatched(t *testing.T) {
	inner := func() (*faultyLogs, *guard, *exits) {
		f := &faultyLogs{LogStore: raft.NewInmemStore()}
		e := newExits()
		return f, &guard{logs: f, stable: raft.NewInmemStore(), limit: time.Second, exit: e.exit}, e
	}
	ops := map[string]func(g *guard) error{
		"store one":  func(g *guard) error { return g.StoreLog(&raft.Log{Index: 1}) },
		"store many": func(g *guard) error { return g.StoreLogs([]*raft.Log{{Index: 1}}) },
		"get":        func(g *guard) error { return g.GetLog(1, &raft.Log{}) },
		"delete":     func(g *guard) error { return g.DeleteRange(1, 1) },
	}
	for name, op := range ops {
		synctest.Test(t, func(t *testing.T) {
			f, g, e := inner()
			gate := make(chan struct{})
			f.hang.Store(&gate)
			done := make(chan error, 1)
			go func() { done <- op(g) }()
			<-time.After(999 * time.Millisecond)
			synctest.Wait()
			if len(e.told) != 0 {
				t.Errorf("%s: ended before its time", name)
			}
			<-time.After(time.Millisecond)
			synctest.Wait()
			if len(e.told) != 1 || !errors.Is(<-e.told, ErrDiskStalled) {
				t.Errorf("%s: a stall went unnoticed", name)
			}
			close(gate)
			<-done
		})
	}
	for name, op := range ops {
		f, g, e := inner()
		full := errors.New("no space left on device")
		f.fail.Store(&full)
		err := op(g)
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "get" {
			if len(e.told) != 0 {
				t.Error("a failed read ended the process")
			}
			continue
		}
		if len(e.told) != 1 || !errors.Is(<-e.told, ErrDiskFailed) || !errors.Is(err, ErrDiskFailed) {
			t.Errorf("%s: a failed write did not end the process", name)
		}
	}
}

func TestStableWritesAreGuarded(t *testing.T) {
	e := newExits()
	g := &guard{stable: &dying{StableStore: raft.NewInmemStore(), left: 2}, limit: time.Second, exit: e.exit}
	if err := errors.Join(g.Set([]byte("a"), []byte("b")), g.SetUint64([]byte("n"), 3)); err != nil {
		t.Fatal(err)
	}
	v, err := g.Get([]byte("a"))
	n, err2 := g.GetUint64([]byte("n"))
	if string(v) != "b" || n != 3 || err != nil || err2 != nil {
		t.Errorf("read %q, %d, %v, %v", v, n, err, err2)
	}
	if _, err := g.Get([]byte("none")); err == nil || err.Error() != "not found" {
		t.Errorf("a value that is not there: %v", err) // the library compares this text
	}
	if len(e.told) != 0 {
		t.Fatal("ended for no reason")
	}
	_ = g.Set([]byte("a"), nil)
	_ = g.SetUint64([]byte("a"), 1)
	if len(e.told) != 1 || !errors.Is(<-e.told, ErrDiskFailed) {
		t.Error("failed writes did not end the process once")
	}
}

// TestAStalledDiskEndsALeader: a whole node, whose disk hangs under an entry.
func TestAStalledDiskEndsALeader(t *testing.T) {
	for _, fault := range []string{"stall", "failure"} {
		var disk *faultyLogs
		e := newExits()
		c := testConfig(t, t.TempDir(), &chain{})
		c.StallAfter, c.Exit = time.Second, e.exit
		c.wrapLogs = func(s raft.LogStore) raft.LogStore {
			disk = &faultyLogs{LogStore: s}
			return disk
		}
		n := open(t, c)
		apply(t, n, "fine")
		gate := make(chan struct{})
		want := ErrDiskStalled
		if fault == "stall" {
			disk.hang.Store(&gate)
		} else {
			want = ErrDiskFailed
			full := errors.New("no space left on device")
			disk.fail.Store(&full)
		}
		applied := make(chan error, 1)
		go func() {
			_, err := n.Apply([]byte("stuck"), 0)
			applied <- err
		}()
		if err := e.wait(t); !errors.Is(err, want) || !strings.Contains(err.Error(), "store logs") {
			t.Errorf("%s: told %v", fault, err)
		}
		disk.fail.Store(nil)
		close(gate)
		<-applied
		shut(t, n)
	}
}
