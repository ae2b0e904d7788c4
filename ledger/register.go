package ledger

import (
	"math"
	"slices"
)

// register opens the node's next incarnation and closes the leases of the one
// before.
func (s *State) register(r *Register) Outcome {
	if !r.valid() {
		return Outcome{Code: InvalidCommand}
	}
	known, ok := s.nodes.get(r.Node)
	switch {
	case !ok && r.Previous != 0:
		return Outcome{Code: StaleIncarnation}
	case !ok && s.nodes.size >= s.limits.nodes:
		return Outcome{Code: LimitReached}
	case !ok:
		s.nodes.put(s.epoch, r.Node, &node{
			owner: s.epoch, id: r.Node, store: r.Store, incarnation: s.generation*generationStride + 1, markSeq: r.MarkSeq,
		})
		return Outcome{Code: Applied, Incarnation: s.generation*generationStride + 1}
	case known.fenced:
		return Outcome{Code: FencedNode}
	case r.Store != known.store:
		return Outcome{Code: StoreMismatch}
	case r.Previous != known.incarnation:
		return Outcome{Code: StaleIncarnation, Incarnation: known.incarnation}
	case known.incarnation == math.MaxUint32:
		return Outcome{Code: LimitReached}
	}
	n := s.editNode(r.Node)
	s.closeOnEvidence(n, r.relevant(n.incarnation), r.MarkSeq < n.markSeq)
	n.incarnation++
	n.seq, n.answer, n.done = 0, nil, 0
	n.markSeq = r.MarkSeq
	return Outcome{Code: Applied, Incarnation: n.incarnation}
}

// fence writes off what the node has outstanding. It may be running all the
// same: whatever it still spends is in what was written off.
func (s *State) fence(id NodeID) Outcome {
	n := s.editNode(id)
	if n == nil {
		return Outcome{Code: UnknownNode}
	}
	for _, k := range s.holdingsOf(n) {
		s.writeOff(s.editAccount(k), n)
	}
	n.fenced, n.answer, n.done = true, nil, 0
	return Outcome{Code: Applied}
}

// writeOff ends the node's lease of an account without evidence.
func (s *State) writeOff(a *account, n *node) {
	l := s.editLease(a, n.id)
	rule, _ := s.budgets.get(a.key.Budget)
	if a.unit != Slots && !rule.beenSoft {
		a.back(l, l.reach(l.overrun))
	}
	a.close(l, restWrittenOff)
	s.dropLease(a, n)
}

// closeOnEvidence closes every lease of the node.
func (s *State) closeOnEvidence(n *node, evidence []Evidence, rolledBack bool) {
	none := Evidence{}
	for _, k := range s.holdingsOf(n) {
		a := s.editAccount(k)
		l := s.editLease(a, n.id)
		rule, _ := s.budgets.get(k.Budget)
		e := &none
		if i, ok := slices.BinarySearchFunc(evidence, k, compareEvidence); ok {
			e = &evidence[i]
		}
		a.closeOn(l, e, rule.beenSoft, rolledBack)
		s.dropLease(a, n)
		if e != &none {
			e.Proven = 0 // used; see below
		}
	}
	// Soft budgets are spent from before anything is granted, and any budget beyond
	// holds of nothing, so the ledger may hear of it from the evidence first.
	for i := range evidence {
		if evidence[i].Proven > 0 {
			s.settleUngranted(n, &evidence[i])
		}
	}
}

