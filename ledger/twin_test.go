package ledger

import (
	"maps"
	"math/big"
	"slices"
)

// twin is the ledger again, slow and obvious: it keeps what happened, and
// derives every number from it by adding up. It was written from the design and
// the comments of the types, not from the code beside it. It ignores the
// limits of tables and of arithmetic.
type twin struct {
	now      Instant
	budgets  map[BudgetID]*twinBudget
	nodes    map[NodeID]*twinNode
	accounts map[AccountKey]*twinAccount
}

type twinBudget struct {
	Budget
	deleted, everSoft bool
}

type twinNode struct {
	store       StoreID
	incarnation uint32
	markSeq     uint64
	fenced      bool
	last        *Answer
	rates       map[AccountKey]Amount
}

type twinEvent struct {
	kind        string // limit, grant, spend, return, write-off, presume, overrun, forced, close
	node        NodeID
	incarnation uint32
	amount      Amount
}

type twinAccount struct {
	key    AccountKey
	events []twinEvent
	short  []twinShort
}

type twinShort struct {
	node   NodeID
	amount Amount
	until  Instant
}

func newTwin() *twin {
	return &twin{
		budgets: map[BudgetID]*twinBudget{}, nodes: map[NodeID]*twinNode{}, accounts: map[AccountKey]*twinAccount{},
	}
}

func (w *twin) clone() *twin {
	c := newTwin()
	c.now = w.now
	for id, b := range w.budgets {
		b := *b
		c.budgets[id] = &b
	}
	for id, n := range w.nodes {
		n := *n
		n.rates = maps.Clone(n.rates)
		c.nodes[id] = &n
	}
	for k, a := range w.accounts {
		c.accounts[k] = &twinAccount{key: k, events: slices.Clone(a.events), short: slices.Clone(a.short)}
	}
	return c
}

// sum adds the events of one kind that pick accepts.
func (a *twinAccount) sum(kind string, pick func(i int, e twinEvent) bool) (total Amount) {
	for i, e := range a.events {
		if e.kind == kind && (pick == nil || pick(i, e)) {
			total += e.amount
		}
	}
	return total
}

func (a *twinAccount) add(kind string, n NodeID, incarnation uint32, amount Amount) {
	a.events = append(a.events, twinEvent{kind, n, incarnation, amount})
}

func (a *twinAccount) limit() Amount { return a.sum("limit", nil) }
func (a *twinAccount) available() Amount {
	return a.limit() - a.sum("grant", nil) + a.sum("return", nil)
}
func (a *twinAccount) outstanding() Amount {
	return a.sum("grant", nil) - a.sum("return", nil) - a.sum("spend", nil) - a.sum("write-off", nil)
}

// began is where the node's present lease begins: after its last close.
func (a *twinAccount) began(n NodeID) int {
	for i := len(a.events) - 1; i >= 0; i-- {
		if a.events[i].kind == "close" && a.events[i].node == n {
			return i
		}
	}
	return -1
}

// lease adds up one kind for the node's present lease.
func (a *twinAccount) lease(kind string, n NodeID) Amount {
	began := a.began(n)
	return a.sum(kind, func(i int, e twinEvent) bool { return e.node == n && i > began })
}

// before adds up one kind for earlier leases of the same incarnation.
func (a *twinAccount) before(kind string, n NodeID, incarnation uint32) Amount {
	began := a.began(n)
	return a.sum(kind, func(i int, e twinEvent) bool { return e.node == n && i <= began && e.incarnation == incarnation })
}

