package node

import (
	"context"
	"io"
	"time"

	"purser/cluster"
	"purser/raftfsm"
)

// replica is this node's copy of what is replicated: by Raft's log on a node that is
// alone or a member (cluster.Node), by what members say on a gateway (following).
type replica interface {
	raftfsm.Log
	position
	leadership
	io.Closer
}

// position is how far the copy goes.
type position interface {
	// WaitApplied returns once the copy holds everything up to an index of the log.
	WaitApplied(ctx context.Context, index uint64) error
	// SinceLeader is how old the copy may be.
	SinceLeader() time.Duration
	Stats() cluster.Stats
}

// leadership is who leads, as far as this node knows.
type leadership interface {
	Leader() bool
	LeaderNode() (id, address string)
	// ReadIndex is what a copy must hold to be up to date; only the leader knows, and
	// others return cluster.ErrNotLeader.
	ReadIndex() (uint64, error)
}

// Events hears what people may want to be told of: that a breaker opened, that a
// budget is spent. Raise returns at once; it may be called by requests.
type Events interface {
	// Raise tells what happened (a stable name such as "budget_breaker"), to what, and
	// more about it. Nothing in it is secret, or of a prompt.
	Raise(kind, subject string, detail map[string]string)
}
