package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// replacingSnapshots drops a follower's log when the leader sends a snapshot that
// contradicts it, and ends the process; the next start goes on from the snapshot.
//
// The library keeps the log behind such a snapshot (hashicorp/raft issue 697). Its
// entry at the snapshot's index is then of another term than the snapshot; the
// follower refuses what follows, the leader sends the snapshot again, and so on
// without end. Entries from there on are of a leader that never committed them.
// To clear the store is not enough: the library remembers the last entry.
type replacingSnapshots struct {
	raft.SnapshotStore
	logs raft.LogStore
	exit func(error)
}

// ErrReplaced is the end of a process that has to start again with less.
var ErrReplaced = errors.New("the log contradicted the leader's snapshot and was dropped; start this node again")

// Create implements raft.SnapshotStore.
func (s replacingSnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(version, index, term, c, at, trans)
	if err != nil {
		return nil, err
	}
	var l raft.Log
	switch err := s.logs.GetLog(index, &l); {
	case errors.Is(err, raft.ErrLogNotFound):
		return sink, nil
	case err != nil:
		return nil, errors.Join(err, sink.Cancel())
	case l.Term == term:
		return sink, nil // one of its own, or of the same history
	}
	return replacingSink{sink, s}, nil
}

type replacingSink struct {
	raft.SnapshotSink
	from replacingSnapshots
}

// Close implements raft.SnapshotSink. The snapshot is durable before the log goes.
func (s replacingSink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	first, err := s.from.logs.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.from.logs.LastIndex()
	if err != nil {
		return err
	}
	if err := s.from.logs.DeleteRange(first, last); err != nil {
		return fmt.Errorf("dropping entries %d to %d: %w", first, last, err)
	}
	s.from.exit(fmt.Errorf("entries %d to %d: %w", first, last, ErrReplaced))
	return ErrReplaced
}