// closeOn ends a lease on the evidence of its holder's disk.
//
// Spent is what the mark bounds, and the overrun that came after it. The mark
// itself is bounded by what the node could spend, for it may be older than a
// return; only overrun passes that, and only as far as records show it. Records
// are believed however high they go: the provider will bill what they say.
//
// A mark below what the node reported as spent contradicts itself: the disk has
// lost what it had. Then, as after a rollback, nobody can say what was spent of
// the rest, and it is written off.
func (a *account) closeOn(l *lease, e *Evidence, beenSoft, rolledBack bool) {
	if a.unit == Slots {
		a.close(l, restReturned)
		return
	}
	proven := max(0, e.Proven-l.earlierSpent)
	overrun := max(l.overrun, e.Overrun-l.earlierOverrun)
	reach, mark := l.reach(overrun), e.Mark+(overrun-l.overrun)
	if a.forgot && !beenSoft {
		proven = min(proven, mark, reach)
	}
	lost := rolledBack || !beenSoft && e.Mark < l.spent-l.overrun
	spent := max(l.spent, proven)
	if lost {
		a.back(l, max(spent, reach))
	} else {
		spent = max(spent, min(mark, reach))
		a.back(l, spent)
	}
	spent = min(spent, l.granted-l.returned)
	a.settle(l, spent-l.spent)
	if !beenSoft {
		overrun = max(overrun, l.forced)
	}
	overrun = min(overrun, l.spent)
	a.overrun += overrun - l.overrun
	l.overrun = overrun
	a.presumed += spent - min(proven, spent)
	if lost {
		a.close(l, restWrittenOff)
	} else {
		a.close(l, restReturned)
	}
}

// reach is the most that the holder may come to have spent. Money that overrun
// took from the lease may have been set aside for holds that were in flight, so
// overrun that was not forced yet adds to it.
func (l *lease) reach(overrun Amount) Amount {
	return l.granted - l.returned + max(0, overrun-l.forced)
}

// back forces grants until they cover so much spending.
func (a *account) back(l *lease, spending Amount) {
	if missing := min(spending-(l.granted-l.returned), a.room(l.granted)); missing > 0 {
		a.force(l, missing)
	}
}

// settleUngranted takes proven spending of which the ledger had granted nothing:
// all of a soft budget's, of a hard one what was beyond the holds.
func (s *State) settleUngranted(n *node, e *Evidence) {
	rule, ok := s.budgets.get(e.Account.Budget)
	if !ok || rule.budget.Unit == Slots {
		return
	}
	proven := e.Proven
	if !rule.beenSoft {
		proven = min(proven, e.Overrun)
	}
	if proven == 0 {
		return
	}
	a, _, _ := s.openAccount(e.Account)
	if a == nil || a.forgot && !rule.beenSoft {
		return
	}
	l := &lease{owner: s.epoch, node: n.id, done: true}
	amount := min(proven, a.room(0))
	a.force(l, amount)
	a.settle(l, amount)
	a.overrun += min(e.Overrun, amount)
	a.close(l, restReturned)
}

// holdingsOf returns the accounts the node has a lease in, in order.
func (s *State) holdingsOf(n *node) []AccountKey {
	keys := make([]AccountKey, 0, n.leases)
	for h := range s.holdings.from(holding{node: n.id, account: AccountKey{Start: math.MinInt64}}) {
		if h.node != n.id {
			break
		}
		keys = append(keys, h.account)
	}
	return keys
}

// relevant returns the evidence of the latest incarnation, by account, each
// account once.
func (r *Register) relevant(latest uint32) []Evidence {
	out := make([]Evidence, 0, len(r.Evidence))
	for _, e := range r.Evidence {
		if e.Incarnation == 0 || e.Incarnation == latest {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Evidence) int { return a.Account.compare(b.Account) })
	return mergeEvidence(out)
}

// mergeEvidence keeps one piece of evidence an account, the highest of each
// part: what a disk says twice is true at its worst.
func mergeEvidence(sorted []Evidence) []Evidence {
	out := sorted[:0]
	for _, e := range sorted {
		if len(out) == 0 || out[len(out)-1].Account != e.Account {
			out = append(out, e)
			continue
		}
		last := &out[len(out)-1]
		last.Mark = max(last.Mark, e.Mark)
		last.Proven = max(last.Proven, e.Proven)
		last.Overrun = max(last.Overrun, e.Overrun)
	}
	return out
}

func compareEvidence(e Evidence, k AccountKey) int { return e.Account.compare(k) }

func (r *Register) valid() bool {
	if r.Node == "" || len(r.Node) > MaxNodeID || len(r.Evidence) > MaxEvidence {
		return false
	}
	for i := range r.Evidence {
		e := &r.Evidence[i]
		if !e.Mark.valid() || !e.Proven.valid() || !e.Overrun.valid() || e.Overrun > e.Proven {
			return false
		}
	}
	return true
}
