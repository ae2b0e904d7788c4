package outcomes

import (
	"context"
	"errors"
	"fmt"

	"purser/internal/store"
	"purser/ledger"
)

// Reports keeps what was reported in a node's store.
type Reports struct{ shelf shelf }

// OpenReports gives the reports that a node keeps of its own. note, unless it is nil, is
// told of each key that is written.
func OpenReports(s *store.Store, note Note) *Reports {
	return &Reports{shelf{store: s, prefix: []byte{store.PrefixReport}, note: note}}
}

// State is what became of something that was to be kept under an id.
type State uint8

// The states.
const (
	Recorded State = iota + 1 // it is kept
	Known                     // the same was kept before
	Conflict                  // something else is kept under its id, and stays
	Outdated                  // a later revision is kept, and stays
)

var stateNames = [...]string{Recorded: "recorded", Known: "known", Conflict: "conflict", Outdated: "outdated"}

// String is the state's name.
func (s State) String() string { return stateNames[s] }

// Kept is what there is under a report's id.
type Kept struct {
	State   State
	Report  Report // the one that is kept
	Differs string // of a conflict: the first field in which the other says something else
}

// Compared is what a report finds where another of its id is kept.
func Compared(kept, r *Report) Kept {
	if d := kept.Differs(r); d != "" {
		return Kept{Conflict, *kept, d}
	}
	return Kept{State: Known, Report: *kept}
}

// Put keeps reports, each unless there is one of its id: that stays. Of reports of one id
// the first is kept. It returns what there is under each, and has it on disk. The reports
// have passed [Report.Check].
func (s *Reports) Put(list []Report) ([]Kept, error) {
	marks := make([][]byte, len(list))
	for i := range list {
		m := list[i].Mark()
		marks[i] = m[:]
	}
	defer s.shelf.hold(marks)()
	out := make([]Kept, len(list))
	b, written := s.shelf.store.NewBatch(), map[string]int{}
	for i := range list {
		r := &list[i]
		kept, found, err := s.get(marks[i])
		if j, again := written[string(marks[i])]; again {
			kept, found = list[j], true
		}
		if err == nil && found {
			out[i] = Compared(&kept, r)
			continue
		}
		if err == nil {
			err = s.shelf.set(b, r.Until(), marks[i], r.appendValue(nil))
		}
		if err != nil {
			return nil, fmt.Errorf("keep outcomes: %w", errors.Join(err, b.Close()))
		}
		out[i], written[string(marks[i])] = Kept{State: Recorded, Report: *r}, i
	}
	return out, s.shelf.store.Apply(b, store.Synced)
}

// Get gives what is kept under a mark.
func (s *Reports) Get(m Mark) (Report, bool, error) {
	r, found, err := s.get(m[:])
	if err != nil {
		err = fmt.Errorf("read an outcome: %w", err)
	}
	return r, found, err
}

func (s *Reports) get(mark []byte) (r Report, found bool, err error) {
	value, err := s.shelf.get(mark)
	if value == nil || err != nil {
		return r, false, err
	}
	r, err = decodeReport(value)
	return r, err == nil, err
}

// Named gives what is kept under an id, whoever reported it.
func (s *Reports) Named(id string) (list []Report, err error) {
	err = s.shelf.marked(idMark(id), func(mark []byte) error {
		r, found, err := s.get(mark)
		if found && r.ID == id {
			list = append(list, r)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("read outcomes: %w", err)
	}
	return list, err
}

// From visits the reports that can be of requests from an instant on, in the order of
// [Report.Until], until it is told to stop.
func (s *Reports) From(ctx context.Context, from ledger.Instant, each func(r *Report) (bool, error)) error {
	err := s.shelf.from(ctx, from, func(_ ledger.Instant, _, value []byte) (bool, error) {
		r, err := decodeReport(value)
		if err != nil {
			return false, err
		}
		return each(&r)
	})
	if err != nil {
		return fmt.Errorf("read outcomes: %w", err)
	}
	return nil
}

// DropBefore deletes the reports that can be of no request from an instant on.
func (s *Reports) DropBefore(ctx context.Context, at ledger.Instant) error {
	return s.shelf.dropBefore(ctx, at)
}
