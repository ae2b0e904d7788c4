package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Breaker says when a budget trips and how it comes back. The zero Breaker trips
// by an operator's word alone and comes back at once.
type Breaker struct {
	// Probes is how many requests must end well, one at a time on each node, before
	// a breaker that was open is closed; 0 closes it at once.
	Probes uint8
	// RateTimes trips an account that is spent so many times as fast as it was
	// before; 0 for never. The leader of the cluster measures it.
	RateTimes uint16
	// Overrun trips an account each time that so much more than the holds was
	// billed to it in a window; 0 for never.
	Overrun Amount
	// CoolDown is how long a breaker that tripped by itself rests before probes are
	// let through; 0 for until it is reset.
	CoolDown Instant
}

func (b *Breaker) validate() error {
	var errs []error
	if b.Probes > MaxProbes {
		errs = append(errs, fmt.Errorf("breaker: more than %d probes", MaxProbes))
	}
	if b.RateTimes == 1 || b.RateTimes > MaxRateTimes {
		errs = append(errs, fmt.Errorf("breaker: rate_times %d is not within 2 to %d, nor 0", b.RateTimes, MaxRateTimes))
	}
	if !b.Overrun.valid() {
		errs = append(errs, fmt.Errorf("breaker: overrun %d is not within 0 to %d", b.Overrun, MaxAmount))
	}
	if b.CoolDown < 0 || b.CoolDown > MaxCoolDown {
		errs = append(errs, fmt.Errorf("breaker: the cool-down is not within 0 to %d days", MaxCoolDown/Day))
	}
	return errors.Join(errs...)
}

// Scope is what a raise or a trip is for: all accounts of a budget, or the one of
// a split, in every window. Of a budget without Each there is only All.
type Scope struct {
	Budget BudgetID
	All    bool
	Split  Split // "" with All
}

// Covers reports whether the scope has the account of a split.
func (c Scope) Covers(split Split) bool { return c.All || c.Split == split }

func (c Scope) validFor(b *Budget) bool {
	if c.All || len(b.Each) == 0 {
		return c.All && c.Split == ""
	}
	return c.Split.validFor(len(b.Each))
}

// scopeOf is the scope of one account.
func scopeOf(b *Budget, split Split) Scope {
	return Scope{Budget: b.ID, All: len(b.Each) == 0, Split: split}
}

func (c Scope) compare(o Scope) int {
	if c.All != o.All {
		if c.All {
			return -1
		}
		return 1
	}
	return strings.Compare(string(c.Split), string(o.Split))
}

// BreakerState says how a breaker that is not closed stands.
type BreakerState uint8

// The states.
const (
	Tripped  BreakerState = 1 // every request is refused
	HalfOpen BreakerState = 2 // probes are let through
)

// Cause says what opened a breaker, or what had it probed.
type Cause uint8

// The causes.
const (
	ByOperator Cause = 1
	ByRate     Cause = 2 // the rate of spending, against its own history
	ByOverrun  Cause = 3 // billed beyond the holds
	ByProbe    Cause = 4 // a probe ended badly
	ByRaise    Cause = 5 // raised when there was as good as nothing left
)

// BreakerTrip is a breaker that is not closed.
type BreakerTrip struct {
	Scope  Scope
	State  BreakerState
	Cause  Cause
	Reason string
	Since  Instant // in this state
	Until  Instant // of a Tripped one: when probes are let through; 0 for when it is reset
	Probes uint8   // of a HalfOpen one: how many have yet to end well
	Serial uint32  // tells it from those before
}

// spentOut is the part of a limit below which as good as nothing is left: a raise
// is then worth probing.
const spentOut = 20

// findTrip returns where the trip of a scope is in r.trips, or belongs.
func (r *rule) findTrip(c Scope) (int, bool) {
	return slices.BinarySearchFunc(r.trips, c, func(t BreakerTrip, c Scope) int { return t.Scope.compare(c) })
}

// setTrip puts a trip in place, if there is room, and counts it.
func (s *State) setTrip(r *rule, t BreakerTrip) bool {
	i, known := r.findTrip(t.Scope)
	if !known && len(r.trips) >= MaxTrips {
		return false
	}
	r.serial++
	t.Serial, t.Since = r.serial, s.now
	trips := slices.Clone(r.trips)
	if known {
		trips[i] = t
	} else {
		trips = slices.Insert(trips, i, t)
	}
	r.trips = trips
	s.ruled++
	return true
}

// closeTrip closes the breaker at a place of r.trips.
func (s *State) closeTrip(r *rule, i int) {
	if len(r.trips) == 1 {
		r.trips = nil
	} else {
		r.trips = slices.Delete(slices.Clone(r.trips), i, i+1)
	}
	s.ruled++
}

