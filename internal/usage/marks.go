package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// A mark says that a bucket, and so those of greater length around it, may lack records
// that are there. It is written in one batch with what it is about. Each has a number, so
// that whoever makes the bucket again deletes those that were there when it looked, and
// none of later records.

// mark is one.
type mark struct {
	level  level
	start  ledger.Instant
	number uint64
}

// eachMark visits the marks of a level in a range of starts, in their order.
func eachMark(db pebble.Reader, s Shelf, l level, in Range, visit func(mark) error) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: s.markKey(l, in.From, 0), UpperBound: s.markKey(l, max(in.From, in.To), 0)})
	if err != nil {
		return fmt.Errorf("read the marks of rollups: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	head := len(s.rollupPrefix()) + 2
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		if len(key) != head+16 {
			return fmt.Errorf("the mark under %x is of no bucket: %w", key, store.ErrCorrupt)
		}
		m := mark{l, ledger.Instant(binary.BigEndian.Uint64(key[head:])), binary.BigEndian.Uint64(key[head+8:])}
		if err := visit(m); err != nil {
			return err
		}
	}
	return it.Error()
}

// marked are the buckets that have marks, by level, each once and in order.
type marked [numLevels][]ledger.Instant

func marksOf(db pebble.Reader, s Shelf) (m marked, err error) {
	for l := minutes; l <= days; l++ {
		err := eachMark(db, s, l, Always, func(k mark) error {
			if n := len(m[l]); n == 0 || m[l][n-1] != k.start {
				m[l] = append(m[l], k.start)
			}
			return nil
		})
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// in says whether a bucket, or any within it, has a mark.
func (m *marked) in(l level, start ledger.Instant) bool {
	end := start + l.length()
	for k := minutes; k <= l; k++ {
		if i, _ := slices.BinarySearch(m[k], start); i < len(m[k]) && m[k][i] < end {
			return true
		}
	}
	return false
}

// starts are the buckets of a level in a range of them that have a mark, or in which any
// has, each once and in order.
func (m *marked) starts(l level, in Range) (list []ledger.Instant) {
	for k := minutes; k <= l; k++ {
		i, _ := slices.BinarySearch(m[k], in.From)
		for ; i < len(m[k]) && m[k][i] < in.To; i++ {
			list = append(list, l.down(m[k][i]))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// first is the start of the earliest bucket that has a mark; the last instant if none has.
func (m *marked) first() ledger.Instant {
	first := ledger.MaxInstant
	for _, list := range m {
		if len(list) > 0 {
			first = min(first, list[0])
		}
	}
	return first
}
