package purse

import (
	"fmt"
	"slices"

	"purser/ledger"
)

// exchange is an Exchange under way, with what the answer is matched to. The
// message is never changed once it was handed out: it is sent again as it is.
type exchange struct {
	msg      *ledger.Exchange
	accounts []*account // by row
	waiters  []*waiter  // by need
	began    int64
	version  uint64 // of the rules when it began
}

// nextExchange returns the next message, or nil when one is under way or there
// is nothing to say yet.
func (c *core) nextExchange(now Moment) *exchange {
	if c.under != nil || c.broken != nil || now.Mono < c.nextAt {
		return nil
	}
	flush := now.Mono >= c.flushAt || c.flushMore
	silent := now.Mono-c.heard >= int64(c.cfg.AuthorityTTL)/4
	if !flush && !silent && len(c.urgent) == 0 && !slices.ContainsFunc(c.parked, func(w *waiter) bool { return c.needDue(w, now) }) {
		return nil
	}
	c.draft++ // rows and supplies are stamped with it
	x := &exchange{
		msg:   &ledger.Exchange{Node: c.cfg.Node, Incarnation: c.incarnation, MarkSeq: c.markSeq},
		began: now.Mono,
	}
	if c.rules != nil {
		x.version = c.rules.version
	}
	c.addNeeds(x, now)
	c.addUrgent(x, now)
	if flush {
		c.addDirty(x, now)
		c.flushAt = now.next(int64(c.cfg.Flush))
	}
	if len(x.msg.Rows) == 0 && !silent {
		return nil
	}
	c.seq++
	c.nextAt = now.Mono + leastGap
	x.msg.Seq = c.seq
	c.under = x
	return x
}

// addNeeds lets parked requests ask for what they miss, reckoned in their
// order: each counts on what those before it leave.
func (c *core) addNeeds(x *exchange, now Moment) {
	for _, w := range c.parked {
		if w.ended || len(x.waiters) >= c.cfg.MaxNeeds || len(x.accounts)+w.part.n > c.cfg.MaxRows {
			continue
		}
		if short := c.reckon(w); !short || now.Mono < w.askAt {
			continue
		}
		need := ledger.Need{}
		for i := range w.part.n {
			if w.missing[i] > 0 {
				need.Claims = append(need.Claims, ledger.Claim{Row: c.addRow(x, w.accounts[i], now), Missing: w.missing[i]})
			}
		}
		w.asking = true
		x.waiters = append(x.waiters, w)
		x.msg.Needs = append(x.msg.Needs, need)
	}
}

// reckon works out what w misses on each account. It reports false when that is
// nothing (a mark is on its way) or when an account cannot be asked for: one
// on its way out, or not located yet.
func (c *core) reckon(w *waiter) bool {
	short, askable := false, true
	for i := range w.part.n {
		a := w.accounts[i]
		w.missing[i] = 0
		if a == nil {
			continue
		}
		if a.closing || a.index < 0 {
			askable = false
			continue
		}
		if a.soft.Load() {
			continue
		}
		if a.supplyDraft != c.draft {
			a.supplyDraft, a.supply = c.draft, a.idle()
		}
		amt := w.claim.hold(a.unit)
		w.missing[i] = max(0, amt-a.supply)
		a.supply = max(0, a.supply-amt)
		short = short || w.missing[i] > 0
	}
	return short && askable
}

// needDue reports whether an Exchange is to begin for what w waits for. One
// that begins for another reason carries its need as well.
func (c *core) needDue(w *waiter, now Moment) bool {
	at := w.askAt
	for _, a := range w.accounts[:w.part.n] {
		if a != nil && a.blocked == c.pass {
			at = max(at, a.needAt)
		}
	}
	return !w.ended && now.Mono >= at
}

func (c *core) addUrgent(x *exchange, now Moment) {
	left := c.urgent[:0]
	for _, a := range c.urgent {
		switch {
		case a.index < 0:
			a.urgent = false
		case len(x.accounts) >= c.cfg.MaxRows:
			left = append(left, a)
		default:
			a.urgent = false
			if !a.closing || a.unused() || a.dirty() {
				c.addRow(x, a, now)
			}
		}
	}
	clear(c.urgent[len(left):])
	c.urgent = left
}

