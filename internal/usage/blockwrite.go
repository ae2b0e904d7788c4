package usage

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// blocks encodes a finished bucket; none where it has no rows. Equal buckets have equal
// blocks.
func (b *bucket) blocks() [][]byte {
	rows := b.sorted()
	var out [][]byte
	for len(rows) > 0 {
		n := min(len(rows), b.block)
		out = append(out, b.encode(rows[:n], len(out) == 0))
		rows = rows[n:]
	}
	return out
}

// numbered is a row with the numbers of its values.
type numbered struct {
	numbers []uint32
	row     *Row
}

// sorted are the rows by the columns with the most values first: a question that has many
// groups finds those of one near each other.
func (b *bucket) sorted() []numbered {
	rows := make([]numbered, 0, len(b.rows))
	for key, r := range b.rows {
		rows = append(rows, numbered{slices.Clone(b.numbersOf(key)), r})
	}
	var order []int
	for i := range b.fields {
		if len(b.dicts[i].values) > 1 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(len(b.dicts[y].values), len(b.dicts[x].values)) })
	slices.SortFunc(rows, func(x, y numbered) int {
		for _, i := range order {
			if c := cmp.Compare(x.numbers[i], y.numbers[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

func appendText[T string | []byte](b []byte, t T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(t))), t...)
}

func (b *bucket) encode(rows []numbered, first bool) []byte {
	flags, entries := byte(0), int64(0)
	if b.moreTags {
		flags |= flagMoreTags
	}
	if first {
		flags, entries = flags|flagFirst, b.entries
	}
	out := []byte{blockVersion, flags}
	out = binary.AppendUvarint(out, uint64(len(rows)))
	out = binary.AppendUvarint(out, uint64(entries))
	var columns []byte
	n := 0
	for i := range b.fields {
		if b.lost(b.fields[i]) {
			continue
		}
		before := len(columns)
		if columns = b.appendColumn(columns, i, rows, first); len(columns) > before {
			n++
		}
	}
	out = append(binary.AppendUvarint(out, uint64(n)), columns...)
	out = appendMeasures(out, rows)
	out = appendText(out, appendSpans(nil, rows, func(r *Row) *histogram { return &r.total }))
	return appendText(out, appendSpans(nil, rows, func(r *Row) *histogram { return &r.firstByte }))
}

// appendColumn adds a column, unless no row has a value in it, and nothing else is to be
// said of it. The first block has all values of a column of which some were given up.
func (b *bucket) appendColumn(out []byte, column int, rows []numbered, first bool) []byte {
	index := map[uint32]uint16{}
	var values []string
	indexes := make([]uint16, len(rows))
	for i := range rows {
		n := rows[i].numbers[column]
		at, ok := index[n]
		if !ok {
			at = uint16(len(values))
			index[n] = at
			values = append(values, b.dicts[column].values[n])
		}
		indexes[i] = at
	}
	f := b.fields[column]
	if len(values) == 1 && values[0] == "" && !b.given[column] && !(b.moreTags && f.isTag()) {
		return out
	}
	if first && b.given[column] {
		for n, v := range b.dicts[column].values {
			if _, ok := index[uint32(n)]; !ok {
				values = append(values, v)
			}
		}
	}
	out = appendText(out, f.String())
	given := byte(0)
	if b.given[column] {
		given = 1
	}
	out = append(out, given)
	out = binary.AppendUvarint(out, uint64(len(values)))
	var texts []byte
	for _, v := range values {
		texts = appendText(texts, v)
	}
	out = appendText(out, texts)
	if len(values) == 1 {
		return out
	}
	kind, data := byte(indexBytes), make([]byte, 0, 2*len(rows))
	if len(values) > 1<<8 {
		kind = indexWords
	}
	for _, v := range indexes {
		if data = append(data, byte(v)); kind == indexWords {
			data = append(data, byte(v>>8))
		}
	}
	var runs []byte
	for i := 0; i < len(indexes); {
		end := i
		for end < len(indexes) && indexes[end] == indexes[i] {
			end++
		}
		runs = binary.AppendUvarint(binary.AppendUvarint(runs, uint64(indexes[i])), uint64(end-i))
		i = end
	}
	if len(runs) < len(data) {
		kind, data = indexRuns, runs
	}
	return appendText(append(out, kind), data)
}

func appendMeasures(out []byte, rows []numbered) []byte {
	var measures []byte
	n := 0
	for number := range numMeasures {
		if rows[0].row.number(number) == nil {
			continue
		}
		var all, some []byte
		last := -1
		for i := range rows {
			v := *rows[i].row.number(number)
			if isFromCost(number) {
				v -= int64(rows[i].row.Cost)
			}
			all = binary.AppendVarint(all, v)
			if v != 0 {
				some = binary.AppendVarint(binary.AppendUvarint(some, uint64(i-last)), v)
				last = i
			}
		}
		if last < 0 {
			continue
		}
		n++
		measures = binary.AppendUvarint(measures, uint64(number))
		if len(some) < len(all) {
			measures = appendText(append(measures, measureSome), some)
		} else {
			measures = appendText(append(measures, measureAll), all)
		}
	}
	return append(binary.AppendUvarint(out, uint64(n)), measures...)
}

// appendSpans adds the histograms of the rows, nothing where all are empty.
func appendSpans(out []byte, rows []numbered, of func(*Row) *histogram) []byte {
	any := false
	for i := range rows {
		h := of(rows[i].row)
		any = any || h.n > 0
		n := 0
		for _, c := range h.buckets {
			if c > 0 {
				n++
			}
		}
		out = binary.AppendUvarint(out, uint64(n))
		last := -1
		for k, c := range h.buckets {
			if c > 0 {
				out = binary.AppendUvarint(out, uint64(h.first+k-last))
				out = binary.AppendUvarint(out, uint64(c))
				last = h.first + k
			}
		}
	}
	if !any {
		return nil
	}
	return out
}
