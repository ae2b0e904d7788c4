package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/jepsen-style-tests/outside/history"
)

// never is later than everything.
const never = int64(math.MaxInt64)

// book is a run, sorted for those who look things up in it.
type book struct {
	h        *history.History
	end      *history.End
	ops      map[string]*op
	rows     []row
	attempts map[string][]*history.Record // by the call's id at the provider
	requests map[string][]*history.Record // by the request's id
	budgets  map[string]*budget
	accounts map[key]*seen
	windows  map[string]map[int64]*seen // the same, by name and beginning
	stated   map[string]int64           // by account's name: what fenced nodes can have spent without a record that is left
	spans    map[string]span            // when requests were under way, by their ids
	restored bool                       // a backup was restored: what came after it was forgotten
	moved    bool                       // a clock was wrong, so that windows cannot be told from the time
	faults   []history.Fault            // that were made, by their beginning
}

// op is what a client wanted: all requests with one id.
type op struct {
	id      string
	budgets []string
	begun   int64
	ended   int64
}

// row is a row of the bill.
type row struct {
	*simprovider.Row
	at      int64  // of the run
	request string // id of the request
	op      *op    // nil: of nobody that is known
	records []*history.Record
}

// key names an account: "budget" or "budget[value]", and where its window begins,
// nanoseconds since 1970.
type key struct {
	name  string
	start int64
}

// seen is the most that was seen of an account.
type seen struct {
	last                          admin.Account // in the order of the log, as far as that can be told
	applied                       uint64
	generation                    uint32
	presumed, writtenOff, overrun int64 // the largest
}

func newBook(h *history.History, end *history.End) *book {
	b := &book{
		h: h, end: end, ops: map[string]*op{}, attempts: map[string][]*history.Record{}, requests: map[string][]*history.Record{},
		budgets: map[string]*budget{}, accounts: map[key]*seen{}, windows: map[string]map[int64]*seen{}, spans: map[string]span{}, stated: map[string]int64{},
	}
	for _, f := range h.Faults {
		if f.Skipped == "" {
			f.Loses = f.Loses || destroys(f.Name)
			if restores(&f) { // whichever it names
				f.Targets = places(h.Meta.Nodes)
			}
			b.faults = append(b.faults, f)
			b.moved = b.moved || f.Class == "clock"
			b.restored = b.restored || restores(&f)
		}
	}
	slices.SortStableFunc(b.faults, func(x, y history.Fault) int { return cmp.Compare(x.Begun, y.Begun) })
	b.readBudgets()
	for i := range h.Requests {
		r := &h.Requests[i]
		o, ok := b.ops[r.ID]
		if !ok {
			o = &op{id: r.ID, budgets: r.Budgets, begun: r.Begun}
			b.ops[r.ID] = o
		}
		o.begun, o.ended = min(o.begun, r.Begun), max(o.ended, r.Ended)
		if r.RequestID != "" {
			b.spans[r.RequestID] = span{r.Begun, r.Ended}
		}
	}
	for i := range end.Records {
		r := &end.Records[i]
		if r.Kind != "" && r.Kind != "request" {
			continue
		}
		b.attempts[r.Call()] = append(b.attempts[r.Call()], r)
		b.requests[r.ID] = append(b.requests[r.ID], r)
	}
	for i := range end.Rows {
		r := row{Row: &end.Rows[i], at: h.At(end.Rows[i].At), op: b.ops[end.Rows[i].EndUser]}
		if cut := strings.LastIndexByte(r.ClientRequestID, '-'); cut > 0 {
			r.request = r.ClientRequestID[:cut]
		}
		r.records = b.attempts[r.ClientRequestID]
		if _, told := b.spans[r.request]; !told && r.op != nil {
			b.spans[r.request] = span{r.op.begun, max(r.op.ended, r.at)}
		}
		b.rows = append(b.rows, r)
	}
	b.readAccounts()
	for _, u := range end.Unrecorded {
		if u.Lost != nil {
			b.stated[b.nameOf(&admin.Account{Budget: u.Budget, Split: u.Split})] += *u.Lost
		}
	}
	return b
}