// addDirty reports what changed since the last report, going round so that
// every account has its turn when there are more than one message can hold.
func (c *core) addDirty(x *exchange, now Moment) {
	c.flushMore = false
	for range len(c.live) {
		if c.cursor >= len(c.live) {
			c.cursor = 0
		}
		a := c.live[c.cursor]
		if a.dirty() || a.closing && a.unused() {
			if len(x.accounts) >= c.cfg.MaxRows {
				c.flushMore = true
				return
			}
			c.addRow(x, a, now)
		}
		c.cursor++
	}
}

// dirty reports whether the ledger does not know everything yet.
func (a *account) dirty() bool {
	return ledger.Amount(a.spent.Load()) != a.sentSpent || a.returned != a.sentReturned
}

// addRow reports the account, once per message, and returns its row.
func (c *core) addRow(x *exchange, a *account, now Moment) int {
	if a.rowDraft == c.draft {
		return a.row
	}
	a.rowDraft, a.row = c.draft, len(x.accounts)
	a.told = true
	if a.closing {
		c.settleClosing(a)
	}
	done := a.closing && a.unused()
	// Spending is read before overrun: settle writes them the other way round,
	// so that no overrun is ever reported as ordinary spending.
	row := ledger.Row{Account: a.key, Spent: ledger.Amount(a.spent.Load()), Returned: a.returned, Rate: a.rate}
	row.Overrun = min(ledger.Amount(a.overrun.Load()), row.Spent)
	if !done && !a.covers() {
		row.Spent, row.Overrun = a.sentSpent, a.sentOverrun
	}
	if a.closing {
		// If no hold was left when the first of these was read, then what was
		// read is final.
		row.Done = done
		a.doneSent = done
	} else if !a.soft.Load() {
		if _, target := c.levels(a); a.idle() < target && now.Mono >= a.yieldTill {
			row.Want = target - a.idle()
		}
	}
	x.accounts = append(x.accounts, a)
	x.msg.Rows = append(x.msg.Rows, row)
	return a.row
}

// answered takes the ledger's answer to the Exchange under way. An answer to
// anything else, late or repeated, is not for it and is reported as false: the
// caller goes on trying.
func (c *core) answered(ans *ledger.Answer, now Moment) bool {
	x := c.under
	if x == nil || ans == nil || ans.Seq != x.msg.Seq || ans.Incarnation != c.incarnation || ans.Node != c.cfg.Node {
		return false
	}
	if len(ans.Rows) != len(x.msg.Rows) || len(ans.Needs) != len(x.msg.Needs) {
		c.breakDown(fmt.Errorf("answer %d has %d rows and %d needs for %d and %d",
			ans.Seq, len(ans.Rows), len(ans.Needs), len(x.msg.Rows), len(x.msg.Needs)))
		return true
	}
	c.under = nil
	// Authority counts from before the question was sent: the answer speaks of
	// a moment after that.
	c.heard = max(c.heard, x.began)
	c.refill.add(now.Mono - x.began)
	for i, a := range x.accounts {
		c.applyRow(a, &x.msg.Rows[i], &ans.Rows[i], x, now)
	}
	for i, w := range x.waiters {
		c.applyNeed(w, ans.Needs[i], x, &ans.Rows, now)
	}
	for _, a := range x.accounts {
		c.assess(a, now)
	}
	c.pump = true
	return true
}

