package usage

import (
	"encoding/binary"
	"math"
	"slices"

	"purser/ledger"
)

// fold adds up blocks for a query. It keeps its scratch space from one block to the next.
type fold struct {
	q *TotalsQuery
	t *tally

	groups []int32 // by row, -1 for one that is not selected
	sums   []int64 // by group
	rows   []*Row  // by group
	dense  []int32
	seen   map[string]int32
	key    []byte
	values []string

	interned []map[string]uint32 // by field of the query
	found    map[known4]*Row

	left histogram // of rows that are not selected; nobody looks
}

// block adds the rows that the query selects to their groups.
func (f *fold) block(w *view, interval int) error {
	if cap(f.groups) < w.rows {
		f.groups = make([]int32, blockRows)
	}
	f.groups = f.groups[:w.rows]
	clear(f.groups)
	if err := f.choose(w); err != nil {
		return err
	}
	if err := f.group(w, interval); err != nil {
		return err
	}
	if len(f.rows) == 0 {
		return nil
	}
	for i := range w.measures {
		if err := f.measure(w, &w.measures[i]); err != nil {
			return err
		}
	}
	if err := f.spans(w.block.spans[0], func(r *Row) *histogram { return &r.total }); err != nil {
		return err
	}
	return f.spans(w.block.spans[1], func(r *Row) *histogram { return &r.firstByte })
}

// choose leaves out the rows that the query does not select.
func (f *fold) choose(w *view) error {
	for i := range f.q.Where {
		c := &f.q.Where[i]
		v, err := w.vector(c.Field)
		if err != nil {
			return err
		}
		holds := truths(v, c.Values)
		for row := range f.groups {
			if !holds[v.index(row)] {
				f.groups[row] = -1
			}
		}
	}
	if f.q.Within == nil {
		return nil
	}
	inside := make([]bool, w.rows)
	for i := range f.q.Within {
		c := &f.q.Within[i]
		v, err := w.stored(c.Field)
		if err != nil {
			return err
		}
		holds := truths(v, c.Values)
		for row := range inside {
			inside[row] = inside[row] || holds[v.index(row)]
		}
	}
	for row, in := range inside {
		if !in {
			f.groups[row] = -1
		}
	}
	return nil
}

// truths says of each of a vector's values whether it is among some.
func truths(v *vector, among []string) []bool {
	out := make([]bool, len(v.values))
	for i, value := range v.values {
		out[i] = slices.Contains(among, value)
	}
	return out
}

// group numbers the groups of the rows, and finds the row of each.
func (f *fold) group(w *view, interval int) error {
	f.rows = f.rows[:0]
	by := make([]*vector, len(f.q.By))
	for i, field := range f.q.By {
		var err error
		if by[i], err = w.vector(field); err != nil {
			return err
		}
	}
	if f.seen == nil {
		f.seen = map[string]int32{}
	}
	numbers := f.intern(by)
	if combinations(by) <= maxDense {
		f.dense = slices.Grow(f.dense[:0], maxDense)[:combinations(by)]
		clear(f.dense) // 0: not seen
		for row, g := range f.groups {
			if g < 0 {
				continue
			}
			at := 0
			for _, v := range by {
				at = at*len(v.values) + v.index(row)
			}
			if f.dense[at] == 0 {
				f.dense[at] = f.number(by, numbers, row, interval) + 1
			}
			f.groups[row] = f.dense[at] - 1
		}
		return nil
	}
	clear(f.seen)
	for row, g := range f.groups {
		if g < 0 {
			continue
		}
		f.key = f.key[:0]
		for _, v := range by {
			f.key = binary.LittleEndian.AppendUint16(f.key, uint16(v.index(row)))
		}
		n, ok := f.seen[string(f.key)]
		if !ok {
			n = f.number(by, numbers, row, interval)
			f.seen[string(f.key)] = n
		}
		f.groups[row] = n
	}
	return nil
}

// number makes a group of a row's, and gives it the next number of the block.
func (f *fold) number(by []*vector, numbers [][]uint32, row, interval int) int32 {
	f.rows = append(f.rows, f.find(by, numbers, row, interval))
	return int32(len(f.rows) - 1)
}

