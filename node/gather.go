package node

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/gather"
	"purser/internal/record"
	"purser/internal/usage"
)

// totals adds up the records that a query selects, those under way among them, over the
// whole cluster, and says whose they are.
func (n *Node) totals(ctx context.Context, q usage.TotalsQuery) (*usage.Report, []admin.NodeAnswer, error) {
	report, nodes, _, err := n.totalsOf(ctx, q, false)
	return report, nodes, err
}

// totalsOf is totals, with what may have been spent in the range without a record, if that is
// wanted.
func (n *Node) totalsOf(ctx context.Context, q usage.TotalsQuery, unrecorded bool) (*usage.Report, []admin.NodeAnswer, []admin.Unrecorded, error) {
	sum, err := usage.NewSum(q)
	if err != nil {
		return nil, nil, nil, err
	}
	if n.colleagues == nil {
		part, err := n.part(ctx, usage.Own, q)
		if err != nil {
			return nil, nil, nil, err
		}
		sum.Add(part)
		var list []admin.Unrecorded
		if unrecorded {
			list, err = n.unrecorded(ctx, q.Range, nil, nil)
		}
		return sum.Report(), []admin.NodeAnswer{n.answersItself()}, list, err
	}
	query, err := usage.MarshalTotals(&q)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("put a question to the other nodes: %w", err)
	}
	leave, err := enter(ctx, n.colleagues.gathering)
	if err != nil {
		return nil, nil, nil, err
	}
	defer leave()
	t := &totalling{n: n, q: q, query: query, sum: sum, held: map[string][]copies.Held{}}
	if unrecorded {
		t.since = max(1, q.Range.From)
	}
	nodes, err := t.run(ctx)
	var list []admin.Unrecorded
	if err == nil && unrecorded {
		list, err = n.unrecorded(ctx, q.Range, t.held, distinct(t.losses))
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return sum.Report(), nodes, list, nil
}

// records visits the records that a query selects, those under way among them, over the
// whole cluster, in the order of their times. A record is valid until the next one; an error
// ends them, a node that breaks off among others. Of nodes that nobody answers for there are
// none: see recordsOf.
func (n *Node) records(ctx context.Context, q usage.Query) iter.Seq2[*record.Record, error] {
	list, _, err := n.recordsOf(ctx, q)
	if err != nil {
		return func(yield func(*record.Record, error) bool) { yield(nil, err) }
	}
	return list
}

// recordsOf is records, and says whose they are before they come.
func (n *Node) recordsOf(ctx context.Context, q usage.Query) (iter.Seq2[*record.Record, error], []admin.NodeAnswer, error) {
	if err := n.usage.Flush(ctx); err != nil {
		return nil, nil, err
	}
	if n.colleagues == nil {
		return n.usage.Records(ctx, q), []admin.NodeAnswer{n.answersItself()}, nil
	}
	query, err := usage.MarshalQuery(&q)
	if err != nil {
		return nil, nil, fmt.Errorf("put a question to the other nodes: %w", err)
	}
	sources, nodes, err := n.sources(ctx, q.Range)
	if err != nil {
		return nil, nil, err
	}
	return func(yield func(*record.Record, error) bool) {
		leave, err := enter(ctx, n.colleagues.streaming)
		if err != nil {
			yield(nil, err)
			return
		}
		defer leave()
		list := make([]gather.Sequence, 0, len(sources))
		for _, s := range sources {
			if s.node == n.cfg.Node.ID {
				list = append(list, n.usage.Shelf(s.shelf).Records(ctx, q))
				continue
			}
			f := n.fetch(ctx, s, query)
			defer f.close()
			list = append(list, f.records)
		}
		for r, err := range gather.Merge(q.Order == usage.NewestFirst, q.Limit, list...) {
			if !yield(r, err) {
				return
			}
		}
	}, nodes, nil
}

// find is the records of one request, wherever in the cluster they are; none if no node that
// answers has any. silent are those that did not answer.
func (n *Node) find(ctx context.Context, id string) (list []record.Record, silent []string, err error) {
	if _, ok := record.ParseID(id); !ok {
		return nil, nil, nil
	}
	list, err = n.findHere(ctx, id)
	if err != nil || len(list) > 0 || n.colleagues == nil {
		return list, nil, err
	}
	list, silent = n.askRecords(ctx, topicUsageFind, []byte(id))
	return list, silent, nil
}

// askRecords asks all other nodes for a few records: one of each attempt, in their order, and
// who did not answer.
func (n *Node) askRecords(ctx context.Context, topic string, body []byte) (list []record.Record, silent []string) {
	var mu sync.Mutex
	byAttempt := map[int]record.Record{} // copies of one record are the same
	faults := n.colleagues.fan(ctx, n.otherNodes(), func(ctx context.Context, node string) error {
		return n.colleagues.listen(ctx, node, topic, body, func(_ byte, piece []byte) error {
			mu.Lock()
			defer mu.Unlock()
			var dec record.Decoder
			for len(piece) > 0 {
				var r record.Record // of its own: it is kept
				var err error
				if piece, err = oneRecord(&dec, &r, piece); err != nil {
					return err
				}
				byAttempt[r.Attempt] = r
			}
			return nil
		})
	})
	for _, attempt := range slices.Sorted(maps.Keys(byAttempt)) {
		list = append(list, byAttempt[attempt])
	}
	return list, slices.Sorted(maps.Keys(faults))
}
