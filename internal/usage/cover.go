package usage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// doubtMost bounds the records that are read one by one because a rollup has given
	// up groups that a query asks for, a few seconds' worth; beyond, they are in "other".
	doubtMost = 1_000_000
	// readMost bounds the records that are read one by one because nothing else can
	// answer: half a minute's.
	readMost = 5_000_000
)

// cover answers a query from the longest buckets that lie within its range and intervals
// and tell apart what it asks for, and from records where there are none.
type cover struct {
	ctx   context.Context
	db    pebble.Reader // one moment of the store
	shelf Shelf
	q     *TotalsQuery
	tally *tally // of records; that of blocks is added to it in the end
	folds *folding

	progress progress
	marked   marked
	coarsest level
	pending  Range // of records that are to be read; adjacent ones are read in one go
	read     int64 // records known to be read one by one for want of buckets that tell
	given    map[Field]bool
}

// Part adds up the records that q selects, without leaving out rows for q.Limit: parts of
// several shelves and nodes are put together by [Merge]. An error is a [QueryError] where
// the query cannot be answered of what is kept.
func (r *Reader) Part(ctx context.Context, q TotalsQuery) (rep *Report, err error) {
	t, err := newTally(&q)
	if err != nil {
		return nil, err
	}
	moment := r.db.NewSnapshot()
	defer func() { err = errors.Join(err, moment.Close()) }()
	c := &cover{ctx: ctx, db: moment, shelf: r.shelf, q: &q, tally: t, coarsest: days, given: map[Field]bool{}}
	if c.progress, err = progressOf(moment, r.shelf); err != nil {
		return nil, err
	}
	if c.marked, err = marksOf(moment, r.shelf); err != nil {
		return nil, err
	}
	for _, f := range q.By {
		c.coarsest = min(c.coarsest, f.coarsest())
	}
	for _, w := range q.Where {
		c.coarsest = min(c.coarsest, w.Field.coarsest())
	}
	in := Range{From: max(q.Range.From, 0), To: q.Range.To}
	if q.Worth != nil { // reports are of single requests, and come later
		c.coarsest = records
	}
	if err := c.answer(in); err != nil {
		return nil, err
	}
	rep = t.part()
	rep.Given, rep.made = c.given, t
	return rep, nil
}

// answer adds up the whole range.
func (c *cover) answer(in Range) error {
	blocks, err := newTally(c.q)
	if err != nil {
		return err
	}
	if c.folds, err = beginFolding(c.q, blocks); err != nil {
		return err
	}
	err = c.cover(c.coarsest, in)
	if err == nil {
		err = c.flush()
	}
	if err = errors.Join(err, c.folds.end()); err != nil {
		return err
	}
	c.tally.add(blocks)
	return nil
}

// cover answers a range from buckets of a level, and its ends from finer ones.
func (c *cover) cover(l level, in Range) error {
	if in.From >= in.To {
		return nil
	}
	if l == records {
		return c.records(in)
	}
	first, last := l.up(in.From), l.down(in.To)
	if first >= last { // no whole bucket lies within
		return c.finer(l, in)
	}
	if err := c.finer(l, Range{in.From, first}); err != nil {
		return err
	}
	if err := c.buckets(l, Range{first, last}); err != nil {
		return err
	}
	return c.finer(l, Range{last, in.To})
}

func (c *cover) finer(l level, in Range) error {
	if in.From >= in.To {
		return nil
	}
	return c.cover(l-1, in)
}

