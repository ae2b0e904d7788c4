package usage

import (
	"context"
	"errors"
	"fmt"

	"purser/internal/record"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// scan adds up records one by one. A request is counted when its last record has been
// seen: in the group of that record, if the query selects it.
type scan struct {
	*tally
	q   *TotalsQuery
	err error // of Worth

	id       string // of the request whose records are being counted
	at       ledger.Instant
	calls    int
	last     *Row // of its last record, nil where that is not selected
	interval int
}

// records adds up those in the range.
func (t *tally) records(ctx context.Context, db pebble.Reader, s Shelf, q *TotalsQuery, in Range) error {
	it, err := db.NewIter(s.recordBounds(in))
	if err != nil {
		return fmt.Errorf("read usage records: %w", err)
	}
	c := scan{tally: t, q: q}
	err = visit(ctx, it, Query{}, c.count)
	c.endRequest()
	return errors.Join(err, c.err, it.Close())
}

func (c *scan) count(r *record.Record) bool {
	if r.ID != c.id {
		c.endRequest()
		c.id, c.calls = r.ID, 0
		c.at = arrival(r)
		c.interval = c.tally.interval(c.at)
	}
	c.calls = max(c.calls, r.Attempts)
	c.last = nil
	if selected(c.q.Where, c.q.Within, r) {
		row := c.group(r)
		row.add(r)
		if r.Kind == record.KindRequest {
			c.last = row
		}
	}
	return c.err == nil
}

// endRequest counts the request whose last record has been seen.
func (c *scan) endRequest() {
	if c.last == nil {
		return
	}
	c.last.countRequest(c.calls)
	if id, ok := record.ParseID(c.id); ok && c.q.Worth != nil && c.err == nil {
		worth, judged, err := c.q.Worth(id)
		if c.err = err; judged {
			c.last.Judged++
			c.last.Worth += worth
		}
	}
	c.last = nil
}

func (c *scan) group(r *record.Record) *Row {
	c.mine = c.mine[:0]
	for _, f := range c.by {
		c.mine = append(c.mine, f.of(r))
	}
	return c.row(c.mine, c.interval)
}
