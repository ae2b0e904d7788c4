package usage

import (
	"encoding/binary"

	"purser/internal/record"
	"purser/ledger"
)

// bucket is one under construction: a row for each combination of values that its records
// have. When these are more than it may have, it gives up the rarer values of fields,
// which become "other", until they are few enough: every number still adds up.
//
// A value that is left in a column has all that is of it: none of that is in the column's
// "other". So what a question finds under a name is the whole of it.
type bucket struct {
	most    int // rows
	block   int // rows of a block
	fields  []Field
	place   map[Field]int
	dicts   []dict
	given   []bool            // by column: some of its values were given up
	only    []map[string]bool // by column: the values that no part has given up; nil is all
	rows    map[string]*Row   // by the numbers of their values
	entries int64             // records that are in it
	// moreTags says that there were tags that have no column; tags are those that may
	// have one for all parts, nil for any.
	moreTags bool
	tags     map[Field]bool

	key     []byte   // scratch
	numbers []uint32 // scratch
}

func newBucket(most int) *bucket {
	b := &bucket{most: most, block: blockRows, place: map[Field]int{}, rows: map[string]*Row{}}
	for _, f := range rolledFields {
		b.column(f)
	}
	return b
}

func (b *bucket) column(f Field) int {
	if i, ok := b.place[f]; ok {
		return i
	}
	i := len(b.fields)
	b.place[f] = i
	b.fields = append(b.fields, f)
	b.dicts = append(b.dicts, newDict())
	b.given = append(b.given, false)
	b.only = append(b.only, nil)
	if f.unbounded() {
		b.dicts[i].closed = true
	}
	return i
}

// tag is the column of a free tag; false where there is no room for one more.
func (b *bucket) tag(ref ledger.DimRef) (int, bool) {
	f := DimField(ref)
	if i, ok := b.place[f]; ok {
		return i, true
	}
	if len(b.fields)-len(rolledFields) >= tagsMost {
		b.moreTags = true
		return 0, false
	}
	return b.column(f), true
}

// record is the row of a record. It is a scan's group.
func (b *bucket) record(r *record.Record) *Row {
	b.entries++
	b.relieve()
	b.numbers = append(b.numbers[:0], make([]uint32, len(b.fields))...)
	for i, f := range rolledFields {
		b.set(i, f.of(r))
	}
	for _, t := range r.Dims.Tags {
		if i, ok := b.tag(ledger.DimRef{Dim: ledger.DimTag, Tag: t.Name}); ok {
			for len(b.numbers) < len(b.fields) {
				b.numbers = append(b.numbers, 0)
			}
			b.set(i, t.Value)
		}
	}
	return b.row()
}

func (b *bucket) set(column int, value string) {
	n, given := b.dicts[column].number(value)
	b.numbers[column] = n
	if !given {
		b.given[column] = true
	}
}

// row is that of the numbers. Its key ends with the last that is not 0: a column that
// comes later changes none.
func (b *bucket) row() *Row {
	n := len(b.numbers)
	for n > 0 && b.numbers[n-1] == 0 {
		n--
	}
	b.key = b.key[:0]
	for _, v := range b.numbers[:n] {
		b.key = binary.AppendUvarint(b.key, uint64(v))
	}
	if r := b.rows[string(b.key)]; r != nil {
		return r
	}
	r := new(Row)
	b.rows[string(b.key)] = r
	return r
}

// relieve makes room when there are a quarter more rows than there may be.
func (b *bucket) relieve() {
	if len(b.rows) >= b.most+b.most/4+1 {
		b.shrink()
	}
}

// numbersOf are those of a row's key, one for each column.
func (b *bucket) numbersOf(key string) []uint32 {
	b.numbers = b.numbers[:0]
	rest := []byte(key)
	for len(rest) > 0 {
		v, n := binary.Uvarint(rest)
		b.numbers = append(b.numbers, uint32(v))
		rest = rest[n:]
	}
	for len(b.numbers) < len(b.fields) {
		b.numbers = append(b.numbers, 0)
	}
	return b.numbers
}

// finish leaves what can be stored.
func (b *bucket) finish() {
	for i, f := range b.fields {
		switch {
		case b.lost(f):
			b.forget(i)
		case b.only[i] == nil:
		case !b.only[i][""]:
			b.giveUpAll(i)
		default:
			b.giveUp(i, func(n uint32) bool { return b.only[i][b.dicts[i].values[n]] })
		}
	}
	if len(b.rows) > b.most {
		b.shrink()
	}
}

// renumber gives every row other numbers; those that have the same ones then are one.
func (b *bucket) renumber(change func([]uint32)) {
	old := b.rows
	b.rows = make(map[string]*Row, len(old))
	for key, r := range old {
		change(b.numbersOf(key))
		b.row().merge(r)
	}
}

// lost says whether a column is of a tag that not all parts have told.
func (b *bucket) lost(f Field) bool {
	return b.tags != nil && f.isTag() && !b.tags[f]
}

// merge adds what a stored block has.
func (b *bucket) merge(k *block) error {
	b.relieve()
	b.entries += k.entries
	places := make([]int, len(k.columns)) // in this bucket; -1 for none
	for i := range k.columns {
		c := &k.columns[i]
		places[i] = -1
		if !c.field.isTag() {
			places[i] = b.column(c.field)
		} else if at, ok := b.tag(c.field.dim); ok {
			places[i] = at
		}
		named, err := c.values()
		if err != nil {
			return err
		}
		if at := places[i]; at >= 0 && c.given && k.first {
			b.restrict(at, named)
		}
	}
	if k.moreTags && k.first {
		b.restrictTags(k)
	}
	return k.each(func(numbers []uint32, r *Row) {
		b.numbers = append(b.numbers[:0], make([]uint32, len(b.fields))...)
		for i, n := range numbers {
			if at := places[i]; at >= 0 {
				b.set(at, k.columns[i].read[n])
			}
		}
		b.row().merge(r)
	})
}

// restrict leaves a column only values that a part names, which has given others up.
func (b *bucket) restrict(column int, named []string) {
	b.given[column] = true
	only := map[string]bool{}
	for _, v := range named {
		if v != otherValue && (b.only[column] == nil || b.only[column][v]) {
			only[v] = true
		}
	}
	b.only[column] = only
}

// restrictTags leaves only tags that a part has columns of, which had more.
func (b *bucket) restrictTags(k *block) {
	b.moreTags = true
	tags := map[Field]bool{}
	for i := range k.columns {
		if f := k.columns[i].field; b.tags == nil || b.tags[f] {
			tags[f] = true
		}
	}
	b.tags = tags
}
