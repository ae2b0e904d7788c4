package ledger

import (
	"math/big"
	"slices"
)

func (w *twin) exchange(x *Exchange) Outcome {
	if !x.valid() {
		return Outcome{Code: InvalidCommand}
	}
	n := w.nodes[x.Node]
	switch {
	case n == nil:
		return Outcome{Code: UnknownNode}
	case n.fenced:
		return Outcome{Code: FencedNode}
	case n.incarnation != x.Incarnation:
		return Outcome{Code: StaleIncarnation, Incarnation: n.incarnation}
	case n.last != nil && n.last.Seq == x.Seq:
		return Outcome{Code: Repeated, Answer: n.last}
	case n.last != nil && n.last.Seq > x.Seq:
		return Outcome{Code: StaleSeq}
	}
	n.markSeq = max(n.markSeq, x.MarkSeq)
	claimed := map[int]bool{}
	for _, need := range x.Needs {
		for _, c := range need.Claims {
			claimed[c.Row] = true
		}
	}
	ans := &Answer{Node: x.Node, Incarnation: x.Incarnation, Seq: x.Seq}
	final := map[int]Amount{}
	before := map[int]Amount{}
	for i, r := range x.Rows {
		asks := claimed[i] || r.Want > 0 || r.Spent > 0
		ans.Rows = append(ans.Rows, AnswerRow{State: w.report(x, r, asks)})
		if a := w.accounts[r.Account]; a != nil {
			final[i] = a.lease("grant", x.Node)
			if r.Done && ans.Rows[i].State != Unbacked {
				w.end(r.Account, a, x.Node, "return")
			}
			before[i] = a.available()
		}
	}
	got := map[int]Amount{}
	missed := map[int]Amount{}
	for _, need := range x.Needs {
		ans.Needs = append(ans.Needs, w.need(x, ans, need.Claims, got, missed))
	}
	for i, r := range x.Rows {
		if ans.Rows[i].State == Open {
			w.ahead(x, r, before[i], got[i])
		}
	}
	for i, r := range x.Rows {
		w.answer(x, r, &ans.Rows[i], final[i], missed[i])
	}
	n.last = ans
	return Outcome{Code: Applied, Answer: ans}
}

// report merges a row and says how its account stands.
func (w *twin) report(x *Exchange, r Row, asks bool) AccountState {
	b := w.budgets[r.Account.Budget]
	if w.accounts[r.Account] == nil {
		state := w.openable(r.Account, asks)
		if !asks || state != Open {
			if r.Spent > 0 && b != nil && !b.deleted {
				return Unbacked
			}
			return state
		}
	}
	a := w.open(r.Account)
	id := x.Node
	granted, forced := a.lease("grant", id), a.lease("forced", id)
	oldSpent, oldReturned, oldOverrun := a.lease("spend", id), a.lease("return", id), a.lease("overrun", id)
	spent, returned, overrun := max(oldSpent, r.Spent), max(oldReturned, r.Returned), max(oldOverrun, r.Overrun)
	beyond := max(0, spent+returned-granted)
	if b.Unit == Slots && spent > 0 {
		return Unbacked
	}
	if beyond > 0 {
		byOverrun := spent-overrun+returned <= granted-forced
		bySoft := b.everSoft && returned <= granted-forced
		if !byOverrun && !bySoft {
			return Unbacked
		}
		a.add("grant", id, x.Incarnation, beyond)
		a.add("forced", id, x.Incarnation, beyond)
	}
	a.add("spend", id, x.Incarnation, spent-oldSpent)
	a.add("return", id, x.Incarnation, returned-oldReturned)
	a.add("overrun", id, x.Incarnation, overrun-oldOverrun)
	w.nodes[id].rates[r.Account] = r.Rate
	return w.openable(r.Account, false)
}

func (w *twin) need(x *Exchange, ans *Answer, claims []Claim, got, missed map[int]Amount) NeedResult {
	sums := map[int]Amount{}
	for _, c := range claims {
		if ans.Rows[c.Row].State != Open {
			return NeedResult{NeedRefused, c.Row}
		}
		sums[c.Row] += c.Missing
	}
	worst := NeedResult{Verdict: NeedGranted}
	for _, c := range claims {
		k := x.Rows[c.Row].Account
		a := w.accounts[k]
		if w.budgets[k.Budget].Soft || sums[c.Row] == 0 || sums[c.Row] <= a.available() {
			continue
		}
		if sums[c.Row] > a.available()+a.outstanding() {
			worst = NeedResult{NeedExhausted, c.Row}
			break
		}
		if worst.Verdict == NeedGranted {
			worst = NeedResult{NeedContended, c.Row}
		}
	}
	for row, sum := range sums {
		k := x.Rows[row].Account
		a := w.accounts[k]
		switch {
		case worst.Verdict == NeedGranted && sum > 0:
			a.add("grant", x.Node, x.Incarnation, sum)
			got[row] += sum
			a.ease(sum)
		case worst.Verdict == NeedContended && !w.budgets[k.Budget].Soft && sum > max(0, a.available()):
			a.short = append(a.shorts(w.now), twinShort{x.Node, sum, w.now + Second})
			for i := range a.short {
				a.short[i].until = w.now + Second
			}
			missed[row] += sum
		}
	}
	return worst
}

