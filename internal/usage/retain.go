package usage

import (
	"context"
	"fmt"

	"purser/ledger"
)

// Retention says how long what is kept; each until the end of a day (UTC) that has passed
// so long ago.
type Retention struct {
	Records, Minutes, Hours, Days ledger.Instant
}

// Retain drops what is older than it is to be kept, as far as everything that it is part of
// has been rolled up: a total of days has what records there were, whether they are there
// or not. It rolls up first.
func (x *Roller) Retain(ctx context.Context, keep Retention, now ledger.Instant) error {
	x.nextHours, x.nextDays = 0, 0
	if err := x.Roll(ctx, now); err != nil {
		return err
	}
	x.journal.writes.Lock() // nothing comes late to what is being dropped
	defer x.journal.writes.Unlock()
	m, err := marksOf(x.r.db, x.r.shelf)
	if err != nil {
		return err
	}
	whole := min(m.first(), x.progress.rolled[days])
	c := x.change()
	defer c.drop()
	for l, age := range [numLevels]ledger.Instant{keep.Records, keep.Minutes, keep.Hours, keep.Days} {
		to := days.down(min(whole, max(now-age, 0)))
		if to <= c.progress.kept[l] {
			continue
		}
		c.progress.kept[l] = to
		lower, upper := x.r.shelf.bucketKey(level(l), 0), x.r.shelf.bucketKey(level(l), to)
		if level(l) == records {
			o := x.r.shelf.recordBounds(Range{To: to})
			lower, upper = o.LowerBound, o.UpperBound
		}
		if err := c.batch.DeleteRange(lower, upper, nil); err != nil {
			return fmt.Errorf("drop old usage: %w", err)
		}
	}
	if c.progress == x.progress {
		return nil
	}
	return x.apply(c)
}
