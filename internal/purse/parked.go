package purse

import (
	"slices"

	"purser/ledger"
)

// waiter is one request that could not have its hold at once. It ends with
// exactly one of a hold, a refusal and an error; then done is closed.
type waiter struct {
	part     *Part
	claim    Claim
	deadline int64 // mono
	done     chan struct{}

	hold    Hold
	refusal Refusal
	err     error
	ended   bool

	accounts [MaxChain]*account // of the last try; nil for a level that no longer counts
	missing  [MaxChain]ledger.Amount
	asking   bool  // its need is in the Exchange under way
	askAt    int64 // mono from which it may ask again
	pause    int64 // until the next question
	// contended is the account that an answer said was short; nil before such
	// an answer. Without one there is no ground for a refusal.
	contended *account
}

// park decides at once if it can, else queues the request. A newcomer does not
// overtake: if others wait for one of its accounts, it goes behind them.
func (c *core) park(part *Part, claim Claim, now Moment) *waiter {
	w := &waiter{part: part, claim: claim, deadline: now.Mono + int64(c.cfg.AdmissionWait), done: make(chan struct{})}
	c.keepAuthority(now) // the last step may be long ago: the process was paused
	if !c.admits() {
		c.fail(w, c.undecided())
		return w
	}
	if !c.locate(w, now) || c.hopeless(w, now) {
		return w
	}
	first := !c.behind(w)
	switch {
	case first && c.try(w):
	case len(c.parked) >= c.cfg.MaxParked:
		c.fail(w, ErrBusy)
	default:
		c.parked = append(c.parked, w)
		c.queue(w, first, now)
	}
	return w
}

// locate finds the account of each level for this moment. It fails w when the
// table of accounts is full.
func (c *core) locate(w *waiter, now Moment) bool {
	for i := range w.part.n {
		s := w.part.series[i]
		if s.book.dead.Load() {
			w.accounts[i] = nil
			continue
		}
		a := c.current(s, now)
		if a == nil {
			c.fail(w, ErrBusy)
			return false
		}
		w.accounts[i] = a
		a.usedAt = now.Mono
		if amt := w.claim.hold(a.unit); int64(amt) > a.largest.Load() {
			a.largest.Store(int64(amt))
		}
	}
	return true
}

// hopeless refuses w when one of its accounts can never grant so much.
func (c *core) hopeless(w *waiter, now Moment) bool {
	for i := range w.part.n {
		a := w.accounts[i]
		if a == nil || a.soft.Load() {
			continue
		}
		if most, known := a.ceilingNow(now.Mono); known && w.claim.hold(a.unit) > max(most, 0) {
			c.refuse(w, Exhausted, a, now)
			return true
		}
	}
	return false
}

// behind reports whether requests wait for an account of w.
func (c *core) behind(w *waiter) bool {
	return slices.ContainsFunc(w.accounts[:w.part.n], func(a *account) bool {
		return a != nil && a.contended.Load()
	})
}

// try takes the whole chain or nothing, and ends w with the hold.
func (c *core) try(w *waiter) bool {
	h := c.holds.get()
	for i := range w.part.n {
		a := w.accounts[i]
		if a != nil && !h.grab(a, w.claim) {
			h.undo()
			c.holds.drop(h)
			return false
		}
	}
	w.hold = c.holds.begin(h, w.claim)
	c.finish(w)
	return true
}

// queue marks the accounts that w is short of, in this pass, so that later ones
// do not overtake it, and notes what it waits for there. An account that it
// could have is not marked: others must not wait for what w is not short of.
// If w is first in line it then tries once more: what came back before the
// mark was set would wake nobody.
func (c *core) queue(w *waiter, first bool, now Moment) {
	for i := range w.part.n {
		a := w.accounts[i]
		if a == nil || a.soft.Load() && !a.closing {
			continue
		}
		amt := w.claim.hold(a.unit)
		if a.closing || ledger.Amount(a.free.Load()) < amt {
			c.block(a)
		}
		if a.blocked == c.pass {
			a.demand += amt
		}
	}
	if first && c.try(w) {
		c.pump = true
		return
	}
	for i := range w.part.n {
		if a := w.accounts[i]; a != nil {
			c.assess(a, now)
		}
	}
}

// block makes later requests for the account queue, for this pass.
func (c *core) block(a *account) {
	if a.blocked == c.pass {
		return
	}
	a.blocked, a.demand = c.pass, 0
	if !a.contended.Load() {
		a.contended.Store(true)
		c.short = append(c.short, a)
	}
	a.watched.Store(true)
}

// serve goes through the parked requests in their order and ends those that can
// be. One that is short of an account blocks that account for all behind it, so
// that a large hold is not starved by small ones; other accounts of its chain
// stay free for others.
func (c *core) serve(now Moment) {
	c.pump = false
	c.pass++
	for _, w := range c.parked {
		if w.ended || !c.locate(w, now) || c.hopeless(w, now) {
			continue
		}
		if first := !c.blocked(w); !first || !c.try(w) {
			c.queue(w, first, now)
		}
	}
	c.parked = slices.DeleteFunc(c.parked, func(w *waiter) bool { return w.ended })
	c.short = slices.DeleteFunc(c.short, func(a *account) bool {
		if a.blocked == c.pass {
			return false
		}
		a.contended.Store(false)
		a.watched.Store(a.closing)
		return true
	})
}

func (c *core) blocked(w *waiter) bool {
	return slices.ContainsFunc(w.accounts[:w.part.n], func(a *account) bool {
		return a != nil && a.blocked == c.pass
	})
}

// expire ends the waits that are over, first come first. Each has one last try
// without regard to the order: what it needs may be there, kept for a larger
// one in front, and then a refusal would not be justified. Nor is it where what was
// short has come and waits for its mark, or the rest of the chain has not: that is
// undecided.
func (c *core) expire(now Moment) {
	for _, w := range c.parked {
		switch {
		case w.ended:
		case !c.admits():
			c.fail(w, c.undecided())
		case now.Mono < w.deadline:
			continue
		case !c.locate(w, now) || c.try(w) || c.hopeless(w, now):
		case w.contended != nil && w.contended.idle() < w.claim.hold(w.contended.unit):
			c.refuse(w, Contended, w.contended, now)
		default:
			c.fail(w, ErrUndecided)
		}
		c.pump = true
	}
}

// abandon ends w because its caller went away. A hold it already has is
// released.
func (c *core) abandon(w *waiter, err error) {
	if !w.ended {
		c.fail(w, err)
		c.pump = true
		return
	}
	if w.hold.Valid() {
		w.hold.Release()
		w.hold, w.err = Hold{}, err
	}
}

func (c *core) fail(w *waiter, err error) {
	w.err = err
	c.finish(w)
}

func (c *core) finish(w *waiter) {
	w.ended = true
	close(w.done)
}

// refuse ends w with the word where the money is.
func (c *core) refuse(w *waiter, code RefusalCode, a *account, now Moment) {
	limit := a.book.limitOf(a.key.Split)
	r := Refusal{
		Code: code, Account: a.key, Budget: a.key.Budget, Unit: a.unit,
		Limit: limit, Hold: w.claim.hold(a.unit), ResetsAt: a.end,
		Spent: ledger.Amount(a.spent.Load()),
	}
	if most, known := a.ceilingNow(now.Mono); known {
		r.Spent = limit - most
	}
	r.Held = max(0, limit-r.Spent-a.idle())
	w.refusal = r
	c.finish(w)
}
