package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestRestartsGiveTheSameState(t *testing.T) {
	dir := t.TempDir()
	var want [2]uint64
	for life := range 4 {
		fsm := &chain{}
		n := open(t, testConfig(t, dir, fsm))
		if got := fsm.state(); got != want {
			t.Fatalf("life %d begins with %v, the last one ended with %v", life, got, want)
		}
		for i := range 20 {
			if v := apply(t, n, fmt.Sprintf("entry %d of life %d", i, life)); v != uint64(life*20+i+1) {
				t.Fatalf("entry %d of life %d is answered with %v", i, life, v)
			}
		}
		if life%2 == 1 {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		want = fsm.state()
		shut(t, n)
	}
}

func TestASnapshotShortensTheLog(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(t, dir, &chain{})
	c.trailing = 10
	n := open(t, c)
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() { _, _ = n.Apply(fmt.Append(nil, i), 5*time.Second) })
	}
	all.Wait()
	for range 2 { // the second deletes up to the first
		if err := n.Snapshot(); err != nil {
			t.Fatal(err)
		}
		apply(t, n, "more")
	}
	want := c.FSM.(*chain).state()
	shut(t, n)
	span, err := checkLog(filepath.Join(dir, logFile))
	if err != nil || span.run < 200 || span.last < 302 {
		t.Fatalf("log holds %+v, %v", span, err)
	}

	fsm := &chain{}
	c.FSM = fsm
	n = open(t, c)
	if fsm.state() != want {
		t.Errorf("state %v, want %v", fsm.state(), want)
	}
	if err := n.Snapshot(); err != nil {
		t.Errorf("a snapshot with little new: %v", err)
	}
	s := n.Stats()
	if s.State != "Leader" || s.Last < 302 || s.Commit != s.Last || s.Term == 0 || s.LogBytes == 0 || s.Applied == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestNothingNewToSnapshotIsNoError(t *testing.T) {
	n := open(t, testConfig(t, t.TempDir(), &chain{}))
	if err := n.Snapshot(); err != nil {
		t.Error(err)
	}
}

func TestALostLogIsNotReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	n := open(t, testConfig(t, dir, &chain{}))
	apply(t, n, "dear")
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	refused := func(what string, spoil func(*Config)) {
		t.Helper()
		c := testConfig(t, dir, &chain{})
		spoil(&c)
		n, err := Open(c)
		if !errors.Is(err, ErrStateMissing) || !strings.Contains(err.Error(), "restore the directory") {
			t.Errorf("%s: %v", what, err)
		}
		if n != nil {
			shut(t, n)
		}
	}
	log := filepath.Join(dir, logFile)
	saved, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Truncate(log, 0))
	refused("an empty log", func(*Config) {})
	must(os.Remove(log))
	refused("no log", func(*Config) {})
	must(os.Remove(filepath.Join(dir, memberFile)))
	refused("snapshots alone", func(*Config) {})
	refused("nothing, of a node that existed", func(c *Config) { c.Dir, c.Existed = t.TempDir(), true })

	must(os.WriteFile(log, saved, 0o600)) // an intact log is adopted without the member file
	c := testConfig(t, dir, &chain{})
	c.Existed = true
	shut(t, open(t, c))
	if is, err := readMember(dir, "n1"); is != full || err != nil {
		t.Errorf("readMember = %v, %v", is, err)
	}
}

func TestAnotherNodesDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	shut(t, open(t, testConfig(t, dir, &chain{})))
	c := testConfig(t, dir, &chain{})
	c.NodeID = "n2"
	if _, err := Open(c); !errors.Is(err, ErrOtherNode) {
		t.Errorf("Open = %v", err)
	}
}

func TestADamagedMemberFileIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "damaged",
		"{":                        "damaged",
		`{"version":1,"extra":0}`:  "damaged",
		`{"version":2,"node":"n"}`: "a later one",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, memberFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(testConfig(t, dir, &chain{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestABootstrapThatWasCutShortIsDoneAgain: the first start may be cut off after
// any of its writes.
func TestABootstrapThatWasCutShortIsDoneAgain(t *testing.T) {
	for _, after := range []string{"empty file", "buckets", "term", "configuration"} {
		dir := t.TempDir()
		switch after {
		case "empty file":
			if err := os.WriteFile(filepath.Join(dir, logFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		default:
			store, _, err := openLog(dir)
			if err != nil {
				t.Fatal(err)
			}
			if after != "buckets" {
				err = store.SetUint64([]byte("CurrentTerm"), 1)
			}
			if after == "configuration" {
				alone := raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: nowhere}}}
				err = errors.Join(err, store.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(alone)}))
			}
			if err := errors.Join(err, store.Close()); err != nil {
				t.Fatal(err)
			}
		}
		n := open(t, testConfig(t, dir, &chain{}))
		apply(t, n, "works")
		shut(t, n)
	}
}

func TestADirectoryServesOneProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, testConfig(t, dir, &chain{}))
	if _, err := Open(testConfig(t, dir, &chain{})); !errors.Is(err, ErrLocked) {
		t.Errorf("Open = %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"no directory":     func(c *Config) { c.Dir = "" },
		"no node id":       func(c *Config) { c.NodeID = "" },
		"no state machine": func(c *Config) { c.FSM = nil },
		"no exit":          func(c *Config) { c.Exit = nil },
		"stall limit":      func(c *Config) { c.StallAfter = time.Millisecond },
		"without streams":  func(c *Config) { c.Peers = &Peers{Advertise: "a:1"} },
		"or an address":    func(c *Config) { c.Peers = &Peers{Streams: newOverTCP(t)} },
	} {
		c := testConfig(t, t.TempDir(), &chain{})
		spoil(&c)
		if _, err := Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testConfig(t, filepath.Join(file, "dir"), &chain{})); err == nil {
		t.Error("opened")
	}
}

// TestCloseWaitsForAllGoroutines opens and closes nodes, one with a connection
// that a peer keeps open, and counts.
func TestCloseWaitsForAllGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, listening := range []bool{false, true} {
		c := testConfig(t, t.TempDir(), &chain{})
		if listening {
			c.Peers = founder(t)
		}
		n := open(t, c)
		peer := dialPeer(t, n, listening)
		apply(t, n, "x")
		shut(t, n)
		shut(t, n)
		if _, err := n.Apply([]byte("late"), time.Second); !errors.Is(err, raft.ErrRaftShutdown) {
			t.Errorf("Apply after Close = %v", err)
		}
		if err := n.WaitReady(t.Context(), nil); !errors.Is(err, raft.ErrRaftShutdown) {
			t.Errorf("WaitReady after Close = %v", err)
		}
		if peer != nil {
			_ = peer.Close()
		}
	}
	// Timers of the library's own may take a moment to run out.
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestWaitReadyGivesUpWithItsContext(t *testing.T) {
	c := testConfig(t, t.TempDir(), &chain{})
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.WaitReady(ctx, nil); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("WaitReady = %v", err)
	}
}

func TestLibraryLogsReachSlog(t *testing.T) {
	var out strings.Builder
	l := newLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})))
	l.Named("x").With("node", "n1").Warn("something happened", "error", errors.New("why"), "odd")
	l.Debug("not this")
	l.Info("one of each", "servers", []any{1})
	l.Error("bad")
	got := out.String()
	for _, want := range []string{"level=WARN", `msg="something happened"`, "part=raft.x", "node=n1", "error=why", "level=INFO", "level=ERROR"} {
		if !strings.Contains(got, want) {
			t.Errorf("log lacks %s:\n%s", want, got)
		}
	}
	if strings.Contains(got, "not this") {
		t.Error("a debug message came through")
	}
}
