package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"purser/internal/packed"
	"purser/internal/store"
)

// A block is up to blockRows rows of a bucket, column by column: a question reads those it
// needs. Its form, all numbers varints but for bytes, all texts and columns preceded by
// their length:
//
//	version(1) flags(1) rows entries
//	columns: name given(1) count(values) values [kind(1) indexes]   of which those all of whose rows have no value are left out
//	measures: number kind(1) values                   of which those that are 0 in all rows are left out
//	spans of total, spans of first byte
//
// An index is that of a value in the column's list; a column of one value has none. Spans
// are, for each row, how many buckets of its histogram count something, and for each of
// these its distance from the one before and its count.
type block struct {
	rows     int
	entries  int64 // records in the bucket; in its first block alone
	moreTags bool  // records had tags that have no column
	first    bool  // of the bucket: what it has given up is told by this block
	columns  []blockColumn
	measures []blockMeasure
	spans    [2][]byte // of total and first byte
}

type blockColumn struct {
	field Field
	given bool // rarer values were given up, and are "other"
	count int  // of values
	texts []byte
	kind  byte
	data  []byte

	read []string // the values, when they were asked for
}

// values are those that indexes stand for.
func (c *blockColumn) values() ([]string, error) {
	if c.read != nil {
		return c.read, nil
	}
	r := packed.Reader{Rest: c.texts}
	list := make([]string, c.count)
	for i := range list {
		list[i] = string(r.Bytes())
	}
	if !r.Whole() {
		return nil, errBlock
	}
	c.read = list
	return list, nil
}

type blockMeasure struct {
	number int
	kind   byte
	data   []byte
}

const (
	blockVersion = 1
	blockRows    = 1 << 13

	flagMoreTags = 1
	flagFirst    = 2

	indexBytes = 1 // a byte for each row
	indexWords = 2 // two bytes, little-endian
	indexRuns  = 3 // index and length of each run

	measureAll  = 1 // a zigzag varint for each row
	measureSome = 2 // of the rows that are not 0: distance from the one before, from -1, and zigzag varint
)

var errBlock = fmt.Errorf("a block of a rollup: %w", store.ErrCorrupt)

// openBlock reads what is needed to find one's way. The block refers to the bytes, but not
// by its texts.
func openBlock(b []byte) (*block, error) {
	r := packed.Reader{Rest: b}
	if v := r.Byte(); !r.Bad && v != blockVersion {
		return nil, fmt.Errorf("version %d of a rollup: %w", v, store.ErrNewer)
	}
	k := &block{}
	flags := r.Byte()
	k.moreTags, k.first = flags&flagMoreTags != 0, flags&flagFirst != 0
	k.rows = int(r.Uvarint(blockRows))
	k.entries = int64(r.Uvarint(math.MaxInt64))
	k.columns = make([]blockColumn, r.Count())
	for i := range k.columns {
		c := &k.columns[i]
		name := string(r.Bytes())
		c.given = r.Byte() != 0
		c.count = r.Count()
		if c.texts = r.Bytes(); c.count > len(c.texts) {
			r.Fail()
		}
		if c.count > 1 {
			c.kind, c.data = r.Byte(), r.Bytes()
		}
		var ok bool
		if c.field, ok = ParseField(name); !r.Bad && (!ok || c.count == 0) {
			return nil, fmt.Errorf("the column %q: %w", name, errBlock)
		}
	}
	k.measures = make([]blockMeasure, r.Count())
	for i := range k.measures {
		k.measures[i] = blockMeasure{int(r.Uvarint(numMeasures - 1)), r.Byte(), r.Bytes()}
	}
	k.spans[0], k.spans[1] = r.Bytes(), r.Bytes()
	if !r.Bad && len(r.Rest) > 0 {
		r.Fail()
	}
	if r.Bad {
		return nil, errBlock
	}
	return k, nil
}

// column is that of a field; nil where no row has a value.
func (k *block) column(f Field) *blockColumn {
	for i := range k.columns {
		if k.columns[i].field == f {
			return &k.columns[i]
		}
	}
	return nil
}

// indexes decodes those of the rows into a slice that it may use; nil where all are 0.
func (c *blockColumn) indexes(rows int, into []uint16) ([]uint16, error) {
	if c.count == 1 {
		return nil, nil
	}
	if cap(into) < rows {
		into = make([]uint16, rows)
	}
	into = into[:rows]
	switch {
	case c.kind == indexBytes && len(c.data) == rows:
		for i, v := range c.data {
			into[i] = uint16(v)
		}
	case c.kind == indexWords && len(c.data) == 2*rows:
		for i := range into {
			into[i] = binary.LittleEndian.Uint16(c.data[2*i:])
		}
	case c.kind == indexRuns:
		r := packed.Reader{Rest: c.data}
		for at := 0; at < rows; {
			v := uint16(r.Uvarint(math.MaxUint16))
			n := int(r.Uvarint(uint64(rows - at)))
			if n == 0 {
				return nil, errBlock
			}
			for i := range n {
				into[at+i] = v
			}
			at += n
		}
		if !r.Whole() {
			return nil, errBlock
		}
	default:
		return nil, errBlock
	}
	for _, v := range into {
		if int(v) >= c.count {
			return nil, errBlock
		}
	}
	return into, nil
}

