package ledger

import (
	"maps"
	"reflect"
	"slices"
)

// twin is the ledger again, slow and obvious: it keeps what happened, and
// derives every number from it by adding up. It was written from the design and
// the comments of the types, not from the code beside it. It ignores the
// limits of tables and of arithmetic.
type twin struct {
	now        Instant
	generation uint32
	budgets    map[BudgetID]*twinBudget
	nodes      map[NodeID]*twinNode
	accounts   map[AccountKey]*twinAccount
}

type twinBudget struct {
	Budget
	deleted, everSoft bool
	blind             Instant
	raises            map[RaiseID]Raise
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
	kind        string // limit, grant, spend, return, write-off, presume, overrun, forced, close, keep, free, withheld
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
	c.now, c.generation = w.now, w.generation
	for id, b := range w.budgets {
		b := *b
		b.raises = maps.Clone(b.raises)
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
	return a.limit() - a.sum("grant", nil) + a.sum("return", nil) - a.sum("keep", nil) + a.sum("free", nil)
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
	for id, b := range w.budgets {
		maps.DeleteFunc(b.raises, func(_ RaiseID, x Raise) bool { return x.Until <= w.now })
		w.relimit(id, false)
	}
	switch c := c.(type) {
	case PutBudget:
		return Outcome{Code: w.put(c.Budget)}
	case PutRaise:
		return Outcome{Code: w.raise(c.Raise)}
	case EndRaise:
		b := w.budgets[c.Budget]
		if b == nil || b.deleted {
			return Outcome{Code: UnknownBudget}
		}
		if _, ok := b.raises[c.ID]; !ok {
			return Outcome{Code: UnknownRaise}
		}
		delete(b.raises, c.ID)
		w.relimit(c.Budget, false)
	case DeleteBudget:
		b := w.budgets[c.ID]
		if b == nil || b.deleted {
			return Outcome{Code: UnknownBudget}
		}
		clear(b.raises)
		w.relimit(c.ID, false)
		b.deleted = true
		w.clean(c.ID)
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
		for id := range w.budgets {
			w.clean(id)
		}
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
	case Restore:
		if c.Generation != w.generation+1 {
			return Outcome{Code: StaleGeneration}
		}
		w.restore()
	case Release:
		if b := w.budgets[c.ID]; b == nil || b.deleted {
			return Outcome{Code: UnknownBudget}
		}
		w.budgets[c.ID].blind = 0
		for k, a := range w.accounts {
			if withheld := a.sum("withheld", nil); k.Budget == c.ID {
				a.add("free", "", 0, withheld)
				a.add("withheld", "", 0, -withheld)
			}
		}
	}
	return Outcome{Code: Applied}
}

// restore sets aside everything that may have been spent in a time that nobody
// here remembers.
func (w *twin) restore() {
	w.generation++
	for k, a := range w.accounts {
		b := w.budgets[k.Budget]
		for id, n := range w.nodes {
			if b.Unit != Slots && !b.everSoft {
				a.add("grant", id, n.incarnation, max(0, a.lease("overrun", id)-a.lease("forced", id)))
			}
			rest := a.outstandingOf(id)
			w.end(k, a, id, "write-off")
			if b.Unit != Slots {
				a.add("withheld", "", 0, rest)
			}
		}
	}
	for _, n := range w.nodes {
		n.incarnation = w.generation * 1_048_576
		n.last, n.rates = nil, map[AccountKey]Amount{}
	}
	for _, b := range w.budgets {
		b.blind = w.now + 5*Second
	}
	for k, a := range w.accounts {
		w.withhold(k, a)
	}
}

func (w *twin) withhold(k AccountKey, a *twinAccount) {
	b := w.budgets[k.Budget]
	if b.blind == 0 || k.Start > b.blind || b.Unit == Slots || b.Soft {
		return
	}
	rest := max(0, a.available())
	a.add("keep", "", 0, rest)
	a.add("withheld", "", 0, rest)
}

func (a *twinAccount) writtenOff() Amount {
	return a.sum("write-off", nil) + a.sum("keep", nil) - a.sum("free", nil)
}

func (a *twinAccount) outstandingOf(n NodeID) Amount {
	return a.lease("grant", n) - a.lease("spend", n) - a.lease("return", n)
}

// clean forgets a deleted budget without accounts, unless what it had in a lost
// time still matters.
func (w *twin) clean(id BudgetID) {
	for k := range w.accounts {
		if k.Budget == id {
			return
		}
	}
	b := w.budgets[id]
	if _, end := b.Window.Bounds(b.blind); b.deleted && (b.blind == 0 || end <= w.now) {
		delete(w.budgets, id)
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
	if !old.deleted && reflect.DeepEqual(old.Budget, b) {
		return Repeated
	}
	if old.Unit != b.Unit || !slices.Equal(old.Each, b.Each) || old.Window.Kind != b.Window.Kind {
		return BudgetImmutable
	}
	w.budgets[b.ID] = &twinBudget{Budget: b, everSoft: old.everSoft || b.Soft, blind: old.blind, raises: old.raises}
	w.relimit(b.ID, old.Soft && !b.Soft)
	return Applied
}

// raise takes a raise over.
func (w *twin) raise(x Raise) Code {
	b := w.budgets[x.Budget]
	if b == nil || b.deleted {
		return UnknownBudget
	}
	fits := x.All && x.Split == ""
	if len(b.Each) > 0 && !x.All {
		fits = len(x.Split.Values()) == len(b.Each) && x.Split == MakeSplit(x.Split.Values()...)
	}
	if !fits || x.Until <= w.now || x.Amount < 1 || x.ID == "" {
		return InvalidCommand
	}
	if old, ok := b.raises[x.ID]; ok && old == x {
		return Repeated
	} else if !ok && len(b.raises) >= 16 {
		return LimitReached
	}
	if b.raises == nil {
		b.raises = map[RaiseID]Raise{}
	}
	b.raises[x.ID] = x
	w.relimit(x.Budget, false)
	return Applied
}

// limit is what an account of a budget has in all.
func (b *twinBudget) limit(split Split) Amount {
	limit := b.Limit
	for _, x := range b.raises {
		if x.All || x.Split == split {
			limit += x.Amount
		}
	}
	return limit
}

// relimit brings the limits of the open accounts up to date.
func (w *twin) relimit(id BudgetID, hardened bool) {
	b := w.budgets[id]
	if b.deleted {
		return
	}
	for k, a := range w.accounts {
		_, end := b.Window.Bounds(k.Start)
		if want := b.limit(k.Split); k.Budget == id && end > w.now && (want != a.limit() || hardened) {
			a.add("limit", "", 0, want-a.limit())
			w.withhold(k, a)
		}
	}
}

// end closes the node's lease; what is outstanding is returned or written off.
func (w *twin) end(k AccountKey, a *twinAccount, n NodeID, how string) {
	rest := a.outstandingOf(n)
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
		w.nodes[r.Node] = &twinNode{store: r.Store, incarnation: w.generation*1_048_576 + 1, markSeq: r.MarkSeq, rates: map[AccountKey]Amount{}}
		return Outcome{Code: Applied, Incarnation: w.generation*1_048_576 + 1}
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
		if b := w.budgets[k.Budget]; b != nil && (b.everSoft || e.Overrun > 0) && b.Unit != Slots && e.Proven > 0 {
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
	if b.Unit != Slots && !had && !b.everSoft {
		a.add("grant", id, incarnation, e.Overrun)
		a.add("spend", id, incarnation, e.Overrun)
		a.add("overrun", id, incarnation, e.Overrun)
	}
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
		a.add("limit", "", 0, w.budgets[k.Budget].limit(k.Split))
		w.withhold(k, a)
		w.accounts[k] = a
	}
	return a
}
