package usage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"purser/internal/packed"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// ErrForm is a question or an answer between nodes of a form that this build does not know.
var ErrForm = errors.New("another node's build is too new, or not of this program")

// question is a query on its way to another node.
type question struct {
	Form   int             `json:"form"`
	From   ledger.Instant  `json:"from"`
	To     ledger.Instant  `json:"to"`
	Where  []wireCondition `json:"where,omitempty"`
	Within []wireCondition `json:"within"` // null: everything
	By     []string        `json:"by,omitempty"`
	Every  *ledger.Window  `json:"every,omitempty"`
	Limit  int             `json:"limit,omitempty"`
	Newest bool            `json:"newest,omitempty"`
	Worth  bool            `json:"worth,omitempty"`
	Map    *Mapping        `json:"map,omitempty"`
}

type wireCondition struct {
	Field  string   `json:"field"`
	Values []string `json:"values"`
}

const questionForm = 1

// MarshalTotals is a query as another node's [UnmarshalTotals] reads it. Of Worth it says
// only whether it is wanted.
func MarshalTotals(q *TotalsQuery) ([]byte, error) {
	w := question{
		Form: questionForm, From: q.Range.From, To: q.Range.To, Where: wireConditions(q.Where), Within: wireConditions(q.Within),
		Limit: q.Limit, Worth: q.Worth != nil, Map: q.Mapping,
	}
	for _, f := range q.By {
		w.By = append(w.By, f.String())
	}
	if q.Interval.Kind != 0 {
		w.Every = &q.Interval
	}
	return json.Marshal(&w)
}

// UnmarshalTotals reads a query; worth says that it wants to know what answers were worth.
func UnmarshalTotals(b []byte) (q TotalsQuery, worth bool, err error) {
	w, err := readQuestion(b)
	if err != nil {
		return q, false, err
	}
	q.Range, q.Limit, q.Mapping = Range{w.From, w.To}, w.Limit, w.Map
	if q.Where, q.Within, err = w.conditions(); err != nil {
		return q, false, err
	}
	for _, name := range w.By {
		f, ok := ParseField(name)
		if !ok {
			return q, false, fmt.Errorf("group by %q: %w", name, ErrForm)
		}
		q.By = append(q.By, f)
	}
	if w.Every != nil {
		q.Interval = *w.Every
	}
	return q, w.Worth, nil
}

// MarshalQuery is a query as another node's [UnmarshalQuery] reads it.
func MarshalQuery(q *Query) ([]byte, error) {
	return json.Marshal(&question{
		Form: questionForm, From: q.Range.From, To: q.Range.To, Where: wireConditions(q.Where), Within: wireConditions(q.Within),
		Limit: q.Limit, Newest: q.Order == NewestFirst,
	})
}

// UnmarshalQuery reads a query.
func UnmarshalQuery(b []byte) (q Query, err error) {
	w, err := readQuestion(b)
	if err != nil {
		return q, err
	}
	q.Range, q.Limit = Range{w.From, w.To}, w.Limit
	if w.Newest {
		q.Order = NewestFirst
	}
	q.Where, q.Within, err = w.conditions()
	return q, err
}

func readQuestion(b []byte) (w question, err error) {
	if err := json.Unmarshal(b, &w); err != nil {
		return w, fmt.Errorf("read a query: %w", err)
	}
	if w.Form != questionForm {
		return w, fmt.Errorf("a query of form %d: %w", w.Form, ErrForm)
	}
	return w, nil
}

// wireConditions keeps nil apart from none.
func wireConditions(list []Condition) []wireCondition {
	if list == nil {
		return nil
	}
	out := make([]wireCondition, 0, len(list))
	for _, c := range list {
		out = append(out, wireCondition{c.Field.String(), c.Values})
	}
	return out
}

func (w *question) conditions() (where, within []Condition, err error) {
	read := func(list []wireCondition) ([]Condition, error) {
		if list == nil {
			return nil, nil
		}
		out := make([]Condition, 0, len(list))
		for _, c := range list {
			f, ok := ParseField(c.Field)
			if !ok {
				return nil, fmt.Errorf("filter by %q: %w", c.Field, ErrForm)
			}
			out = append(out, Condition{f, c.Values})
		}
		return out, nil
	}
	if where, err = read(w.Where); err != nil {
		return nil, nil, err
	}
	within, err = read(w.Within)
	return where, within, err
}

