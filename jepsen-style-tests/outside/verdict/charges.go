package verdict

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// charge is what one request took of an account, and when.
type charge struct {
	begun, ended int64
	spent, held  int64
}

// charges are those of one account, by their end.
type charges struct {
	list    []charge
	sums    []int64 // of what was spent by those before each
	longest int64
}

// charges sorts what was charged by account: what records say, and the bill where there
// is none.
func (b *book) charges() map[string]*charges {
	lists := map[string][]charge{}
	for _, list := range b.requests {
		b.chargesOf(list, lists)
	}
	for i := range b.rows {
		r := &b.rows[i]
		if r.op == nil || len(r.records) > 0 {
			continue
		}
		for _, name := range r.op.budgets {
			if x := b.budgets[history.BudgetOf(name)]; x != nil {
				lists[name] = append(lists[name], charge{r.op.begun, max(r.op.ended, r.at), x.amount(r), x.amount(r)})
			}
		}
	}
	out := map[string]*charges{}
	for name, list := range lists {
		slices.SortFunc(list, func(x, y charge) int { return cmp.Compare(x.ended, y.ended) })
		c := &charges{list: list, sums: make([]int64, len(list)+1)}
		for i, x := range list {
			c.sums[i+1] = c.sums[i] + x.spent
			c.longest = max(c.longest, x.ended-x.begun)
		}
		out[name] = c
	}
	return out
}

// chargesOf adds what one request was charged, all its attempts together.
func (b *book) chargesOf(records []*history.Record, lists map[string][]charge) {
	sums := map[string]charge{}
	for _, r := range records {
		begun, ended := b.spanOf(r)
		for i := range r.Charges {
			name := chargedTo(&r.Charges[i]).name
			c, ok := sums[name]
			if !ok {
				c = charge{begun: begun, ended: ended}
			}
			c.ended = max(c.ended, ended)
			c.spent, c.held = c.spent+r.Charges[i].Spent, c.held+r.Charges[i].Held
			sums[name] = c
		}
	}
	for name, c := range sums {
		lists[name] = append(lists[name], c)
	}
}

// spanOf is when a record's request was under way: as its client saw it, or else by the
// node's clock. Where clocks were moved that says nothing, and it counts from the
// beginning.
func (b *book) spanOf(r *history.Record) (begun, ended int64) {
	if s, ok := b.spans[r.ID]; ok {
		return s.from, s.to
	}
	t, err := time.Parse(time.RFC3339Nano, r.At)
	if err != nil || b.moved {
		return 0, 0
	}
	return b.h.At(t), b.h.At(t) + r.Total
}

// by bounds from above what had been spent of the account's window when a request was
// refused, and what was under way. While a clock is wrong a window may last: the ledger's
// time does not go back.
func (c *charges) by(r *history.Request, x *budget, lasts bool) (spent, out int64) {
	if c == nil {
		return 0, 0
	}
	endedBy := func(t int64) int { return sort.Search(len(c.list), func(i int) bool { return c.list[i].ended >= t }) }
	from := 0
	if x.length() > 0 && !lasts {
		from = endedBy(r.Begun - int64(x.length()) - int64(slackOfClocks))
	}
	open := max(from, endedBy(r.Begun-int64(believed)))
	latest := r.Ended + int64(slackOfClocks)
	for _, v := range c.list[open:] {
		if v.ended > latest+c.longest {
			break
		}
		if v.begun <= latest {
			out += max(v.spent, v.held)
		}
	}
	return c.sums[open] - c.sums[from], out
}
