package gossip

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"
)

// MaxMembers bounds the table: as many nodes as a cluster's directory takes.
const MaxMembers = 4096

// conflictLife is how long a conflict is shown after it was last seen.
const conflictLife = 2 * time.Minute

// State is how a member seems to be.
type State uint8

// The states of a member.
const (
	Alive   State = 1
	Suspect State = 2 // not heard from for longer than a round of probes takes
	Failed  State = 3
	Left    State = 4 // it said so
)

// String returns the state in a word.
func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Suspect:
		return "suspect"
	case Failed:
		return "failed"
	case Left:
		return "left"
	default:
		return "unknown"
	}
}

// Up reports whether the member may answer.
func (s State) Up() bool { return s == Alive || s == Suspect }

// Member is what this node was told of one member.
type Member struct {
	Meta
	ID       string
	Gossip   string // where it gossips, IP:port
	State    State
	Seen     time.Time // when it last answered a probe of this node, or was said to be alive
	Conflict string    // another place where somebody has this id, of late; or ""
}

// table is what is known of the members. Its methods are called by the library
// with its own lock held, and wait for nothing.
type table struct {
	self string
	mu   sync.Mutex
	rows map[string]*row
}

type row struct {
	Member
	conflictAt time.Time
}

// errFull is a member too many.
var errFull = errors.New("as many members are known as there may be")

// room fails if a member would be one too many.
func (t *table) room(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows[id] != nil || len(t.rows) < MaxMembers {
		return nil
	}
	for _, r := range t.rows {
		if !r.State.Up() {
			return nil // put takes its place
		}
	}
	return errFull
}

// put notes that a member is there, as it describes itself.
func (t *table) put(id, gossip string, said *record, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[id]
	if r == nil {
		if len(t.rows) >= MaxMembers && !t.evictLocked() {
			return
		}
		r = &row{}
		t.rows[id] = r
	}
	r.ID, r.Gossip, r.Meta, r.State, r.Seen = id, gossip, said.Meta, Alive, now
	if said.leaving {
		r.State = Left
	}
}

// evictLocked makes room at the cost of who was not there for longest.
func (t *table) evictLocked() bool {
	var oldest *row
	for _, r := range t.rows {
		if !r.State.Up() && (oldest == nil || r.Seen.Before(oldest.Seen)) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	delete(t.rows, oldest.ID)
	return true
}

// gone notes that a member is there no more. Who said that it leaves has left.
func (t *table) gone(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rows[id]; r != nil && r.State != Left {
		r.State = Failed
	}
}

// answered notes that a member answered a probe.
func (t *table) answered(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rows[id]; r != nil {
		r.Seen = now
	}
}

// conflict notes that somebody has a member's id elsewhere.
func (t *table) conflict(id, elsewhere string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rows[id]; r != nil {
		r.Conflict, r.conflictAt = elsewhere, now
	}
}

// list copies the rows in the order of their ids. A member is probed after all others
// have been, one each probing.
func (t *table) list(now time.Time, probing time.Duration) []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	patience := t.patienceLocked(probing)
	out := make([]Member, 0, len(t.rows))
	for _, r := range t.rows {
		out = append(out, r.seen(t.self, now, patience))
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (t *table) get(id string, now time.Time, probing time.Duration) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[id]
	if r == nil {
		return Member{}, false
	}
	return r.seen(t.self, now, t.patienceLocked(probing)), true
}

// patienceLocked is how long a member that is there may go without an answered
// probe: a round, and three probes more.
func (t *table) patienceLocked(probing time.Duration) time.Duration {
	others := -1
	for _, r := range t.rows {
		if r.State.Up() {
			others++
		}
	}
	return time.Duration(max(0, others)+3) * probing
}

// seen is the row as it is now.
func (r *row) seen(self string, now time.Time, patience time.Duration) Member {
	m := r.Member
	if now.Sub(r.conflictAt) > conflictLife {
		m.Conflict = ""
	}
	switch {
	case m.ID == self && m.State == Alive:
		m.Seen = now
	case m.State == Alive && now.Sub(m.Seen) > patience:
		m.State = Suspect
	}
	return m
}
