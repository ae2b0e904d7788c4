package usage

// shrink gives values up until there are no more rows than there may be.
func (b *bucket) shrink() {
	for len(b.rows) > b.most {
		columns := b.cheapest()
		switch {
		case columns == nil && !b.giveUpNone():
			return // one row is left
		case len(columns) == 1:
			b.thin(columns[0])
		default:
			for _, i := range columns {
				b.giveUp(i, func(uint32) bool { return false })
			}
		}
	}
}

// hashed are the rows as sums of a hash for each column, so that one without a column is
// had by a subtraction.
type hashed struct {
	width   int
	numbers []uint32 // of all rows, one after the other
	sums    []uint64
	weights [][]int64 // by column and number: what is behind a value
}

func (b *bucket) hashed() *hashed {
	h := &hashed{width: len(b.fields), weights: make([][]int64, len(b.fields))}
	for i := range h.weights {
		h.weights[i] = make([]int64, len(b.dicts[i].values))
	}
	for key, r := range b.rows {
		sum := uint64(0)
		for i, n := range b.numbersOf(key) {
			// Of what cost nothing, the more frequent stays.
			h.weights[i][n] += max(int64(r.Cost), 0) + r.Records + 1
			h.numbers = append(h.numbers, n)
			sum += mixed(i, n)
		}
		h.sums = append(h.sums, sum)
	}
	return h
}

// without is how many rows there are without some columns, but for the values of the first
// that are to be kept.
func (h *hashed) without(columns []int, keep map[uint32]bool) int {
	left := make(map[uint64]struct{}, len(h.sums))
	for row, sum := range h.sums {
		for _, i := range columns {
			if n := h.numbers[row*h.width+i]; !keep[n] {
				sum -= mixed(i, n)
			}
		}
		left[sum] = struct{}{}
	}
	return len(left)
}

// named is how many values a column has beside "other" and none, which stay; of these it
// forgets the weights.
func (b *bucket) named(h *hashed, column int) (n int) {
	for v, w := range h.weights[column] {
		if w > 0 && v != 0 && b.dicts[column].values[v] != otherValue {
			n++
		} else {
			h.weights[column][v] = 0
		}
	}
	return n
}

// cheapest are the columns to give values up in: those without which the most rows become
// one, weighed by [Field.cheap]. Where columns follow from each other none does alone, and
// the one with the most values is it. Nil when no column has a value that has a name.
func (b *bucket) cheapest() (columns []int) {
	h := b.hashed()
	best := 0
	for _, set := range b.sets() {
		names := 0
		for _, i := range set {
			names += b.named(h, i)
		}
		if names == 0 {
			continue
		}
		saved := len(h.sums) - h.without(set, nil)
		if score := (saved*64 + names) * b.fields[set[0]].cheap(); score > best {
			best, columns = score, set
		}
	}
	return columns
}

// sets are the columns that are given up together: those of how a call ended, which mostly
// follow from each other, and each of the others alone.
func (b *bucket) sets() (list [][]int) {
	list = append(list, nil)
	for i, f := range b.fields {
		if f.ending() {
			list[0] = append(list[0], i)
		} else {
			list = append(list, []int{i})
		}
	}
	return list
}

// thin gives up the values of a column with the least behind them: as few as will do, or
// all.
func (b *bucket) thin(column int) {
	h := b.hashed()
	low, high := 0, b.named(h, column) // keeping low will do, or is all that is left; high will not
	for low+1 < high {
		middle := (low + high) / 2
		if h.without([]int{column}, top(h.weights[column], middle)) <= b.most {
			low = middle
		} else {
			high = middle
		}
	}
	keep := top(h.weights[column], low)
	b.giveUp(column, func(n uint32) bool { return keep[n] })
}

// giveUpNone makes "other" also of what has no value in a column that has both; false where
// there is none such.
func (b *bucket) giveUpNone() bool {
	h := b.hashed()
	for i := range b.fields {
		both := 0
		for _, w := range h.weights[i] {
			if w > 0 {
				both++
			}
		}
		if both > 1 {
			b.giveUpAll(i)
			return true
		}
	}
	return false
}

// mixed is a hash of a column's value; those of a row are added up.
func mixed(column int, n uint32) uint64 {
	h := uint64(column+1)<<32 | uint64(n)
	h ^= h >> 31
	h *= 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>32
}

// giveUpAll makes "other" of all of a column.
func (b *bucket) giveUpAll(column int) {
	b.dicts[column] = dict{of: map[string]uint32{otherValue: 0}, values: []string{otherValue}, closed: true}
	b.given[column] = true
	b.renumber(func(numbers []uint32) { numbers[column] = 0 })
}

// giveUp makes "other" of a column's values but for those to keep, and for what has none.
func (b *bucket) giveUp(column int, keep func(uint32) bool) {
	old := b.dicts[column]
	if old.values[0] != "" {
		return // all of it was given up
	}
	b.given[column], b.dicts[column].closed = true, true
	goes := func(n int) bool { return n > 0 && old.values[n] != otherValue && !keep(uint32(n)) }
	none := true
	for n := range old.values {
		none = none && !goes(n)
	}
	if none {
		return
	}
	fresh := newDict()
	renumber := make([]uint32, len(old.values))
	for n, v := range old.values {
		switch {
		case n == 0:
		case goes(n):
			renumber[n] = fresh.insert(otherValue)
		default:
			renumber[n] = fresh.insert(v)
		}
	}
	fresh.closed = true
	b.dicts[column] = fresh
	b.renumber(func(numbers []uint32) { numbers[column] = renumber[numbers[column]] })
}

// forget takes a tag's column out.
func (b *bucket) forget(column int) {
	b.moreTags = true
	b.dicts[column] = newDict()
	b.renumber(func(numbers []uint32) { numbers[column] = 0 })
}
