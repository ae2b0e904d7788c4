package focus

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"purser/internal/record"
	"purser/ledger"
)

// MaxOpen is how many rows a Mapper adds up at once, some hundred megabytes of them at
// the most. What would be more is handed out early.
const MaxOpen = 1 << 17

// Options say how records become rows.
type Options struct {
	Daily  bool // a row for each day and not for each hour
	Single bool // a row for each request and meter: nothing is added up
	Rates  Rates
}

// Mapper adds records up to rows, in memory that does not depend on how many there are.
type Mapper struct {
	every  ledger.Instant
	single bool
	rates  Rates
	open   map[key]*Charge
	period ledger.Instant // of the rows that are open
	last   string         // id of the request that was counted
	most   int
	yield  func(*Charge) error
	err    error
}

// NewMapper makes a Mapper that hands rows to yield. A row is valid until yield returns;
// after an error of yield nothing more is handed out.
func NewMapper(o Options, yield func(*Charge) error) *Mapper {
	m := &Mapper{every: ledger.Hour, single: o.Single, rates: o.Rates, open: map[key]*Charge{}, most: MaxOpen, yield: yield}
	if o.Daily {
		m.every = ledger.Day
	}
	return m
}

// Add adds a record, which is not kept. Records come in the order of their ids; one that
// comes later than its hour or day makes rows of its own.
func (m *Mapper) Add(r *record.Record) error {
	first := r.ID != m.last
	m.charges(r, first, func(k key, c Charge) {
		if k.start != m.period || len(m.open) >= m.most {
			m.flush()
			m.period = k.start
		}
		row := m.open[k]
		if row == nil {
			row = &Charge{key: k, end: k.start + m.every}
			m.open[k] = row
		}
		row.add(&c)
		if c.requests > 0 {
			m.last = strings.Clone(r.ID)
		}
	})
	return m.err
}

func (c *Charge) add(o *Charge) {
	c.quantity += o.quantity
	c.billed += o.billed
	c.listed += o.listed
	c.priced += o.priced
	c.requests += o.requests
	c.hits += o.hits
	c.avoided += o.avoided
}

// Close hands out what is left.
func (m *Mapper) Close() error {
	m.flush()
	return m.err
}

// flush hands out the open rows, in the order of their keys.
func (m *Mapper) flush() {
	rows := slices.SortedFunc(maps.Values(m.open), func(a, b *Charge) int { return a.compare(&b.key) })
	clear(m.open)
	for _, c := range rows {
		if m.err == nil {
			m.err = m.yield(c)
		}
	}
}

// compare is the order of rows: their time, whose they are, what was counted.
func (k *key) compare(o *key) int {
	late := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(k.start, o.start), cmp.Compare(k.kind, o.kind), late(k.late)-late(o.late), slices.Compare(k.dims[:], o.dims[:]), cmp.Compare(k.free, o.free),
		cmp.Compare(k.request, o.request), cmp.Compare(k.upstream, o.upstream), cmp.Compare(k.served, o.served), cmp.Compare(k.tier, o.tier), cmp.Compare(k.rate, o.rate),
		cmp.Compare(k.region, o.region), cmp.Compare(k.publisher, o.publisher), cmp.Compare(k.from, o.from), cmp.Compare(k.meter, o.meter), cmp.Compare(k.list, o.list),
		slices.Compare(k.agreed[:], o.agreed[:]), cmp.Compare(k.basis, o.basis), cmp.Compare(k.note, o.note))
}

// tagPrefix marks the tags that are dimensions: a free tag has no colon in its name.
const tagPrefix = "purser:"

// joined is free tags as one text.
func joined(free []ledger.Tag) string {
	if len(free) == 0 {
		return ""
	}
	var b strings.Builder
	for _, t := range free {
		b.WriteString(t.Name)
		b.WriteByte(0)
		b.WriteString(strings.ReplaceAll(t.Value, "\x00", "\uFFFD"))
		b.WriteByte(0)
	}
	return b.String()
}

// tags is a flat JSON object of the dimensions and free tags, "" for none.
func (k *key) tags() string {
	all := map[string]string{}
	for d, v := range k.dims {
		if v != "" {
			all[tagPrefix+ledger.DimRef{Dim: ledger.Dim(d)}.String()] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	for rest := k.free; rest != ""; {
		var name, value string
		name, rest, _ = strings.Cut(rest, "\x00")
		value, rest, _ = strings.Cut(rest, "\x00")
		all[name] = strings.ToValidUTF8(value, "\uFFFD")
	}
	if len(all) == 0 {
		return ""
	}
	return objectText(all)
}

// objectText is a JSON object with its names in order.
func objectText[V any](m map[string]V) string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("focus: strings and numbers cannot fail to be JSON: " + err.Error())
	}
	return string(b)
}
