package usage

import (
	"encoding/binary"
	"slices"

	"purser/ledger"
)

// vector is a field's value in each row of a block: values by index, or the first in all
// rows where there are no indexes.
type vector struct {
	values  []string
	indexes []uint16
}

func (v *vector) at(row int) string { return v.values[v.index(row)] }

func (v *vector) index(row int) int {
	if v.indexes == nil {
		return 0
	}
	return int(v.indexes[row])
}

// view is a block as a query sees it.
type view struct {
	*block
	start   ledger.Instant // of its bucket
	mapping *Mapping
	raw     map[Field]*vector
	mapped  map[Field]*vector
}

func newView(k *block, start ledger.Instant, m *Mapping) *view {
	return &view{block: k, start: start, mapping: m, raw: map[Field]*vector{}, mapped: map[Field]*vector{}}
}

// stored is a field as it was recorded.
func (w *view) stored(f Field) (*vector, error) {
	if v := w.raw[f]; v != nil {
		return v, nil
	}
	v := &vector{values: []string{""}}
	if f.ofTime() {
		v.values[0] = f.timeText(w.start)
	} else if c := w.column(f); c != nil {
		indexes, err := c.indexes(w.rows, nil)
		if err != nil {
			return nil, err
		}
		if v.values, err = c.values(); err != nil {
			return nil, err
		}
		v.indexes = indexes
	} else if w.unknownTag(f) {
		v.values[0] = otherValue
	}
	w.raw[f] = v
	return v, nil
}

// unknownTag says whether the field is a tag of which the block has no column, though it
// may have been there.
func (w *view) unknownTag(f Field) bool {
	return w.moreTags && f.isTag() && w.column(f) == nil
}

// vector is a field as the mapping has it.
func (w *view) vector(f Field) (*vector, error) {
	if !w.mapping.sets(f) {
		return w.stored(f)
	}
	if v := w.mapped[f]; v != nil {
		return v, nil
	}
	return w.mappedVector(f)
}

// mappedVector applies the mapping once for each combination that the block has of the
// fields that the rules are about.
func (w *view) mappedVector(f Field) (*vector, error) {
	fields := w.mapping.fields()
	from := make([]*vector, len(fields))
	for i, g := range fields {
		var err error
		if from[i], err = w.stored(g); err != nil {
			return nil, err
		}
	}
	out := &vector{indexes: make([]uint16, w.rows)}
	numbers := dict{of: map[string]uint32{}}
	seen := map[string]uint16{}
	var key []byte
	for row := range w.rows {
		key = key[:0]
		for _, v := range from {
			key = binary.LittleEndian.AppendUint16(key, uint16(v.index(row)))
		}
		n, ok := seen[string(key)]
		if !ok {
			var d ledger.Dimensions
			for i, g := range fields {
				setDim(&d, g.dim, from[i].at(row))
			}
			w.mapping.Apply(&d)
			n = uint16(numbers.insert(d.Get(f.dim)))
			seen[string(key)] = n
		}
		out.indexes[row] = n
	}
	out.values = numbers.values
	w.mapped[f] = out
	return out, nil
}

// doubt is the first of the fields whose value the bucket, of which the block is the first, does not tell apart, though the
// query asks for it; whether a row is selected, or else which group it is in.
func (w *view) doubt(q *TotalsQuery) (filter, group *Field, err error) {
	for i := range q.Where {
		c := &q.Where[i]
		if told, err := w.tells(c.Field, c.Values, w.mapping.sets(c.Field)); !told || err != nil {
			return &c.Field, nil, err
		}
	}
	for i := range q.Within {
		c := &q.Within[i]
		if told, err := w.tells(c.Field, c.Values, false); !told || err != nil {
			return &c.Field, nil, err
		}
	}
	for i := range q.By {
		if told, err := w.tells(q.By[i], nil, w.mapping.sets(q.By[i])); !told || err != nil {
			return nil, &q.By[i], err
		}
	}
	return nil, nil, nil
}

// tells says whether the block has all that is of the values of a field, under their names;
// without values, of any.
func (w *view) tells(f Field, values []string, mapped bool) (bool, error) {
	if mapped {
		return !slices.ContainsFunc(w.mapping.fields(), w.givenUp), nil
	}
	if !w.givenUp(f) {
		return true, nil
	}
	c := w.column(f)
	if c == nil || values == nil {
		return false, nil
	}
	named, err := c.values()
	return err == nil && !slices.ContainsFunc(values, func(v string) bool {
		return v == otherValue || !slices.Contains(named, v)
	}), err
}

// givenUp says whether the block has "other" for some values of a field.
func (w *view) givenUp(f Field) bool {
	c := w.column(f)
	return w.unknownTag(f) || c != nil && c.given
}