func (a *twinAccount) holders() (nodes []NodeID) {
	set := map[NodeID]bool{}
	for _, e := range a.events {
		if e.node != "" && a.lease("grant", e.node) > 0 {
			set[e.node] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (w *twin) apply(now Instant, c Command) Outcome {
	w.now = max(w.now, now)
	switch c := c.(type) {
	case PutBudget:
		return Outcome{Code: w.put(c.Budget)}
	case DeleteBudget:
		b := w.budgets[c.ID]
		if b == nil || b.deleted {
			return Outcome{Code: UnknownBudget}
		}
		b.deleted = true
		w.clean()
	case Register:
		return w.register(c)
	case *Exchange:
		return w.exchange(c)
	case Tick:
		for k, a := range w.accounts {
			start, end := w.budgets[k.Budget].Window.Bounds(k.Start)
			if end != MaxInstant && w.now >= end+(end-start) && len(a.holders()) == 0 {
				delete(w.accounts, k)
			}
		}
		w.clean()
	case Fence:
		n := w.nodes[c.Node]
		if n == nil {
			return Outcome{Code: UnknownNode}
		}
		n.fenced, n.last = true, nil
		for k, a := range w.accounts {
			if b := w.budgets[k.Budget]; b.Unit != Slots && !b.everSoft {
				owed := a.lease("overrun", c.Node) - a.lease("forced", c.Node)
				a.add("grant", c.Node, n.incarnation, owed)
			}
			w.end(k, a, c.Node, "write-off")
		}
	}
	return Outcome{Code: Applied}
}

// clean forgets deleted budgets without accounts.
func (w *twin) clean() {
	used := map[BudgetID]bool{}
	for k := range w.accounts {
		used[k.Budget] = true
	}
	for id, b := range w.budgets {
		if b.deleted && !used[id] {
			delete(w.budgets, id)
		}
	}
}

func (w *twin) put(b Budget) Code {
	if b.Validate() != nil {
		return InvalidCommand
	}
	old := w.budgets[b.ID]
	if old == nil {
		w.budgets[b.ID] = &twinBudget{Budget: b, everSoft: b.Soft}
		return Applied
	}
	if old.Unit != b.Unit || !slices.Equal(old.Each, b.Each) || old.Window.Kind != b.Window.Kind {
		return BudgetImmutable
	}
	for k, a := range w.accounts {
		if _, end := b.Window.Bounds(k.Start); k.Budget == b.ID && end > w.now {
			a.add("limit", "", 0, b.Limit-a.limit())
		}
	}
	w.budgets[b.ID] = &twinBudget{Budget: b, everSoft: old.everSoft || b.Soft}
	return Applied
}

// end closes the node's lease; what is outstanding is returned or written off.
func (w *twin) end(k AccountKey, a *twinAccount, n NodeID, how string) {
	rest := a.lease("grant", n) - a.lease("spend", n) - a.lease("return", n)
	if w.budgets[k.Budget].Unit == Slots {
		how = "return"
	}
	a.add(how, n, w.nodes[n].incarnation, rest)
	a.add("close", n, w.nodes[n].incarnation, 0)
	delete(w.nodes[n].rates, k)
}

func (w *twin) register(r Register) Outcome {
	n := w.nodes[r.Node]
	switch {
	case n == nil && r.Previous != 0:
		return Outcome{Code: StaleIncarnation}
	case n == nil:
		w.nodes[r.Node] = &twinNode{store: r.Store, incarnation: 1, markSeq: r.MarkSeq, rates: map[AccountKey]Amount{}}
		return Outcome{Code: Applied, Incarnation: 1}
	case n.fenced:
		return Outcome{Code: FencedNode}
	case n.store != r.Store:
		return Outcome{Code: StoreMismatch}
	case r.Previous != n.incarnation:
		return Outcome{Code: StaleIncarnation, Incarnation: n.incarnation}
	}
	told := map[AccountKey]Evidence{}
	for _, e := range r.Evidence {
		if e.Incarnation == 0 || e.Incarnation == n.incarnation {
			t := told[e.Account]
			told[e.Account] = Evidence{Mark: max(t.Mark, e.Mark), Proven: max(t.Proven, e.Proven), Overrun: max(t.Overrun, e.Overrun)}
		}
	}
	for k, e := range told {
		if b := w.budgets[k.Budget]; b != nil && b.everSoft && b.Unit != Slots && e.Proven > 0 {
			if state := w.openable(k, true); state == Open {
				w.open(k)
			}
		}
	}
	for k, a := range w.accounts {
		w.closeOn(k, a, r.Node, n.incarnation, told[k], r.MarkSeq < n.markSeq)
	}
	n.incarnation++
	n.markSeq, n.last = r.MarkSeq, nil
	return Outcome{Code: Applied, Incarnation: n.incarnation}
}

func (w *twin) closeOn(k AccountKey, a *twinAccount, id NodeID, incarnation uint32, e Evidence, rolledBack bool) {
	b := w.budgets[k.Budget]
	granted, spent, returned := a.lease("grant", id), a.lease("spend", id), a.lease("return", id)
	had := granted > 0 || a.before("spend", id, incarnation) > 0
	if b.Unit == Slots || !had && !b.everSoft {
		w.end(k, a, id, "return")
		return
	}
	proven := max(0, e.Proven-a.before("spend", id, incarnation))
	reported := a.lease("overrun", id)
	overrun := max(reported, e.Overrun-a.before("overrun", id, incarnation))
	forced := a.lease("forced", id)
	lost := rolledBack || !b.everSoft && e.Mark+reported < spent
	final := max(spent, proven)
	most := granted - returned + max(0, overrun-forced)
	covered := max(final, most)
	if !lost {
		final = max(final, min(e.Mark+overrun-reported, most))
		covered = final
	}
	if beyond := covered - (granted - returned); beyond > 0 {
		a.add("grant", id, incarnation, beyond)
		if !b.everSoft {
			overrun = max(overrun, forced+beyond)
		}
	} else if !b.everSoft {
		overrun = max(overrun, forced)
	}
	a.add("spend", id, incarnation, final-spent)
	a.add("overrun", id, incarnation, min(overrun, final)-reported)
	a.add("presume", id, incarnation, max(0, final-proven))
	if lost {
		w.end(k, a, id, "write-off")
	} else {
		w.end(k, a, id, "return")
	}
}

// openable says whether an account is, or may be made.
func (w *twin) openable(k AccountKey, late bool) AccountState {
	b := w.budgets[k.Budget]
	if b == nil {
		return NoAccount
	}
	start, end := b.Window.Bounds(k.Start)
	_, exists := w.accounts[k]
	switch {
	case exists && b.deleted:
		return Closed
	case b.deleted || start != k.Start || len(k.Split.Values()) != len(b.Each) || k.Split != MakeSplit(k.Split.Values()...):
		return NoAccount
	case start > w.now+PreGrant:
		return NotYet
	case end <= w.now && late && b.everSoft && w.now < end+(end-start):
		return Open
	case end <= w.now:
		return Ended
	}
	return Open
}

func (w *twin) open(k AccountKey) *twinAccount {
	a := w.accounts[k]
	if a == nil {
		a = &twinAccount{key: k}
		a.add("limit", "", 0, w.budgets[k.Budget].Limit)
		w.accounts[k] = a
	}
	return a
}

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
		if before < a.limit()/100 {
			return
		}
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
	case a == nil:
		out.Ceiling = b.Limit
		return
	}
	out.Ceiling = max(0, a.available()+a.outstanding())
	mine := a.lease("grant", x.Node) - a.lease("spend", x.Node) - a.lease("return", x.Node)
	waiting, only := a.waiting(w.now)
	if waiting = max(0, waiting-missed); only == x.Node {
		waiting = 0
	}
	out.Recall = max(0, min(mine, waiting-a.available()))
}
