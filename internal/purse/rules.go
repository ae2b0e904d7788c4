package purse

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"purser/ledger"
)

// book is one budget as this node knows it: its accounts by split value. It
// outlives changes of the limit; a deleted budget's book is dead for good.
type book struct {
	id     ledger.BudgetID
	unit   ledger.Unit
	window ledger.Window
	limit  atomic.Int64                   // without raises
	raises atomic.Pointer[[]ledger.Raise] // in force; nil for none
	soft   atomic.Bool
	dead   atomic.Bool // the budget is gone: it no longer constrains anything

	whole  *series // of a budget without `each`
	mu     sync.RWMutex
	series map[ledger.Split]*series
}

// series is one (budget, split): one account per window, one of them current.
// Chains point to series, so that a request that outlives a window still finds
// the right account.
type series struct {
	book    *book
	split   ledger.Split
	current atomic.Pointer[account] // nil before the first hold
	touched atomic.Bool             // resolved since the last sweep
}

func newBook(b *ledger.Budget) *book {
	k := &book{id: b.ID, unit: b.Unit, window: b.Window}
	if len(b.Each) == 0 {
		k.whole = &series{book: k}
	} else {
		k.series = make(map[ledger.Split]*series)
	}
	k.adopt(b)
	return k
}

// adopt takes over what may change of a budget.
func (k *book) adopt(b *ledger.Budget) {
	k.limit.Store(int64(b.Limit))
	k.soft.Store(b.Soft)
}

// limitOf is the limit of the account of a split, as this node knows it.
func (k *book) limitOf(split ledger.Split) ledger.Amount {
	limit := ledger.Amount(k.limit.Load())
	if raises := k.raises.Load(); raises != nil {
		return ledger.Raised(limit, *raises, split)
	}
	return limit
}

// adoptRaises gives the books of r the raises of their budgets.
func (r *rules) adoptRaises(raises []ledger.Raise) {
	of := map[ledger.BudgetID][]ledger.Raise{}
	for _, x := range raises {
		of[x.Budget] = append(of[x.Budget], x)
	}
	for id, k := range r.books {
		if list := of[id]; list != nil {
			k.raises.Store(&list)
		} else {
			k.raises.Store(nil)
		}
	}
}

// find returns the series of a split, making it if there is room for one more.
func (k *book) find(split ledger.Split, count *atomic.Int64, limit int) *series {
	if k.whole != nil {
		return k.whole
	}
	k.mu.RLock()
	s := k.series[split]
	k.mu.RUnlock()
	if s != nil {
		if !s.touched.Load() {
			s.touched.Store(true)
		}
		return s
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.series[split]; s != nil {
		return s
	}
	if count.Add(1) > int64(limit) {
		count.Add(-1)
		return nil
	}
	s = &series{book: k, split: split}
	s.touched.Store(true)
	k.series[split] = s
	return s
}

// sweep, under the core's lock, forgets the series that have no account and were not resolved since
// the last sweep. A chain that still points to one keeps it alive for itself:
// accounts are found by key, so two series of one key share their account.
func (k *book) sweep(count *atomic.Int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for split, s := range k.series {
		a := s.current.Load()
		if (a == nil || a.index < 0) && !s.touched.Swap(false) {
			delete(k.series, split)
			count.Add(-1)
		}
	}
}

// rule is a budget in a compiled set, with its book.
type rule struct {
	budget ledger.Budget
	book   *book
}

// rules is a compiled, immutable set of budgets. Each rule is filed under one of
// its conditions, its anchor, so that a request meets only the rules whose
// anchor it satisfies, however many budgets there are.
type rules struct {
	version  uint64
	anchors  []anchor
	anywhere []*rule // rules without a condition
	books    map[ledger.BudgetID]*book
}

type anchor struct {
	dim     ledger.DimRef
	byValue map[string][]*rule
}

// compile builds the set. Books of budgets that go on are kept from before.
func compile(budgets []ledger.Budget, version uint64, before *rules) *rules {
	sorted := slices.Clone(budgets)
	slices.SortFunc(sorted, func(a, b ledger.Budget) int { return cmp.Compare(a.ID, b.ID) })
	r := &rules{version: version, books: make(map[ledger.BudgetID]*book, len(sorted))}
	anchors := make(map[ledger.DimRef]int)
	for i := range sorted {
		b := &sorted[i]
		k := before.keep(b)
		if k == nil {
			k = newBook(b)
		}
		r.books[b.ID] = k
		r.file(&rule{budget: *b, book: k}, anchors)
	}
	return r
}

// keep returns the book to go on with, or nil when b is not the budget it was:
// the ledger refuses such a change, so it was deleted and made anew.
func (r *rules) keep(b *ledger.Budget) *book {
	if r == nil {
		return nil
	}
	k := r.books[b.ID]
	if k == nil || k.dead.Load() || k.unit != b.Unit || k.window.Kind != b.Window.Kind ||
		(k.whole != nil) != (len(b.Each) == 0) {
		return nil
	}
	return k
}

// file puts the rule under the condition with the fewest values.
func (r *rules) file(u *rule, anchors map[ledger.DimRef]int) {
	if len(u.budget.Match) == 0 {
		r.anywhere = append(r.anywhere, u)
		return
	}
	best := slices.MinFunc(u.budget.Match, func(a, b ledger.Condition) int {
		return cmp.Compare(len(a.Values), len(b.Values))
	})
	i, ok := anchors[best.Dim]
	if !ok {
		i = len(r.anchors)
		anchors[best.Dim] = i
		r.anchors = append(r.anchors, anchor{dim: best.Dim, byValue: make(map[string][]*rule)})
	}
	for _, v := range slices.Compact(slices.Sorted(slices.Values(best.Values))) {
		r.anchors[i].byValue[v] = append(r.anchors[i].byValue[v], u)
	}
}

// candidates calls f for each rule that may cover d, each once: it has one
// anchor, and d one value for it.
func (r *rules) candidates(d *ledger.Dimensions, f func(*rule) error) error {
	for _, u := range r.anywhere {
		if err := f(u); err != nil {
			return err
		}
	}
	for i := range r.anchors {
		v := d.Get(r.anchors[i].dim)
		if v == "" {
			continue
		}
		for _, u := range r.anchors[i].byValue[v] {
			if err := f(u); err != nil {
				return err
			}
		}
	}
	return nil
}
