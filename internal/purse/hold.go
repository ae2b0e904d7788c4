package purse

import (
	"fmt"
	"sync"
	"sync/atomic"

	"purser/ledger"
)

// Hold is what one request has set aside in every account of one part of its
// chain. It ends exactly once, by Settle or Release; a second end panics. The
// zero Hold is none.
//
// A Hold is a handle: copies refer to the same hold, and only one of them may
// end it.
type Hold struct {
	h   *hold
	gen uint64
}

// hold is the object behind a handle, used again and again. Its generation is
// odd while a request has it, so that a handle kept too long is noticed even
// when the object serves another request by then.
type hold struct {
	gen   atomic.Uint64
	pool  *holds
	claim Claim // what each leg holds, by its unit
	more  *hold // joined to this one, and of other accounts; see [Hold.Join]
	n     int
	legs  [MaxChain]leg
}

type leg struct {
	a     *account
	held  ledger.Amount
	loose bool // took nothing from the account's free amount
}

// holds is where hold objects come from and return to.
type holds struct {
	pool sync.Pool
	out  atomic.Int64 // holds not ended
}

func (p *holds) get() *hold {
	h, _ := p.pool.Get().(*hold)
	if h == nil {
		h = &hold{pool: p}
	}
	h.n = 0
	return h
}

// begin hands h out, as the hold of c.
func (p *holds) begin(h *hold, c Claim) Hold {
	p.out.Add(1)
	h.claim = c
	return Hold{h: h, gen: h.gen.Add(1)}
}

// drop takes back an h that was never handed out.
func (p *holds) drop(h *hold) { p.pool.Put(h) }

// Valid reports whether h is a hold at all. It says nothing of its end.
func (h Hold) Valid() bool { return h.h != nil }

// Held is what the hold set aside in each account, appended to dst as charges
// without spending. It must not be called after the end.
func (h Hold) Held(dst []Charge) []Charge {
	h.check("Held")
	for o := h.h; o != nil; o = o.more {
		for i := range o.n {
			dst = append(dst, o.legs[i].charge(0))
		}
	}
	return dst
}

// Settle ends the hold: actual is what the call cost. What was held beyond it
// is free again at once; what it cost beyond the hold is taken from the
// account and counted as overrun. The charges, one per account, are appended
// to dst. Of a hold that others of another window were joined to, the older
// accounts are charged first.
func (h Hold) Settle(actual Claim, dst []Charge) []Charge {
	if !actual.valid() {
		panic(fmt.Sprintf("purse: settle of an impossible cost %+v", actual))
	}
	h.end("Settle")
	o := h.h
	for o.more != nil {
		within := actual.least(o.claim)
		dst = o.settle(within, dst)
		actual = actual.minus(within)
		o = o.next()
	}
	dst = o.settle(actual, dst)
	o.finish()
	return dst
}

// settle ends the legs, of which each spent what c says.
func (o *hold) settle(c Claim, dst []Charge) []Charge {
	for i := range o.n {
		l := &o.legs[i]
		spent := c.spend(l.a.unit)
		dst = append(dst, l.charge(spent))
		l.a.settle(l.held, spent, l.loose)
		l.a = nil
	}
	return dst
}

// Release ends a hold whose call never cost anything: nothing was sent, or the
// provider cannot have billed it. Also the request and the slot come back.
func (h Hold) Release() {
	h.end("Release")
	o := h.h
	for o.more != nil {
		o.undo()
		o = o.next()
	}
	o.undo()
	o.finish()
}

// end marks the hold as ended and panics if it was.
func (h Hold) end(by string) {
	if h.h == nil {
		panic("purse: " + by + " of the zero Hold")
	}
	if !h.h.gen.CompareAndSwap(h.gen, h.gen+1) {
		panic(fmt.Sprintf("purse: %s of a hold that has ended (handle %d, object %d)", by, h.gen, h.h.gen.Load()))
	}
}

func (h Hold) check(by string) {
	if h.h == nil || h.h.gen.Load() != h.gen {
		panic("purse: " + by + " of a hold that has ended")
	}
}

// finish puts the object back.
func (o *hold) finish() {
	o.pool.out.Add(-1)
	o.pool.pool.Put(o)
}

// grab takes amt of a as the next leg.
func (o *hold) grab(a *account, c Claim) bool {
	amt := c.hold(a.unit)
	loose := amt == 0 || a.soft.Load()
	if loose {
		if !a.takeLoose() {
			return false
		}
	} else if !a.take(amt) {
		return false
	}
	o.legs[o.n] = leg{a: a, held: amt, loose: loose}
	o.n++
	return true
}

// undo gives back the legs taken so far, last first.
func (o *hold) undo() {
	for o.n > 0 {
		o.n--
		l := &o.legs[o.n]
		l.a.giveBack(l.held, l.loose)
		l.a = nil
	}
}

func (l *leg) charge(spent ledger.Amount) Charge {
	return Charge{Account: l.a.key, Incarnation: l.a.bell.incarnation, Held: l.held, Spent: spent}
}
