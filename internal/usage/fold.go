package usage

import (
	"encoding/binary"
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
	if err := f.spans(w, 0, func(r *Row) *histogram { return &r.total }); err != nil {
		return err
	}
	return f.spans(w, 1, func(r *Row) *histogram { return &r.firstByte })
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
	values := make([]string, len(by))
	number := func(row int) int32 {
		for i, v := range by {
			values[i] = v.at(row)
		}
		f.rows = append(f.rows, f.t.row(values, interval))
		return int32(len(f.rows) - 1)
	}
	if cells := combinations(by); cells <= maxDense {
		dense := make([]int32, cells) // 0: not seen
		for row, g := range f.groups {
			if g < 0 {
				continue
			}
			at := 0
			for _, v := range by {
				at = at*len(v.values) + v.index(row)
			}
			if dense[at] == 0 {
				dense[at] = number(row) + 1
			}
			f.groups[row] = dense[at] - 1
		}
		return nil
	}
	seen := map[string]int32{}
	var key []byte
	for row, g := range f.groups {
		if g < 0 {
			continue
		}
		key = key[:0]
		for _, v := range by {
			key = binary.LittleEndian.AppendUint16(key, uint16(v.index(row)))
		}
		n, ok := seen[string(key)]
		if !ok {
			n = number(row)
			seen[string(key)] = n
		}
		f.groups[row] = n
	}
	return nil
}

// maxDense bounds a table of all combinations of a block's values: 256 KiB.
const maxDense = 1 << 16

func combinations(by []*vector) int {
	n := 1
	for _, v := range by {
		if n *= len(v.values); n > maxDense {
			return n
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

// spans adds one histogram of all rows.
func (f *fold) spans(w *view, which int, of func(*Row) *histogram) error {
	last, h := -1, (*histogram)(nil) // of the row looked at last
	return eachSpan(w.block.spans[which], w.rows, func(row, bucket int, n int64) {
		if row != last {
			if last, h = row, nil; f.groups[row] >= 0 {
				h = of(f.rows[f.groups[row]])
			}
		}
		if h != nil {
			h.count(bucket, n)
		}
	})
}
