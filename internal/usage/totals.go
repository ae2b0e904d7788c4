package usage

import (
	"cmp"
	"encoding/binary"
	"slices"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// TotalsQuery selects records and says how to group them.
type TotalsQuery struct {
	Range Range
	Where []Condition // all must hold
	// Within, unless it is nil, are conditions of which one must hold, too.
	Within []Condition
	By     []Field // none: the total only
	// Worth gives what the answer to a request was reported to be worth, in millionths;
	// false for one of which nothing was. Nil: nobody wants to know. An error ends the
	// query.
	Worth func(record.ID) (int64, bool, error)
	Limit int // most rows, by cost, then requests; the rest is "other". 0 means MaxGroups
}

// MaxGroups bounds the groups of one query; each takes about 3 KB while it runs.
// Records of groups that appear after so many others are counted as "other".
const MaxGroups = 8192

// Report is the answer to a TotalsQuery. Rows and Other add up to Total.
type Report struct {
	Rows  []Row
	Other *Row // nil when Rows is all there is
	Total Row
}

// Row is what the records of one group add up to.
type Row struct {
	Values []string // of TotalsQuery.By, in its order; nil for Other and Total

	// Requests counts requests, Records what they wrote: one for each upstream
	// call that may have been billed. A request whose records fall into several
	// groups counts in that of its last one.
	Requests, Records int64

	Usage    price.Usage
	Cost     ledger.Amount // nano-dollars, as are those below
	List     ledger.Amount // at list prices
	Priced   ledger.Amount // by the catalogue: differs from Cost by what providers reported otherwise
	Hold     ledger.Amount
	Overrun  ledger.Amount
	Baseline ledger.Amount                      // without any lever: Cost and what they saved
	Saved    [record.MaxLever + 1]ledger.Amount // by lever; 0 is one of a newer program
	Outcomes [record.MaxOutcome + 1]int64       // records by outcome; 0 is one of a newer program

	// Judged is how many requests have a reported quality, and Worth the sum of those,
	// in millionths.
	Judged, Worth int64

	// Semantic is how many requests were answered by an answer to another question, and
	// SemanticBound the largest upper bound of the error they were served under, in
	// millionths.
	Semantic, SemanticBound int64

	Total     Latency // of the records with a duration
	FirstByte Latency // of the records that sent a byte

	total, firstByte histogram
}

// SavedTotal is what all levers saved together.
func (r *Row) SavedTotal() ledger.Amount {
	var sum ledger.Amount
	for _, s := range r.Saved {
		sum += s
	}
	return sum
}

// Latency is two quantiles in nanoseconds, within 6 % of the true ones; zero
// when there was nothing to measure.
type Latency struct {
	P50, P99 int64
}

// tally is a query under way.
type tally struct {
	by     []Field
	groups map[string]*Row
	other  *Row
	key    []byte   // scratch
	values []string // scratch

	worth func(record.ID) (int64, bool, error)
	err   error // of worth

	id   string // of the request whose records are being counted
	last *Row   // the group of its last record
}

func (t *tally) count(r *record.Record) bool {
	if r.ID != t.id {
		t.endRequest()
		t.id = r.ID
	}
	t.last = t.group(r)
	t.last.add(r)
	return t.err == nil
}

// endRequest counts the request whose last record has been seen.
func (t *tally) endRequest() {
	if t.last == nil {
		return
	}
	t.last.Requests++
	if id, ok := record.ParseID(t.id); ok && t.worth != nil && t.err == nil {
		worth, judged, err := t.worth(id)
		if t.err = err; judged {
			t.last.Judged++
			t.last.Worth += worth
		}
	}
	t.last = nil
}

func (t *tally) group(r *record.Record) *Row {
	t.values = t.values[:0]
	for _, f := range t.by {
		t.values = append(t.values, f.of(r))
	}
	return t.row(t.values)
}

// row is that of the values, or the rest when there are too many.
func (t *tally) row(values []string) *Row {
	t.key = t.key[:0]
	for _, v := range values {
		t.key = binary.AppendUvarint(t.key, uint64(len(v)))
		t.key = append(t.key, v...)
	}
	if g, ok := t.groups[string(t.key)]; ok {
		return g
	}
	if len(t.groups) >= MaxGroups {
		return t.rest()
	}
	g := &Row{Values: slices.Clone(values)}
	t.groups[string(t.key)] = g
	return g
}

func (t *tally) rest() *Row {
	if t.other == nil {
		t.other = new(Row)
	}
	return t.other
}

func (r *Row) add(rec *record.Record) {
	r.Records++
	for m, n := range rec.Usage {
		r.Usage[m] += n
	}
	r.Cost += rec.Cost
	r.List += rec.List
	r.Priced += rec.Priced
	r.Hold += rec.Hold
	r.Overrun += rec.Overrun
	r.Baseline += rec.Baseline
	for _, s := range rec.Savings {
		r.Saved[known(s.Lever, record.MaxLever)] += s.Amount
	}
	r.Outcomes[known(rec.Outcome, record.MaxOutcome)]++
	if rec.Semantic.Verdict == record.SemanticServed {
		r.Semantic++
		r.SemanticBound = max(r.SemanticBound, rec.Semantic.Bound)
	}
	r.total.add(rec.Total)
	r.firstByte.add(rec.FirstByte)
}

// known is v, or 0 for a value that a newer program wrote.
func known[T ~uint8](v, most T) T {
	if v > most {
		return 0
	}
	return v
}

// merge adds o's counts to r.
func (r *Row) merge(o *Row) {
	r.Requests += o.Requests
	r.Records += o.Records
	for m, n := range o.Usage {
		r.Usage[m] += n
	}
	r.Cost += o.Cost
	r.List += o.List
	r.Priced += o.Priced
	r.Hold += o.Hold
	r.Overrun += o.Overrun
	r.Baseline += o.Baseline
	for i, s := range o.Saved {
		r.Saved[i] += s
	}
	for i, n := range o.Outcomes {
		r.Outcomes[i] += n
	}
	r.Judged += o.Judged
	r.Worth += o.Worth
	r.Semantic += o.Semantic
	r.SemanticBound = max(r.SemanticBound, o.SemanticBound)
	r.total.merge(&o.total)
	r.firstByte.merge(&o.firstByte)
}

// part is what was counted, its rows in no order.
func (t *tally) part() *Report {
	rep := &Report{Other: t.other}
	for _, g := range t.groups {
		rep.Rows = append(rep.Rows, *g)
	}
	return rep
}

// Merge puts the parts of an answer together: rows of the same values are added up, and
// q.Limit of them are left. It changes the parts.
func Merge(q TotalsQuery, parts ...*Report) *Report {
	t := tally{by: q.By, groups: make(map[string]*Row)}
	for _, p := range parts {
		for i := range p.Rows {
			t.row(p.Rows[i].Values).merge(&p.Rows[i])
		}
		if p.Other != nil {
			t.rest().merge(p.Other)
		}
	}
	return t.report(q.Limit)
}

func (t *tally) report(limit int) *Report {
	rep := &Report{Other: t.other}
	rows := make([]*Row, 0, len(t.groups))
	for _, g := range t.groups {
		rows = append(rows, g)
	}
	slices.SortFunc(rows, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Requests, a.Requests), slices.Compare(a.Values, b.Values))
	})
	if limit <= 0 {
		limit = MaxGroups
	}
	if t.other != nil {
		rep.Total.merge(t.other)
	}
	for i, g := range rows {
		rep.Total.merge(g)
		if i < limit {
			g.measure()
			rep.Rows = append(rep.Rows, *g)
			continue
		}
		if rep.Other == nil {
			rep.Other = new(Row)
		}
		rep.Other.merge(g)
	}
	if rep.Other != nil {
		rep.Other.measure()
	}
	rep.Total.measure()
	return rep
}

func (r *Row) measure() {
	r.Total, r.FirstByte = r.total.latency(), r.firstByte.latency()
}
