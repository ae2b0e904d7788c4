package purse

import "purser/ledger"

// maxLegs is how many accounts a hold and all that is joined to it may have: with
// the accounts that limit the request, as many as its record has room for. One
// account of sixteen by the minute reaches it in a quarter of an hour.
const maxLegs = 15 * MaxChain

// Join makes the hold larger by another one of the same part: more ends here,
// and what it set aside ends with h, by its one Settle or Release. So a call
// whose cost shows only as it goes on takes what it needs in slices, each by a
// reserve of its own: it waits in the same line as everyone, and the refill sees
// its need.
//
// A hold keeps to the window it was taken in (L6): where a window has ended
// between the two, each part of the hold is charged to the window it came from.
// Parts that count requests or slots cannot be joined.
//
// It is false when the hold has come through too many windows: then nothing has
// changed, and more has yet to end.
func (h Hold) Join(more Hold) bool {
	h.check("Join")
	more.check("Join")
	o := more.h
	last, legs := h.h, h.h.n+o.n
	for ; last.more != nil; legs += last.n {
		last = last.more
	}
	same := last.isOf(o)
	if !same && legs > maxLegs {
		return false
	}
	more.end("Join")
	for i := range o.n {
		if u := o.legs[i].a.unit; u != ledger.USD && u != ledger.Tokens {
			panic("purse: Join of a hold that counts " + u.String())
		}
	}
	o.pool.out.Add(-1)
	if same {
		last.absorb(o)
	} else {
		last.more = o
	}
	return true
}

// isOf says whether m can become a part of o: it is of the same accounts. A leg
// that holds nothing goes with any.
func (o *hold) isOf(m *hold) bool {
	if o.n != m.n || !o.claim.plus(m.claim).valid() {
		return false
	}
	for i := range o.n {
		l := &m.legs[i]
		if o.legs[i].a != l.a || o.legs[i].loose != l.loose && l.held > 0 {
			return false
		}
	}
	return true
}

// absorb takes over all of m.
func (o *hold) absorb(m *hold) {
	o.claim = o.claim.plus(m.claim)
	for i := range o.n {
		l := &m.legs[i]
		o.legs[i].held += l.held
		if l.loose {
			l.a.giveBack(0, true) // counted once for both
		}
		l.a = nil
	}
	m.n = 0
	m.pool.drop(m)
}

// next drops o, whose legs have ended, and gives the one joined to it, which
// takes its place as the object of the handle.
func (o *hold) next() *hold {
	more := o.more
	o.more = nil
	o.pool.drop(o)
	return more
}
