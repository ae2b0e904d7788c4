package ledger

import "math/bits"

// need grants every claim of one waiting request, or none.
//
// Of the reasons for a no the most final one is given: an account that takes no
// grants, then one in which the claim can never fit, then one in which it does
// not fit now.
func (s *State) need(n *node, claims []Claim, rows []rowState) NeedResult {
	for _, c := range claims {
		if rows[c.Row].state != Open {
			return NeedResult{Verdict: NeedRefused, Row: c.Row}
		}
	}
	for _, c := range claims {
		row := &rows[c.Row]
		row.pending = min(row.pending+c.Missing, MaxAmount+1)
	}
	out := s.judge(n, claims, rows)
	for _, c := range claims {
		row := &rows[c.Row]
		switch out.Verdict {
		case NeedGranted:
			if c.Missing > 0 {
				s.give(n, row, c.Missing)
				row.needed += c.Missing
				row.account.short = max(0, row.account.short-c.Missing)
			}
		case NeedContended:
			if row.pending > 0 && !s.fits(row) {
				s.noteShort(n, row)
			}
		}
		row.pending = 0
	}
	return out
}

// judge says whether what is pending fits, in every row together.
func (s *State) judge(n *node, claims []Claim, rows []rowState) NeedResult {
	out := NeedResult{Verdict: NeedGranted}
	for _, c := range claims {
		row := &rows[c.Row]
		if row.pending == 0 || s.fits(row) {
			continue
		}
		if !row.soft && row.pending > row.account.available+row.account.outstanding {
			return NeedResult{Verdict: NeedExhausted, Row: c.Row}
		}
		if out.Verdict == NeedGranted {
			out = NeedResult{Verdict: NeedContended, Row: c.Row}
		}
	}
	if out.Verdict == NeedGranted {
		return s.judgeLeases(n, claims, rows)
	}
	return out
}

// judgeLeases says whether the table has room for the leases the claims need.
func (s *State) judgeLeases(n *node, claims []Claim, rows []rowState) NeedResult {
	fresh := 0
	for i, c := range claims {
		row := &rows[c.Row]
		if row.lease != nil || row.pending == 0 || claimedBefore(claims[:i], c.Row) {
			continue
		}
		if fresh++; !s.leaseRoom(n, fresh) {
			row.state = NoAccount
			return NeedResult{Verdict: NeedRefused, Row: c.Row}
		}
	}
	return NeedResult{Verdict: NeedGranted}
}

func claimedBefore(claims []Claim, row int) bool {
	for _, c := range claims {
		if c.Row == row && c.Missing > 0 {
			return true
		}
	}
	return false
}

// fits reports whether what is pending can be granted.
func (s *State) fits(row *rowState) bool {
	granted := Amount(0)
	if row.lease != nil {
		granted = row.lease.granted
	}
	return row.pending <= row.account.room(granted) && (row.soft || row.pending <= row.account.available)
}

// give grants, making the lease if there is none; judgeLeases or leaseRoom has
// said that there may be one.
func (s *State) give(n *node, row *rowState, amount Amount) {
	if row.lease == nil {
		row.lease = s.openLease(row.account, n)
	}
	n.reopen(row.lease)
	row.account.grant(row.lease, amount)
	row.account.setRate(row.lease, row.rate)
}

// noteShort remembers that a request waits for money that others may return.
// A request that asks again is counted again: the error is on the side of
// recalling too much, which only moves idle money.
func (s *State) noteShort(n *node, row *rowState) {
	a := row.account
	switch {
	case a.shortNow(s.now) == 0:
		a.shortNode = n.id
	case a.shortNode != n.id:
		a.shortNode = ""
	}
	a.short = min(a.shortNow(s.now)+row.pending, MaxAmount)
	a.shortUntil = min(s.now, MaxInstant-recallLife) + recallLife
	row.missed = min(row.missed+row.pending, MaxAmount)
}

// shortNow is how much requests wait for.
func (a *account) shortNow(now Instant) Amount {
	if now > a.shortUntil {
		return 0
	}
	return a.short
}

// recall is how much idle allowance the holder should return: what others wait
// for and the account does not have, or what it is overcommitted by. A holder
// for which no request waits returns, while others' do, all that it has beyond
// its part: else every request would move just its own hold.
func (s *State) recall(n *node, row *rowState) Amount {
	a := row.account
	if row.soft || row.state != Open || row.lease == nil {
		return 0
	}
	waiting := max(0, a.shortNow(s.now)-row.missed)
	if a.shortNode == n.id {
		waiting = 0 // it waits for others, not they for it
	}
	amount, out := waiting-a.available, row.lease.outstanding()
	if amount > 0 && waiting > 0 && !row.claimed {
		amount = max(amount, out-a.part(a.outstanding, row.lease.rate))
	}
	return max(0, min(amount, out))
}

// part is a holder's part of an amount, by its rate; while no node has reported
// a rate, all count alike.
func (a *account) part(of, rate Amount) Amount {
	if a.rates == 0 {
		return of / Amount(max(a.open, 1))
	}
	high, low := bits.Mul64(uint64(of), uint64(rate))
	part, _ := bits.Div64(high, low, uint64(a.rates))
	return Amount(part)
}

// endgame is the part of the limit below which a share is not worth granting
// ahead: about the largest hold of a budget for a million requests. It only
// leaves crumbs with the holders, which a waiting request would have to gather;
// where there are many, they are not left so small.
func (a *account) endgame() Amount {
	const few, most = 8, 4
	return a.limit * Amount(min(max(a.open/few, 1), most)) / 100_000
}

// ahead grants money ahead of need: the guided grant
//
//	g = min(available, max(need, min(want, available * share / 2)))
//
// of which the need is granted already. Halving keeps money for nodes that
// have not asked yet, and what is left shrinks geometrically, so that also the
// last hundredth of a limit takes few Exchanges. In the endgame, and of money
// that requests wait for, nothing is granted ahead.
func (s *State) ahead(n *node, r *Row, row *rowState) {
	if row.state != Open || r.Want <= row.needed {
		return
	}
	a := row.account
	target := r.Want
	if !row.soft {
		share := s.shareOf(row)
		if share < a.endgame() {
			return
		}
		target = min(r.Want, share, row.needed+a.available-a.shortNow(s.now))
	}
	granted := Amount(0)
	if row.lease != nil {
		granted = row.lease.granted
	}
	extra := min(target-row.needed, a.room(granted))
	if extra <= 0 {
		return
	}
	if row.lease == nil && !s.leaseRoom(n, 1) {
		row.state = NoAccount
		return
	}
	s.give(n, row, extra)
}

// shareOf is half of what was available, times this node's part of the
// account's recent rate. While no node has reported a rate, all count alike.
func (s *State) shareOf(row *rowState) Amount {
	a := row.account
	part, whole := row.rate, a.rates
	holders := Amount(a.open)
	if row.lease == nil || row.lease.done {
		whole += row.rate
		holders++
	}
	if whole == 0 {
		part, whole = 1, holders
	}
	if row.before <= 0 {
		return 0
	}
	// part <= whole < 2^57, and the product has 128 bits.
	high, low := bits.Mul64(uint64(row.before), uint64(part))
	share, _ := bits.Div64(high, low, 2*uint64(whole))
	return Amount(share)
}
