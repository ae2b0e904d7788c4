package sim

import (
	"fmt"
	"slices"
	"time"

	"purser/internal/purse"
	"purser/ledger"
)

// fence is an operator's word that a node is dead, given when it is. Another
// one, of another name, comes in its place.
func (w *world) fence(n *node) {
	if len(w.nodes) == 1 {
		return
	}
	w.loseUnreported(n) // it is on the dead disk alone
	w.crash(n)
	w.count.fences++
	if out := w.demand(ledger.Fence{Node: n.id}); out.Code != ledger.Applied {
		w.failf("fence %s: code %d", n.id, out.Code)
	}
	next := newNode(ledger.NodeID(fmt.Sprintf("m%d-%s", w.count.fences, n.id)))
	w.nodes[slices.Index(w.nodes, n)] = next
	w.start(next)
}

// loseUnreported notes that what n's calls cost beyond their holds will be known
// to nobody, unless the ledger has heard of it.
func (w *world) loseUnreported(n *node) {
	for l := range n.driver.Leases() {
		known, _ := w.quorum.state.Lease(l.Key, n.id)
		w.lost[l.Key] += max(0, l.Overrun-known.Overrun)
	}
}

// crash drops all memory. What was on its way to the disk may have arrived, and
// calls on their way to the provider too.
func (w *world) crash(n *node) {
	w.count.crashes++
	if seq, marks, ok := n.driver.Saving(); ok && w.chance(0.5) {
		if err := n.disk.SaveMarks(seq, marks); err != nil {
			w.failf("save: %v", err)
		}
	}
	if x := n.driver.Sent(); x != nil && w.chance(0.5) {
		w.late = append(w.late, x)
	}
	n.sync(w.rng.IntN(len(n.buffer) + 1))
	for _, ch := range n.buffer {
		w.lost[ch.Account] += max(0, ch.Spent-ch.Held)
	}
	n.buffer = nil
	for _, c := range n.calls {
		if !c.billed && w.chance(0.5) {
			w.dispatch(n, c)
		}
		if c.billed {
			w.eachLeg(c, func(leg *purse.Charge, spent ledger.Amount) { w.lost[leg.Account] += max(0, spent-leg.Held) })
		}
	}
	if w.chance(0.3) {
		w.rollBack(n)
	}
	n.calls, n.waiting, n.driver = nil, nil, nil
}

// rollBack puts an older image on the disk, of a time before a save that the
// ledger has heard of. Of one after that the ledger cannot know that it is old.
func (w *world) rollBack(n *node) {
	known, _ := w.quorum.state.Node(n.id)
	old := slices.DeleteFunc(slices.Clone(n.images), func(d disk) bool { return d.seq >= known.MarkSeq })
	if len(old) == 0 {
		return
	}
	w.count.rollbacks++
	w.loseUnreported(n)
	n.disk = old[w.rng.IntN(len(old))].image()
}

// pause takes the processor away from a node. Its calls stay where they are,
// also those between their hold and the provider.
func (w *world) pause(n *node) {
	w.count.pauses++
	n.paused = true
	w.pass(int64(w.rng.IntN(130)) * int64(time.Second))
}

// resume gives it back. The threads of calls may be first to get it.
func (w *world) resume(n *node) {
	n.paused = false
	if w.chance(0.5) {
		for _, c := range n.calls {
			w.dispatch(n, c)
		}
	}
}

// repeat delivers an old message once more.
func (w *world) repeat() {
	if len(w.late) > 0 && w.chance(0.5) {
		w.count.late++
		w.propose(w.late[w.rng.IntN(len(w.late))])
	}
	if len(w.lateR) > 0 && w.chance(0.2) {
		// Only a Register of the past: one that names the incarnation that runs
		// as its Previous is this node's own next one.
		w.count.late++
		w.propose(w.lateR[w.rng.IntN(len(w.lateR))])
	}
}

// setClocks makes a clock wrong, or right.
func (w *world) setClocks(n *node) {
	switch {
	case !w.clocks:
	case w.chance(0.3):
		w.count.stampJumps++
		w.quorum.off = w.anHour()
	case w.chance(0.5):
		w.count.nodeJumps++
		n.off = w.anHour()
	default:
		w.quorum.off, n.off = 0, 0
	}
}
