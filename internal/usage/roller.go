package usage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// lag is how long after its end a minute is rolled up first. Most requests that arrived
	// in it have ended by then; those that have not mark it when they do.
	lag = 2 * ledger.Minute

	// Marked hours and days are made again so often at most. Until then questions are
	// answered from finer ones.
	remakeHours = 5 * ledger.Minute
	remakeDays  = 30 * ledger.Minute

	// batchBytes is when what was rolled up is written: well within a memtable.
	batchBytes = 2 << 20
)

// Roller rolls up one shelf: it makes buckets of minutes from records, of hours from
// minutes, and of days from hours, and makes those again that records came late to.
//
// All it writes about a bucket is in one batch with the progress it stands for, and what it
// looks at is one moment of the store. Batches reach the disk in their order; so a crash
// leaves it where it was some batches before, and never with half of something.
//
// There is one for a shelf, and one goroutine uses it.
type Roller struct {
	// Rest is how many times as long as it works the roller waits between batches, so that
	// one that has fallen behind leaves the processor to requests. 0: it does not.
	Rest int

	r       *Reader
	journal *Journal
	worked  time.Time // since when, without a rest

	progress progress
	known    bool // progress was read

	nextHours, nextDays ledger.Instant // when marked ones are made again
}

// Roller rolls up a shelf of the journal's store.
func (j *Journal) Roller(s Shelf) *Roller { return &Roller{r: j.Shelf(s), journal: j} }

// Roll makes what is due at an instant. When ctx ends first, what was made stays.
func (x *Roller) Roll(ctx context.Context, now ledger.Instant) error {
	x.worked = time.Now()
	if err := x.load(); err != nil {
		return err
	}
	if err := x.forwardMinutes(ctx, minutes.down(max(now-lag, 0))); err != nil {
		return err
	}
	if err := x.remakeMinutes(ctx); err != nil {
		return err
	}
	if err := x.forward(ctx, hours); err != nil {
		return err
	}
	if now >= x.nextHours {
		if err := x.remake(ctx, hours); err != nil {
			return err
		}
		x.nextHours = now + remakeHours
	}
	if err := x.forward(ctx, days); err != nil {
		return err
	}
	if now >= x.nextDays {
		if err := x.remake(ctx, days); err != nil {
			return err
		}
		x.nextDays = now + remakeDays
	}
	return nil
}

func (x *Roller) load() (err error) {
	if !x.known {
		x.progress, err = progressOf(x.r.db, x.r.shelf)
		x.known = err == nil
	}
	return err
}

// change is a batch under way, and the progress that it stands for.
type change struct {
	batch    *pebble.Batch
	progress progress
}

func (x *Roller) change() *change {
	return &change{batch: x.r.store.NewBatch(), progress: x.progress}
}

// apply writes the change.
func (x *Roller) apply(c *change) error {
	if err := c.batch.Set(x.r.shelf.progressKey(), c.progress.append(nil), nil); err != nil {
		return fmt.Errorf("roll up usage: %w", err)
	}
	batch := c.batch
	c.batch = nil
	if err := x.r.store.Apply(batch, store.Buffered); err != nil {
		return err
	}
	x.progress = c.progress
	return nil
}

// rest waits as the roller is to. It returns why ctx has ended, if it has.
func (x *Roller) rest(ctx context.Context) error {
	if x.Rest > 0 {
		t := time.NewTimer(time.Duration(x.Rest) * time.Since(x.worked))
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		x.worked = time.Now()
	}
	return ctx.Err()
}

// drop ends a change that is not applied.
func (c *change) drop() {
	if c.batch != nil {
		_ = c.batch.Close() // only recycles its memory
	}
}

// put writes a bucket in the place of the one that may be there; one without rows leaves
// nothing.
func (x *Roller) put(c *change, l level, start ledger.Instant, b *bucket) error {
	b.finish()
	err := c.batch.DeleteRange(x.r.shelf.bucketKey(l, start), x.r.shelf.bucketKey(l, start+1), nil)
	for i, block := range b.blocks() {
		err = errors.Join(err, c.batch.Set(x.r.shelf.blockKey(l, start, i), block, nil))
	}
	if err != nil {
		return fmt.Errorf("roll up the %s at %s: %w", l, timeOf(start), err)
	}
	return nil
}

// unmark deletes marks.
func (x *Roller) unmark(c *change, list []mark) error {
	for _, m := range list {
		if err := c.batch.Delete(x.r.shelf.markKey(m.level, m.start, m.number), nil); err != nil {
			return fmt.Errorf("roll up usage: %w", err)
		}
	}
	return nil
}

// mark has a bucket made again, if it was made.
func (x *Roller) mark(c *change, l level, start ledger.Instant) error {
	if start >= c.progress.rolled[l] {
		return nil
	}
	if err := c.batch.Set(x.r.shelf.markKey(l, start, x.journal.marks.Add(1)), nil, nil); err != nil {
		return fmt.Errorf("roll up usage: %w", err)
	}
	return nil
}

// forwardMinutes makes the minutes up to an instant.
func (x *Roller) forwardMinutes(ctx context.Context, to ledger.Instant) error {
	if to <= x.progress.rolled[minutes] {
		return nil
	}
	if x.r.shelf == Own {
		// Records that come from here on mark their minute; those before are on disk
		// when the moment is taken.
		x.journal.claim(to)
		if err := x.journal.Flush(ctx); err != nil {
			return err
		}
	}
	moment := x.r.db.NewSnapshot()
	err := x.minutes(ctx, moment, Range{x.progress.rolled[minutes], to})
	return errors.Join(err, moment.Close())
}

// minutes makes those of a range, of a moment of the store.
func (x *Roller) minutes(ctx context.Context, moment pebble.Reader, in Range) error {
	it, err := moment.NewIter(x.r.shelf.recordBounds(in))
	if err != nil {
		return fmt.Errorf("roll up usage: %w", err)
	}
	c := x.change()
	begun := in.From // of what is in the batch
	// finish ends the batch with everything before an instant.
	finish := func(to ledger.Instant) error {
		var marks []mark
		err := eachMark(moment, x.r.shelf, minutes, Range{begun, to}, func(m mark) error {
			marks = append(marks, m)
			return nil
		})
		if err = errors.Join(err, x.unmark(c, marks)); err != nil {
			return err
		}
		c.progress.rolled[minutes] = to
		if err := x.apply(c); err != nil {
			return err
		}
		c.batch, c.progress, begun = x.r.store.NewBatch(), x.progress, to
		return x.rest(ctx)
	}
	var b *bucket
	var start ledger.Instant
	var s scan
	end := func() error { // of the minute at start
		if b == nil {
			return nil
		}
		s.endRequest()
		err := x.put(c, minutes, start, b)
		if b = nil; err == nil && c.batch.Len() >= batchBytes {
			err = finish(start + ledger.Minute)
		}
		return err
	}
	var failed error
	err = visit(ctx, it, Query{}, func(r *record.Record) bool {
		if at := minutes.down(arrival(r)); b == nil || at != start {
			if failed = end(); failed != nil {
				return false
			}
			b, start = newBucket(minutes.rowsMost()), at
			s = scan{into: b.record}
		}
		s.count(r)
		return true
	})
	if err = errors.Join(err, failed, it.Close()); err == nil {
		if err = end(); err == nil {
			err = finish(in.To)
		}
	}
	c.drop()
	return err
}
