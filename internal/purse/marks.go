package purse

import "purser/ledger"

// The invariant of this file: what is durable bounds what is issued.
//
//	issued + unbacked <= mark <= durable mark
//
// `issued` grows in one place, issue, and never past mark; mark grows in one
// place, saved, after the store said so; it is lowered before the lower value is
// handed to the store. Only unbacked spending, an overrun, may pass the mark,
// until the next save.

// saving is a save under way.
type saving struct {
	seq    uint64
	marks  []Mark
	raised []*account
}

// marked reports whether the account needs marks at all. Slots do not: a
// process that died holds none. A soft account has a mark of zero, which names
// it in the evidence.
func (a *account) marked() bool { return a.unit != ledger.Slots }

// chunk is how far a mark is raised at a time: one second of spending, within
// 1 % and 10 % of what the lease has left, so that neither the disk nor the amount
// at risk in a crash gets out of hand, and not less than a hold.
func (a *account) chunk() ledger.Amount {
	left := a.granted - a.returned - ledger.Amount(a.spent.Load())
	c := min(max(a.rate, left/100), left/10)
	return max(c, a.largestHold(), a.held()/4, 1)
}

// covers reports whether the durable mark covers what was spent until now. An
// overrun may pass the mark until the next save, and is not reported before: the
// ledger would take it for a part of what the mark bounds, and after a crash give
// back that much of what is held.
func (a *account) covers() bool {
	return !a.marked() || a.everSoft.Load() || a.issued+ledger.Amount(a.unbacked.Load()) <= a.mark
}

// issue makes usable what the mark covers.
func (c *core) issue(a *account) {
	if a.closing || a.soft.Load() {
		return
	}
	amt := a.unissued()
	if a.marked() {
		amt = min(amt, a.mark-a.issued-ledger.Amount(a.unbacked.Load()))
	}
	if amt <= 0 {
		return
	}
	a.issued += amt
	a.free.Add(int64(amt))
	c.pump = c.pump || a.watched.Load()
}

// wantMark puts the account into the next save, unless its entry is right.
func (c *core) wantMark(a *account) {
	if a.inMarks || a.marking || !a.marked() || a.index < 0 {
		return
	}
	if a.onDisk && c.goal(a) == a.mark {
		return
	}
	a.inMarks = true
	c.toMark = append(c.toMark, a)
}

// goal is the mark the account should have now: what is issued and a chunk of
// the rest, more when requests wait for it.
func (c *core) goal(a *account) ledger.Amount {
	if a.soft.Load() {
		return a.issued
	}
	at := a.issued + ledger.Amount(a.unbacked.Load())
	if a.closing {
		return at
	}
	ahead := a.chunk() + max(0, c.demandOf(a)-ledger.Amount(a.free.Load()))
	return at + min(a.unissued(), ahead)
}

// nextMarks returns what to save next, or nil. There is one save at a time; its
// end is told by saved.
func (c *core) nextMarks() *saving {
	if c.saving != nil || c.broken != nil || len(c.toMark)+len(c.gone) == 0 {
		return nil
	}
	s := &saving{seq: c.markSeq + 1}
	n := min(len(c.gone), maxMarks)
	for _, m := range c.gone[:n] {
		if a := c.accounts[m.Account]; a != nil {
			a.onDisk = true // a new lease of the same account will replace the entry
			continue
		}
		s.marks = append(s.marks, m)
	}
	c.gone = c.gone[n:]
	left := c.toMark[:0]
	for _, a := range c.toMark {
		if len(s.marks) >= maxMarks {
			left = append(left, a)
			continue
		}
		a.inMarks = false
		if a.index >= 0 {
			s.add(a, c.goal(a), c.incarnation)
		}
	}
	clear(c.toMark[len(left):])
	c.toMark = left
	if len(s.marks) == 0 {
		return nil
	}
	c.saving = s
	return s
}

func (s *saving) add(a *account, goal ledger.Amount, incarnation uint32) {
	a.marking, a.onDisk, a.markGoal = true, true, goal
	a.mark = min(a.mark, goal)
	s.raised = append(s.raised, a)
	s.marks = append(s.marks, Mark{Account: a.key, Incarnation: incarnation, Amount: goal})
}

// saved says that the save under way is durable.
func (c *core) saved(now Moment) {
	s := c.saving
	c.saving = nil
	c.markSeq = s.seq
	for _, a := range s.raised {
		a.marking = false
		if a.index < 0 {
			continue
		}
		a.mark = a.markGoal
		c.assess(a, now)
	}
}

// perTime is rate (per second) times a span in nanoseconds, never beyond MaxAmount.
func perTime(rate ledger.Amount, span int64) ledger.Amount {
	return scale(rate, span, 1_000_000_000)
}
