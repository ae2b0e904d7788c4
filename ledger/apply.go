package ledger

import "fmt"

// Apply carries out one command at an instant of ledger time and says what it
// did. Time never runs backwards: an earlier instant is read as the latest one
// seen (L7). What falls due by then happens first: raises and cool-downs end. A
// refused command changes nothing but the time.
//
// Apply panics when an account it touched breaks conservation (L1), and on a
// command type that is not one of this package's: going on would diverge.
func (s *State) Apply(now Instant, c Command) Outcome {
	s.now = max(s.now, now)
	s.fallDue()
	out := s.apply(c)
	s.finish()
	return out
}

func (s *State) apply(c Command) Outcome {
	switch c := c.(type) {
	case PutBudget:
		return s.putBudget(&c.Budget, c.Expect)
	case DeleteBudget:
		return s.deleteBudget(c.ID)
	case Register:
		return s.register(&c)
	case *Exchange:
		return s.exchange(c)
	case Tick:
		s.sweep()
		return Outcome{Code: Applied}
	case Fence:
		return s.fence(c.Node)
	case Restore:
		return s.restore(c.Generation)
	case Release:
		return s.release(c.ID)
	case PutRaise:
		return s.putRaise(&c.Raise)
	case EndRaise:
		return s.endRaise(c.Budget, c.ID)
	case TripBudget:
		return s.tripBudget(&c)
	case ResetBreaker:
		return s.resetBreaker(c.Scope, c.Close)
	case Probed:
		return s.probed(&c)
	case Checkpoint:
		return Outcome{Code: Applied} // whoever has the log compares
	default:
		panic(fmt.Sprintf("ledger: unknown command %T", c))
	}
}

// finish checks every account the command touched and files it for its end.
func (s *State) finish() {
	for i, a := range s.touched {
		if err := a.check(); err != nil {
			panic("ledger: " + err.Error())
		}
		a.touched = false
		s.refile(a)
		s.touched[i] = nil
	}
	s.touched = s.touched[:0]
	if cap(s.touched) > MaxRows {
		s.touched = nil // after a change of limit; an Exchange needs no more
	}
}

// putBudget creates or changes a rule.
func (s *State) putBudget(b *Budget, expect uint64) Outcome {
	if b.Validate() != nil {
		return Outcome{Code: InvalidCommand}
	}
	was, ok := s.Budget(b.ID)
	if ok && was.saysAs(b) {
		return Outcome{Code: Repeated} // whatever was expected: it is as it was to become
	}
	if expect != 0 {
		if ok && was.Version() != expect || !ok && expect != ExpectNone {
			return Outcome{Code: StaleVersion}
		}
	}
	r := s.editRule(b.ID)
	if r == nil {
		if s.budgets.size >= s.limits.budgets {
			return Outcome{Code: LimitReached}
		}
		s.budgets.put(s.epoch, b.ID, &rule{owner: s.epoch, budget: b.clone(), beenSoft: b.Soft})
		s.ruled++
		return Outcome{Code: Applied}
	}
	// Also for a deleted budget: its accounts still stand, and what they have
	// spent of their windows must not be forgotten by deleting the rule.
	if !sameAccounts(r.budget, b) {
		return Outcome{Code: BudgetImmutable}
	}
	before, window, hardened := r.budget.Limit, r.budget.Window, r.budget.Soft && !b.Soft
	r.budget = b.clone()
	r.budget.Window = window
	r.deleted = false
	r.beenSoft = r.beenSoft || b.Soft
	if before != b.Limit || hardened {
		s.relimit(r, hardened)
	}
	s.ruled++
	return Outcome{Code: Applied}
}

// sameAccounts reports whether two rules have the same accounts and count the
// same thing in them. A zone of the same name is the same zone: the offsets it
// came with first stay, whatever another time zone database says by now.
func sameAccounts(a, b *Budget) bool {
	if a.Unit != b.Unit || len(a.Each) != len(b.Each) || !a.Window.sameAs(&b.Window) {
		return false
	}
	for i := range a.Each {
		if a.Each[i] != b.Each[i] {
			return false
		}
	}
	return true
}

// relimit moves the limits of the rule's accounts to what they are by now, but
// for those whose window is over: their story is told. With hardened, those that
// have the right limit are looked at as well.
func (s *State) relimit(rule *rule, hardened bool) {
	id := rule.budget.ID
	for k, at := range s.accounts.editFrom(s.epoch, AccountKey{Budget: id, Start: -MaxInstant - 1}) {
		if k.Budget != id {
			break
		}
		limit := rule.limitOf(k.Split)
		if (*at).end <= s.now || (*at).limit == limit && !hardened {
			continue
		}
		a := s.own(at)
		a.relimit(limit)
		if rule.withholds(k.Start) {
			a.withhold() // a raise may have been given, and spent, in the lost time
		}
	}
}

// deleteBudget closes a rule. Its accounts stay for what is still to be settled.
func (s *State) deleteBudget(id BudgetID) Outcome {
	r, ok := s.budgets.get(id)
	if !ok || r.deleted {
		return Outcome{Code: UnknownBudget}
	}
	r = s.editRule(id)
	if len(r.raises) > 0 {
		s.setRaises(r, nil)
	}
	r.trips, r.deleted = nil, true
	s.schedule(r)
	if r.accounts == 0 && !r.blindAt(s.now) {
		s.budgets.remove(s.epoch, id)
	}
	s.ruled++
	return Outcome{Code: Applied}
}

func (b *Budget) clone() *Budget {
	c := *b
	c.Match = append([]Condition(nil), b.Match...)
	for i := range c.Match {
		c.Match[i].Values = append([]string(nil), b.Match[i].Values...)
	}
	c.Each = append([]DimRef(nil), b.Each...)
	c.Alerts = append([]uint8(nil), b.Alerts...)
	c.Window.Zone.Transitions = append([]Transition(nil), b.Window.Zone.Transitions...)
	return &c
}