// rowForm is the first byte of a row on its way between nodes.
const rowForm = 1

// AppendRow writes what a row adds up to, for another node's [DecodeRow]: the form, then
// numbers as varints. Lists have their length before them, and are only ever added to: what a
// build does not know of one, it leaves out, or counts as of a newer program.
func AppendRow(b []byte, r *Row) []byte {
	b = append(b, rowForm)
	b = binary.AppendUvarint(b, uint64(len(r.Values)))
	for _, v := range r.Values {
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	b = binary.AppendVarint(b, int64(r.Start))
	b = appendList(b, len(r.scalars()), func(i int) int64 { return *r.scalars()[i] })
	b = appendList(b, len(r.Usage), func(i int) int64 { return r.Usage[i] })
	b = appendList(b, len(r.Saved), func(i int) int64 { return int64(r.Saved[i]) })
	b = appendList(b, len(r.Outcomes), func(i int) int64 { return r.Outcomes[i] })
	return r.firstByte.append(r.total.append(b))
}

// scalars are the counts and amounts of a row, in the order in which they are sent.
func (r *Row) scalars() []*int64 {
	amount := func(a *ledger.Amount) *int64 { return (*int64)(a) }
	return []*int64{
		&r.Requests, &r.Records, &r.Attempts, &r.Retries,
		amount(&r.Cost), amount(&r.List), amount(&r.Priced), amount(&r.Hold), amount(&r.Overrun), amount(&r.Baseline), amount(&r.Presumed), amount(&r.Adjusted),
		&r.Judged, &r.Worth, &r.Semantic, &r.SemanticBound,
	}
}

func appendList(b []byte, n int, at func(int) int64) []byte {
	b = binary.AppendUvarint(b, uint64(n))
	for i := range n {
		b = binary.AppendVarint(b, at(i))
	}
	return b
}

// append writes the buckets that have something: how many, and each by its distance from the
// one before.
func (h *histogram) append(b []byte) []byte {
	n := 0
	for _, c := range h.buckets {
		if c != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	last := 0
	for i, c := range h.buckets {
		if c != 0 {
			b = binary.AppendUvarint(b, uint64(h.first+i-last))
			b = binary.AppendUvarint(b, uint64(c))
			last = h.first + i
		}
	}
	return b
}

// DecodeRow reads what AppendRow wrote, and returns what follows it.
func DecodeRow(b []byte) (r Row, rest []byte, err error) {
	d := packed.Reader{Rest: b}
	if len(b) == 0 || b[0] != rowForm {
		return r, nil, fmt.Errorf("a row of usage: %w", ErrForm)
	}
	d.Rest = b[1:]
	for range d.Count() {
		r.Values = append(r.Values, d.Text())
	}
	r.Start = ledger.Instant(d.Varint())
	scalars := r.scalars()
	list(&d, func(i int, v int64) {
		if i < len(scalars) {
			*scalars[i] = v
		}
	})
	list(&d, func(i int, v int64) {
		if i < len(price.Usage{}) {
			r.Usage[i] = v
		}
	})
	list(&d, func(i int, v int64) { r.Saved[known(record.Lever(i), record.MaxLever)] += ledger.Amount(v) })
	list(&d, func(i int, v int64) { r.Outcomes[known(record.Outcome(i), record.MaxOutcome)] += v })
	r.total.read(&d)
	r.firstByte.read(&d)
	if d.Bad {
		return Row{}, nil, fmt.Errorf("a row of usage is cut off: %w", ErrForm)
	}
	return r, d.Rest, nil
}

// CheckRows says whether AddRows can read rows.
func CheckRows(b []byte) (err error) {
	for err == nil && len(b) > 0 {
		_, b, err = DecodeRow(b)
	}
	return err
}

// list reads numbers behind how many they are.
func list(d *packed.Reader, take func(int, int64)) {
	for i := range d.Count() {
		take(i, d.Varint())
	}
}

// read reads a histogram: the steps from bucket to bucket, and their counts.
func (h *histogram) read(d *packed.Reader) {
	at := uint64(0)
	for range d.Count() {
		at += d.Uvarint(math.MaxInt64)
		c := d.Uvarint(math.MaxInt64)
		if at >= numBuckets || c > math.MaxInt64 {
			d.Fail()
			return
		}
		h.count(int(at), int64(c))
	}
}
