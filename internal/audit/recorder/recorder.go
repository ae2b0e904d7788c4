package recorder

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"purser/internal/audit"
	"purser/ledger"
)

const (
	// Every is how often a batch goes at the most, unless someone waits.
	Every = time.Second
	// maxLate bounds the changes that wait to be told later; maxNotes who waits.
	maxLate  = 128
	maxNotes = 32
)

// Seams are what a Recorder works with.
type Seams struct {
	Node ledger.NodeID
	// Append appends a batch. While it errs, the same batch is given again.
	Append func(context.Context, *audit.Batch) (audit.Outcome, error)
	// Incarnation is the node's, which never falls.
	Incarnation func() uint32
	// Begins says whether this node is to write the first entry of the trail now.
	Begins func() bool
	Now    func() ledger.Instant
	Log    *slog.Logger
}

// Recorder gathers events. [New] makes one; it appends while Run runs.
type Recorder struct {
	seams Seams
	wake  chan struct{}

	mu      sync.Mutex
	denials tallies
	late    []audit.Event
	lost    tally // what found no place in late
	notes   []note

	pending *audit.Batch // of Run alone: on its way, outcome unknown
	waiting []note       // of Run alone: whose events are in pending
	seq     uint64       // of Run alone
}

// note is an event that somebody waits for.
type note struct {
	event *audit.Event // nil: only for what was there before
	done  chan struct{}
}

// New returns a recorder with nothing in it.
func New(s Seams) *Recorder { return &Recorder{seams: s, wake: make(chan struct{}, 1)} }

// Deny counts a denial. It does not wait.
func (r *Recorder) Deny(d Denial) {
	at := r.seams.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denials.add(d, at)
}

// Late has a change appended that was carried out without an entry. It does not wait.
func (r *Recorder) Late(f audit.Facts) {
	at := r.seams.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.late) == maxLate {
		r.lost.add(at)
		return
	}
	r.late = append(r.late, audit.Event{Facts: f.Clean(), Result: audit.Late, Count: 1, First: at})
}

// errFull is a note that finds too many others waiting.
var errFull = errors.New("too many wait for the audit trail already")

// Note has something appended that happens outside of the replicated state, and
// returns when it is in the trail. On an error it may still come there.
func (r *Recorder) Note(ctx context.Context, f audit.Facts) error {
	return r.await(ctx, &audit.Event{Facts: f.Clean(), Result: audit.Noted, Count: 1})
}

// Flush returns when everything that was recorded before is in the trail.
func (r *Recorder) Flush(ctx context.Context) error { return r.await(ctx, nil) }

func (r *Recorder) await(ctx context.Context, e *audit.Event) error {
	n := note{e, make(chan struct{})}
	r.mu.Lock()
	if len(r.notes) >= maxNotes {
		r.mu.Unlock()
		return errFull
	}
	r.notes = append(r.notes, n)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default: // it is to wake already
	}
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		r.withdraw(n)
		return ctx.Err()
	}
}

// withdraw takes a note back that is in no batch yet.
func (r *Recorder) withdraw(n note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = slices.DeleteFunc(r.notes, func(o note) bool { return o.done == n.done })
}

// Run appends batches until ctx is done. What is left then is lost, and said.
func (r *Recorder) Run(ctx context.Context) {
	t := time.NewTicker(Every)
	defer t.Stop()
	failing := false
	for {
		err := r.send(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil && !failing {
			r.seams.Log.Warn("the audit trail takes nothing now; denials are counted until it does", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-r.wake:
		}
	}
	if n := r.left(); n > 0 {
		r.seams.Log.Error("denials and notes did not get into the audit trail before this node ended", "count", n)
	}
}

// send appends the batch that is on its way, or else the next one.
func (r *Recorder) send(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.pending == nil {
		r.next()
	}
	if r.pending != nil {
		if _, err := r.seams.Append(ctx, r.pending); err != nil {
			return err
		}
	}
	r.pending = nil
	for _, n := range r.waiting {
		close(n.done)
	}
	r.waiting = nil
	return nil
}

// next makes a batch of what there is.
func (r *Recorder) next() {
	begins := r.seams.Begins()
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []audit.Event
	if begins {
		list = append(list, audit.Event{Facts: audit.Facts{Node: r.seams.Node, Actor: "node:" + string(r.seams.Node), Action: ActionBegin}, Result: audit.Noted, Count: 1})
	}
	list = append(list, r.late...)
	if r.lost.count > 0 {
		list = append(list, audit.Event{Facts: audit.Facts{Node: r.seams.Node, Action: actionLost}, Result: audit.Late, Count: r.lost.count, First: r.lost.first})
	}
	list = append(list, r.denials.take(r.seams.Node)...)
	for _, n := range r.notes {
		if n.event != nil {
			list = append(list, *n.event)
		}
	}
	r.waiting, r.notes, r.late, r.lost = r.notes, nil, nil, tally{}
	if len(list) == 0 {
		return
	}
	r.seq++
	r.pending = &audit.Batch{Node: r.seams.Node, Incarnation: r.seams.Incarnation(), Seq: r.seq, Events: list}
}

// left counts what is not in the trail.
func (r *Recorder) left() (n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = uint64(len(r.late)) + r.lost.count + r.denials.rest.count
	for _, t := range r.denials.groups {
		n += t.count
	}
	if r.pending != nil {
		for _, e := range r.pending.Events {
			n += e.Count
		}
	}
	for _, o := range r.notes {
		if o.event != nil {
			n++
		}
	}
	return n
}
