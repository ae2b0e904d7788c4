package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Node is this node's part in the cluster. It is running from [Open] to [Node.Close].
type Node struct {
	raft  *raft.Raft
	store *boltdb.BoltStore
	path  string // of the log
	trans serialTransport

	running  atomic.Pointer[raft.Raft] // the same, for the transport, which is there before it
	consumed atomic.Uint64             // index of the last command that the state machine has carried out
	barrier  atomic.Uint64             // the latest term of which this node, leading, has committed an entry

	leading chan raft.Observation // woken on each change of this node's state or of the leader
	watch   *raft.Observer

	mu      sync.Mutex
	closing bool
	calls   sync.WaitGroup // of methods that wait for Raft
	stopped chan struct{}  // Raft has ended: its futures may never be answered
	close   sync.Once
	err     error // of the close
}

// Open starts the node on its directory. If the directory is empty and the node
// has never run, it becomes a cluster of one voter. It does not wait for a
// leader; see [Node.WaitReady].
func Open(cfg Config) (*Node, error) {
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cluster directory: %w", err)
	}
	if err := checkCondemned(c.Dir); err != nil {
		return nil, err
	}
	as, err := readMember(c.Dir, c.NodeID)
	if err != nil {
		return nil, err
	}
	if err := checkPresence(&c, as); err != nil {
		return nil, err
	}
	store, span, err := openLog(c.Dir)
	if err != nil {
		return nil, err
	}
	if as == stranger && span.last == 0 {
		// A bootstrap that was cut short may have left a term without a log.
		if store, err = remake(c.Dir, store); err != nil {
			return nil, err
		}
	}
	n, err := start(&c, store, span, as)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return n, nil
}

// checkPresence refuses a directory that has lost the log of a member.
func checkPresence(c *Config, as standing) error {
	path := filepath.Join(c.Dir, logFile)
	info, err := os.Stat(path)
	present := err == nil && info.Size() > 0
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch {
	case as == full && !present:
		return fmt.Errorf("%s: %w: this directory's node has run before; %s", path, ErrStateMissing, startAnew)
	case c.Existed && as == stranger && !present:
		return fmt.Errorf("%s: %w: node %q has run before; %s", path, ErrStateMissing, c.NodeID, startAnew)
	}
	return nil
}

func remake(dir string, store *boltdb.BoltStore) (*boltdb.BoltStore, error) {
	if err := store.Close(); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, logFile)); err != nil {
		return nil, err
	}
	store, _, err := openLog(dir)
	return store, err
}

func start(c *Config, store *boltdb.BoltStore, span logSpan, as standing) (*Node, error) {
	rc := c.raftConfig()
	files, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, snapshotsKept, rc.Logger)
	if err != nil {
		return nil, fmt.Errorf("snapshots of %s: %w", c.Dir, err)
	}
	var failure error
	snaps := presentSnapshots{SnapshotStore: files, log: span, failure: &failure, opened: new(atomic.Uint64)}
	have, err := snaps.List()
	if err != nil {
		return nil, fmt.Errorf("snapshots of %s: %w", c.Dir, err)
	}
	switch {
	case as == full && span.last == 0 && len(have) == 0:
		return nil, fmt.Errorf("%s holds neither entries nor snapshots: %w: its node has run before; %s", c.Dir, ErrStateMissing, startAnew)
	case as == stranger && span.last == 0 && len(have) > 0:
		return nil, fmt.Errorf("%s holds snapshots but no log: %w; %s", c.Dir, ErrStateMissing, startAnew)
	}
	if err := checkSpan(have, span); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	guarded := &guard{logs: store, stable: store, limit: c.StallAfter, exit: c.Exit}
	if c.wrapLogs != nil {
		guarded.logs = c.wrapLogs(store)
	}
	if as != full && span.last+uint64(len(have)) > 0 {
		if err := writeMember(c.Dir, c.NodeID, full); err != nil {
			return nil, err
		}
		as = full
	}
	n := &Node{
		store: store, path: filepath.Join(c.Dir, logFile),
		leading: make(chan raft.Observation, 1), stopped: make(chan struct{}),
	}
	n.trans = newTransport(c, rc, n.whois)
	if err := n.launch(c, rc, guarded, snaps, as); err != nil {
		if failure != nil {
			err = fmt.Errorf("%w: %w", err, failure)
		}
		return nil, errors.Join(err, n.trans.Close())
	}
	return n, nil
}

// launch makes a stranger a member, or one that waits to be, and starts Raft.
func (n *Node) launch(c *Config, rc *raft.Config, g *guard, snaps presentSnapshots, as standing) (err error) {
	votes := &voteStore{StableStore: g}
	if as != full {
		if err := initiate(c, rc, g, votes, snaps, n.trans); err != nil {
			return err
		}
	}
	defer func() {
		// The library panics on an entry that it cannot read; nothing runs yet.
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: %v; %s", c.Dir, ErrCorrupt, r, startAnew)
		}
	}()
	fsm := observedFSM{FSM: c.FSM, failure: snaps.failure, opened: snaps.opened, consumed: &n.consumed}
	r, err := raft.NewRaft(rc, fsm, g, votes, replacingSnapshots{snaps, g, c.Exit}, n.trans)
	if err != nil {
		// The configuration is ours; what is left is what it found on disk.
		return fmt.Errorf("start raft in %s: %w: %w; %s", c.Dir, ErrCorrupt, err, startAnew)
	}
	n.raft = r
	n.running.Store(r)
	n.watch = raft.NewObserver(n.leading, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.RaftState, raft.LeaderObservation:
			return true
		}
		return false
	})
	r.RegisterObserver(n.watch)
	return nil
}

