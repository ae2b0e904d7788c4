package raftfsm

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"purser/internal/audit"
	"purser/internal/directory"
	"purser/ledger"
)

// FSM is the replicated state machine: the ledger, the directory and the audit
// trail. It implements raft.FSM and none of the library's optional interfaces.
type FSM struct {
	mu         sync.Mutex
	ledger     *ledger.State
	directory  *directory.State
	trail      *audit.Trail
	index      uint64        // of the last entry applied
	ledgerView *ledger.State // clone of ledger, nil once that changed
	changes    Versions
	watchers   map[*watcher]struct{}
	compared   comparison
	grown      chan struct{} // the trail has, since someone looked

	// Published after each entry, to be read without the lock.
	directoryView atomic.Pointer[directory.State]
	trailView     atomic.Pointer[audit.Trail]
	now           atomic.Int64
}

// Versions grow when what they name may have changed. They count on this node
// alone, from its start.
type Versions struct {
	Budgets uint64 // the rules of the ledger
	Keys    uint64 // the directory, but for alerts
	Objects uint64 // its objects
}

// New returns a state machine with nothing in it.
func New() *FSM {
	f := &FSM{
		ledger: ledger.New(), directory: directory.New(), trail: audit.New(), watchers: map[*watcher]struct{}{},
		compared: newComparison(), grown: make(chan struct{}, 1),
	}
	f.directoryView.Store(f.directory.Clone())
	f.trailView.Store(f.trail.Clone())
	return f
}