func (c *core) applyRow(a *account, sent *ledger.Row, got *ledger.AnswerRow, x *exchange, now Moment) {
	if a.index < 0 {
		return
	}
	a.state = got.State
	if got.State == ledger.Unbacked {
		c.unbacked(a, now)
		return
	}
	a.sentSpent, a.sentOverrun, a.sentReturned = sent.Spent, sent.Overrun, sent.Returned
	gained := max(0, got.Granted-a.granted)
	a.granted += gained
	if sent.Done && a.doneSent {
		c.forget(a)
		return
	}
	a.doneSent = false
	if sent.Want > 0 && gained < sent.Want {
		a.wantAfter = now.Mono + c.shortFor(a, gained)
	}
	if now.Mono < a.wantAfter {
		a.needAt = x.began + needGap
	}
	switch got.State {
	case ledger.Open:
		if c.rules != nil && x.version == c.rules.version {
			a.ceiling, a.ceilingBase, a.ceilingTill = got.Ceiling, sent.Spent, now.Mono+believeFor
			a.heard.Store(int64(got.Ceiling + sent.Spent))
		}
	case ledger.Ended:
		c.horizonWall = max(c.horizonWall, a.end)
		c.shut(a)
	case ledger.Closed:
		a.book.dead.Store(true)
		c.shut(a)
	case ledger.NotYet, ledger.NoAccount, ledger.Unbacked:
	}
	if got.Recall > 0 && !a.closing {
		before := a.returned
		c.giveBack(a, min(got.Recall, a.idle()-c.covered(a)))
		a.yieldTill = now.Mono + shortFor // not to ask at once for what others need
		a.wantAfter = a.yieldTill
		if a.returned > before {
			c.wantRow(a) // what comes free later goes with a later report
		}
	}
}

// covered is what of the idle allowance parked requests will have in full as
// soon as a mark is saved. What is too little for the next one is not kept: two
// nodes would each wait for the other's.
func (c *core) covered(a *account) (sum ledger.Amount) {
	idle := a.idle()
	for _, w := range c.parked {
		if w.ended || !slices.Contains(w.accounts[:w.part.n], a) {
			continue
		}
		amt := w.claim.hold(a.unit)
		if sum+amt > idle {
			break
		}
		sum += amt
	}
	return sum
}

// shortFor is how long not to ask ahead after the ledger gave less than was
// wanted: until half of what there is will be spent, at the recent rate.
func (c *core) shortFor(a *account, gained ledger.Amount) int64 {
	if gained == 0 || a.rate == 0 {
		return shortFor
	}
	return min(max(int64(scale(a.idle()/2, second, int64(a.rate))), c.refill.p99()), shortFor)
}

const second = 1_000_000_000

// unbacked handles a row that the ledger did not accept. What was spent without
// a grant, of a soft budget or beyond holds of nothing, it may have no room for
// yet, or no account of if the window was over by then: the count is reported
// again, until the budget is gone or the window so long past that the ledger has
// dropped it. What a hold covered was granted before, so it cannot be.
func (c *core) unbacked(a *account, now Moment) {
	a.doneSent = false
	switch {
	case !a.everSoft.Load() && a.spent.Load() > a.overrun.Load():
		c.breakDown(fmt.Errorf("the ledger knows no grant for what was spent on %v", a.key))
	case a.closing && a.unused() && (a.book.dead.Load() || c.draining || now.Wall-a.end > a.end-a.key.Start):
		c.forget(a)
	}
}

func (c *core) applyNeed(w *waiter, got ledger.NeedResult, x *exchange, rows *[]ledger.AnswerRow, now Moment) {
	w.asking = false
	w.pause = min(max(2*w.pause, retryFirst), retryMax)
	w.askAt = now.Mono + w.pause
	if w.ended {
		return
	}
	var a *account
	if got.Row >= 0 && got.Row < len(x.accounts) {
		a = x.accounts[got.Row]
	}
	switch got.Verdict {
	case ledger.NeedGranted:
		w.askAt = now.Mono // what it was granted may go to one in front of it
	case ledger.NeedContended:
		w.contended = a
	case ledger.NeedExhausted:
		c.exhausted(w, a, x, now)
	case ledger.NeedRefused:
		// The state of the row says why, and applyRow acted on it: the next
		// try finds another account, or none, or there is no decision.
		if a != nil && (*rows)[got.Row].State == ledger.Ended {
			w.askAt = now.Mono
		}
	}
}

// exhausted refuses w, unless the limit may have been raised while the question
// was under way: then it asks again.
func (c *core) exhausted(w *waiter, a *account, x *exchange, now Moment) {
	if a == nil || c.rules == nil || x.version != c.rules.version {
		w.askAt = now.Mono
		return
	}
	c.refuse(w, Exhausted, a, now)
}

// breakDown says that this node must not go on.
func (c *core) breakDown(err error) {
	if c.broken == nil {
		c.broken = err
	}
	c.pump = true
}
