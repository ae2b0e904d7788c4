package usage

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Reader answers what was used, from the records of one shelf and what was made of them.
// [Journal.Shelf] makes one.
type Reader struct {
	shelf Shelf
	store *store.Store
	db    *pebble.DB
}

// Shelf reads one shelf. It can be used as long as the store.
func (j *Journal) Shelf(s Shelf) *Reader { return &Reader{shelf: s, store: j.store, db: j.db} }

// Shelves lists the nodes of which there are copies.
func (j *Journal) Shelves() (list []Shelf, err error) {
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixCopy}, UpperBound: []byte{store.PrefixCopy + 1}})
	if err != nil {
		return nil, fmt.Errorf("list the copies of records: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; {
		key := it.Key()
		if len(key) < 2 || len(key) < 2+int(key[1]) {
			return nil, fmt.Errorf("the copy under %x is of no node: %w", key, store.ErrCorrupt)
		}
		s := Shelf(key[2 : 2+int(key[1])])
		list = append(list, s)
		// No id begins with 0x80 or more: an instant is not negative.
		ok = it.SeekGE(append(s.recordPrefix(), 0x80))
	}
	return list, it.Error()
}

// Records visits the records that q selects. The record is valid until the next
// one; an error ends the sequence.
func (r *Reader) Records(ctx context.Context, q Query) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		it, err := r.db.NewIter(r.shelf.recordBounds(q.Range))
		if err != nil {
			yield(nil, fmt.Errorf("read usage records: %w", err))
			return
		}
		more := true
		err = visit(ctx, it, q, func(rec *record.Record) bool {
			more = yield(rec, nil)
			return more
		})
		if err = errors.Join(err, it.Close()); err != nil && more {
			yield(nil, err)
		}
	}
}

// Get returns the records of one request, in the order of its attempts; none if
// the id is not known.
func (r *Reader) Get(ctx context.Context, id string) ([]record.Record, error) {
	parsed, ok := record.ParseID(id)
	if !ok {
		return nil, nil
	}
	lower, upper := r.shelf.recordKey(parsed, 0), append(r.shelf.recordKey(parsed, maxAttempt), 0)
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("read usage record %s: %w", id, err)
	}
	var out []record.Record
	err = visit(ctx, it, Query{}, func(rec *record.Record) bool {
		c := *rec
		c.Dims.Tags, c.Savings, c.Charges = slices.Clone(rec.Dims.Tags), slices.Clone(rec.Savings), slices.Clone(rec.Charges)
		c.Rulings, c.Route.Considered = slices.Clone(rec.Rulings), slices.Clone(rec.Route.Considered)
		out = append(out, c)
		return true
	})
	return out, errors.Join(err, it.Close())
}

// Totals adds up the records that q selects.
func (r *Reader) Totals(ctx context.Context, q TotalsQuery) (*Report, error) {
	part, err := r.Part(ctx, q)
	if err != nil {
		return nil, err
	}
	return Merge(q, part)
}

// Kept is the instant before which records were dropped. Copies from before it must not be
// put on the shelf again.
func (r *Reader) Kept() (ledger.Instant, error) {
	p, err := progressOf(r.db, r.shelf)
	return p.kept[records], err
}
