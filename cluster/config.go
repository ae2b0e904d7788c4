package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/hashicorp/raft"
)

// Config says where a node keeps its log and what it runs. It is read once, by [Open].
type Config struct {
	// Dir holds the node's Raft state. It is made if need be.
	Dir string
	// NodeID names this node for all time. It must be that of Dir's earlier life.
	NodeID string
	// Existed says that this node has run before, as its identity elsewhere
	// tells: Open then refuses to begin anew.
	Existed bool
	// Bind is the loopback address and port to listen on for peers, such as
	// "127.0.0.1:0". Empty, the default: no port is opened. Messages are neither
	// encrypted nor authenticated, so no other address is allowed.
	Bind string
	// FSM takes the committed entries. Optional interfaces of the library beyond
	// raft.FSM are not looked for.
	FSM raft.FSM
	// StallAfter is how long one operation of the log store may take before the
	// process ends. Default 10 s, range 1 s to 5 min.
	StallAfter time.Duration
	// Exit ends the process; it is called at most once, from any goroutine, and
	// must not return outside of tests.
	Exit func(reason error)
	// Log takes the library's messages and this package's. Default: discarded.
	Log *slog.Logger

	// Seams of this package's tests; zero means the constants below.
	trailing uint64
	wrapLogs func(raft.LogStore) raft.LogStore
}

// Timing of Raft. A node alone hears no heartbeats: its timeouts only decide how
// soon after a start it elects itself.
const (
	electionTimeout = 50 * time.Millisecond
	leaseTimeout    = 50 * time.Millisecond // the library wants it at most the heartbeat timeout
	commitTimeout   = 20 * time.Millisecond

	// maxAppendEntries is how many waiting entries share one sync.
	maxAppendEntries = 256

	// A snapshot is taken when this many entries have gathered since the last;
	// replaying so many takes well under a second.
	snapshotThreshold = 8192
	snapshotInterval  = 30 * time.Second
	// trailingLogs are kept behind a snapshot, so that the one before it still
	// leads to the present.
	trailingLogs = 2*snapshotThreshold + 2048
	// snapshotsKept is the newest and one to fall back to.
	snapshotsKept = 2

	peerTimeout = 10 * time.Second // of one message to a peer
	peerPool    = 3                // idle connections kept to each peer

	defaultStall = 10 * time.Second
	minStall     = time.Second
	maxStall     = 5 * time.Minute
)

func (c *Config) withDefaults() (Config, error) {
	out := *c
	if out.StallAfter == 0 {
		out.StallAfter = defaultStall
	}
	if out.Log == nil {
		out.Log = slog.New(slog.DiscardHandler)
	}
	if out.trailing == 0 {
		out.trailing = trailingLogs
	}
	switch {
	case out.Dir == "":
		return out, errors.New("cluster: no directory")
	case out.NodeID == "":
		return out, errors.New("cluster: no node id")
	case out.FSM == nil:
		return out, errors.New("cluster: no state machine")
	case out.Exit == nil:
		return out, errors.New("cluster: no exit function")
	case out.StallAfter < minStall || out.StallAfter > maxStall:
		return out, fmt.Errorf("cluster: stall limit %v is not within %v and %v", out.StallAfter, minStall, maxStall)
	}
	if out.Bind != "" {
		if a, err := netip.ParseAddrPort(out.Bind); err != nil || !a.Addr().IsLoopback() {
			return out, fmt.Errorf("cluster: %q is not a loopback address with a port", out.Bind)
		}
	}
	return out, nil
}

func (c *Config) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.NodeID)
	rc.HeartbeatTimeout = electionTimeout
	rc.ElectionTimeout = electionTimeout
	rc.LeaderLeaseTimeout = leaseTimeout
	rc.CommitTimeout = commitTimeout
	rc.MaxAppendEntries = maxAppendEntries
	// Waiting callers share a sync all the same; with a buffer an entry could be
	// taken after its caller was told that it was not.
	rc.BatchApplyCh = false
	rc.SnapshotThreshold = snapshotThreshold
	rc.SnapshotInterval = snapshotInterval
	rc.TrailingLogs = c.trailing
	rc.NoLegacyTelemetry = true
	rc.Logger = newLogger(c.Log)
	return rc
}
