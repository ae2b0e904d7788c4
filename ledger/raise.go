package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// RaiseID names a raise of one budget: as a [BudgetID] is written.
type RaiseID string

// Raise adds Amount to the limit of accounts of a budget while it lasts: in every
// window that is open meanwhile. It ends at Until, by ledger time, or before it.
//
// When a raise ends the limit falls, exactly as when an operator lowers it: what is
// spent stays spent, what holders have stays with them, and an account that has
// more out than its limit is overcommitted. Such an account gets no grants, idle
// allowance is recalled from its holders, and its next window begins with the limit
// that holds then.
type Raise struct {
	Budget BudgetID
	ID     RaiseID
	All    bool // every account; Split is "" then, and of a budget without Each it is every one
	Split  Split
	Amount Amount // 1 to MaxAmount
	Until  Instant
	Reason string // for people; at most MaxReason bytes
}

// Scope is the accounts the raise is for.
func (x *Raise) Scope() Scope { return Scope{Budget: x.Budget, All: x.All, Split: x.Split} }

// Validate reports everything that is wrong with the raise, but for what depends
// on its budget.
func (x *Raise) Validate() error {
	var errs []error
	if !ValidBudgetID(BudgetID(x.ID)) {
		errs = append(errs, fmt.Errorf("id %q is not 1 to %d characters of a-z, 0-9, '.', '_', '-'", clip(string(x.ID)), MaxBudgetID))
	}
	if x.Amount < 1 || x.Amount > MaxAmount {
		errs = append(errs, fmt.Errorf("amount %d is not within 1 to %d", x.Amount, MaxAmount))
	}
	if len(x.Reason) > MaxReason {
		errs = append(errs, fmt.Errorf("the reason is longer than %d bytes", MaxReason))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("raise of %q: %w", clip(string(x.Budget)), err)
	}
	return nil
}

// limitOf is the limit of one account by now.
func (r *rule) limitOf(split Split) Amount { return Raised(r.budget.Limit, r.raises, split) }

// Raised is the limit of the account of a split while raises of its budget are in
// force.
func Raised(limit Amount, raises []Raise, split Split) Amount {
	for i := range raises {
		if x := &raises[i]; x.All || x.Split == split {
			limit = min(limit+x.Amount, MaxAmount)
		}
	}
	return limit
}

// putRaise begins a raise. Accounts that had as good as nothing left are probed
// first, where the budget asks for that.
func (s *State) putRaise(x *Raise) Outcome {
	r, ok := s.budgets.get(x.Budget)
	switch {
	case !ok || r.deleted:
		return Outcome{Code: UnknownBudget}
	case x.Validate() != nil || !x.Scope().validFor(r.budget) || x.Until <= s.now:
		return Outcome{Code: InvalidCommand}
	}
	i, replaces := slices.BinarySearchFunc(r.raises, x.ID, func(x Raise, id RaiseID) int { return cmp.Compare(x.ID, id) })
	if replaces && r.raises[i] == *x {
		return Outcome{Code: Repeated}
	}
	if !replaces && (len(r.raises) >= MaxRaises || s.raises >= s.limits.raises) {
		return Outcome{Code: LimitReached}
	}
	raises := slices.Clone(r.raises)
	if replaces {
		raises[i] = *x
	} else {
		raises = slices.Insert(raises, i, *x)
	}
	r = s.editRule(x.Budget)
	if !replaces {
		s.probeAfterRaise(r, x.Scope())
	}
	s.setRaises(r, raises)
	s.schedule(r)
	return Outcome{Code: Applied}
}

// endRaise ends a raise before its time.
func (s *State) endRaise(id BudgetID, raise RaiseID) Outcome {
	r, ok := s.budgets.get(id)
	if !ok || r.deleted {
		return Outcome{Code: UnknownBudget}
	}
	left := without(r.raises, func(x *Raise) bool { return x.ID == raise })
	if len(left) == len(r.raises) {
		return Outcome{Code: UnknownRaise}
	}
	r = s.editRule(id)
	s.setRaises(r, left)
	s.schedule(r)
	return Outcome{Code: Applied}
}

// setRaises replaces the raises of a rule and moves the limits of its accounts.
func (s *State) setRaises(r *rule, raises []Raise) {
	s.raises += len(raises) - len(r.raises)
	r.raises = raises
	s.relimit(r, false)
	s.ruled++
}

// without returns the raises that gone does not pick, nil for none.
func without(raises []Raise, gone func(*Raise) bool) (left []Raise) {
	for i := range raises {
		if !gone(&raises[i]) {
			left = append(left, raises[i])
		}
	}
	return left
}

// due says when a rule has a raise or a cool-down that ends.
type due struct {
	at     Instant
	budget BudgetID
}

func (d due) compare(o due) int {
	return cmp.Or(cmp.Compare(d.at, o.at), strings.Compare(string(d.budget), string(o.budget)))
}

// nextDue is when something of the rule ends, 0 for never.
func (r *rule) nextDue() Instant {
	next := MaxInstant
	for i := range r.raises {
		next = min(next, r.raises[i].Until)
	}
	for i := range r.trips {
		if t := &r.trips[i]; t.State == Tripped && t.Until > 0 {
			next = min(next, t.Until)
		}
	}
	if next == MaxInstant {
		return 0
	}
	return next
}

// schedule files the rule under the time at which something of it ends. The table
// is a function of the rules (L8).
func (s *State) schedule(r *rule) {
	at := r.nextDue()
	if at == r.dueAt {
		return
	}
	if r.dueAt > 0 {
		s.dues.remove(s.epoch, due{r.dueAt, r.budget.ID})
	}
	if r.dueAt = at; at > 0 {
		s.dues.put(s.epoch, due{at, r.budget.ID}, struct{}{})
	}
}

// fallDue ends the raises and the cool-downs whose time has come.
func (s *State) fallDue() {
	for {
		d, _, ok := s.dues.min()
		if !ok || d.at > s.now {
			return
		}
		r := s.editRule(d.budget)
		if left := without(r.raises, func(x *Raise) bool { return x.Until <= s.now }); len(left) < len(r.raises) {
			s.setRaises(r, left)
		}
		s.endCoolDowns(r)
		s.schedule(r)
	}
}
