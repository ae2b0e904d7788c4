package usage

import (
	"context"
	"errors"
	"fmt"

	"purser/internal/record"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// scan adds up records one by one, those of a request one after the other. A request is
// counted when its last record has been seen: in the row of that record, if it has one.
type scan struct {
	into  func(*record.Record) *Row // the row of a record, nil for none
	worth func(record.ID) (int64, bool, error)
	err   error // of worth

	id    string // of the request whose records are being counted
	calls int
	last  *Row // of its last record
}

func (c *scan) count(r *record.Record) bool {
	if r.ID != c.id {
		c.endRequest()
		c.id, c.calls = r.ID, 0
	}
	c.calls = max(c.calls, r.Attempts)
	c.last = nil
	if row := c.into(r); row != nil {
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
	if id, ok := record.ParseID(c.id); ok && c.worth != nil && c.err == nil {
		worth, judged, err := c.worth(id)
		if c.err = err; judged {
			c.last.Judged++
			c.last.Worth += worth
		}
	}
	c.last = nil
}

// records adds up those in the range.
func (t *tally) records(ctx context.Context, db pebble.Reader, s Shelf, q *TotalsQuery, in Range) error {
	it, err := db.NewIter(s.recordBounds(in))
	if err != nil {
		return fmt.Errorf("read usage records: %w", err)
	}
	c := scan{worth: q.Worth, into: func(r *record.Record) *Row {
		if !q.selects(r) {
			return nil
		}
		t.mine = t.mine[:0]
		for _, f := range t.by {
			t.mine = append(t.mine, f.of(r))
		}
		return t.row(t.mine, t.interval(arrival(r)))
	}}
	err = visit(ctx, it, Query{}, c.count)
	c.endRequest()
	return errors.Join(err, c.err, it.Close())
}

// selects says whether the query selects a record, whose dimensions it maps.
func (q *TotalsQuery) selects(r *record.Record) bool {
	if !selected(nil, q.Within, r) {
		return false
	}
	if q.Mapping != nil {
		if r.Dims.Values[ledger.DimModel] == "" {
			r.Dims.Values[ledger.DimModel] = r.Model // as its field is
		}
		q.Mapping.Apply(&r.Dims)
	}
	return selected(q.Where, nil, r)
}
