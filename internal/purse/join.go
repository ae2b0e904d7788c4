package purse

import "purser/ledger"

// Join makes the hold larger by another one of the same part: more ends here,
// and what it set aside ends with h, by its one Settle or Release. So a call
// whose cost shows only as it goes on takes what it needs in slices, each by a
// reserve of its own: it waits in the same line as everyone, and the refill sees
// its need.
//
// A hold keeps to the window it was taken in (L6): where a window has ended
// between the two, each part of the hold is charged to the window it came from.
// Parts that count requests or slots cannot be joined.
func (h Hold) Join(more Hold) {
	h.check("Join")
	more.end("Join")
	o := more.h
	for i := range o.n {
		if u := o.legs[i].a.unit; u != ledger.USD && u != ledger.Tokens {
			panic("purse: Join of a hold that counts " + u.String())
		}
	}
	o.pool.out.Add(-1)
	last := h.h
	for last.more != nil {
		last = last.more
	}
	if !last.absorb(o) {
		last.more = o
	}
}

// absorb takes over all of m if it is of the same accounts. It is false where it
// cannot: then each keeps its own.
func (o *hold) absorb(m *hold) bool {
	sum := o.claim.plus(m.claim)
	if o.n != m.n || !sum.valid() {
		return false
	}
	for i := range o.n {
		if o.legs[i].a != m.legs[i].a || o.legs[i].loose != m.legs[i].loose {
			return false
		}
	}
	o.claim = sum
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
	return true
}

// next drops o, whose legs have ended, and gives the one joined to it, which
// takes its place as the object of the handle.
func (o *hold) next() *hold {
	more := o.more
	o.more = nil
	o.pool.drop(o)
	return more
}
