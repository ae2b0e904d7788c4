package node

import (
	"context"
	"iter"

	"purser/api/admin"
	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/usage"
)

// totals adds up the records that a query selects, those under way among them, and says
// whose they are.
func (n *Node) totals(ctx context.Context, q usage.TotalsQuery) (*usage.Report, []admin.NodeAnswer, error) {
	if err := n.usage.Flush(ctx); err != nil {
		return nil, nil, err
	}
	report, err := n.usage.Totals(ctx, q)
	return report, []admin.NodeAnswer{{Node: n.cfg.Node.ID, By: n.cfg.Node.ID}}, err
}

// records visits the records that a query selects, those under way among them, in the
// order of their times. A record is valid until the next one; an error ends them.
func (n *Node) records(ctx context.Context, q usage.Query) iter.Seq2[*record.Record, error] {
	if err := n.usage.Flush(ctx); err != nil {
		return func(yield func(*record.Record, error) bool) { yield(nil, err) }
	}
	return n.usage.Records(ctx, q)
}

// evidence is what was reported of a request, of its run and of whatever else it is part of.
func (n *Node) evidence(r *record.Record) (e economics.Evidence, err error) {
	id, ok := record.ParseID(r.ID)
	if !ok {
		return e, nil
	}
	o, found, err := n.outcomes.Load().kept.Get(id)
	if found {
		e.Judged, e.Quality = 1, o.Quality
	}
	return e, err
}

// The scales agree.
var _ = [1]struct{}{}[economics.Whole-outcomes.Whole]
