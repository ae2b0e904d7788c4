package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/outcomes"
	"purser/internal/store"
	"purser/ledger"
)

// copiedOutcomes are qualities, outcomes and payments, as they are kept for other nodes.
func (n *Node) copiedOutcomes() (list []copies.Part) {
	for _, own := range outcomes.Prefixes {
		list = append(list, copies.Part{
			Own:   own,
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

// heldCopies is the first piece of an answer about outcomes or payments, as JSON: the copies
// that are in it.
type heldCopies struct {
	Held []copies.Held
}

// sayHeld begins an answer.
func (n *Node) sayHeld(say func([]byte) error) error {
	var h heldCopies
	if n.copies != nil {
		var err error
		if h.Held, err = n.copies.Held(); err != nil {
			return err
		}
	}
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return say(b)
}

// gathering puts a question to all other nodes whose answers begin with the copies that are
// in them, and has take called with the rest.
func (n *Node) gathering(ctx context.Context, topic string, body []byte, take func(piece []byte) error) ([]admin.NodeAnswer, error) {
	held := map[string]map[string]copies.Held{} // by node that answers, then origin
	var fault error
	faults := n.colleagues.ask(ctx, topic, body, func(node string, piece []byte) error {
		if held[node] == nil {
			var h heldCopies
			if err := json.Unmarshal(piece, &h); err != nil {
				return fmt.Errorf("the beginning of its answer cannot be read: %w", err)
			}
			held[node] = map[string]copies.Held{}
			for _, c := range h.Held {
				held[node][c.Origin] = c
			}
			return nil
		}
		err := take(piece)
		if errors.Is(err, outcomes.ErrTooMany) || errors.Is(err, outcomes.ErrTooManyPaid) {
			fault = err // whatever the others say
		}
		return err
	})
	if fault != nil {
		return nil, fault
	}
	for node := range faults {
		delete(held, node)
	}
	if n.copies != nil {
		own, err := n.copies.Held()
		if err != nil {
			return nil, err
		}
		held[n.cfg.Node.ID] = map[string]copies.Held{}
		for _, c := range own {
			held[n.cfg.Node.ID][c.Origin] = c
		}
	}
	return n.answers(faults, held), nil
}

// answers is the part of each node in an answer. One that did not answer is there with its
// copies on another, as far as these are whole.
func (n *Node) answers(faults map[string]error, held map[string]map[string]copies.Held) []admin.NodeAnswer {
	list := []admin.NodeAnswer{{Node: n.cfg.Node.ID, By: n.cfg.Node.ID}}
	if n.colleagues == nil {
		return list
	}
	for _, id := range n.colleagues.names() {
		a := admin.NodeAnswer{Node: id, By: id}
		if err := faults[id]; err != nil {
			a = instead(id, err, held)
		}
		list = append(list, a)
	}
	return list
}

func instead(id string, fault error, held map[string]map[string]copies.Held) admin.NodeAnswer {
	a := admin.NodeAnswer{Node: id, Err: "it did not answer: " + fault.Error()}
	var best copies.Held
	for by, of := range held {
		if h, ok := of[id]; ok && (a.By == "" || h.Better(best)) {
			a.By, best = by, h
		}
	}
	switch {
	case a.By == "":
	case best.Sealed:
		a.Err = ""
	case best.Complete:
		a.Err = "it did not answer; its copies are whole up to " + timeText(best.Upto)
	default:
		a.Err = "it did not answer, and its copies are not whole"
	}
	return a
}
