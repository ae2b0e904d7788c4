package verdict

import (
	"cmp"
	"slices"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// budget is a rule of the run, and what was asked of it.
type budget struct {
	id, unit, window string
	each             []string
	soft             bool
	asked            []limit // by their beginning
	named            int     // of these, those that the rule was made with
	made             int64   // when it was first asked for, 0 if nobody saw that
	raises           []limit
	gone             []span // when it may not have been there: nothing is covered then
}

// limit is one that was asked for. One whose answer is not known may take effect at
// any time: it ends never.
type limit struct {
	begun, ended int64
	most         int64
}

type span struct{ from, to int64 }

func (b *book) readBudgets() {
	for _, in := range b.h.Meta.Budgets {
		x := b.budgets[in.ID]
		if x == nil {
			x = &budget{id: in.ID, unit: in.Unit, window: in.Window, each: in.Each, soft: in.Soft}
			b.budgets[in.ID] = x
		}
		if n, ok := history.Amount(in.Limit.String(), in.Unit); ok {
			x.asked = append(x.asked, limit{begun: -never, ended: -never, most: n})
			x.named++
		}
	}
	changes := slices.Clone(b.h.Changes)
	slices.SortStableFunc(changes, func(x, y history.Change) int { return cmp.Compare(x.Begun, y.Begun) })
	for _, c := range changes {
		x := b.budgets[c.Of]
		if x == nil || c.Known && !c.OK {
			continue
		}
		l := limit{c.Begun, c.Ended, c.Limit}
		if !c.OK {
			l.ended = never
		}
		switch c.Kind {
		case "limit":
			if len(x.asked) <= x.named {
				x.made = c.Begun
			}
			x.asked = append(x.asked, l)
			x.there(&l)
		case "raise":
			x.raises = append(x.raises, l)
		case "delete":
			x.gone = append(x.gone, span{c.Begun, never})
		}
	}
	for i := range b.faults {
		if f := &b.faults[i]; restores(f) {
			for _, x := range b.budgets {
				x.forgotten(f)
			}
		}
	}
}

// forgotten is that a backup is restored: a budget that was made since it was written is
// gone, until somebody makes it again.
func (x *budget) forgotten(f *history.Fault) {
	if x.made < f.Begun || x.made > f.Ended {
		return
	}
	gone := span{f.Begun, never}
	for _, l := range x.asked {
		if l.begun > f.Ended && l.ended < gone.to {
			gone.to = l.ended
		}
	}
	x.gone = append(x.gone, gone)
}

// there closes what a deletion began, when the budget was surely made again.
func (x *budget) there(made *limit) {
	if n := len(x.gone); n > 0 && x.gone[n-1].to == never && made.ended < never {
		x.gone[n-1].to = made.ended
	}
}

// covers says whether the budget was there, the same one, all the time; life tells one
// from the next.
func (x *budget) covers(from, to int64) (life int, yes bool) {
	for _, g := range x.gone {
		if g.from <= to && g.to >= from {
			return 0, false
		}
		if g.to < from {
			life++
		}
	}
	return life, true
}

// highest is the highest limit that can have been in force at some time between two:
// one that was asked for, and that none had surely replaced.
func (x *budget) highest(from, to int64) int64 { return x.extreme(from, to, 1) }

// lowest is the lowest of these, without raises.
func (x *budget) lowest(from, to int64) int64 { return x.extreme(from, to, -1) }

func (x *budget) extreme(from, to, sign int64) int64 {
	best, any := int64(0), false
	for i, l := range x.asked {
		if l.begun > to {
			break
		}
		replaced := slices.ContainsFunc(x.asked[i+1:], func(later limit) bool {
			return later.begun >= l.ended && later.ended <= from
		})
		if !replaced && (!any || sign*l.most > sign*best) {
			best, any = l.most, true
		}
	}
	if sign > 0 {
		for _, r := range x.raises {
			if r.begun <= to {
				best += r.most
			}
		}
	}
	return best
}

// length is how long its windows are, at most; 0 for one that never ends.
func (x *budget) length() time.Duration {
	const day = 24 * time.Hour
	return map[string]time.Duration{
		"minute": time.Minute, "hour": time.Hour, "day": day + time.Hour, "week": 7*day + time.Hour, "month": 31*day + time.Hour,
	}[x.window]
}

// measure is what its amounts are of, in words.
func (x *budget) measure() string {
	if x.unit == "usd" {
		return "nano-dollars"
	}
	return x.unit
}

// amount is what a row of the bill takes of a budget.
func (x *budget) amount(r *row) int64 {
	switch x.unit {
	case "usd":
		return int64(r.Cost)
	case "tokens":
		return r.Usage.TotalInput() + r.Usage.TotalOutput()
	case "requests":
		return 1
	default:
		return 0
	}
}
