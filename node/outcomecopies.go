package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/outcomes"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

// copiedOutcomes are qualities, outcomes and payments, as they are kept for other nodes.
func (n *Node) copiedOutcomes() (list []copies.Part) {
	for _, own := range outcomes.Prefixes {
		list = append(list, copies.Part{
			Own:   []byte{own},
			Shelf: func(origin string) []byte { return outcomes.CopyPrefix(origin, own) },
			Keep: func(origin string, items []copies.Item) error {
				b, prefix := n.store.NewBatch(), outcomes.CopyPrefix(origin, own)
				for _, it := range items {
					if err := b.Set(append(prefix[:len(prefix):len(prefix)], it.Key...), it.Value, nil); err != nil {
						return fmt.Errorf("keep copies of outcomes: %w", errors.Join(err, b.Close()))
					}
				}
				return n.store.Apply(b, store.Buffered)
			},
		})
	}
	return list
}

// kits are what this node keeps: its own, and as copies that of others.
func (j *judged) kits() ([]outcomes.Kit, error) {
	list := []outcomes.Kit{{Qualities: j.kept, Reports: j.reports, Payments: j.payments}}
	origins, err := outcomes.Origins(j.store)
	for _, node := range origins {
		list = append(list, outcomes.Copied(j.store, node))
	}
	return list, err
}

// dropBefore deletes what can be of no request from an instant on, and revenue when its own
// time is over.
func (j *judged) dropBefore(ctx context.Context, before ledger.Instant) error {
	revenue := before + j.retention - max(j.retention, ledger.Instant(j.config.RevenueRetention))
	kits, err := j.kits()
	for _, k := range kits {
		err = errors.Join(err, k.Qualities.DropBefore(before), k.Reports.DropBefore(ctx, before), k.Payments.DropBefore(ctx, revenue))
	}
	return err
}

// gatherItems puts a question about outcomes or payments from an instant on to all other
// nodes, and has take called with the pieces of their answers, one at a time. Each answers
// with its own and with the copies that it has, so that the same can come several times. It
// returns whose are in the answer.
func (n *Node) gatherItems(ctx context.Context, from ledger.Instant, topic string, body []byte, take func(piece []byte) error) ([]admin.NodeAnswer, error) {
	if n.colleagues == nil {
		return []admin.NodeAnswer{n.answersItself()}, nil
	}
	leave, err := enter(ctx, n.colleagues.gathering)
	if err != nil {
		return nil, err
	}
	defer leave()
	var mu sync.Mutex
	var fault error // that ends the question
	held := map[string][]copies.Held{}
	others := n.otherNodes()
	faults := n.colleagues.fan(ctx, others, func(ctx context.Context, node string) error {
		return n.colleagues.listen(ctx, node, topic, body, func(kind byte, piece []byte) (err error) {
			mu.Lock()
			defer mu.Unlock()
			if kind == pieceHeld {
				h, err := hasOf(kind, piece)
				held[node] = h.Copies
				return err
			}
			if kind != pieceItems {
				return fmt.Errorf("a piece of kind %d: %w", kind, usage.ErrForm)
			}
			if err = take(piece); errors.Is(err, outcomes.ErrTooMany) || errors.Is(err, outcomes.ErrTooManyPaid) {
				fault = err // whatever the others say
			}
			return err
		})
	})
	if fault != nil {
		return nil, fault
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if held[n.cfg.Node.ID], err = n.copies.Held(); err != nil {
		return nil, err
	}
	nodes := []admin.NodeAnswer{n.answersItself()}
	for _, node := range others {
		if faults[node] == nil {
			nodes = append(nodes, admin.NodeAnswer{Node: node, By: node})
		} else {
			delete(held, node)
		}
	}
	away, err := n.absentees(usage.Range{From: from, To: now()}, faults, held)
	if err != nil {
		return nil, err
	}
	for _, a := range away {
		if keepers := n.keepers(a.node, held); len(keepers) > 0 {
			nodes = append(nodes, admin.NodeAnswer{Node: a.node, By: keepers[0].Node, MayLack: !keepers[0].Held.Sealed})
		} else if answer, missed := a.unanswered(noCopies); missed {
			nodes = append(nodes, answer)
		}
	}
	return inOrder(nodes), nil
}

// tellItems answers such a question with what list gives, each appended by it to a piece.
func (n *Node) tellItems(ctx context.Context, say func([]byte) error, list func(each func(appended func([]byte) []byte) error) error) error {
	t := n.answering(ctx, say)
	defer t.end()
	if err := n.sayHeld(t, 0); err != nil {
		return err
	}
	var piece []byte
	err := list(func(appended func([]byte) []byte) error {
		if piece = appended(piece); len(piece) < answerBytes {
			return nil
		}
		err := t.say(pieceItems, piece)
		piece = piece[:0]
		return err
	})
	if err != nil || len(piece) == 0 {
		return err
	}
	return t.say(pieceItems, piece)
}
