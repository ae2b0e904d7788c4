package fleet

import (
	"context"
	"time"

	"purser/ledger"
	"purser/semcache"
)

// Peers reach the other nodes. Whoever calls bounds the time by ctx.
type Peers interface {
	// Ask begins a conversation with a node about a key.
	Ask(ctx context.Context, node string, q Question) (Line, error)
	// Put gives a node an entry to keep, as [semcache.AppendWire] writes it.
	Put(ctx context.Context, node string, k semcache.Key, entry []byte) error
	// Exchange tells a node of purges, and returns those that it knows of, and how many
	// entries it deleted.
	Exchange(ctx context.Context, node string, marks []semcache.Mark) ([]semcache.Mark, int, error)
}

// Line is a conversation about a key. It ends when the ctx ends that it was begun
// with.
type Line interface {
	// Next is what the owner says next. The error is io.EOF when the owner has ended the
	// conversation in order.
	Next() (Reply, error)
	// Land ends the flight that the owner said is this node's to lead, with an entry
	// or, if there is none to share, with nil.
	Land(entry []byte) error
}

// Side is the owner's side of a conversation.
type Side interface {
	Say(Reply) error
	// Landed waits for the end of a flight that the other node leads.
	Landed(context.Context) (entry []byte, err error)
}

// Question is what is asked about a key. Times are those of the asking node.
type Question struct {
	Key     semcache.Key
	Wait    time.Duration  // for an answer that is being made; 0: not at all
	Created ledger.Instant // no entry from before; 0: however old
	Stale   bool           // an entry that has expired will do while another makes it anew
	Fresh   bool           // no entry will do
	Epoch   semcache.Epoch // of the purges that the asking node knows of
}

// Verdict is what an owner says of a key. The numbers cross the wire.
type Verdict uint8

// The verdicts.
const (
	// Hit comes with the entry.
	Hit Verdict = iota + 1
	// Shared comes with the entry that another request has just made.
	Shared
	// Lead: nobody makes the answer; the asking node is to, and to land.
	Lead
	// Wait: another makes it; something else is said later.
	Wait
	// Alone: the asking node is to go on without sharing.
	Alone
)

// Reply is what an owner says.
type Reply struct {
	Verdict Verdict
	Entry   []byte // of Hit and Shared
	Epoch   semcache.Epoch
}
