package ledger

import "fmt"

// check verifies conservation (L1) and the ranges of one account.
func (a *account) check() error {
	if a.available+a.outstanding+a.spent+a.writtenOff != a.limit {
		return fmt.Errorf("account %s: available %d + outstanding %d + spent %d + written off %d is not the limit %d",
			a.key, a.available, a.outstanding, a.spent, a.writtenOff, a.limit)
	}
	committed := a.limit - a.available
	if a.limit < 0 || a.limit > MaxAmount || committed > MaxAmount ||
		a.outstanding < 0 || a.spent < 0 || a.writtenOff < 0 ||
		a.presumed < 0 || a.presumed > a.spent || a.overrun < 0 || a.overrun > a.spent ||
		a.withheld < 0 || a.withheld > a.writtenOff ||
		a.unit == Slots && (a.spent != 0 || a.writtenOff != 0) || a.open < 0 || a.open > len(a.leases) {
		return fmt.Errorf("account %s is out of range: %+v", a.key, a.totals())
	}
	return nil
}

// checkLeases verifies that the account's sums are those of its leases.
func (a *account) checkLeases() error {
	var outstanding, rates Amount
	open := 0
	for i, l := range a.leases {
		if i > 0 && a.leases[i-1].node >= l.node {
			return fmt.Errorf("account %s: leases out of order at node %q", a.key, l.node)
		}
		if err := l.check(); err != nil {
			return fmt.Errorf("account %s: node %q: %w", a.key, l.node, err)
		}
		outstanding += l.outstanding()
		rates += l.rate
		if !l.done {
			open++
		}
	}
	if outstanding != a.outstanding || rates != a.rates || open != a.open {
		return fmt.Errorf("account %s: leases have %d outstanding at rate %d, %d open; the account says %d, %d, %d",
			a.key, outstanding, rates, open, a.outstanding, a.rates, a.open)
	}
	return nil
}

func (l *lease) check() error {
	switch {
	case l.spent < 0 || l.returned < 0 || l.granted < 0 || l.granted > MaxAmount ||
		l.spent > l.granted || l.returned > l.granted-l.spent:
		return fmt.Errorf("spent %d + returned %d beyond granted %d", l.spent, l.returned, l.granted)
	case l.overrun < 0 || l.overrun > l.spent || l.forced < 0 || l.forced > l.granted:
		return fmt.Errorf("overrun %d of spent %d, forced %d of granted %d", l.overrun, l.spent, l.forced, l.granted)
	case l.rate < 0 || l.rate > maxRate:
		return fmt.Errorf("rate %d", l.rate)
	case l.earlierSpent < 0 || l.earlierOverrun < 0 || l.earlierOverrun > l.earlierSpent:
		return fmt.Errorf("earlier spent %d, overrun %d", l.earlierSpent, l.earlierOverrun)
	case l.done && (l.granted != 0 || l.rate != 0 || l.forced != 0 || l.earlierSpent == 0):
		return fmt.Errorf("done, and not empty or nothing to remember")
	}
	return nil
}

// Check verifies conservation of every account, and that every table agrees
// with the others. It takes time proportional to the state.
func (s *State) Check() error {
	accounts := map[BudgetID]int{}
	leases, done := map[NodeID]int{}, map[NodeID]int{}
	expiring := 0
	for k, a := range s.accounts.all() {
		if k != a.key {
			return fmt.Errorf("account %s is filed under %s", a.key, k)
		}
		rule, ok := s.budgets.get(k.Budget)
		if !ok {
			return fmt.Errorf("account %s has no budget", k)
		}
		if a.unit != rule.budget.Unit || a.end > s.now && !rule.deleted && a.limit != rule.limitOf(k.Split) {
			return fmt.Errorf("account %s: unit or limit is not its budget's", k)
		}
		if err := a.check(); err != nil {
			return err
		}
		if err := a.checkLeases(); err != nil {
			return err
		}
		for _, l := range a.leases {
			if _, ok := s.holdings.get(holding{l.node, k}); !ok {
				return fmt.Errorf("account %s: the lease of %q is not in its holdings", k, l.node)
			}
			leases[l.node]++
			if l.done {
				done[l.node]++
			}
		}
		accounts[k.Budget]++
		if err := s.checkExpiry(a); err != nil {
			return err
		}
		if a.expiring {
			expiring++
		}
	}
	if expiring != s.expiry.size {
		return fmt.Errorf("%d accounts expire, %d are filed", expiring, s.expiry.size)
	}
	return s.checkCounts(accounts, leases, done)
}

func (s *State) checkExpiry(a *account) error {
	_, filed := s.expiry.get(expiry{retainUntil(a.key.Start, a.end), a.key})
	if want := a.open == 0 && a.end != MaxInstant; filed != want || a.expiring != want {
		return fmt.Errorf("account %s: filed for its end: %t, should be %t", a.key, filed, want)
	}
	return nil
}

func (s *State) checkCounts(accounts map[BudgetID]int, leases, done map[NodeID]int) error {
	total := 0
	raises, dues := 0, 0
	for id, r := range s.budgets.all() {
		raises += len(r.raises)
		if _, filed := s.dues.get(due{r.dueAt, id}); r.dueAt != r.nextDue() || filed != (r.dueAt > 0) || filed && r.dueAt <= s.now {
			return fmt.Errorf("budget %q is due at %d, filed %t, should be at %d", id, r.dueAt, filed, r.nextDue())
		}
		if r.dueAt > 0 {
			dues++
		}
		if accounts[id] != r.accounts || r.deleted && r.accounts == 0 && r.blind == 0 {
			return fmt.Errorf("budget %q counts %d accounts, has %d", id, r.accounts, accounts[id])
		}
	}
	if raises != s.raises || dues != s.dues.size {
		return fmt.Errorf("%d raises and %d rules that fall due, counted %d and %d", raises, dues, s.raises, s.dues.size)
	}
	for id, n := range s.nodes.all() {
		if leases[id] != n.leases || done[id] != n.done || n.fenced && n.leases > 0 {
			return fmt.Errorf("node %q counts %d leases, %d done; has %d, %d", id, n.leases, n.done, leases[id], done[id])
		}
		total += n.leases
	}
	if total != s.holdings.size {
		return fmt.Errorf("%d leases in accounts, %d in holdings", total, s.holdings.size)
	}
	return nil
}