// Apply implements raft.FSM: it carries out one committed entry and returns the
// outcomes of its commands, a slice of [ledger.Outcome], [directory.Outcome] and
// [audit.Outcome].
// It panics on an entry that it cannot understand, and when the ledger finds
// that an account no longer adds up.
func (f *FSM) Apply(log *raft.Log) any {
	e, err := decodeEntry(log.Data)
	if err != nil {
		panic(fmt.Sprintf("raftfsm: entry %d of term %d: %v; this node cannot go on without it: "+
			"if the cluster runs a later version, upgrade this node; if the log is damaged, restore it", log.Index, log.Term, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if log.Index <= f.index {
		panic(fmt.Sprintf("raftfsm: entry %d of term %d after entry %d: it would be applied twice", log.Index, log.Term, f.index))
	}
	f.index = log.Index
	outcomes := make([]any, len(e.commands))
	for i, c := range e.commands {
		outcomes[i] = f.apply(e.stamp, c)
	}
	return outcomes
}

// apply carries out one command. One that comes with facts and changes something is
// in the audit trail before anyone learns that it was carried out.
func (f *FSM) apply(stamp ledger.Instant, c command) (outcome any) {
	switch {
	case c.audit != nil:
		outcome = f.trail.Append(stamp, c.audit)
		f.publishTrail()
	case c.ledger != nil:
		outcome = f.applyLedger(stamp, c.ledger)
	default:
		outcome = f.applyDirectory(stamp, c.directory)
	}
	if c.facts != nil && applied(outcome) {
		f.trail.Record(stamp, c.facts)
		f.publishTrail()
	}
	return outcome
}

// applied reports whether a command has changed something.
func applied(outcome any) bool {
	switch out := outcome.(type) {
	case ledger.Outcome:
		return out.Code == ledger.Applied
	case directory.Outcome:
		return out.Code == directory.Applied
	case audit.Outcome:
		return out.Code == audit.Appended
	default:
		panic(fmt.Sprintf("raftfsm: outcome %T", outcome))
	}
}

func (f *FSM) publishTrail() {
	f.trailView.Store(f.trail.Clone())
	f.publishNow()
	select {
	case f.grown <- struct{}{}:
	default: // nobody has looked since the last time
	}
}

func (f *FSM) applyLedger(stamp ledger.Instant, c ledger.Command) ledger.Outcome {
	f.ledgerView = nil
	before := f.ledger.Rulings()
	out := f.ledger.Apply(stamp, c)
	f.publishNow()
	if f.ledger.Rulings() != before { // any command may end a raise
		f.changes.Budgets++
		f.wakeLocked()
	}
	if check, ok := c.(ledger.Checkpoint); ok {
		f.compared.checkpoint(check, f.image())
	}
	return out
}

// image is the present state, for as long as anyone wants it. It takes constant
// time.
func (f *FSM) image() image {
	return image{index: f.index, ledger: f.ledger.Clone(), directory: f.directory.Clone(), trail: f.trail.Clone()}
}

func (f *FSM) applyDirectory(stamp ledger.Instant, c directory.Command) directory.Outcome {
	out := f.directory.Apply(stamp, c)
	f.publishNow()
	f.directoryView.Store(f.directory.Clone())
	if out.Code == directory.Applied && rules(c) {
		f.changes.Keys++
		switch c.(type) {
		case directory.PutObject, directory.DeleteObject:
			f.changes.Objects++
		}
		f.wakeLocked()
	}
	return out
}

// rules says whether requests go by what a command changes. When keys were last
// used, and which children are counted, wakes nobody: nodes look it up.
func rules(c directory.Command) bool {
	switch c.(type) {
	case directory.TouchKeys, directory.AdmitChildren:
		return false
	}
	return !directory.AboutAlerts(c)
}

func (f *FSM) publishNow() {
	f.now.Store(int64(max(f.ledger.Now(), f.directory.Now(), f.trail.Now())))
}

// Snapshot implements raft.FSM. It takes constant time.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &snapshot{f.image()}, nil
}

// Restore implements raft.FSM. On an error the state is what it was.
func (f *FSM) Restore(r io.ReadCloser) error {
	// The caller closes r as well; the library's own sources allow it.
	defer r.Close()
	m, err := readSnapshot(r)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index, f.ledger, f.directory, f.trail = m.index, m.ledger, m.directory, m.trail
	f.ledgerView = nil
	f.compared.reset()
	f.directoryView.Store(f.directory.Clone())
	f.publishTrail()
	f.changes.Budgets++
	f.changes.Keys++
	f.changes.Objects++
	f.wakeLocked()
	return nil
}

// Ledger returns the ledger as it is now. It is to be read only, by any number
// of goroutines, and does not change any more.
func (f *FSM) Ledger() *ledger.State {
	state, _ := f.LedgerAt()
	return state
}

// LedgerAt returns the ledger as it is now, like [FSM.Ledger], and the index of the last
// entry that made it so. The library's own applied index may be ahead of it: that counts
// what was handed to the state machine.
func (f *FSM) LedgerAt() (state *ledger.State, index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ledgerView == nil {
		f.ledgerView = f.ledger.Clone()
	}
	return f.ledgerView, f.index
}

// Directory returns the directory as it is now, like [FSM.Ledger]. It takes no lock.
func (f *FSM) Directory() *directory.State { return f.directoryView.Load() }

// Trail returns the audit trail as it is now, like [FSM.Directory].
func (f *FSM) Trail() *audit.Trail { return f.trailView.Load() }

// TrailGrown gives a value when the audit trail has grown, or was replaced, since the
// last one was taken. It is for one reader.
func (f *FSM) TrailGrown() <-chan struct{} { return f.grown }

// Now is the latest instant an entry was stamped with.
func (f *FSM) Now() ledger.Instant { return ledger.Instant(f.now.Load()) }

// Digests identify a state: two nodes that applied the same entries have the same.
type Digests struct {
	Index                    uint64 // of the last entry applied
	Ledger, Directory, Trail [32]byte
}

// Digests returns those of the present state. It takes time in proportion to
// the state, but does not keep entries from being applied.
func (f *FSM) Digests() Digests {
	f.mu.Lock()
	m := f.image()
	f.mu.Unlock()
	return Digests{Index: m.index, Ledger: m.ledger.Digest(), Directory: m.directory.Digest(), Trail: m.trail.Digest()}
}