// each calls visit with the value of every row that may not be 0, in order.
func (m *blockMeasure) each(rows int, visit func(row int, v int64)) error {
	b := m.data
	switch m.kind {
	case measureAll:
		for i := range rows {
			v, n := binary.Varint(b)
			if n <= 0 {
				return errBlock
			}
			b = b[n:]
			visit(i, v)
		}
	case measureSome:
		for row := -1; len(b) > 0; {
			gap, n := binary.Uvarint(b)
			if n <= 0 || gap == 0 || gap >= uint64(rows-row) {
				return errBlock
			}
			row += int(gap)
			v, n2 := binary.Varint(b[n:])
			if n2 <= 0 {
				return errBlock
			}
			b = b[n+n2:]
			visit(row, v)
		}
	default:
		return errBlock
	}
	if len(b) > 0 {
		return errBlock
	}
	return nil
}

// add adds the values of the rows to the sums of their groups; a row of group -1 to none.
// It is each with the inner loop of a query written out.
func (m *blockMeasure) add(rows int, groups []int32, sums []int64) error {
	if m.kind != measureAll {
		return m.each(rows, func(row int, v int64) {
			if g := groups[row]; g >= 0 {
				sums[g] += v
			}
		})
	}
	b := m.data
	for _, g := range groups[:rows] {
		var v int64
		if len(b) > 0 && b[0] < 0x80 {
			v, b = int64(b[0]>>1)^-int64(b[0]&1), b[1:]
		} else {
			n := 0
			if v, n = binary.Varint(b); n <= 0 {
				return errBlock
			}
			b = b[n:]
		}
		if g >= 0 {
			sums[g] += v
		}
	}
	if len(b) > 0 {
		return errBlock
	}
	return nil
}

// eachSpan calls visit with every bucket of a histogram that counts something in a row.
func eachSpan(b []byte, rows int, visit func(row, bucket int, n int64)) error {
	if len(b) == 0 {
		return nil
	}
	next := 0
	for row := range rows {
		n, next2 := uvarint(b, next)
		if next = next2; n > numBuckets {
			return errBlock
		}
		at := -1
		for range n {
			gap, mid := uvarint(b, next)
			count, end := uvarint(b, mid)
			if gap == 0 || gap >= uint64(numBuckets-at) || count == 0 || count > math.MaxInt64 {
				return errBlock
			}
			at, next = at+int(gap), end
			visit(row, at, int64(count))
		}
	}
	if next != len(b) {
		return errBlock
	}
	return nil
}

// uvarint reads a number at a place and returns the next one; most are a byte. Where there
// is none, the number is the largest and the place beyond the end.
func uvarint(b []byte, at int) (v uint64, next int) {
	if at < len(b) && b[at] < 0x80 {
		return uint64(b[at]), at + 1
	}
	return longUvarint(b, at)
}

func longUvarint(b []byte, at int) (v uint64, next int) {
	if at < len(b) {
		if v, n := binary.Uvarint(b[at:]); n > 0 {
			return v, at + n
		}
	}
	return math.MaxUint64, len(b) + 1
}

// each calls visit with every row and the indexes of its values, one for each column. It
// owns neither.
func (k *block) each(visit func(indexes []uint32, r *Row)) error {
	columns := make([][]uint16, len(k.columns))
	for i := range k.columns {
		var err error
		if columns[i], err = k.columns[i].indexes(k.rows, nil); err != nil {
			return err
		}
	}
	rows := make([]Row, k.rows)
	for i := range k.measures {
		m := &k.measures[i]
		err := m.each(k.rows, func(row int, v int64) {
			if to := rows[row].number(m.number); to != nil {
				*to = v
			}
		})
		if err != nil {
			return err
		}
	}
	err := errors.Join(
		eachSpan(k.spans[0], k.rows, func(row, at int, n int64) { rows[row].total.count(at, n) }),
		eachSpan(k.spans[1], k.rows, func(row, at int, n int64) { rows[row].firstByte.count(at, n) }))
	if err != nil {
		return err
	}
	indexes := make([]uint32, len(k.columns))
	for row := range rows {
		for i, c := range columns {
			if c != nil {
				indexes[i] = uint32(c[row])
			}
		}
		rows[row].addCost()
		visit(indexes, &rows[row])
	}
	return nil
}
