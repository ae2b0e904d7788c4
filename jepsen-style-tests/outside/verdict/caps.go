package verdict

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// taken is one row's part of one account.
type taken struct {
	row    *row
	amount int64
	// The windows that it may be of, as places in the account's list of windows: both
	// the same where a record names it.
	low, high int
	sure      bool
}

// capped is C1: what the provider billed for the requests that an account covers is at
// most the highest limit that was asked for until then, whatever any node says of it;
// but for what a provider billed beyond a request's cap, which must be shown as overrun.
//
// Which window of an account a row is of, a record says. Without one it may be any that
// the request touched. Then there must be some way to give each row to one of its
// windows with no window above its cap. As the windows of a row follow each other, that
// is so exactly if every run of windows has room for the rows that can be in no others
// (Hall's theorem).
func capped(b *book) (found []Finding) {
	for name, list := range b.taken() {
		x := b.budgets[history.BudgetOf(name)]
		switch {
		case x.soft || x.unit == "slots":
		case x.length() == 0:
			found = append(found, b.cappedTotal(name, x, list)...)
		default:
			found = append(found, b.cappedWindows(name, x, list)...)
		}
	}
	return found
}

// taken sorts the rows by the accounts that cover them, in the order of the bill.
func (b *book) taken() map[string][]taken {
	parts := map[string][]taken{}
	counted := map[[2]string]bool{} // account and request: one of several calls counts
	for i := range b.rows {
		r := &b.rows[i]
		if r.op == nil {
			continue
		}
		for _, name := range r.op.budgets {
			x := b.budgets[history.BudgetOf(name)]
			if x == nil {
				continue
			}
			if x.unit == "requests" {
				if id := [2]string{name, r.request}; counted[id] {
					continue
				} else {
					counted[id] = true
				}
			}
			parts[name] = append(parts[name], taken{row: r, amount: x.amount(r)})
		}
	}
	return parts
}

func (b *book) cappedTotal(name string, x *budget, list []taken) []Finding {
	sums, beyonds := map[int]int64{}, map[int]int64{}
	shown := b.overrun(name, list)
	for _, t := range list {
		life, covered := x.covers(t.row.op.begun, t.row.at)
		if !covered {
			continue
		}
		sums[life] += t.amount
		if beyond(t.row) {
			beyonds[life] += t.amount
		}
		if most := x.highest(-never, t.row.at) + min(shown, beyonds[life]); sums[life] > most {
			return []Finding{finding("C1", t.row.at, "call %s of %s brings the bill of %s to %d %s: the highest limit until then, and the overrun that is shown (%d), are %d",
				t.row.Call, t.row.op.id, name, sums[life], x.measure(), shown, most)}
		}
	}
	return nil
}

// beyond says whether the provider billed more than it was asked for.
func beyond(r *row) bool {
	return r.Cap > 0 && r.Usage.TotalOutput() > r.Cap || strings.Contains(r.Mode, "over-cap") || strings.Contains(r.Mode, "percent")
}

// overrun is what an account shows as billed beyond holds, in all its windows.
func (b *book) overrun(name string, list []taken) int64 {
	var accounts, records int64
	for _, s := range b.windows[name] {
		accounts += s.overrun
	}
	for _, t := range list {
		for _, r := range t.row.records {
			records += r.Overrun
		}
	}
	return max(accounts, records)
}

// runOf bounds the windows that are judged together: a request touches few.
const runOf = 4

func (b *book) cappedWindows(name string, x *budget, list []taken) (found []Finding) {
	starts := b.place(name, x, list)
	sums := map[[2]int]int64{} // by the windows that rows may be of
	var beyonds int64
	for _, t := range list {
		if _, covered := x.covers(t.row.op.begun, t.row.at); !covered || t.high-t.low >= runOf {
			continue
		}
		sums[[2]int{t.low, t.high}] += t.amount
		if beyond(t.row) {
			beyonds += t.amount
		}
		if t.sure && !b.moved && !b.touches(starts[t.low], x, &t) {
			found = append(found, finding("C1", t.row.at, "%s was charged to the window of %s that begins at %s, in which it was not under way", t.row.op.id, name, at(starts[t.low])))
		}
	}
	slack := min(b.overrun(name, list), beyonds)
	for low := range starts {
		var sum, most int64
		for high := low; high < len(starts) && high-low < runOf; high++ {
			for from := low; from <= high; from++ {
				sum += sums[[2]int{from, high}]
			}
			most += b.capOf(x, starts[high])
			if sum > most+slack {
				found = append(found, finding("C1", b.h.At(time.Unix(0, starts[low])), "%s was billed %d %s in the %d windows from %s on, whose caps and overrun are %d",
					name, sum, x.measure(), high-low+1, at(starts[low]), most+slack))
			}
		}
	}
	return found
}

