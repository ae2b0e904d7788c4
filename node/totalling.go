package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/usage"
	"purser/ledger"
)

// totalling is a query over the cluster under way.
type totalling struct {
	n     *Node
	q     usage.TotalsQuery
	query []byte         // the same, for others
	since ledger.Instant // when the first fence was that is asked after; 0 for none

	mu     sync.Mutex // guards what follows
	sum    *usage.Sum
	held   map[string][]copies.Held // by the node that has answered
	losses []loss
}

// run asks every node for its own records, and then for copies of those that did not answer.
func (t *totalling) run(ctx context.Context) (nodes []admin.NodeAnswer, err error) {
	n := t.n
	var own sync.WaitGroup
	var fault error
	own.Go(func() { fault = t.here(ctx, usage.Own) })
	others := n.otherNodes()
	faults := n.colleagues.fan(ctx, others, func(ctx context.Context, node string) error { return t.there(ctx, node, usage.Own) })
	own.Wait()
	if fault != nil {
		return nil, fault
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for node, err := range faults {
		// What one node keeps no more is missed in the sum, whatever the others have.
		if refused, ok := errors.AsType[usage.QueryError](err); ok {
			return nil, usage.QueryError(fmt.Sprintf("%s (says node %s)", string(refused), node))
		}
	}
	h, err := n.has(t.since)
	if err != nil {
		return nil, err
	}
	t.held[n.cfg.Node.ID], t.losses = h.Copies, append(t.losses, h.Losses...)
	nodes = append(nodes, n.answersItself())
	for _, node := range others {
		if faults[node] == nil {
			nodes = append(nodes, admin.NodeAnswer{Node: node, By: node})
		}
	}
	away, err := n.absentees(t.q.Range, faults, t.held)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, a := range away {
		asking.Go(func() {
			answer, missed := t.copies(ctx, a)
			mu.Lock()
			defer mu.Unlock()
			if missed {
				nodes = append(nodes, answer)
			}
		})
	}
	asking.Wait()
	return inOrder(nodes), ctx.Err()
}

// copies has the first node that can answer for one that cannot. missed is false where there
// is nothing to tell.
func (t *totalling) copies(ctx context.Context, a absent) (answer admin.NodeAnswer, missed bool) {
	answer, missed = a.unanswered(noCopies)
	for _, k := range t.n.keepers(a.node, t.held) {
		var err error
		if k.Node == t.n.cfg.Node.ID {
			err = t.here(ctx, usage.Shelf(a.node))
		} else {
			err = t.there(ctx, k.Node, usage.Shelf(a.node))
		}
		if err == nil {
			return admin.NodeAnswer{Node: a.node, By: k.Node, MayLack: !k.Held.Sealed}, true
		}
		t.n.log.Warn("copies of a node's usage records could not be read", "of", a.node, "by", k.Node, "error", err)
		why := "node " + k.Node + " cannot read its copies"
		if refused, ok := errors.AsType[usage.QueryError](err); ok {
			why = "of its copies, node " + k.Node + " says: " + string(refused)
		}
		answer, missed = a.unanswered(why)
	}
	return answer, missed
}

// here adds a shelf of this node.
func (t *totalling) here(ctx context.Context, s usage.Shelf) error {
	part, err := t.n.part(ctx, s, t.q)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Add(part)
	return nil
}

// there adds a shelf of another node: all of what it says, or nothing.
func (t *totalling) there(ctx context.Context, node string, s usage.Shelf) error {
	body, err := questionOn(s, t.query, t.since)
	if err != nil {
		return err
	}
	var p toldTotals
	if err := t.n.colleagues.listen(ctx, node, topicUsageTotals, body, p.take); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s == usage.Own {
		t.held[node], t.losses = p.has.Copies, append(t.losses, p.has.Losses...)
	}
	if err := errors.Join(t.sum.Give(p.given), t.sum.AddRows(p.rows, false)); err != nil {
		return err
	}
	return t.sum.AddRows(p.rest, true)
}

// toldTotals is what another node has told of its part, of which nothing is added up before
// it has told all.
type toldTotals struct {
	rows, rest []byte
	has        has
	given      []string
}

func (p *toldTotals) take(kind byte, piece []byte) (err error) {
	switch kind {
	case pieceRows, pieceRest:
		if err := usage.CheckRows(piece); err != nil {
			return err
		}
		if len(p.rows)+len(p.rest)+len(piece) > maxPart {
			return fmt.Errorf("an answer of more than %d bytes", maxPart)
		}
		if kind == pieceRows {
			p.rows = append(p.rows, piece...)
		} else {
			p.rest = append(p.rest, piece...)
		}
	case pieceGiven:
		err = json.Unmarshal(piece, &p.given)
	case pieceRefused:
		err = usage.QueryError(piece)
	default:
		p.has, err = hasOf(kind, piece)
	}
	return err
}

// questionOn is a query about one shelf, and about nodes that were fenced since an instant.
func questionOn(s usage.Shelf, query []byte, since ledger.Instant) ([]byte, error) {
	b, err := json.Marshal(asked{Shelf: s, Query: query, Losses: since})
	if err != nil {
		return nil, fmt.Errorf("put a question to another node: %w", err)
	}
	return b, nil
}
