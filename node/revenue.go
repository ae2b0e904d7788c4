package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"purser/api/admin"
	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/usage"
	"purser/ledger"
)

// Topics about what customers paid.
const (
	topicRevenue       = "revenue.list"
	topicRevenueRevise = "revenue.revise" // payments; the answer is what is kept under their ids, later revisions in their place
)

// revenueAsked is the body of a question about payments, as JSON.
type revenueAsked struct {
	From, To ledger.Instant
}

// gatherRevenue gathers what was paid for a time, from all nodes.
func (n *Node) gatherRevenue(ctx context.Context, span usage.Range) (*outcomes.Ledger, []admin.NodeAnswer, error) {
	l := outcomes.NewLedger(span.From, span.To)
	asked := revenueAsked{span.From, span.To}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, nil, err
	}
	if err = n.listRevenue(ctx, asked, l.Add); err == nil {
		var nodes []admin.NodeAnswer
		nodes, err = n.gatherItems(ctx, span.From, topicRevenue, body, func(piece []byte) error { return outcomes.PaymentFrames(piece, l.Add) })
		if err == nil {
			return l, nodes, nil
		}
	}
	if errors.Is(err, outcomes.ErrTooManyPaid) {
		err = admin.Invalid(err.Error() + ": ask about a shorter time")
	}
	return nil, nil, err
}

// listRevenue visits the payments that this node keeps for a time.
func (n *Node) listRevenue(ctx context.Context, asked revenueAsked, each func(economics.Payment) error) error {
	j := n.outcomes.Load()
	if j == nil {
		return errNoOutcomes
	}
	kits, err := j.kits()
	for _, k := range kits {
		if err == nil {
			err = k.Payments.Concerning(ctx, asked.From, asked.To, each)
		}
	}
	return err
}

// tellRevenue answers topicRevenue.
func (n *Node) tellRevenue(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	var asked revenueAsked
	if err := json.Unmarshal(body, &asked); err != nil {
		return fmt.Errorf("read a question: %w", err)
	}
	return n.tellItems(ctx, say, func(each func(func([]byte) []byte) error) error {
		return n.listRevenue(ctx, asked, func(p economics.Payment) error {
			return each(func(b []byte) []byte { return outcomes.PaymentFrame(b, &p) })
		})
	})
}

// reviseRevenue answers topicRevenueRevise.
func (n *Node) reviseRevenue(_ context.Context, _ string, body []byte, say func([]byte) error) error {
	j := n.outcomes.Load()
	if j == nil {
		return errNoOutcomes
	}
	var list []economics.Payment
	if err := outcomes.PaymentFrames(body, func(p economics.Payment) error { list = append(list, p); return nil }); err != nil {
		return err
	}
	kept, err := j.payments.Revise(list)
	if err != nil || len(kept) == 0 {
		return err
	}
	var piece []byte
	for i := range kept {
		piece = outcomes.PaymentFrame(piece, &kept[i])
	}
	return say(piece)
}

// keepRevenue keeps payments, each unless the same or a later revision of its id is kept
// here or on another node that answers. Where an earlier one is, it is replaced there.
func (j *judged) keepRevenue(ctx context.Context, list []economics.Payment) ([]outcomes.Paid, error) {
	elsewhere := map[string]economics.Payment{}
	if j.others != nil {
		var body []byte
		for i := range list {
			body = outcomes.PaymentFrame(body, &list[i])
		}
		asking, cancel := context.WithTimeout(ctx, outcomeWait)
		defer cancel()
		j.others.ask(asking, topicRevenueRevise, body, func(_ string, piece []byte) error {
			return outcomes.PaymentFrames(piece, func(p economics.Payment) error {
				if have, found := elsewhere[p.ID]; !found || outcomes.ComparedPayment(&have, &p).State == outcomes.Recorded {
					elsewhere[p.ID] = p
				}
				return nil
			})
		})
	}
	out := make([]outcomes.Paid, len(list))
	var put []economics.Payment
	var at []int
	for i := range list {
		kept, found := elsewhere[list[i].ID]
		if !found {
			put, at = append(put, list[i]), append(at, i)
			continue
		}
		out[i] = outcomes.ComparedPayment(&kept, &list[i])
		if out[i].State == outcomes.Known && kept == list[i] {
			out[i].State = outcomes.Recorded // it has just been, there
		}
	}
	paid, err := j.payments.Put(put)
	for i, p := range paid {
		out[at[i]] = p
	}
	return out, err
}
