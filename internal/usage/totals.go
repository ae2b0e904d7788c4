package usage

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"purser/internal/record"
	"purser/ledger"
)

// TotalsQuery selects records and says how to group them.
type TotalsQuery struct {
	Range Range
	Where []Condition // all must hold
	// Within, unless it is nil, are conditions of which one must hold, too.
	Within []Condition
	By     []Field // none: the total only
	// Interval, unless its kind is 0, makes a row of each of its windows that has
	// something, and each group.
	Interval ledger.Window
	// Worth gives what the answer to a request was reported to be worth, in millionths;
	// false for one of which nothing was. Nil: nobody wants to know. An error ends the
	// query.
	Worth func(record.ID) (int64, bool, error)
	// Mapping changes dimensions before they are looked at by Where and By. Within is
	// about what was recorded. Nil changes nothing.
	Mapping *Mapping
	Limit   int // most groups, by cost, then requests; the rest is "other". 0 means MaxGroups
}

const (
	// MaxGroups bounds the groups of one query; each takes about 2 KB while it runs.
	// Records of groups that appear after so many others are counted as "other".
	MaxGroups = 8192
	// MaxIntervals bounds the intervals of one query: 90 days of hours, six years of
	// days, or a day and a half of minutes.
	MaxIntervals = 2200
	// MaxRows bounds the rows of one query, groups times intervals.
	MaxRows = 1 << 16
)

// QueryError is why a query is refused, in a sentence that says what to change.
type QueryError string

// Error implements error.
func (e QueryError) Error() string { return string(e) }

// Check says why the query cannot be asked: a [QueryError], or nil.
func (q *TotalsQuery) Check() error {
	starts, err := q.intervals()
	if err != nil {
		return err
	}
	if rows := len(starts) * q.limit(); q.Limit > 0 && len(q.By) > 0 && rows > MaxRows {
		return QueryError(fmt.Sprintf("up to %d groups in each of %d intervals are more than %d rows: lower the limit, shorten the range or lengthen the interval", q.Limit, len(starts), MaxRows))
	}
	return nil
}

// MostGroups is the largest Limit that the query may have.
func (q *TotalsQuery) MostGroups() int {
	starts, err := q.intervals()
	if err != nil {
		return MaxGroups
	}
	return min(MaxGroups, MaxRows/max(len(starts), 1))
}

func (q *TotalsQuery) limit() int {
	if q.Limit <= 0 || q.Limit > MaxGroups {
		return MaxGroups
	}
	return q.Limit
}

// intervals are the starts of the windows that the range touches, the first of which may
// be before it; nil without intervals.
func (q *TotalsQuery) intervals() (starts []ledger.Instant, err error) {
	if q.Interval.Kind == 0 {
		return nil, nil
	}
	for at := max(q.Range.From, 0); at < q.Range.To; {
		if len(starts) == MaxIntervals {
			return nil, QueryError(fmt.Sprintf("the range has more than %d intervals: shorten it, or ask for longer ones", MaxIntervals))
		}
		start, end := q.Interval.Bounds(at)
		starts = append(starts, start)
		at = end
	}
	return starts, nil
}

// Report is the answer to a TotalsQuery. Rows and Others add up to Total.
type Report struct {
	Rows   []Row // by Start, then by the cost of their groups over all intervals
	Others []Row // what the groups beyond the limit add up to, one of each interval that has any
	Total  Row

	// Given are the fields of By of which rollups have given up rarer values: what is of
	// these is in a row whose value is "other".
	Given map[Field]bool

	made *tally // what the rows are of, where that is known: it is added at once
}

// tally is a query under way.
type tally struct {
	by     []Field
	starts []ledger.Instant // of the intervals
	groups map[string]int   // to their place in values
	values [][]string
	cells  map[cell]*Row
	others map[int]*Row // by interval
	key    []byte       // scratch
	mine   []string     // scratch
}

// cell is a group in an interval.
type cell struct{ group, interval int }

func newTally(q *TotalsQuery) (*tally, error) {
	starts, err := q.intervals()
	if err != nil {
		return nil, err
	}
	return &tally{by: q.By, starts: starts, groups: map[string]int{}, cells: map[cell]*Row{}, others: map[int]*Row{}}, nil
}

// interval is the place of the one that an instant of the range is in.
func (t *tally) interval(at ledger.Instant) int {
	if t.starts == nil {
		return 0
	}
	i, found := slices.BinarySearch(t.starts, at)
	if !found {
		i--
	}
	return max(i, 0)
}

