package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// readyPoll bounds how long a change of leader, or an entry that was applied,
// can go unnoticed.
const (
	readyPoll   = 50 * time.Millisecond
	appliedPoll = 2 * time.Millisecond
)

// ReadIndex returns an index such that whoever has applied it has applied every
// entry that was acknowledged before the call (the read index of the Raft
// dissertation, section 6.4): the commit index of a leader that has committed an
// entry of its own term and then heard from a quorum. Only the leader answers;
// others return [ErrNotLeader].
//
// The library's leader lease is not used: a leader keeps it on any reply,
// whatever the term in it.
func (n *Node) ReadIndex() (uint64, error) {
	if !n.Leader() {
		return 0, ErrNotLeader
	}
	term := n.raft.CurrentTerm()
	if n.barrier.Load() != term {
		// The library does not tell whether an entry of this term is committed.
		if err := n.await(func() raft.Future { return n.raft.Barrier(peerTimeout) }); err != nil {
			return 0, notLeading(err)
		}
		if n.raft.CurrentTerm() != term {
			return 0, ErrNotLeader
		}
		n.barrier.Store(term)
	}
	index := n.raft.CommitIndex()
	if err := n.await(n.raft.VerifyLeader); err != nil {
		return 0, notLeading(err)
	}
	return index, nil
}

func notLeading(err error) error {
	for _, lost := range []error{raft.ErrNotLeader, raft.ErrLeadershipLost, raft.ErrLeadershipTransferInProgress} {
		if errors.Is(err, lost) {
			return fmt.Errorf("%w: %w", ErrNotLeader, err)
		}
	}
	return fmt.Errorf("read index: %w", err)
}

// Applied reports whether the state machine here holds everything up to index.
func (n *Node) Applied(index uint64) bool {
	if n.raft.AppliedIndex() < index {
		return false
	}
	// That index says what the state machine was sent. Entries that are no
	// commands never reach it; those that are gone from the log are in a snapshot.
	for i := index; i > n.consumed.Load(); i-- {
		var l raft.Log
		if err := n.store.GetLog(i, &l); err != nil {
			return errors.Is(err, raft.ErrLogNotFound)
		}
		if l.Type == raft.LogCommand {
			return i <= n.consumed.Load()
		}
	}
	return true
}

// Position is an index up to which the state machine here holds everything.
func (n *Node) Position() uint64 {
	if at := n.raft.AppliedIndex(); n.Applied(at) {
		return at
	}
	return n.consumed.Load()
}

// WaitApplied blocks until the entry at index is applied here.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	if n.Applied(index) {
		return nil
	}
	poll := time.NewTicker(appliedPoll)
	defer poll.Stop()
	for !n.Applied(index) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for entry %d: %w", index, ctx.Err())
		case <-n.stopped:
			return fmt.Errorf("wait for entry %d: %w", index, raft.ErrRaftShutdown)
		case <-poll.C:
		}
	}
	return nil
}

// WaitReady blocks until this node has applied every entry that was acknowledged
// before the call. It takes a leader to know: this node, or the one that ask
// asks for its [Node.ReadIndex]. ask is given "" when Raft knows no leader, and
// may be nil for a node that is alone. One caller at a time.
func (n *Node) WaitReady(ctx context.Context, ask func(ctx context.Context, leader, address string) (uint64, error)) error {
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		index, err := n.askLeader(ctx, ask)
		if err == nil {
			return n.WaitApplied(ctx, index)
		}
		if errors.Is(err, raft.ErrRaftShutdown) {
			return fmt.Errorf("wait for a leader: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a leader: %w: %w", ctx.Err(), err)
		case <-n.stopped:
			return fmt.Errorf("wait for a leader: %w", raft.ErrRaftShutdown)
		case <-n.leading:
		case <-poll.C:
		}
	}
}

func (n *Node) askLeader(ctx context.Context, ask func(context.Context, string, string) (uint64, error)) (uint64, error) {
	if n.Leader() {
		return n.ReadIndex()
	}
	if ask == nil {
		return 0, errors.New("this node is alone and does not lead yet")
	}
	id, address := n.LeaderNode()
	return ask(ctx, id, address)
}
