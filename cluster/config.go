package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	// Peers is how this node meets others. Nil: it is alone, and opens no port.
	Peers *Peers
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

// Peers is a node's way to the others.
type Peers struct {
	// Streams carry Raft's messages. They belong to the node once it is open.
	Streams Streams
	// Advertise is where others reach this node.
	Advertise string
	// Found says that a node that has never run begins a cluster, with itself as
	// the one voter. Otherwise it waits until a leader adds it.
	Found bool
	// Timing suits the network between the nodes; zero means [LAN].
	Timing Timing
}

// Streams are the connections between nodes, both ends proved.
type Streams interface {
	net.Listener
	// Dial opens a connection to a node at an address. It fails if another node
	// answers there.
	Dial(ctx context.Context, address, node string) (net.Conn, error)
}

// Timing is how patient Raft is.
type Timing struct {
	// Election is how long a follower waits for its leader before it stands for
	// election, at random up to twice that.
	Election time.Duration
	// Lease is how long a leader that hears no quorum goes on leading.
	Lease time.Duration
	// Commit is how soon a follower hears of a commit when nothing else is sent.
	Commit time.Duration
	// InFlight is how many messages may be on their way to one follower.
	InFlight int
}

// LAN suits nodes within some milliseconds of each other. A follower refuses its
// vote until it misses the leader itself, so that an election takes up to twice
// the timeout, and as long again when nobody wins it; 700 ms keep both within
// three seconds, and are well above a slow sync of the disk. There is no pipeline:
// it wedges after a follower's disk stall (hashicorp/raft issue 612), and gains
// nothing there.
func LAN() Timing {
	return Timing{Election: 700 * time.Millisecond, Lease: 500 * time.Millisecond, Commit: 50 * time.Millisecond, InFlight: 1}
}

// WAN suits nodes in several regions, up to 250 ms apart.
func WAN() Timing {
	return Timing{Election: 5 * time.Second, Lease: 2500 * time.Millisecond, Commit: 100 * time.Millisecond, InFlight: 8}
}

// alone is the timing of a node without peers. It hears no heartbeats: its
// timeouts only decide how soon after a start it elects itself. The library
// wants a lease of at most the election timeout.
func alone() Timing {
	return Timing{Election: 50 * time.Millisecond, Lease: 50 * time.Millisecond, Commit: 20 * time.Millisecond, InFlight: 1}
}

const (
	// maxAppendEntries is how many waiting entries share one sync.
	maxAppendEntries = 256

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
	if p := out.Peers; p != nil {
		if p.Streams == nil || p.Advertise == "" {
			return out, errors.New("cluster: peers without streams or an address")
		}
		if p.Timing == (Timing{}) {
			own := *p
			own.Timing = LAN()
			out.Peers = &own
		}
	}
	return out, nil
}

func (c *Config) timing() Timing {
	if c.Peers == nil {
		return alone()
	}
	return c.Peers.Timing
}

// address is where this node is, as Raft's configuration has it.
func (c *Config) address() string {
	if c.Peers == nil {
		return nowhere
	}
	return c.Peers.Advertise
}

func (c *Config) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.NodeID)
	t := c.timing()
	rc.HeartbeatTimeout, rc.ElectionTimeout = t.Election, t.Election
	rc.LeaderLeaseTimeout, rc.CommitTimeout = t.Lease, t.Commit
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
