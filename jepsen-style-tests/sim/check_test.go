package sim

import (
	"purser/internal/purse"
	"purser/ledger"
)

// check compares everything with everything, after each event.
func (w *world) check() {
	w.t.Helper()
	if w.dirty {
		w.dirty = false
		if err := w.quorum.state.Check(); err != nil {
			w.failf("ledger: %v", err)
		}
		w.checkLimits()
	}
	for key, billed := range w.bill {
		if top := w.top[key.Budget]; billed > top && !w.soft[key.Budget] {
			w.failf("billed %d of %v, limit %d", billed, key, top)
		}
	}
	slots := map[ledger.AccountKey]ledger.Amount{}
	for _, n := range w.nodes {
		if n.driver != nil {
			w.checkNode(n, slots)
		}
	}
	for key, taken := range slots {
		if taken > w.top[key.Budget] {
			w.failf("%d slots of %v taken, limit %d", taken, key, w.top[key.Budget])
		}
	}
}

// checkLimits compares the limit of each open account with what the operators said:
// the budget's, and every raise that covers it until its time is over.
func (w *world) checkLimits() {
	now := w.quorum.state.Now()
	for _, b := range w.rules {
		for v := range w.quorum.state.Accounts(b.ID) {
			want := b.Limit
			for _, x := range w.lifts[b.ID] {
				if x.Until > now && (x.All || x.Split == v.Key.Split) {
					want += x.Amount
				}
			}
			if v.State == ledger.Open && v.Limit != want {
				w.failf("%v has the limit %d, should have %d", v.Key, v.Limit, want)
			}
		}
	}
}

// checkNode checks each lease of a node, and adds the slots it holds.
func (w *world) checkNode(n *node, slots map[ledger.AccountKey]ledger.Amount) {
	held := map[ledger.AccountKey]ledger.Amount{}
	for _, c := range n.calls {
		w.eachLeg(c, func(leg *purse.Charge, _ ledger.Amount) {
			if !w.soft[leg.Account.Budget] {
				held[leg.Account] += leg.Held
			}
		})
	}
	for l := range n.driver.Leases() {
		w.checkLease(n, &l, held[l.Key])
		if l.Unit == ledger.Slots {
			slots[l.Key] += l.Held
		}
	}
	if got, want := n.driver.Outstanding(), len(n.calls); got != want {
		w.failf("%s: %d holds outstanding, %d calls", n.id, got, want)
	}
}

func (w *world) checkLease(n *node, l *purse.Lease, held ledger.Amount) {
	if l.Free < 0 || l.Issued+l.Unbacked != l.Free+held+l.Spent {
		w.failf("%s %v: issued %d + unbacked %d != free %d + held by its requests %d + spent %d", n.id, l.Key, l.Issued, l.Unbacked, l.Free, held, l.Spent)
	}
	if l.Returned+l.Issued > l.Granted {
		w.failf("%s %v: returned %d + issued %d > granted %d", n.id, l.Key, l.Returned, l.Issued, l.Granted)
	}
	// What is durable bounds what is issued: against the disk, not against memory.
	durable := n.disk.marks[leaseID{l.Key, n.driver.Incarnation()}]
	if l.Marked && l.Issued > durable {
		w.failf("%s %v: issued %d beyond the durable mark %d", n.id, l.Key, l.Issued, durable)
	}
	if l.Marked && l.Mark > durable {
		w.failf("%s %v: believes in mark %d, the disk has %d", n.id, l.Key, l.Mark, durable)
	}
	// L2: what is used was granted to this node.
	if known, ok := w.quorum.state.Lease(l.Key, n.id); ok && l.Granted > known.Granted && !l.Ending {
		w.failf("%s %v: believes in %d, the ledger granted %d", n.id, l.Key, l.Granted, known.Granted)
	}
}

// justified checks a refusal against the truth: what is spent, held by anyone,
// or out on other nodes, and this hold, are together more than the limit.
func (w *world) justified(n *node, r purse.Refusal) {
	v, ok := w.quorum.state.Account(r.Account)
	if !ok {
		return // its window is long over
	}
	left := v.Available + v.Outstanding // not spent, as far as the ledger knows
	for _, o := range w.nodes {
		if o.driver == nil {
			continue
		}
		if l, ok := o.driver.Lease(r.Account); ok {
			known, _ := w.quorum.state.Lease(r.Account, o.id)
			left -= l.Spent - known.Spent
		}
	}
	if r.Code == purse.Exhausted && left >= r.Hold && w.top[r.Budget] == v.Limit {
		w.failf("%s refused %+v as exhausted although %d is left", n.id, r, left)
	}
}

// settleAll ends the trouble: no more faults, every clock is right, every call
// ends, every node is started and drains. Then nothing may be out, and the books
// must agree with the provider's.
func (w *world) settleAll() {
	w.quiet = true
	w.elect()
	for _, n := range w.nodes {
		n.off, n.paused = 0, false
	}
	for _, n := range w.nodes {
		if n.driver == nil {
			w.start(n)
		}
		w.drain(n)
	}
	w.dirty = true
	w.check()
	w.checkBill()
	w.checkLate()
	w.checkReplica()
}

func (w *world) drain(n *node) {
	for len(n.calls) > 0 {
		w.dispatch(n, n.calls[0])
		w.finish(n, 0)
	}
	n.driver.Drain()
	w.turn(n) // ends the parked
	for rounds := 0; !n.driver.Drained(); rounds++ {
		if rounds > 2000 {
			for l := range n.driver.Leases() {
				w.failf("%s does not drain: %+v", n.id, l)
			}
			w.failf("%s does not drain, though it has no lease", n.id)
		}
		w.pass(5_000_000)
		w.turn(n)
		w.save(n)
		w.converse(n)
	}
	for n.driver.Sent() != nil { // a drain does not wait for one that says nothing new
		w.converse(n)
	}
	if n.driver.Outstanding() != 0 || len(n.disk.marks) != 0 {
		w.failf("%s: %d holds and %d marks after the drain", n.id, n.driver.Outstanding(), len(n.disk.marks))
	}
}

func (w *world) checkBill() {
	for key, billed := range w.bill {
		v, ok := w.quorum.state.Account(key)
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
		if total > v.Spent+v.WrittenOff+w.lost[key] && !w.soft[key.Budget] {
			w.failf("%v: billed %d, spent %d of which presumed %d, written off %d", key, total, v.Spent, v.Presumed, v.WrittenOff)
		}
		// What a soft budget spent while it was deleted has nowhere to go.
		if w.soft[key.Budget] && w.removed[key.Budget] {
			continue
		}
		if w.count.crashes == 0 && total != v.Spent {
			w.failf("%v: billed %d, spent %d, without a crash", key, total, v.Spent)
		}
	}
}

// checkLate delivers every copy of a message once more: it changes nothing.
func (w *world) checkLate() {
	before := w.quorum.state.Clone()
	for _, x := range w.late {
		w.propose(x)
	}
	if now := w.quorum.state.Now(); now != before.Now() {
		before.Apply(now, ledger.Fence{}) // of no node: it only passes the time
	}
	if before.Digest() != w.quorum.state.Digest() {
		w.failf("messages of the past changed the ledger: %s", differ(before, w.quorum.state))
	}
}