func at(start int64) string { return time.Unix(0, start).UTC().Format(time.RFC3339) }

// slackOfClocks is how far nodes' clocks, the ledger's time and the harness's may be
// apart while no clock is moved.
const slackOfClocks = time.Second

// capOf is the highest limit that a window can have had.
func (b *book) capOf(x *budget, start int64) int64 {
	if b.moved {
		return x.highest(-never, never)
	}
	from := b.h.At(time.Unix(0, start))
	return x.highest(from-int64(slackOfClocks), from+int64(x.length())+int64(slackOfClocks))
}

// touches says whether a request was under way in a window.
func (b *book) touches(start int64, x *budget, t *taken) bool {
	from := b.h.At(time.Unix(0, start)) - int64(slackOfClocks)
	return t.row.at >= from && t.row.op.begun <= from+int64(x.length())+2*int64(slackOfClocks)
}

// place finds the windows of an account, and for each row those that it may be of.
func (b *book) place(name string, x *budget, list []taken) (starts []int64) {
	known := map[int64]bool{}
	for start := range b.windows[name] {
		known[start] = true
	}
	for i := range list {
		if start, ok := list[i].window(name); ok {
			known[start] = true
		}
	}
	starts = slices.SortedFunc(maps.Keys(known), cmp.Compare)
	for i := range list {
		t := &list[i]
		if start, ok := t.window(name); ok {
			t.low = slices.Index(starts, start)
			t.high, t.sure = t.low, true
			continue
		}
		t.low, t.high = 0, len(starts)-1
		if b.moved {
			continue
		}
		for t.low < t.high && !b.touches(starts[t.low], x, t) {
			t.low++
		}
		for t.high > t.low && !b.touches(starts[t.high], x, t) {
			t.high--
		}
	}
	return starts
}

// window is the one that the row's record names.
func (t *taken) window(name string) (start int64, ok bool) {
	for _, r := range t.row.records {
		for i := range r.Charges {
			if k := chargedTo(&r.Charges[i]); k.name == name {
				return k.start, true
			}
		}
	}
	return 0, false
}

// slots is C1 for budgets of requests at once: what records say was under way at a time
// is never more than the highest limit until then. It is judged where no clock was
// moved, by what is sure: what a node that died had under way is nowhere.
func slots(b *book) (found []Finding) {
	const sure = int64(50 * time.Millisecond) // of each end: clocks and ends of answers
	type edge struct {
		at   int64
		more int64
	}
	if b.moved {
		return nil
	}
	edges := map[string][]edge{}
	for _, list := range b.requests {
		r := list[len(list)-1] // the last attempt has the whole time
		begun, err := time.Parse(time.RFC3339Nano, r.At)
		if err != nil {
			continue
		}
		from, to := b.h.At(begun)+r.Admit+sure, b.h.At(begun)+r.Total-sure
		if from >= to {
			continue
		}
		for i := range r.Charges {
			name := chargedTo(&r.Charges[i]).name
			if x := b.budgets[history.BudgetOf(name)]; x != nil && x.unit == "slots" && !x.soft {
				edges[name] = append(edges[name], edge{from, 1}, edge{to, -1})
			}
		}
	}
	for name, list := range edges {
		slices.SortFunc(list, func(x, y edge) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.more, y.more)) })
		var now int64
		for _, e := range list {
			if now += e.more; now > b.budgets[history.BudgetOf(name)].highest(-never, e.at) {
				found = append(found, finding("C1", e.at, "%d requests of %s were under way at once", now, name))
				break
			}
		}
	}
	return found
}
