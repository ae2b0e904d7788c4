package cluster

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// presentSnapshots lists the newest snapshot, and an older one only if the log
// leads from it to where the newest one was taken. The library tries them in
// turn; without this a damaged newest one would silently take the node back in time.
type presentSnapshots struct {
	raft.SnapshotStore
	log     logSpan        // as found at start
	failure *error         // why the last one tried could not be used
	opened  *atomic.Uint64 // index of the one that was opened last
}

// List implements raft.SnapshotStore.
func (s presentSnapshots) List() ([]*raft.SnapshotMeta, error) {
	all, err := s.SnapshotStore.List()
	if err != nil || len(all) == 0 {
		return all, err
	}
	usable := all[:1]
	for _, m := range all[1:] {
		if s.log.last >= all[0].Index && s.log.run <= m.Index+1 {
			usable = append(usable, m)
		}
	}
	return usable, nil
}

// Open implements raft.SnapshotStore.
func (s presentSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m, r, err := s.SnapshotStore.Open(id)
	if err != nil {
		*s.failure = fmt.Errorf("snapshot %s: %w", id, err)
		return m, r, err
	}
	s.opened.Store(m.Index)
	return m, r, nil
}

// checkSpan returns an error unless the log continues the newest snapshot.
func checkSpan(all []*raft.SnapshotMeta, log logSpan) error {
	var upTo uint64
	if len(all) > 0 {
		upTo = all[0].Index
	}
	if log.last > upTo && log.run > upTo+1 {
		return fmt.Errorf("the log begins at entry %d, the newest readable snapshot ends at %d: %w; %s", log.run, upTo, ErrCorrupt, startAnew)
	}
	return nil
}

// observedFSM keeps why a snapshot could not be restored, which the library only
// logs, and how far the state machine is: the library's applied index tells
// what it was sent.
type observedFSM struct {
	raft.FSM
	failure  *error
	opened   *atomic.Uint64 // index of the snapshot being restored
	consumed *atomic.Uint64
}

// Apply implements raft.FSM.
func (f observedFSM) Apply(l *raft.Log) any {
	out := f.FSM.Apply(l)
	f.consumed.Store(l.Index)
	return out
}

// Restore implements raft.FSM.
func (f observedFSM) Restore(r io.ReadCloser) error {
	err := f.FSM.Restore(r)
	if err != nil {
		*f.failure = fmt.Errorf("restore: %w", err)
		return err
	}
	f.consumed.Store(f.opened.Load())
	return nil
}
