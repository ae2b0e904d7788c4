package ledger

import "fmt"

// Apply carries out one command at an instant of ledger time and says what it
// did. Time never runs backwards: an earlier instant is read as the latest one
// seen (L7). A refused command changes nothing but the time.
//
// Apply panics when an account it touched breaks conservation (L1), and on a
// command type that is not one of this package's: going on would diverge.
func (s *State) Apply(now Instant, c Command) Outcome {
	s.now = max(s.now, now)
	out := s.apply(c)
	s.finish()
	return out
}

func (s *State) apply(c Command) Outcome {
	switch c := c.(type) {
	case PutBudget:
		return s.putBudget(&c.Budget)
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
func (s *State) putBudget(b *Budget) Outcome {
	if b.Validate() != nil {
		return Outcome{Code: InvalidCommand}
	}
	r := s.editRule(b.ID)
	if r == nil {
		if s.budgets.size >= s.limits.budgets {
			return Outcome{Code: LimitReached}
		}
		s.budgets.put(s.epoch, b.ID, &rule{owner: s.epoch, budget: b.clone(), beenSoft: b.Soft})
		return Outcome{Code: Applied}
	}
	// Also for a deleted budget: its accounts still stand, and what they have
	// spent of their windows must not be forgotten by deleting the rule.
	if !sameAccounts(r.budget, b) {
		return Outcome{Code: BudgetImmutable}
	}
	before, window := r.budget.Limit, r.budget.Window
	r.budget = b.clone()
	r.budget.Window = window
	r.deleted = false
	r.beenSoft = r.beenSoft || b.Soft
	if before != b.Limit {
		s.relimit(b)
	}
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

// relimit moves the limit of the budget's accounts, but for those whose window
// is over: their story is told.
func (s *State) relimit(b *Budget) {
	for k, at := range s.accounts.editFrom(s.epoch, AccountKey{Budget: b.ID, Start: -MaxInstant - 1}) {
		if k.Budget != b.ID {
			break
		}
		if (*at).end > s.now {
			s.own(at).relimit(b.Limit)
		}
	}
}

// deleteBudget closes a rule. Its accounts stay for what is still to be settled.
func (s *State) deleteBudget(id BudgetID) Outcome {
	r, ok := s.budgets.get(id)
	if !ok || r.deleted {
		return Outcome{Code: UnknownBudget}
	}
	if r.accounts == 0 && !r.blindAt(s.now) {
		s.budgets.remove(s.epoch, id)
	} else {
		s.editRule(id).deleted = true
	}
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