// scoped returns the rule of a scope, for changing, or says why there is none.
func (s *State) scoped(c Scope) (*rule, Code) {
	r, ok := s.budgets.get(c.Budget)
	switch {
	case !ok || r.deleted:
		return nil, UnknownBudget
	case !c.validFor(r.budget):
		return nil, InvalidCommand
	}
	return s.editRule(c.Budget), Applied
}

func (s *State) tripBudget(c *TripBudget) Outcome {
	if c.Cause < ByOperator || c.Cause > ByOverrun || len(c.Reason) > MaxReason || c.For < 0 || c.For > MaxCoolDown {
		return Outcome{Code: InvalidCommand}
	}
	r, code := s.scoped(c.Scope)
	if r == nil {
		return Outcome{Code: code}
	}
	if i, known := r.findTrip(c.Scope); known && r.trips[i].State == Tripped && c.Cause != ByOperator {
		return Outcome{Code: Applied} // it is open, and an operator may have said so
	}
	if !s.trip(r, c.Scope, c.Cause, c.Reason, c.For) {
		return Outcome{Code: LimitReached}
	}
	return Outcome{Code: Applied}
}

// trip opens a breaker for a time, 0 for until it is reset.
func (s *State) trip(r *rule, c Scope, cause Cause, reason string, rest Instant) bool {
	t := BreakerTrip{Scope: c, State: Tripped, Cause: cause, Reason: reason}
	if rest > 0 && s.now < MaxInstant-rest {
		t.Until = s.now + rest
	}
	ok := s.setTrip(r, t)
	s.schedule(r)
	return ok
}

func (s *State) resetBreaker(c Scope, atOnce bool) Outcome {
	r, code := s.scoped(c)
	if r == nil {
		return Outcome{Code: code}
	}
	i, known := r.findTrip(c)
	if !known {
		return Outcome{Code: UnknownTrip}
	}
	if t := r.trips[i]; t.State == Tripped && r.budget.Breaker.Probes > 0 && !atOnce {
		s.probe(r, t)
	} else {
		s.closeTrip(r, i)
	}
	s.schedule(r)
	return Outcome{Code: Applied}
}

// probe lets probes through an open breaker.
func (s *State) probe(r *rule, t BreakerTrip) {
	t.State, t.Until, t.Probes = HalfOpen, 0, max(r.budget.Breaker.Probes, 1)
	s.setTrip(r, t)
}

func (s *State) probed(c *Probed) Outcome {
	r, code := s.scoped(c.Scope)
	if r == nil {
		return Outcome{Code: code}
	}
	i, known := r.findTrip(c.Scope)
	if !known || r.trips[i].State != HalfOpen || r.trips[i].Serial != c.Serial {
		return Outcome{Code: UnknownTrip}
	}
	switch t := r.trips[i]; {
	case !c.Good:
		s.trip(r, c.Scope, ByProbe, "a probe was billed beyond its hold", r.budget.Breaker.CoolDown)
	case t.Probes <= 1:
		s.closeTrip(r, i)
	default:
		r.trips = slices.Clone(r.trips)
		r.trips[i].Probes--
		s.ruled++
	}
	return Outcome{Code: Applied}
}

// endCoolDowns lets probes through the breakers that have rested.
func (s *State) endCoolDowns(r *rule) {
	for i := range r.trips {
		if t := r.trips[i]; t.State == Tripped && t.Until > 0 && t.Until <= s.now {
			s.probe(r, t)
		}
	}
}

// noteOverrun trips an account each time that its overrun in the window passes
// another multiple of what its budget allows.
func (s *State) noteOverrun(r *rule, a *account, more Amount) {
	most := r.budget.Breaker.Overrun
	if most == 0 || more <= 0 || r.deleted || a.overrun/most == (a.overrun+more)/most {
		return
	}
	c := scopeOf(r.budget, a.key.Split)
	if i, known := r.findTrip(c); known && r.trips[i].State == Tripped {
		return
	}
	s.trip(s.editRule(r.budget.ID), c, ByOverrun, "billed beyond the holds", r.budget.Breaker.CoolDown)
}

// probeAfterRaise lets probes alone through to accounts that were spent out when
// they were raised. It is called before the raise.
func (s *State) probeAfterRaise(r *rule, c Scope) {
	if r.budget.Breaker.Probes == 0 {
		return
	}
	for k, a := range s.accounts.from(AccountKey{Budget: c.Budget, Start: -MaxInstant - 1}) {
		if k.Budget != c.Budget {
			break
		}
		if !c.Covers(k.Split) || a.end <= s.now || k.Start > s.now || max(0, a.available)+a.outstanding > a.limit/spentOut {
			continue
		}
		at := scopeOf(r.budget, k.Split)
		if _, known := r.findTrip(at); known {
			continue
		}
		if !s.setTrip(r, BreakerTrip{Scope: at, State: HalfOpen, Cause: ByRaise, Reason: "raised when it was spent", Probes: r.budget.Breaker.Probes}) {
			return
		}
	}
}
