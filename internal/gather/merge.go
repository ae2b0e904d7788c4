package gather

import (
	"container/heap"
	"iter"

	"purser/internal/record"
)

// Sequence is records in one order, each valid until the next; an error ends them.
type Sequence = iter.Seq2[*record.Record, error]

// Merge puts sequences, each in the order of its records' ids, into one: the oldest first, or
// the newest. It ends with the first error of any. limit bounds the records; 0 is no bound.
func Merge(newest bool, limit int, sources ...Sequence) Sequence {
	if len(sources) == 1 {
		return sources[0] // which has its own limit
	}
	return func(yield func(*record.Record, error) bool) {
		h := heads{newest: newest}
		defer func() {
			for _, e := range h.list {
				e.stop()
			}
		}()
		for i, s := range sources {
			e := &head{order: i}
			e.next, e.stop = iter.Pull2(s)
			h.list = append(h.list, e)
		}
		open := h.list[:0:0]
		for _, e := range h.list {
			ok, err := e.advance()
			if err != nil {
				yield(nil, err)
				return
			}
			if ok {
				open = append(open, e)
			} else {
				e.stop()
			}
		}
		h.list = open
		heap.Init(&h)
		for n := 1; len(h.list) > 0; n++ {
			first := h.list[0]
			if !yield(first.record, nil) || n == limit {
				return
			}
			ok, err := first.advance()
			switch {
			case err != nil:
				yield(nil, err)
				return
			case ok:
				heap.Fix(&h, 0)
			default:
				first.stop()
				heap.Pop(&h)
			}
		}
	}
}

// head is the next record of a source.
type head struct {
	next   func() (*record.Record, error, bool)
	stop   func()
	record *record.Record
	order  int // of the source, where ids are the same
}

func (e *head) advance() (ok bool, err error) {
	e.record, err, ok = e.next()
	return ok && err == nil, err
}

// heads is a heap of them.
type heads struct {
	list   []*head
	newest bool
}

// Len implements heap.Interface.
func (h *heads) Len() int { return len(h.list) }

// Less implements heap.Interface. The text of an id orders as the id does.
func (h *heads) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	switch {
	case a.record.ID != b.record.ID:
		return (a.record.ID < b.record.ID) != h.newest
	case a.record.Attempt != b.record.Attempt:
		return (a.record.Attempt < b.record.Attempt) != h.newest
	default:
		return a.order < b.order
	}
}

// Swap implements heap.Interface.
func (h *heads) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push implements heap.Interface.
func (h *heads) Push(x any) { h.list = append(h.list, x.(*head)) }

// Pop implements heap.Interface.
func (h *heads) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}
