package purse

import "purser/ledger"

// giveBack returns up to amt of what is idle: first what was never issued.
func (c *core) giveBack(a *account, amt ledger.Amount) {
	first := min(a.unissued(), amt)
	a.returned += first
	got := a.takeUpTo(amt - first)
	a.issued -= got
	a.returned += got
}

// shut ends the account's service: no new holds, everything idle returned. When
// its last hold has ended the ledger is told that it is done, and then it goes.
func (c *core) shut(a *account) {
	if a.closing {
		return
	}
	a.closing = true
	a.watched.Store(true) // the core must see the last hold end
	a.free.Add(int64(shut))
	c.pump = true // who waits for it must look again
	if !a.told && a.unused() && a.spent.Load() == 0 {
		c.forget(a)
		return
	}
	c.settleClosing(a)
}

// settleClosing returns what came back to an account that is shut.
func (c *core) settleClosing(a *account) {
	before := a.returned
	c.giveBack(a, ledger.MaxAmount)
	if a.returned > before || a.unused() {
		c.wantRow(a)
	}
}

// reopen puts an account back into service that was shut for idleness, unless
// the ledger is being told that it is done.
func (c *core) reopen(a *account, now Moment) {
	if !a.closing || a.doneSent || a.state == ledger.Ended || a.state == ledger.Closed || c.draining || a.book.dead.Load() {
		return
	}
	a.closing = false
	a.usedAt = now.Mono
	a.free.Add(-int64(shut))
	a.watched.Store(a.contended.Load())
}

// forget drops an account that the ledger knows is done.
func (c *core) forget(a *account) {
	last := c.live[len(c.live)-1]
	c.live[a.index] = last
	last.index = a.index
	c.live = c.live[:len(c.live)-1]
	a.index = -1
	delete(c.accounts, a.key)
	if a.onDisk {
		c.gone = append(c.gone, Mark{Account: a.key, Incarnation: c.incarnation, Gone: true})
	}
	c.pump = true
}

// scan looks at every account once a second: rates, windows, idleness.
func (c *core) scan(now Moment) {
	wall := max(now.Wall, c.horizonWall)
	for i := len(c.live) - 1; i >= 0; i-- { // backwards: forget fills the gap from the end
		a := c.live[i]
		c.sample(a, now)
		switch {
		case a.closing:
		case a.book.dead.Load() || wall >= a.end || now.Mono-a.usedAt >= int64(c.cfg.Idle):
			c.shut(a)
		case a.end-wall <= aheadOfWindow && a.rate > 0:
			c.openNext(a, now)
		}
		if !a.closing && a.mark-a.issued > 2*a.chunk() {
			c.wantMark(a) // lower it: less is at risk in a crash
		}
		c.assess(a, now)
	}
	if c.scans++; c.scans%sweepEvery == 0 {
		c.sweep()
	}
}

// openNext asks for allowance of the window that is about to begin, so that its
// first requests need not wait.
func (c *core) openNext(a *account, now Moment) {
	start, end := a.book.window.Bounds(a.end)
	key := ledger.AccountKey{Budget: a.key.Budget, Split: a.key.Split, Start: start}
	if c.accounts[key] != nil {
		return
	}
	if b := c.open(key, end, a.book, now); b != nil {
		b.rate = a.rate
		b.largestPrev = a.largestHold()
		c.wantRow(b)
	}
}

// quicken raises the rate at once when spending rises between two scans. The
// span is taken as a quarter of a second at least, so that a few requests at
// the same moment do not look like a flood.
func (a *account) quicken(now Moment) {
	if a.unit == ledger.Slots {
		a.rate = max(a.rate, a.used())
		return
	}
	elapsed := max(now.Mono-a.rateAt, scanEvery/4)
	a.rate = max(a.rate, scale(a.used()-a.rateUsed, scanEvery, elapsed))
}

// sample brings the rate up to date: it follows a rise at once and a fall by
// half each second.
func (c *core) sample(a *account, now Moment) {
	elapsed := now.Mono - a.rateAt
	if elapsed < scanEvery/2 {
		return
	}
	used := a.used()
	if a.unit == ledger.Slots {
		a.rate = max(used, a.rate/2)
	} else {
		a.rate = max(scale(used-a.rateUsed, scanEvery, elapsed), a.rate/2)
	}
	if used != a.rateUsed || a.loose.Load() > 0 || a.held() > 0 {
		a.usedAt = now.Mono
	}
	a.rateUsed, a.rateAt = used, now.Mono
	a.largestPrev = max(ledger.Amount(a.largest.Swap(0)), a.largestPrev/2)
}

// sweep forgets series without use.
func (c *core) sweep() {
	if c.rules == nil {
		return
	}
	for _, k := range c.rules.books {
		k.sweep(&c.seriesOpen)
	}
}

// setRules swaps the rules in. Budgets that are gone stop to constrain, and
// their accounts are shut; a cached ceiling is void, a limit may have risen.
func (c *core) setRules(r *rules, budgets []ledger.Budget, now Moment) {
	before := c.rules
	c.rules = r
	for i := range budgets {
		r.books[budgets[i].ID].adopt(&budgets[i])
	}
	if before != nil {
		for id, k := range before.books {
			if r.books[id] != k {
				k.dead.Store(true)
			}
		}
	}
	for i := len(c.live) - 1; i >= 0; i-- {
		a := c.live[i]
		a.ceilingTill, a.wantAfter, a.needAt, a.yieldTill = 0, 0, 0, 0
		a.heard.Store(unknown)
		a.setSoft(a.book.soft.Load())
		if a.book.dead.Load() {
			c.shut(a)
		}
	}
	for _, w := range c.parked {
		w.askAt = now.Mono
	}
	c.pump = true
}

// drain returns everything. It is done when no account is left and the store
// has forgotten them.
func (c *core) drain() {
	c.draining = true
	for i := len(c.live) - 1; i >= 0; i-- {
		c.shut(c.live[i])
	}
	c.pump = true
}

func (c *core) drained() bool {
	return c.draining && len(c.live) == 0 && len(c.gone) == 0 && c.saving == nil
}
