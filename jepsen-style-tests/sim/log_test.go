package sim

import (
	"bytes"
	"fmt"
	"slices"

	"purser/ledger"
)

// A quorum is the replicated log as the nodes meet it: a leader that stamps and
// appends, entries that commit or do not, and the state they are applied to.
// Raft itself is not simulated; what it promises is: a committed entry stays,
// in its place, and is applied once.
type quorum struct {
	state   *ledger.State // the committed entries, applied
	log     []entry       // committed
	pending []entry       // appended by the leader, not committed
	// cut is a leader that has lost its followers: what it appends does not
	// commit until there is another.
	cut bool
	// off is how wrong the leader's clock is.
	off ledger.Instant
}

type entry struct {
	stamp   ledger.Instant
	command []byte
}

// maxPending bounds what a leader appends without its followers.
const maxPending = 16

// propose has the leader append a command. Without an outcome its fate is open:
// the entry may be committed later, or be gone.
func (w *world) propose(c ledger.Command) (ledger.Outcome, bool) {
	q := &w.quorum
	if q.cut {
		if len(q.pending) < maxPending {
			q.pending = append(q.pending, w.entry(c))
		}
		w.count.ambiguous++
		return ledger.Outcome{}, false
	}
	e := w.entry(c)
	q.log = append(q.log, e)
	w.dirty = true
	return q.state.Apply(e.stamp, c), true
}

// demand is propose for one who looks for another leader until there is an outcome.
func (w *world) demand(c ledger.Command) ledger.Outcome {
	if w.quorum.cut {
		w.elect()
	}
	out, _ := w.propose(c)
	return out
}

func (w *world) entry(c ledger.Command) entry {
	return entry{stamp: max(0, w.wall+w.quorum.off), command: ledger.AppendCommand(nil, c)}
}

// elect gives the log another leader. It commits what it has of the entries of
// the one before, in their order, and the rest is gone.
func (w *world) elect() {
	q := &w.quorum
	w.count.elections++
	kept := w.rng.IntN(len(q.pending) + 1)
	w.count.keptEntries += kept
	w.count.goneEntries += len(q.pending) - kept
	for _, e := range q.pending[:kept] {
		q.log = append(q.log, e)
		q.state.Apply(e.stamp, w.decode(e))
	}
	q.pending, q.cut, q.off = q.pending[:0], false, 0
	w.dirty = true
	if w.clocks && !w.quiet && w.chance(0.3) {
		w.count.stampJumps++
		q.off = w.anHour()
	}
}

func (w *world) decode(e entry) ledger.Command {
	c, err := ledger.DecodeCommand(e.command)
	if err != nil {
		w.failf("an entry does not decode: %v", err)
	}
	return c
}

// checkReplica has a second replica apply the log, from a snapshot of some
// entry on, and compares the two (L8).
func (w *world) checkReplica() {
	q := &w.quorum
	s, at := ledger.New(), w.rng.IntN(len(q.log)+1)
	for i, e := range q.log {
		if i == at {
			s = w.reload(s)
		}
		s.Apply(e.stamp, w.decode(e))
	}
	if s.Digest() != q.state.Digest() {
		w.failf("a replica with a snapshot of entry %d of %d differs: %v", at, len(q.log), differ(s, q.state))
	}
}

// reload takes a state through its snapshot.
func (w *world) reload(s *ledger.State) *ledger.State {
	loaded, err := ledger.Load(func(yield func([]byte, error) bool) {
		for r := range s.Records() {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		w.failf("snapshot: %v", err)
	}
	return loaded
}

// differ names the first record in which two states differ.
func differ(a, b *ledger.State) string {
	var records [][]byte
	for r := range a.Records() {
		records = append(records, slices.Clone(r))
	}
	i := 0
	for r := range b.Records() {
		if i >= len(records) || !bytes.Equal(r, records[i]) {
			return fmt.Sprintf("record %d is %q", i, r)
		}
		i++
	}
	return "one has more records"
}
