package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// chain is a state machine that folds entries into a checksum: the order and
// the content of every entry show in it.
type chain struct {
	mu      sync.Mutex
	sum     uint32
	entries uint64
	fail    error // of the next Restore
}

func (c *chain) Apply(l *raft.Log) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum = crc32.Update(c.sum, crc32.IEEETable, l.Data)
	c.entries++
	return c.entries
}

func (c *chain) Snapshot() (raft.FSMSnapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, c.sum)
	return frozen(binary.BigEndian.AppendUint64(b, c.entries)), nil
}

func (c *chain) Restore(r io.ReadCloser) error {
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	if len(b) != 12 {
		return fmt.Errorf("%d bytes", len(b))
	}
	c.sum, c.entries = binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])
	return nil
}

func (c *chain) state() [2]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return [2]uint64{uint64(c.sum), c.entries}
}

type frozen []byte

func (f frozen) Persist(s raft.SnapshotSink) error {
	if _, err := s.Write(f); err != nil {
		return err
	}
	return s.Close()
}

func (frozen) Release() {}

// exits collects what a node's Exit was told.
type exits struct {
	told chan error
}

func newExits() *exits { return &exits{told: make(chan error, 16)} }

func (e *exits) exit(err error) { e.told <- err }

func (e *exits) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-e.told:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the process was not ended")
		return nil
	}
}

func testConfig(t *testing.T, dir string, fsm raft.FSM) Config {
	return Config{Dir: dir, NodeID: "n1", FSM: fsm, Log: testLog(t), Exit: func(err error) {
		panic(fmt.Sprint("the process would end: ", err))
	}}
}

// testLog keeps warnings and errors, and shows them if the test fails.
func testLog(t *testing.T) *slog.Logger {
	var mu sync.Mutex
	var kept bytes.Buffer
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if t.Failed() {
			t.Log("log:\n" + kept.String())
		}
	})
	return slog.New(slog.NewTextHandler(lockedWriter{&mu, &kept}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// open starts a node and waits until it leads.
func open(t *testing.T, c Config) *Node {
	t.Helper()
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	ready(t, n)
	return n
}

func ready(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.WaitReady(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

func apply(t *testing.T, n *Node, entry string) any {
	t.Helper()
	v, err := n.Apply([]byte(entry), 5*time.Second)
	if err != nil {
		t.Fatalf("apply %q: %v", entry, err)
	}
	return v
}

func shut(t *testing.T, n *Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// overTCP is Streams without encryption or proof.
type overTCP struct{ net.Listener }

func newOverTCP(t *testing.T) overTCP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return overTCP{l}
}

func (overTCP) Dial(ctx context.Context, address, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

func founder(t *testing.T) *Peers {
	p := newOverTCP(t)
	return &Peers{Streams: p, Advertise: p.Addr().String(), Found: true}
}