func (t *tally) start(interval int) ledger.Instant {
	if t.starts == nil {
		return 0
	}
	return t.starts[interval]
}

// row is that of the values in an interval, or the rest of it when there are too many.
func (t *tally) row(values []string, interval int) *Row {
	c, ok := t.cell(values, interval)
	if !ok {
		return t.rest(interval)
	}
	if r := t.cells[c]; r != nil {
		return r
	}
	r := &Row{Values: t.values[c.group], Start: t.start(interval)}
	t.cells[c] = r
	return r
}

// merge adds a row to that of its values and interval; it may become that one.
func (t *tally) merge(r *Row) {
	interval := t.interval(r.Start)
	c, ok := t.cell(r.Values, interval)
	switch {
	case !ok:
		t.rest(interval).merge(r)
	case t.cells[c] != nil:
		t.cells[c].merge(r)
	default:
		r.Values, r.Start = t.values[c.group], t.start(interval)
		t.cells[c] = r
	}
}

// add adds what another tally of the same query has, which is no more used.
func (t *tally) add(o *tally) {
	if len(t.values) == 0 && len(t.others) == 0 {
		t.groups, t.values, t.cells, t.others = o.groups, o.values, o.cells, o.others
		return
	}
	for _, r := range o.cells {
		t.merge(r)
	}
	for interval, r := range o.others {
		t.rest(interval).merge(r)
	}
}

// cell is where the row of the values in an interval is, or may be; false when there are
// too many.
func (t *tally) cell(values []string, interval int) (cell, bool) {
	t.key = t.key[:0]
	for _, v := range values {
		t.key = binary.AppendUvarint(t.key, uint64(len(v)))
		t.key = append(t.key, v...)
	}
	g, ok := t.groups[string(t.key)]
	if !ok {
		if len(t.groups) >= MaxGroups {
			return cell{}, false
		}
		g = len(t.values)
		t.groups[string(t.key)] = g
		t.values = append(t.values, slices.Clone(values))
	}
	c := cell{g, interval}
	return c, len(t.cells) < MaxRows || t.cells[c] != nil
}

func (t *tally) rest(interval int) *Row {
	r := t.others[interval]
	if r == nil {
		r = &Row{Start: t.start(interval)}
		t.others[interval] = r
	}
	return r
}

// part is what was counted, its rows in no order.
func (t *tally) part() *Report {
	rep := &Report{Rows: make([]Row, 0, len(t.cells)), Others: make([]Row, 0, len(t.others))}
	for _, r := range t.cells {
		rep.Rows = append(rep.Rows, *r)
	}
	for _, r := range t.others {
		rep.Others = append(rep.Others, *r)
	}
	return rep
}

// Merge puts the parts of an answer together: rows of the same values and interval are
// added up, and q.Limit groups are left. It changes the parts.
func Merge(q TotalsQuery, parts ...*Report) (*Report, error) {
	sum, err := NewSum(q)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		sum.Add(p)
	}
	return sum.Report(), nil
}

func (t *tally) report(limit int) *Report {
	rep := &Report{}
	sums := make([]struct{ cost, requests int64 }, len(t.values))
	for c, r := range t.cells {
		sums[c.group].cost += int64(r.Cost)
		sums[c.group].requests += r.Requests
	}
	order := make([]int, len(t.values))
	for g := range order {
		order[g] = g
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(sums[b].cost, sums[a].cost), cmp.Compare(sums[b].requests, sums[a].requests), slices.Compare(t.values[a], t.values[b]))
	})
	place := make([]int, len(order))
	for i, g := range order {
		place[g] = i
	}
	shown := make([]cell, 0, len(t.cells))
	for c, r := range t.cells {
		if place[c.group] < limit {
			shown = append(shown, c)
		} else {
			t.rest(c.interval).merge(r)
		}
	}
	slices.SortFunc(shown, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.interval, b.interval), cmp.Compare(place[a.group], place[b.group]))
	})
	for _, c := range shown {
		r := t.cells[c]
		r.measure()
		rep.Rows = append(rep.Rows, *r)
	}
	for i := range rep.Rows {
		rep.Total.merge(&rep.Rows[i])
	}
	for i := range max(len(t.starts), 1) {
		if r := t.others[i]; r != nil {
			r.measure()
			rep.Total.merge(r)
			rep.Others = append(rep.Others, *r)
		}
	}
	rep.Total.measure()
	return rep
}
