package usage

import (
	"context"
	"errors"
	"fmt"

	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// remakeMinutes makes the minutes again that have marks.
func (x *Roller) remakeMinutes(ctx context.Context) error {
	moment := x.r.db.NewSnapshot()
	var list []mark // of one minute
	end := func() error {
		if len(list) == 0 {
			return nil
		}
		err := x.remakeMinute(ctx, moment, list)
		list = list[:0]
		return errors.Join(err, x.rest(ctx))
	}
	err := eachMark(moment, x.r.shelf, minutes, Range{To: x.progress.rolled[minutes]}, func(m mark) error {
		if len(list) > 0 && m.start != list[0].start {
			if err := end(); err != nil {
				return err
			}
		}
		list = append(list, m)
		return nil
	})
	if err == nil {
		err = end()
	}
	return errors.Join(err, moment.Close())
}

func (x *Roller) remakeMinute(ctx context.Context, moment pebble.Reader, marks []mark) error {
	start := marks[0].start
	c := x.change()
	defer c.drop()
	var err error
	switch {
	case start < x.progress.kept[records]:
		err = x.admit(ctx, moment, c, start)
	case start >= x.progress.kept[minutes]:
		var b *bucket
		if b, err = x.ofRecords(ctx, moment, minutes, start); err == nil {
			err = errors.Join(x.put(c, minutes, start, b), x.mark(c, hours, hours.down(start)))
		}
	default: // hours are made of records
		err = x.mark(c, hours, hours.down(start))
	}
	if err = errors.Join(err, x.unmark(c, marks)); err != nil {
		return err
	}
	return x.apply(c)
}

// ofRecords makes a bucket from records.
func (x *Roller) ofRecords(ctx context.Context, db pebble.Reader, l level, start ledger.Instant) (*bucket, error) {
	it, err := db.NewIter(x.r.shelf.recordBounds(Range{start, start + l.length()}))
	if err != nil {
		return nil, fmt.Errorf("roll up the %s at %s: %w", l, timeOf(start), err)
	}
	b := newBucket(l.rowsMost())
	s := scan{into: b.record}
	err = visit(ctx, it, Query{}, s.count)
	s.endRequest()
	return b, errors.Join(err, it.Close())
}

// ofBuckets makes a bucket from those of the level below.
func (x *Roller) ofBuckets(ctx context.Context, l level, start ledger.Instant) (*bucket, error) {
	b := newBucket(l.rowsMost())
	return b, x.gather(ctx, b, l-1, Range{start, start + l.length()})
}

// gather adds the buckets of a level to one.
func (x *Roller) gather(ctx context.Context, b *bucket, l level, in Range) error {
	it, err := x.r.db.NewIter(&pebble.IterOptions{LowerBound: x.r.shelf.bucketKey(l, in.From), UpperBound: x.r.shelf.bucketKey(l, in.To)})
	if err != nil {
		return fmt.Errorf("read rollups of usage: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		var k *block
		if v, err = it.ValueAndErr(); err == nil {
			if k, err = openBlock(v); err == nil {
				err = b.merge(k)
			}
		}
		if err != nil {
			err = fmt.Errorf("read the usage of the %s at %s: %w", l, timeOf(bucketStart(it.Key())), err)
		}
		err = errors.Join(err, ctx.Err())
	}
	return errors.Join(err, it.Error(), it.Close())
}

// admit adds records to all buckets around a minute whose other records were dropped, and
// deletes them: they are in the buckets for good then.
func (x *Roller) admit(ctx context.Context, moment pebble.Reader, c *change, start ledger.Instant) error {
	in := Range{start, start + ledger.Minute}
	for l := minutes; l <= days; l++ {
		if start < x.progress.kept[l] || start >= x.progress.rolled[l] {
			continue
		}
		b := newBucket(l.rowsMost())
		at := l.down(start)
		if err := x.gather(ctx, b, l, Range{at, at + l.length()}); err != nil {
			return err
		}
		s := scan{into: b.record}
		it, err := moment.NewIter(x.r.shelf.recordBounds(in))
		if err == nil {
			err = visit(ctx, it, Query{}, s.count)
			s.endRequest()
			err = errors.Join(err, it.Close())
		}
		if err != nil {
			return fmt.Errorf("add late records to the %s at %s: %w", l, timeOf(at), err)
		}
		if err := x.put(c, l, at, b); err != nil {
			return err
		}
	}
	it, err := moment.NewIter(x.r.shelf.recordBounds(in))
	if err != nil {
		return fmt.Errorf("delete late records: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		err = errors.Join(err, c.batch.Delete(it.Key(), nil))
	}
	return errors.Join(err, it.Error(), it.Close())
}

// forward makes the hours or days that have ended and of which everything finer is there.
func (x *Roller) forward(ctx context.Context, l level) error {
	end := l.down(x.progress.rolled[l-1])
	for x.progress.rolled[l] < end {
		start, err := x.next(l-1, x.progress.rolled[l])
		if err != nil {
			return err
		}
		c := x.change()
		c.progress.rolled[l] = end
		if start = l.down(start); start < end {
			b, err := x.ofBuckets(ctx, l, start)
			if err == nil {
				err = x.put(c, l, start, b)
			}
			if err != nil {
				c.drop()
				return err
			}
			c.progress.rolled[l] = start + l.length()
		}
		if err := errors.Join(x.apply(c), x.rest(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// next is the start of the first bucket of a level from an instant on; the last instant
// where there is none.
func (x *Roller) next(l level, from ledger.Instant) (ledger.Instant, error) {
	it, err := x.r.db.NewIter(&pebble.IterOptions{LowerBound: x.r.shelf.bucketKey(l, from), UpperBound: x.r.shelf.bucketKey(l, ledger.MaxInstant)})
	if err != nil {
		return 0, fmt.Errorf("read rollups of usage: %w", err)
	}
	start := ledger.MaxInstant
	if it.First() {
		start = bucketStart(it.Key())
	}
	return start, errors.Join(it.Error(), it.Close())
}

// remake makes the hours or days again that have marks.
func (x *Roller) remake(ctx context.Context, l level) error {
	var list []mark
	err := eachMark(x.r.db, x.r.shelf, l, Range{To: x.progress.rolled[l]}, func(m mark) error {
		list = append(list, m)
		return nil
	})
	for err == nil && len(list) > 0 {
		n := 1
		for n < len(list) && list[n].start == list[0].start {
			n++
		}
		err = errors.Join(x.remakeOne(ctx, l, list[:n]), x.rest(ctx))
		list = list[n:]
	}
	return err
}

func (x *Roller) remakeOne(ctx context.Context, l level, marks []mark) error {
	start := marks[0].start
	var b *bucket
	var err error
	switch {
	case start >= x.progress.kept[l-1]:
		b, err = x.ofBuckets(ctx, l, start)
	case start >= x.progress.kept[records]:
		b, err = x.ofRecords(ctx, x.r.db, l, start)
	default:
		err = fmt.Errorf("the usage of the %s at %s cannot be made again: what it was made of was dropped", l, timeOf(start))
	}
	if err != nil {
		return err
	}
	c := x.change()
	defer c.drop()
	if start >= x.progress.kept[l] {
		err = x.put(c, l, start, b)
	}
	if l < days {
		err = errors.Join(err, x.mark(c, l+1, (l+1).down(start)))
	}
	if err = errors.Join(err, x.unmark(c, marks)); err != nil {
		return err
	}
	return x.apply(c)
}
