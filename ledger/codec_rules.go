package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// Version is the number that tells this rule from others of its id: the first six
// bytes of the SHA-256 of its stored form, plus 1, so that JSON can carry it as a
// number. Two rules that say the same have the same version, on every replica and
// in every build: it is no part of the state, and a build that does not know it
// cannot disagree about it.
func (b *Budget) Version() uint64 {
	sum := sha256.Sum256(b.stored())
	return binary.BigEndian.Uint64(sum[:8])>>16 + 1
}

func (b *Budget) stored() []byte { return appendBreaker(appendBudget(nil, b), &b.Breaker) }

// saysAs reports whether two rules say the same.
func (b *Budget) saysAs(o *Budget) bool { return bytes.Equal(b.stored(), o.stored()) }

func appendBreaker(b []byte, x *Breaker) []byte {
	b = binary.AppendUvarint(append(b, x.Probes), uint64(x.RateTimes))
	b = appendAmounts(b, x.Overrun)
	return binary.AppendVarint(b, int64(x.CoolDown))
}

func (r *reader) breaker() Breaker {
	return Breaker{Probes: r.byte(), RateTimes: r.uint16(), Overrun: r.amount(), CoolDown: r.instant()}
}

// appendRaise leaves the budget out: it stands before, or around it.
func appendRaise(b []byte, x *Raise) []byte {
	b = appendString(b, x.ID)
	b = appendScope(b, x.Scope())
	b = appendAmounts(b, x.Amount)
	b = binary.AppendVarint(b, int64(x.Until))
	return appendString(b, x.Reason)
}

func (r *reader) raise(budget BudgetID) Raise {
	x := Raise{Budget: budget, ID: RaiseID(r.string())}
	c := r.scope(budget)
	x.All, x.Split = c.All, c.Split
	x.Amount, x.Until, x.Reason = r.amount(), r.instant(), r.string()
	return x
}

// appendScope leaves the budget out, too.
func appendScope(b []byte, c Scope) []byte { return appendString(appendBool(b, c.All), c.Split) }

func (r *reader) scope(budget BudgetID) Scope {
	return Scope{Budget: budget, All: r.bool(), Split: Split(r.string())}
}

func appendTrip(b []byte, t *BreakerTrip) []byte {
	b = append(appendScope(b, t.Scope), byte(t.State), byte(t.Cause))
	b = appendString(b, t.Reason)
	b = binary.AppendVarint(b, int64(t.Since))
	b = binary.AppendVarint(b, int64(t.Until))
	return binary.AppendUvarint(append(b, t.Probes), uint64(t.Serial))
}

func (r *reader) trip(budget BudgetID) BreakerTrip {
	return BreakerTrip{
		Scope: r.scope(budget), State: BreakerState(r.byte()), Cause: Cause(r.byte()), Reason: r.string(),
		Since: r.instant(), Until: r.instant(), Probes: r.byte(), Serial: r.uint32(),
	}
}

// Least sizes of a raise and a trip in bytes, for lists of them.
const (
	leastRaise = 6
	leastTrip  = 9
)

// appendRulings is what a rule has beside its budget and what a Restore left.
func appendRulings(b []byte, r *rule) []byte {
	b = appendBreaker(b, &r.budget.Breaker)
	b = appendCount(b, len(r.raises))
	for i := range r.raises {
		b = appendRaise(b, &r.raises[i])
	}
	b = binary.AppendUvarint(b, uint64(r.serial))
	b = appendCount(b, len(r.trips))
	for i := range r.trips {
		b = appendTrip(b, &r.trips[i])
	}
	return b
}

// rulings reads what appendRulings wrote into a rule whose budget was read.
func (r *reader) rulings(x *rule) {
	id := x.budget.ID
	x.budget.Breaker = r.breaker()
	x.raises = list(r, leastRaise, func() Raise { return r.raise(id) })
	x.serial = r.uint32()
	x.trips = list(r, leastTrip, func() BreakerTrip { return r.trip(id) })
	if r.err == nil && !x.ruled() {
		r.fail(errRange) // it would have been written without
	}
}

// ruled reports whether the rule has what only appendRulings writes.
func (r *rule) ruled() bool {
	return r.budget.Breaker != Breaker{} || len(r.raises) > 0 || r.serial > 0
}

// validRulings reports whether a state at `now` can have what was read.
func (r *rule) validRulings(now Instant) bool {
	if r.deleted && len(r.raises)+len(r.trips) > 0 || len(r.raises) > MaxRaises || len(r.trips) > MaxTrips {
		return false
	}
	for i := range r.raises {
		x := &r.raises[i]
		if x.Validate() != nil || !x.Scope().validFor(r.budget) || x.Until <= now || i > 0 && r.raises[i-1].ID >= x.ID {
			return false
		}
	}
	for i := range r.trips {
		if !r.validTrip(&r.trips[i], now) || i > 0 && r.trips[i-1].Scope.compare(r.trips[i].Scope) >= 0 {
			return false
		}
	}
	return true
}

func (r *rule) validTrip(t *BreakerTrip, now Instant) bool {
	open := t.State == Tripped && t.Probes == 0 && (t.Until == 0 || t.Until > now)
	halfOpen := t.State == HalfOpen && t.Probes > 0 && t.Until == 0
	return (open || halfOpen) && t.Scope.validFor(r.budget) && t.Cause >= ByOperator && t.Cause <= ByRaise &&
		len(t.Reason) <= MaxReason && t.Serial >= 1 && t.Serial <= r.serial && t.Since >= 0 && t.Since <= now
}
