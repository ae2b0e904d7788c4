package verdict

import (
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

const (
	// healed is how long after the end of a fault what it caused may last.
	healed = 10 * time.Second
	// believed is how long a node goes by what the ledger told it last, and some more.
	believed = 6 * time.Second
	// idleShare is the part of a limit that nodes may have ahead of need when a request
	// is refused, in quiet times. From outside it is not seen where allowance is.
	idleShare = 4
)

// justified is C9 for refusals by budgets. A refusal's own words must be a reason; and
// they must be true: the limit one that can have been in force, and what is called
// spent no more than was billed, recorded, presumed or written off until then. With no
// fault near, what was spent and under way must leave too little: what other nodes have
// ahead of need may be a quarter of the limit.
func justified(b *book) (found []Finding) {
	charges := b.charges()
	for i := range b.h.Requests {
		r := &b.h.Requests[i]
		if f := r.Refusal; f == nil || f.Breaker != nil {
			continue
		}
		x := b.budgets[r.Refusal.ID]
		if x == nil {
			found = append(found, finding("C9", r.Ended, "%s was refused by %s, of which nobody knows", r.ID, r.Refusal.ID))
			continue
		}
		found = append(found, b.refused(r, x, charges[r.Refusal.Account])...)
	}
	return found
}

func (b *book) refused(r *history.Request, x *budget, charges *charges) (found []Finding) {
	f := r.Refusal
	from := r.Begun - int64(healed) // what a node that is cut off goes by may be older yet
	if b.restored {
		from = -never // limits are those of the backup again
	}
	// A limit that was raised meanwhile may be told by a refusal that the one before it led to.
	if f.Spent+f.Held+f.Unreachable+f.Needed <= min(f.Limit, x.lowest(from, r.Ended)) {
		found = append(found, finding("C9", r.Ended, "%s refused %s by %s although %d spent + %d held + %d unreachable + %d needed are within %d", r.Node, r.ID, f.Account, f.Spent, f.Held, f.Unreachable, f.Needed, f.Limit))
	}
	if _, there := x.covers(r.Begun-int64(healed), r.Ended); !there {
		return found // it was being deleted or made again
	}
	if low, high := x.lowest(from, r.Ended), x.highest(from, r.Ended); (f.Limit < low || f.Limit > high) && !b.near(r.Begun, r.Ended, healed+b.authority()) {
		found = append(found, finding("C9", r.Ended, "%s refused %s by %s for a limit of %d; those in force were %d to %d", r.Node, r.ID, f.Account, f.Limit, low, high))
	}
	if x.unit == "slots" {
		return found
	}
	unsure := b.unsure(f.Account)
	spent, out := charges.by(r, x, b.moved)
	if most := spent + out + unsure; f.Spent > most {
		found = append(found, finding("C9", r.Ended, "%s refused %s by %s for %d spent; the bill, the records, what was under way, presumed and written off come to %d", r.Node, r.ID, f.Account, f.Spent, most))
	}
	if room := x.lowest(from, r.Ended) - spent - out - unsure; room-f.Limit/idleShare >= f.Needed && !b.near(r.Begun, r.Ended, healed) {
		found = append(found, finding("C9", r.Ended, "%s refused %d of %s to %s although %d of %d were there, with no fault near", r.Node, f.Needed, f.Account, r.ID, room, f.Limit))
	}
	return found
}

// decided is C9 for what is no decision: a gateway that does not decide, or gives no
// answer, has a fault near for a reason, or a machine that runs nothing in time. At the beginning of a run every node meets all
// its budgets and all its clients at once: that is no judgement of it.
func decided(b *book) (found []Finding) {
	for i := range b.h.Requests {
		r := &b.h.Requests[i]
		k := KindOf(r)
		if k != Undecided && k != Lost || r.Mode != "" || r.Begun < int64(healed) || b.near(r.Begun, r.Ended, healed) || b.starved(r.Begun, r.Ended) {
			continue
		}
		found = append(found, finding("C9", r.Ended, "%s had no decision from %s (%d %s %s), with no fault within %v", r.ID, r.Node, r.Status, r.Code, r.Err, healed))
	}
	return found
}

// authority is how long a node goes on that hears nothing of the ledger.
func (b *book) authority() time.Duration {
	const usual = 10 * time.Second
	if a := b.h.Meta.Authority; a > 0 {
		return time.Duration(a)
	}
	return usual
}

// starved says whether the machine was, shortly before a time or in it.
func (b *book) starved(from, to int64) bool {
	const shortly = int64(2 * time.Second)
	return slices.ContainsFunc(b.h.Starved, func(s history.Starved) bool { return s.From <= to && s.To+shortly >= from })
}