// initiate begins a node's life: as the only voter of a new cluster, or waiting
// for a leader to add it.
func initiate(c *Config, rc *raft.Config, g *guard, votes *voteStore, snaps presentSnapshots, trans serialTransport) error {
	if c.Peers != nil && !c.Peers.Found {
		// The first entry makes it a member like any other.
		g.first = func() error { return writeMember(c.Dir, c.NodeID, full) }
		return writeMember(c.Dir, c.NodeID, joining)
	}
	self := raft.Configuration{Servers: []raft.Server{{ID: rc.LocalID, Address: trans.LocalAddr()}}}
	if err := raft.BootstrapCluster(rc, g, votes, snaps, trans, self); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("bootstrap: %w", err)
	}
	if err := writeMember(c.Dir, c.NodeID, full); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// Apply appends an entry to the log, waits until it is committed and applied
// here, and returns what the state machine returned. The timeout bounds the
// wait for the entry's turn, not that for its commit; 0 is no bound. Errors are
// the library's, wrapped; unless they are raft.ErrNotLeader or
// raft.ErrLeadershipTransferInProgress the entry may still be committed later.
func (n *Node) Apply(entry []byte, timeout time.Duration) (any, error) {
	var f raft.ApplyFuture
	if err := n.await(func() raft.Future { f = n.raft.Apply(entry, timeout); return f }); err != nil {
		return nil, fmt.Errorf("apply entry: %w", err)
	}
	return f.Response(), nil
}

// await asks Raft for something and waits for its answer, or for Raft's end:
// the library forgets what is on its way to the state machine when it stops.
func (n *Node) await(ask func() raft.Future) error {
	n.mu.Lock()
	if n.closing {
		n.mu.Unlock()
		return raft.ErrRaftShutdown
	}
	n.calls.Add(1)
	n.mu.Unlock()
	defer n.calls.Done()

	answer := make(chan error, 1)
	f := ask()
	go func() { answer <- f.Error() }()
	select {
	case err := <-answer:
		return err
	case <-n.stopped:
		return raft.ErrRaftShutdown
	}
}

// Term is the Raft term that this node is in.
func (n *Node) Term() uint64 { return n.raft.CurrentTerm() }

// Leader says whether this node leads, as far as it knows.
func (n *Node) Leader() bool { return n.raft.State() == raft.Leader }

// SinceLeader is how long ago this node last heard from a leader; 0 if it leads.
func (n *Node) SinceLeader() time.Duration {
	if n.Leader() {
		return 0
	}
	return time.Since(n.raft.LastContact())
}

// Snapshot writes a snapshot now. It is not needed for safety; a stop that takes
// one starts faster. Nothing new to write is no error.
func (n *Node) Snapshot() error {
	err := n.await(func() raft.Future { return n.raft.Snapshot() })
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Stats are figures for people and metrics.
type Stats struct {
	State    string // Leader, Follower, Candidate or Shutdown
	Term     uint64
	Last     uint64 // index of the last entry in the log
	Commit   uint64 // index up to which entries are committed
	Applied  uint64 // index up to which entries were handed to the state machine
	LogBytes int64  // size of the log file, free pages included
}

// Stats returns the present figures.
func (n *Node) Stats() Stats {
	s := Stats{
		State:   n.raft.State().String(),
		Term:    n.raft.CurrentTerm(),
		Last:    n.raft.LastIndex(),
		Commit:  n.raft.CommitIndex(),
		Applied: n.raft.AppliedIndex(),
	}
	if info, err := os.Stat(n.path); err == nil {
		s.LogBytes = info.Size()
	}
	return s
}

// drainWait bounds how long Close waits for entries under way. With a quorum
// and a disk that works they take milliseconds.
const drainWait = 5 * time.Second

// Close takes no further calls, waits a while for those under way, stops Raft,
// its transport and its store, and waits for their goroutines. What is still
// waiting then ends with an error that leaves its outcome open. Calling it again
// returns the same error.
func (n *Node) Close() error {
	n.close.Do(func() {
		n.mu.Lock()
		n.closing = true
		n.mu.Unlock()
		idle := make(chan struct{})
		go func() { n.calls.Wait(); close(idle) }()
		drain := time.NewTimer(drainWait)
		defer drain.Stop()
		select {
		case <-idle:
		case <-drain.C:
		}
		n.raft.DeregisterObserver(n.watch)
		err := n.raft.Shutdown().Error()
		close(n.stopped)
		<-idle
		n.err = errors.Join(err, n.store.Close())
	})
	return n.err
}
