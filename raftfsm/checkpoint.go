package raftfsm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"purser/ledger"
)

// Replicas that applied the same entries are in the same state. Checkpoints look
// whether they are: at each one every replica takes the digest of what it has,
// and the next one carries the leader's. They are the second line behind what
// keeps logs equal (package cluster), and behind determinism (L8).

// ErrDiverged is a replica whose state is not what the log makes it on the leader.
var ErrDiverged = errors.New("this replica's state differs from the leader's after the same entries")

// comparison is what a replica knows of checkpoints. It belongs to the FSM's lock.
type comparison struct {
	waiting *image            // the state at the latest checkpoint, not digested yet
	working uint64            // index of the state that is being digested; 0 for none
	own     ledger.Checkpoint // the latest digest taken here
	claim   ledger.Checkpoint // the leader's digest of the state that waits or is being digested
	alarm   chan struct{}     // something waits, or differs
	broken  error
}

func newComparison() comparison { return comparison{alarm: make(chan struct{}, 1)} }

// checkpoint compares what an entry claims of the last checkpoint, and keeps the
// present state for the next. Of states that nobody has begun to digest only one
// is kept, the latest or one with a claim to it: a replica that lags, or reads its
// log again, need not catch up.
func (a *comparison) checkpoint(c ledger.Checkpoint, now image) {
	switch {
	case c.Index == 0: // the first one of a leader claims nothing
	case c.Index == a.own.Index:
		a.compare(c)
	case c.Index == a.working:
		a.claim = c
	case a.waiting != nil && c.Index == a.waiting.index:
		a.claim = c
		return
	}
	a.waiting = &now
	a.wake()
}

func (a *comparison) compare(claim ledger.Checkpoint) {
	if claim.Digest == a.own.Digest || a.broken != nil {
		return
	}
	a.broken = fmt.Errorf("%w: at entry %d its digest is %x, the leader's %x", ErrDiverged, claim.Index, a.own.Digest[:8], claim.Digest[:8])
	a.wake()
}

func (a *comparison) wake() {
	select {
	case a.alarm <- struct{}{}:
	default:
	}
}

// reset forgets everything: the state is another one.
func (a *comparison) reset() {
	a.waiting, a.own, a.claim = nil, ledger.Checkpoint{}, ledger.Checkpoint{}
	a.working = 0 // what is being digested is of no interest any more
}

// Compare takes the digests of checkpoints until ctx is done, and returns nil; or
// until one differs from the leader's, and returns [ErrDiverged]: the node must
// not go on. One caller at a time.
func (f *FSM) Compare(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.compared.alarm:
		}
		f.mu.Lock()
		next, err := f.compared.waiting, f.compared.broken
		if next != nil {
			f.compared.waiting, f.compared.working = nil, next.index
		}
		f.mu.Unlock()
		if err != nil {
			return err
		}
		if next != nil {
			f.digested(ledger.Checkpoint{Index: next.index, Digest: next.digest()})
		}
	}
}

// digested takes down a digest.
func (f *FSM) digested(c ledger.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.compared.working != c.Index {
		return
	}
	f.compared.working, f.compared.own = 0, c
	if f.compared.claim.Index == c.Index {
		f.compared.compare(f.compared.claim)
	}
}

// Checkpoint is the command by which a leader makes the next checkpoint: it
// claims the digest of the last one that was taken here.
func (f *FSM) Checkpoint() ledger.Checkpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.compared.own
}

// digest is one for the whole state.
func (m *image) digest() [32]byte {
	return sha256.Sum256(m.digests(nil))
}
