package node

import (
	"context"
	"iter"

	"purser/api/admin"
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
