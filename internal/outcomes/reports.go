package outcomes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Reports keeps what was reported in a node's store.
type Reports struct {
	store *store.Store
	locks [64]sync.Mutex // by the last byte of a mark, taken in their order
}

// OpenReports gives the reports of a store.
func OpenReports(s *store.Store) *Reports { return &Reports{store: s} }

// State is what became of a report.
type State uint8

// The states.
const (
	Recorded State = iota + 1 // it is kept
	Known                     // the same was reported before
	Conflict                  // something else was reported under its id, and stays
)

// String is the state's name.
func (s State) String() string {
	return [...]string{Recorded: "recorded", Known: "known", Conflict: "conflict"}[s]
}

// Kept is what there is under a report's id.
type Kept struct {
	State   State
	Report  Report // the one that is kept
	Differs string // of a conflict: the first field in which the other says something else
}

// compare is what a report finds where another of its id is kept.
func compare(kept, r *Report) Kept {
	if d := kept.Differs(r); d != "" {
		return Kept{Conflict, *kept, d}
	}
	return Kept{State: Known, Report: *kept}
}

// The rooms under the prefix.
const (
	roomReports byte = 'a'
	roomMarks   byte = 'i'
)

func reportKey(until ledger.Instant, m Mark) []byte {
	k := binary.BigEndian.AppendUint64([]byte{store.PrefixReport, roomReports}, uint64(max(until, 0)))
	return append(k, m[:]...)
}

func markKey(m []byte) []byte { return append([]byte{store.PrefixReport, roomMarks}, m...) }

// Put keeps reports, each unless there is one of its id: that stays. Of reports of one id
// the first is kept. It returns what there is under each, and has it on disk. The reports
// have passed [Report.Check].
func (s *Reports) Put(list []Report) ([]Kept, error) {
	marks := make([]Mark, len(list))
	var locks [64]bool
	for i := range list {
		marks[i] = list[i].Mark()
		locks[int(marks[i][len(marks[i])-1])%len(locks)] = true
	}
	for i := range locks {
		if locks[i] {
			s.locks[i].Lock()
			defer s.locks[i].Unlock()
		}
	}
	out := make([]Kept, len(list))
	b, written := s.store.NewBatch(), map[Mark]int{}
	fail := func(err error) ([]Kept, error) {
		return nil, fmt.Errorf("keep outcomes: %w", errors.Join(err, b.Close()))
	}
	for i := range list {
		r := &list[i]
		kept, found, err := s.get(marks[i])
		if j, again := written[marks[i]]; again {
			kept, found = list[j], true
		}
		switch {
		case err != nil:
			return fail(err)
		case found:
			out[i] = compare(&kept, r)
			continue
		}
		until := r.Until()
		err = errors.Join(b.Set(reportKey(until, marks[i]), r.appendValue(nil), nil), b.Set(markKey(marks[i][:]), binary.BigEndian.AppendUint64(nil, uint64(until)), nil))
		if err != nil {
			return fail(err)
		}
		out[i], written[marks[i]] = Kept{State: Recorded, Report: *r}, i
	}
	return out, s.store.Apply(b, store.Synced)
}

// Get gives what is kept under a mark.
func (s *Reports) Get(m Mark) (Report, bool, error) {
	r, found, err := s.get(m)
	if err != nil {
		err = fmt.Errorf("read an outcome: %w", err)
	}
	return r, found, err
}

func (s *Reports) get(m Mark) (r Report, found bool, err error) {
	at, found, err := s.read(markKey(m[:]))
	if !found || err != nil {
		return r, false, err
	}
	if len(at) != 8 {
		return r, false, ErrMalformed
	}
	value, found, err := s.read(reportKey(ledger.Instant(binary.BigEndian.Uint64(at)), m))
	if !found || err != nil {
		return r, false, err
	}
	r, err = decodeReport(value)
	return r, err == nil, err
}

func (s *Reports) read(key []byte) ([]byte, bool, error) {
	value, closer, err := s.store.DB().Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return slices.Clone(value), true, closer.Close()
}

// Named gives what is kept under an id, whoever reported it.
func (s *Reports) Named(id string) (list []Report, err error) {
	from := markKey(idMark(id))
	it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: append(slices.Clone(from), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)})
	if err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var m Mark
		var r Report
		var found bool
		if copy(m[:], it.Key()[2:]) == len(m) {
			if r, found, err = s.get(m); found && r.ID == id {
				list = append(list, r)
			}
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	return list, nil
}

// From visits the reports that can be of requests from an instant on, in the order of
// [Report.Until], until it is told to stop.
func (s *Reports) From(ctx context.Context, from ledger.Instant, each func(r *Report) (bool, error)) error {
	it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: reportKey(from, Mark{}), UpperBound: []byte{store.PrefixReport, roomReports + 1}})
	if err != nil {
		return fmt.Errorf("read outcomes: %w", err)
	}
	more := true
	for n, ok := 1, it.First(); ok && more && err == nil; n, ok = n+1, it.Next() {
		if n%checkEvery == 0 {
			if err = ctx.Err(); err != nil {
				break
			}
		}
		var value []byte
		var r Report
		if value, err = it.ValueAndErr(); err == nil {
			r, err = decodeReport(value)
		}
		if err == nil {
			more, err = each(&r)
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read outcomes: %w", err)
	}
	return nil
}

// dropAtOnce bounds the batch that deletes what is old.
const dropAtOnce = 4096

// DropBefore deletes the reports that can be of no request from an instant on.
func (s *Reports) DropBefore(ctx context.Context, at ledger.Instant) error {
	for {
		b, n := s.store.NewBatch(), 0
		it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixReport, roomReports}, UpperBound: reportKey(at, Mark{})})
		if err != nil {
			return fmt.Errorf("delete outcomes: %w", errors.Join(err, b.Close()))
		}
		const head = 2 + 8
		for ok := it.First(); ok && err == nil && n < dropAtOnce; ok = it.Next() {
			if err = b.Delete(it.Key(), nil); err == nil && len(it.Key()) > head {
				err = b.Delete(markKey(it.Key()[head:]), nil)
			}
			n++
		}
		if err = errors.Join(err, it.Error(), it.Close(), ctx.Err()); err != nil {
			return fmt.Errorf("delete outcomes: %w", errors.Join(err, b.Close()))
		}
		if err := s.store.Apply(b, store.Buffered); err != nil || n < dropAtOnce {
			return err
		}
	}
}
