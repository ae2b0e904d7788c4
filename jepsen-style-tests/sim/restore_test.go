package sim

import "purser/ledger"

// backup is the ledger at some moment.
type backup struct {
	state   *ledger.State
	entries int // of the log
}

// backUp takes a backup, which replaces the one before.
func (w *world) backUp() {
	w.backup = &backup{w.quorum.state.Clone(), len(w.quorum.log)}
}

// restore loses the cluster, and begins another one with the backup. The nodes
// keep their disks. What the provider has billed it has billed.
func (w *world) restore() {
	b := w.backup
	if b == nil {
		return
	}
	w.count.restores++
	for _, n := range w.nodes {
		if n.driver != nil {
			w.loseUnreported(n)
			w.crash(n)
		}
	}
	q := &w.quorum
	q.log, q.state, q.pending, q.cut, q.off = q.log[:b.entries], b.state.Clone(), q.pending[:0], false, 0
	w.dirty = true
	next := ledger.Restore{Generation: q.state.Generation() + 1}
	if out := w.demand(next); out.Code != ledger.Applied {
		w.failf("restore %d: code %d", next.Generation, out.Code)
	}
	w.backup = nil // of another generation now
	w.rules = w.rules[:0:0]
	clear(w.lifts)
	for r := range q.state.Budgets() {
		w.rules = append(w.rules, *r)
		w.lifts[r.ID] = map[ledger.RaiseID]ledger.Raise{}
		for _, x := range q.state.Raises(r.ID) {
			w.lifts[r.ID][x.ID] = x
		}
	}
	w.forget()
	w.tell()
}

// forget takes note of what the restored ledger cannot know: overruns of the lost
// time, what a limit allowed that was raised in it, and budgets made in it, which
// are other ones if they are made again.
func (w *world) forget() {
	limits := map[ledger.BudgetID]ledger.Amount{}
	for _, r := range w.rules {
		limits[r.ID] = r.Limit
	}
	for key, billed := range w.bill {
		limit, known := limits[key.Budget]
		if _, closed := w.quorum.state.Account(key); !known && !closed {
			delete(w.bill, key)
			delete(w.over, key)
			delete(w.lost, key)
			continue
		}
		w.lost[key] = w.over[key] + max(0, billed-limit)
	}
}

// release is an operator's word that a budget has been looked into; given of
// those to which nothing was billed.
func (w *world) release(id ledger.BudgetID) {
	for k, billed := range w.bill {
		if k.Budget == id && billed > 0 {
			return
		}
	}
	w.count.releases++
	w.demand(ledger.Release{ID: id})
	w.tell()
}