// readAccounts gathers what nodes said of accounts.
func (b *book) readAccounts() {
	for i := range b.h.Samples {
		s := &b.h.Samples[i]
		for j := range s.Accounts {
			b.see(&s.Accounts[j], s.Generation, s.Applied)
		}
	}
	for _, n := range b.end.Nodes {
		for _, d := range n.Budgets {
			for i := range d.Accounts {
				b.see(&d.Accounts[i], n.Status.Generation, n.Status.AppliedLog)
			}
		}
	}
}

func (b *book) see(a *admin.Account, generation uint32, applied uint64) {
	k := b.keyOf(a)
	s, ok := b.accounts[k]
	if !ok {
		s = &seen{}
		b.accounts[k] = s
		if b.windows[k.name] == nil {
			b.windows[k.name] = map[int64]*seen{}
		}
		b.windows[k.name][k.start] = s
	}
	if !ok || generation > s.generation || generation == s.generation && applied >= s.applied {
		s.last, s.generation, s.applied = *a, generation, applied
	}
	s.presumed, s.writtenOff, s.overrun = max(s.presumed, a.Presumed), max(s.writtenOff, a.WrittenOff), max(s.overrun, a.Overrun)
}

func (b *book) keyOf(a *admin.Account) key {
	k := key{name: b.nameOf(a)}
	if t, err := time.Parse(time.RFC3339, a.WindowStart); err == nil { // of one that never ends it is empty
		k.start = t.UnixNano()
	}
	return k
}

// nameOf is the account without its window.
func (b *book) nameOf(a *admin.Account) string {
	if len(a.Split) == 0 {
		return a.Budget
	}
	var values []string
	if rule := b.budgets[a.Budget]; rule != nil {
		for _, dimension := range rule.each {
			values = append(values, a.Split[dimension])
		}
	} else {
		for _, v := range a.Split { // of a budget that nobody told of
			values = append(values, v)
		}
		slices.Sort(values)
	}
	return a.Budget + "[" + strings.Join(values, ",") + "]"
}

// chargedTo is the account that a charge is of.
func chargedTo(c *history.Charge) key {
	if len(c.Split) == 0 {
		return key{c.Budget, c.Start}
	}
	return key{c.Budget + "[" + strings.Join(c.Split, ",") + "]", c.Start}
}

// near says whether a fault was under way between two times, or ended at most so long
// before.
func (b *book) near(from, to int64, wait time.Duration) bool {
	return b.nearBy(from, to, wait, func(*history.Fault) bool { return true })
}

func (b *book) nearBy(from, to int64, wait time.Duration, which func(*history.Fault) bool) bool {
	return slices.ContainsFunc(b.faults, func(f history.Fault) bool {
		return f.Begun <= to && f.Ended+int64(wait) >= from && which(&f)
	})
}

// destroys says of a fault's name that it takes from a disk what was acknowledged.
func destroys(name string) bool {
	return slices.ContainsFunc([]string{"wipe", "roll-back", "rollback", "replace", "fence", "restore", "image", "lose", "lost", "flip", "rot"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

// places are the names of so many nodes.
func places(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("n%d", i+1))
	}
	return list
}

// restores says whether a fault is that a cluster begins anew from a backup.
func restores(f *history.Fault) bool { return strings.Contains(f.Name, "restore") }

// on says whether a fault is about a place: one of its targets, or it names none.
func on(f *history.Fault, place string) bool {
	return len(f.Targets) == 0 || slices.Contains(f.Targets, place)
}

// lost says whether a node's disk lost what it had acknowledged, after a time.
func (b *book) lost(place string, after int64) bool {
	return b.nearBy(after, never, 0, func(f *history.Fault) bool { return f.Loses && on(f, place) })
}

// lostAny says whether any disk of the run lost what it had acknowledged.
func (b *book) lostAny() bool {
	return slices.ContainsFunc(b.faults, func(f history.Fault) bool { return f.Loses })
}