// find is the tally's row of the group that a row is in. Those of a few fields are
// remembered by the numbers of their values.
func (f *fold) find(by []*vector, numbers [][]uint32, row, interval int) *Row {
	var k known4
	for i, list := range numbers {
		k.numbers[i] = list[by[i].index(row)]
	}
	k.interval = interval
	if r := f.found[k]; r != nil && numbers != nil {
		return r
	}
	f.values = f.values[:0]
	for _, v := range by {
		f.values = append(f.values, v.at(row))
	}
	r := f.t.row(f.values, interval)
	if numbers != nil && len(f.found) < foundMost {
		f.found[k] = r
	}
	return r
}

// known4 is a group of up to four fields.
type known4 struct {
	numbers  [4]uint32
	interval int
}

// foundMost bounds the groups that are remembered: 6 MB.
const foundMost = 1 << 17

// intern numbers the values of a block's vectors as those of all blocks before; nil where
// there are too many fields.
func (f *fold) intern(by []*vector) [][]uint32 {
	if len(by) > len(known4{}.numbers) {
		return nil
	}
	if f.interned == nil {
		f.interned = make([]map[string]uint32, len(by))
		for i := range f.interned {
			f.interned[i] = map[string]uint32{}
		}
		f.found = map[known4]*Row{}
	}
	numbers := make([][]uint32, len(by))
	for i, v := range by {
		of := f.interned[i]
		numbers[i] = make([]uint32, len(v.values))
		for k, value := range v.values {
			n, ok := of[value]
			if !ok {
				n = uint32(len(of))
				of[value] = n
			}
			numbers[i][k] = n
		}
	}
	return numbers
}

// maxDense bounds a table of all combinations of a block's values: 512 KiB.
const maxDense = 1 << 17

func combinations(by []*vector) int {
	n := 1
	for _, v := range by {
		if n *= len(v.values); n > maxDense {
			return maxDense + 1
		}
	}
	return n
}

// measure adds one number of all rows.
func (f *fold) measure(w *view, m *blockMeasure) error {
	if f.rows[0].number(m.number) == nil {
		return nil // of a newer program, which this one has no place for
	}
	if m.number == measureBound {
		return m.each(w.rows, func(row int, v int64) {
			if g := f.groups[row]; g >= 0 {
				f.rows[g].SemanticBound = max(f.rows[g].SemanticBound, v)
			}
		})
	}
	if cap(f.sums) < len(f.rows) {
		f.sums = make([]int64, blockRows)
	}
	f.sums = f.sums[:len(f.rows)]
	clear(f.sums)
	if err := m.add(w.rows, f.groups, f.sums); err != nil {
		return err
	}
	for g, n := range f.sums {
		if n == 0 {
			continue
		}
		r := f.rows[g]
		*r.number(m.number) += n
		if m.number == measureCost {
			// These are stored as differences from it.
			r.List += ledger.Amount(n)
			r.Priced += ledger.Amount(n)
			r.Baseline += ledger.Amount(n)
		}
	}
	return nil
}

// spans adds one histogram of all rows. It is [eachSpan] with the inner loop written out:
// half of a query's time goes here.
func (f *fold) spans(b []byte, of func(*Row) *histogram) error {
	if len(b) == 0 {
		return nil
	}
	next := 0
	for _, g := range f.groups {
		var n uint64
		if n, next = uvarint(b, next); n > numBuckets {
			return errBlock
		}
		h := &f.left
		if g >= 0 {
			h = of(f.rows[g])
		}
		at := -1
		for range n {
			var gap, count uint64
			if next+1 < len(b) && b[next]|b[next+1] < 0x80 {
				gap, count = uint64(b[next]), uint64(b[next+1])
				next += 2
			} else {
				gap, next = uvarint(b, next)
				count, next = uvarint(b, next)
			}
			if gap == 0 || gap >= uint64(numBuckets-at) || count == 0 || count > math.MaxInt64 {
				return errBlock
			}
			at += int(gap)
			h.count(at, int64(count))
		}
	}
	if next != len(b) {
		return errBlock
	}
	return nil
}