func (a *twinAccount) shorts(now Instant) []twinShort {
	var total Amount
	for _, s := range a.short {
		total += s.amount
	}
	if len(a.short) > 0 && (total == 0 || now > a.short[0].until) {
		a.short = nil
	}
	return a.short
}

// ease takes what was granted off what is waited for, oldest first.
func (a *twinAccount) ease(amount Amount) {
	for i := range a.short {
		took := min(amount, a.short[i].amount)
		a.short[i].amount -= took
		amount -= took
	}
}

func (a *twinAccount) waiting(now Instant) (total Amount, only NodeID) {
	for i, s := range a.shorts(now) {
		total += s.amount
		if i == 0 {
			only = s.node
		} else if s.node != only {
			only = ""
		}
	}
	return total, only
}

func (w *twin) ahead(x *Exchange, r Row, before, got Amount) {
	if r.Want <= got {
		return
	}
	a := w.accounts[r.Account]
	grant := r.Want
	if !w.budgets[r.Account.Budget].Soft {
		// g = min(available, max(need, min(want, available * share / 2)))
		holders := a.holders()
		if !slices.Contains(holders, x.Node) {
			holders = append(holders, x.Node)
		}
		mine, all := big.NewInt(int64(r.Rate)), big.NewInt(0)
		for _, h := range holders {
			if h == x.Node {
				all.Add(all, mine)
			} else {
				all.Add(all, big.NewInt(int64(w.nodes[h].rates[r.Account])))
			}
		}
		if all.Sign() == 0 {
			mine, all = big.NewInt(1), big.NewInt(int64(len(holders)))
		}
		share := new(big.Int).Mul(big.NewInt(int64(max(0, before))), mine)
		share.Div(share, all.Mul(all, big.NewInt(2)))
		if share.Int64() < int64(a.limit()/100_000) { // with as few holders as there are here
			return
		}
		waiting, _ := a.waiting(w.now)
		grant = min(grant, Amount(share.Int64()), got+a.available()-waiting)
	}
	if grant > got {
		a.add("grant", x.Node, x.Incarnation, grant-got)
		w.nodes[x.Node].rates[r.Account] = r.Rate
	}
}

func (w *twin) answer(x *Exchange, r Row, out *AnswerRow, final, missed Amount) {
	a, b := w.accounts[r.Account], w.budgets[r.Account.Budget]
	if a != nil {
		out.Granted = a.lease("grant", x.Node)
		if r.Done && out.State != Unbacked {
			out.Granted = final
		}
	}
	switch {
	case out.State != Open:
		return
	case b.Soft:
		out.Ceiling = MaxAmount
		return
	case a == nil && b.blind > 0 && r.Account.Start <= b.blind && b.Unit != Slots:
		return
	case a == nil:
		out.Ceiling = b.limit(r.Account.Split)
		return
	}
	out.Ceiling = max(0, a.available()+a.outstanding())
	mine := a.lease("grant", x.Node) - a.lease("spend", x.Node) - a.lease("return", x.Node)
	waiting, only := a.waiting(w.now)
	if waiting = max(0, waiting-missed); only == x.Node {
		waiting = 0
	}
	amount := waiting - a.available()
	claimed := slices.ContainsFunc(x.Needs, func(n Need) bool {
		return slices.ContainsFunc(n.Claims, func(c Claim) bool { return x.Rows[c.Row].Account == r.Account })
	})
	if amount > 0 && waiting > 0 && !claimed {
		amount = max(amount, mine-w.part(r.Account, x.Node))
	}
	out.Recall = max(0, min(mine, amount))
}

// part is a holder's part of what is out, by the rates of all holders.
func (w *twin) part(k AccountKey, id NodeID) Amount {
	a := w.accounts[k]
	all := big.NewInt(0)
	for _, h := range a.holders() {
		all.Add(all, big.NewInt(int64(w.nodes[h].rates[k])))
	}
	if all.Sign() == 0 {
		return a.outstanding() / Amount(max(1, len(a.holders())))
	}
	part := new(big.Int).Mul(big.NewInt(int64(a.outstanding())), big.NewInt(int64(w.nodes[id].rates[k])))
	return Amount(part.Div(part, all).Int64())
}
