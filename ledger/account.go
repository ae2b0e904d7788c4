package ledger

import "slices"

// stateOf says whether the account takes grants now.
func (s *State) stateOf(a *account, r *rule) AccountState {
	switch {
	case r.deleted:
		return Closed
	case a.end <= s.now:
		return Ended
	}
	return Open
}

// openAccount returns the account of k for changing, making it if it may exist.
// Without an account, the state says why.
func (s *State) openAccount(k AccountKey) (*account, *rule, AccountState) {
	r, ok := s.budgets.get(k.Budget)
	if !ok {
		return nil, nil, NoAccount
	}
	if a := s.editAccount(k); a != nil {
		return a, r, s.stateOf(a, r)
	}
	end, state := s.mayOpen(k, r)
	late := state == Ended && r.beenSoft && s.now < retainUntil(k.Start, end)
	if state != Open && !late {
		return nil, r, state
	}
	if s.accounts.size >= s.limits.accounts || r.accounts >= s.limits.accountsPerBudget {
		return nil, r, NoAccount
	}
	r = s.editRule(k.Budget)
	r.accounts++
	a := &account{
		owner: s.epoch, key: k, end: end, unit: r.budget.Unit,
		limit: r.limitOf(k.Split),
	}
	a.available = a.limit
	if r.withholds(k.Start) {
		a.withhold()
	}
	s.accounts.put(s.epoch, k, a)
	return s.editAccount(k), r, state
}

// mayOpen says whether an account that does not exist may: Open when it may,
// else why not.
func (s *State) mayOpen(k AccountKey, r *rule) (end Instant, state AccountState) {
	if r.deleted || !k.Split.validFor(len(r.budget.Each)) || k.Start < -farthest || k.Start > MaxInstant-farthest {
		return 0, NoAccount
	}
	start, end := r.budget.Window.Bounds(k.Start)
	switch {
	case start != k.Start:
		return 0, NoAccount
	case start > s.now && start-s.now > PreGrant:
		return end, NotYet
	case end <= s.now:
		return end, Ended
	}
	return end, Open
}

// farthest is longer than any window and offset together, so that instants
// that far from the ends of their range cannot overflow.
const farthest = 40 * Day

// retainUntil is when an account may be dropped, once its leases are closed: one
// window after its own, for reports that are under way and readers of the last
// window's totals.
func retainUntil(start, end Instant) Instant {
	if end == MaxInstant || end > MaxInstant-(end-start) {
		return MaxInstant
	}
	return end + (end - start)
}

// refile keeps the account in State.expiry exactly while nothing but time keeps
// it from being dropped. The table is a function of the accounts: a state
// restored from a snapshot must drop the same accounts at the same Tick (L8).
func (s *State) refile(a *account) {
	want := a.open == 0 && a.end != MaxInstant
	if want == a.expiring {
		return
	}
	a.expiring = want
	e := expiry{retainUntil(a.key.Start, a.end), a.key}
	if want {
		s.expiry.put(s.epoch, e, struct{}{})
	} else {
		s.expiry.remove(s.epoch, e)
	}
}

// sweep drops the accounts whose time is over.
func (s *State) sweep() {
	if s.generation > 0 {
		defer s.forgetBlind()
	}
	for range s.limits.sweep {
		e, _, ok := s.expiry.min()
		if !ok || e.at > s.now {
			return
		}
		s.expiry.remove(s.epoch, e)
		a, _ := s.accounts.get(e.account)
		for _, l := range a.leases {
			s.holdings.remove(s.epoch, holding{l.node, a.key})
			n := s.editNode(l.node)
			n.leases--
			n.done-- // an account with an open lease does not expire
		}
		s.accounts.remove(s.epoch, a.key)
		r := s.editRule(a.key.Budget)
		if r.accounts--; r.accounts == 0 && r.deleted && !r.blindAt(s.now) {
			s.budgets.remove(s.epoch, a.key.Budget)
		}
	}
}

// leaseRoom reports whether there is room for that many more leases of the node.
func (s *State) leaseRoom(n *node, more int) bool {
	return s.holdings.size+more <= s.limits.leases && n.leases+more <= s.limits.leasesPerNode
}

// openLease makes the node's lease in an account in which it has none. It is
// done until its first grant.
func (s *State) openLease(a *account, n *node) *lease {
	l := &lease{owner: s.epoch, node: n.id, done: true}
	i, _ := a.find(n.id)
	a.leases = slices.Insert(a.leases, i, l)
	n.leases++
	s.holdings.put(s.epoch, holding{n.id, a.key}, struct{}{})
	return l
}

// endLease closes a lease that its node is done with. It is remembered if it
// spent anything and there is room.
func (s *State) endLease(a *account, n *node, l *lease) {
	wasDone := l.done
	a.close(l, restReturned)
	switch {
	case l.earlierSpent == 0:
		s.dropLease(a, n)
	case wasDone: // and is remembered
	case n.done < s.limits.donePerNode:
		n.done++
	default:
		a.forgot = true
		s.dropLease(a, n)
	}
}

// reopen counts a remembered lease that is about to be granted money again.
func (n *node) reopen(l *lease) {
	if l.done && l.earlierSpent > 0 {
		n.done--
	}
}

// dropLease forgets a closed lease.
func (s *State) dropLease(a *account, n *node) {
	i, _ := a.find(n.id)
	a.leases = slices.Delete(a.leases, i, i+1)
	n.leases--
	s.holdings.remove(s.epoch, holding{n.id, a.key})
}
