package purse

import (
	"purser/ledger"
)

// check compares everything with everything, after each event.
func (w *world) check() {
	w.t.Helper()
	if err := w.ledger.Check(); err != nil {
		w.failf("ledger: %v", err)
	}
	for key, billed := range w.bill {
		if top := w.top[key.Budget]; billed > top && !w.softBudget(key.Budget) {
			w.failf("billed %d of %v, limit %d", billed, key, top)
		}
	}
	slots := map[ledger.AccountKey]ledger.Amount{}
	for _, n := range w.nodes {
		if n.purse == nil {
			continue
		}
		w.checkNode(n)
		for key, a := range n.purse.core.accounts {
			if a.unit == ledger.Slots {
				slots[key] += a.held()
			}
		}
	}
	for key, n := range slots {
		if n > w.top[key.Budget] {
			w.failf("%d slots of %v taken, limit %d", n, key, w.top[key.Budget])
		}
	}
}

// softBudget also knows budgets that were deleted since.
func (w *world) softBudget(id ledger.BudgetID) bool { return w.soft[id] }

func (w *world) checkNode(n *simNode) {
	c := n.purse.core
	held := map[ledger.AccountKey]ledger.Amount{}
	for _, k := range n.calls {
		for i := range k.hold.h.n {
			if l := &k.hold.h.legs[i]; !l.loose {
				held[l.a.key] += l.held
			}
		}
	}
	for key, a := range c.accounts {
		if a.held() != held[key] {
			w.failf("%s %v holds %d, its requests %d", n.id, key, a.held(), held[key])
		}
		free := ledger.Amount(opened(a.free.Load()))
		unbacked, spent := ledger.Amount(a.unbacked.Load()), ledger.Amount(a.spent.Load())
		if free < 0 || a.issued+unbacked != free+held[key]+spent {
			w.failf("%s %v: issued %d + unbacked %d != free %d + held %d + spent %d", n.id, key, a.issued, unbacked, free, held[key], spent)
		}
		if a.returned+a.issued > a.granted {
			w.failf("%s %v: returned %d + issued %d > granted %d", n.id, key, a.returned, a.issued, a.granted)
		}
		// The invariant of marks.go, against the disk and not against memory.
		durable := n.disk.marks[markKey{key, c.incarnation}]
		if a.marked() && a.issued > durable {
			w.failf("%s %v: issued %d beyond the durable mark %d", n.id, key, a.issued, durable)
		}
		if a.marked() && a.mark > durable {
			w.failf("%s %v: believes in mark %d, the disk has %d", n.id, key, a.mark, durable)
		}
		// L2: what is used was granted to this node.
		if l, ok := w.ledger.Lease(key, n.id); ok && a.granted > l.Granted && !a.doneSent {
			w.failf("%s %v: believes in %d, the ledger granted %d", n.id, key, a.granted, l.Granted)
		}
	}
	if got, want := n.purse.Outstanding(), len(n.calls); got != want {
		w.failf("%s: %d holds outstanding, %d calls", n.id, got, want)
	}
	if len(c.live) != len(c.accounts) {
		w.failf("%s: %d live, %d by key", n.id, len(c.live), len(c.accounts))
	}
}

// settleAll ends the trouble: no more faults, every call ends, every node is
// started and drains. Then nothing may be out, and the books must agree with
// the provider's.
func (w *world) settleAll() {
	w.quiet = true
	for _, n := range w.nodes {
		if n.purse == nil {
			w.start(n)
		}
		w.endCalls(n)
		n.purse.core.drain()
		w.turn(n) // ends the parked
		for rounds := 0; !n.purse.core.drained(); rounds++ {
			if rounds > 2000 {
				w.failf("%s does not drain: %d live, %d gone, first %+v", n.id, len(n.purse.core.live), len(n.purse.core.gone), n.purse.core.snapshot()[:1])
			}
			w.mono += 5_000_000
			w.wall += 5_000_000
			w.turn(n)
			w.save(n)
			w.converse(n)
		}
		if n.purse.Outstanding() != 0 || len(n.disk.marks) != 0 {
			w.failf("%s: %d holds and %d marks after the drain", n.id, n.purse.Outstanding(), len(n.disk.marks))
		}
	}
	w.check()
	for key, billed := range w.bill {
		v, ok := w.ledger.Account(key)
		if !ok {
			continue
		}
		total := billed + w.over[key]
		if v.Outstanding != 0 {
			w.failf("%v: %d outstanding after the drain", key, v.Outstanding)
		}
		if v.Unit == ledger.Slots {
			continue
		}
		// An overrun that crashed before it was recorded is known to nobody.
		if total > v.Spent+v.WrittenOff+w.lost[key] && !w.softBudget(key.Budget) {
			w.failf("%v: billed %d, spent %d of which presumed %d", key, total, v.Spent, v.Presumed)
		}
		// What a soft budget spent while it was deleted has nowhere to go.
		if w.softBudget(key.Budget) && w.removed[key.Budget] {
			continue
		}
		if w.crashes == 0 && total != v.Spent {
			w.failf("%v: billed %d, spent %d, without a crash", key, total, v.Spent)
		}
	}
}