// buckets answers a range of whole buckets, one after the other.
func (c *cover) buckets(l level, in Range) (err error) {
	// What is after the last that was made, or before those that are kept, has none.
	from, to := min(max(in.From, c.progress.kept[l]), in.To), max(min(in.To, l.down(c.progress.rolled[l])), in.From)
	if from >= to {
		return c.finer(l, in)
	}
	if err := c.finer(l, Range{in.From, from}); err != nil {
		return err
	}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: c.shelf.bucketKey(l, from), UpperBound: c.shelf.bucketKey(l, to)})
	if err != nil {
		return fmt.Errorf("read rollups of usage: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	head := len(c.shelf.bucketKey(l, 0))
	done := from // all before it is answered
	ok := it.First()
	for ok {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if len(it.Key()) != head+2 {
			return fmt.Errorf("the rollup under %x: %w", it.Key(), store.ErrCorrupt)
		}
		start := ledger.Instant(binary.BigEndian.Uint64(it.Key()[head-8:]))
		if err := c.empty(l, Range{done, start}); err != nil {
			return err
		}
		done = start + l.length()
		if ok, err = c.bucket(l, start, it); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("read rollups of usage: %w", err)
	}
	if err := c.empty(l, Range{done, to}); err != nil {
		return err
	}
	return c.finer(l, Range{to, in.To})
}

// empty answers a range that has no buckets: there was nothing in it when they were made.
func (c *cover) empty(l level, in Range) error {
	for _, start := range c.marked.starts(l, in) {
		at := Range{start, start + l.length()}
		answer := c.finer
		if start < c.progress.kept[records] {
			answer = func(_ level, in Range) error { return c.late(in) }
		}
		if err := answer(l, at); err != nil {
			return err
		}
	}
	return nil
}

// bucket answers what is in a bucket, of which the iterator is at the first block. It
// leaves it behind the last, and says whether there is anything.
func (c *cover) bucket(l level, start ledger.Instant, it *pebble.Iterator) (more bool, err error) {
	in := Range{start, start + l.length()}
	skip := func(answer error) (bool, error) {
		return it.SeekGE(c.shelf.bucketKey(l, in.To)), answer
	}
	gone := start < c.progress.kept[records]
	if !gone && c.marked.in(l, start) || c.tally.interval(in.From) != c.tally.interval(in.To-1) {
		return skip(c.finer(l, in))
	}
	for first := true; ; first = false {
		v, err := it.ValueAndErr()
		if err != nil {
			return false, fmt.Errorf("read rollups of usage: %w", err)
		}
		k, err := openBlock(own(v))
		if err != nil {
			return false, fmt.Errorf("read the usage of the %s at %s: %w", l, timeOf(start), err)
		}
		w := newView(k, start, c.q.Mapping)
		if first {
			switch how, err := c.doubt(l, in, w); {
			case err != nil:
				return skip(err)
			case how == askFiner:
				return skip(c.finer(l, in))
			case how == askRecords:
				return skip(c.records(in))
			}
		}
		c.folds.add(w, l, c.tally.interval(start))
		if more = it.Next(); !more || len(it.Key()) < 10 || bucketStart(it.Key()) != start {
			break
		}
	}
	if gone { // records that are there all the same are not in it yet
		return more, c.late(in)
	}
	return more, nil
}

// bucketStart is that of a block's key.
func bucketStart(key []byte) ledger.Instant {
	return ledger.Instant(binary.BigEndian.Uint64(key[len(key)-10:]))
}

// ask is where the answer to what a bucket is asked is taken from.
type ask uint8

const (
	askBucket ask = iota
	askFiner
	askRecords
)

// doubt decides that where the bucket may not tell what the query asks for.
func (c *cover) doubt(l level, in Range, w *view) (ask, error) {
	filter, group, err := w.doubt(c.q)
	if err != nil || filter == nil && group == nil {
		return askBucket, err
	}
	to, cost := askFiner, w.entries/32 // as many are in a row, or nearly
	field := filter
	if field == nil {
		field = group
	}
	if l == minutes || field.unbounded() {
		to, cost = askRecords, w.entries
	}
	kept := in.From >= c.progress.kept[records] || to == askFiner && c.kept(l-1, in.From)
	if filter == nil {
		if !kept || c.read+cost > doubtMost {
			c.given[*group] = true
			return askBucket, nil
		}
		c.read += cost
		return to, nil
	}
	if !kept {
		return 0, QueryError(fmt.Sprintf("usage of the %s at %s is kept without the rarer values of %s: it cannot be filtered by them", l, timeOf(in.From), filter))
	}
	if c.read += cost; c.read > readMost {
		return 0, QueryError(fmt.Sprintf("a filter by these values of %s has to look at more than %d records one by one: shorten the range", filter, readMost))
	}
	return to, nil
}

// kept says whether there is something of a time at a level or one below it.
func (c *cover) kept(l level, at ledger.Instant) bool {
	for ; ; l-- {
		if at >= c.progress.kept[l] {
			return true
		}
		if l == records {
			return false
		}
	}
}

// records answers a range from records. What was dropped is not there.
func (c *cover) records(in Range) error {
	if kept := c.progress.kept[records]; in.From < kept {
		before := Range{in.From, min(in.To, kept)}
		if err := c.dropped(before); err != nil {
			return err
		}
		in.From = before.To
	}
	return c.late(in)
}

// dropped is asked of a range of which the records were dropped. It is an error if longer
// buckets have something there.
func (c *cover) dropped(in Range) error {
	for l := minutes; l <= days; l++ {
		if in.To <= c.progress.kept[l] {
			continue
		}
		at := max(in.From, c.progress.kept[l])
		if l > c.coarsest || c.coarsest == records {
			return QueryError(fmt.Sprintf("requests before %s are kept by the %s alone: that cannot be asked of them", timeOf(c.progress.kept[records]), l))
		}
		return QueryError(fmt.Sprintf("usage of %s is kept by the %s (UTC) alone: begin and end the range, and its intervals, with whole ones", timeOf(at), l))
	}
	return nil
}

// late reads whatever records are in a range, now or with the next that joins it.
func (c *cover) late(in Range) error {
	if in.From == c.pending.To && c.pending.From < c.pending.To {
		c.pending.To = in.To
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.pending = in
	return nil
}

func (c *cover) flush() error {
	in := c.pending
	c.pending = Range{}
	if in.From >= in.To {
		return nil
	}
	return c.tally.records(c.ctx, c.db, c.shelf, c.q, in)
}

// timeOf is an instant in a message.
func timeOf(at ledger.Instant) string {
	return time.Unix(0, int64(at)).UTC().Format("2006-01-02T15:04Z")
}
