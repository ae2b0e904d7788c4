package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/copies"
	"purser/internal/record"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

// topicUsageAdjusted asks for the record of an adjustment by its name.
const topicUsageAdjusted = "usage.adjusted"

// The rooms of the names of adjustments under [store.PrefixQueue]; see package store.
var (
	ownNames    = []byte{store.PrefixQueue, 'a'}
	copiedNames = []byte{store.PrefixQueue, 'A'}
)

// keepAdjustment writes an adjustment's record, its name beside it, and notes that both are to
// be copied.
func (n *Node) keepAdjustment(name string, r *record.Record) usage.Receipt {
	id, _ := record.ParseID(r.ID) // which it was made as
	key := append(append([]byte{}, ownNames...), name...)
	e := usage.Entry{Record: r, Extra: []store.KV{{Key: key, Value: id[:]}}}
	if n.copies != nil {
		e.Extra = append(e.Extra, n.copies.Note(key))
	}
	return (&journal{usage: n.usage, copies: n.copies}).put(e)
}

// copiedNamesOf are copies of the names that another node has.
func (n *Node) copiedNamesOf() copies.Part { return n.small(ownNames, copiedNames) }

// small is a part whose copies are kept as they are, under a prefix of their own.
func (n *Node) small(own, copied []byte) copies.Part {
	shelf := func(origin string) []byte {
		return append(append(append([]byte{}, copied...), byte(len(origin))), origin...)
	}
	return copies.Part{Own: own, Shelf: shelf, Keep: func(origin string, items []copies.Item) error {
		b := n.store.NewBatch()
		for _, it := range items {
			if err := b.Set(append(shelf(origin), it.Key...), it.Value, nil); err != nil {
				return errors.Join(fmt.Errorf("keep a copy of %s: %w", origin, err), b.Close())
			}
		}
		return n.store.Apply(b, store.Buffered)
	}}
}

// adjustedHere is the record of an adjustment that is in this node's store; nil for none.
func (n *Node) adjustedHere(ctx context.Context, name string) (*record.Record, error) {
	if err := n.usage.Flush(ctx); err != nil {
		return nil, err
	}
	keys := [][]byte{append(append([]byte{}, ownNames...), name...)}
	if n.copies != nil {
		held, err := n.copies.Held()
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			keys = append(keys, append(n.copiedNamesOf().Shelf(h.Origin), name...))
		}
	}
	for _, key := range keys {
		v, closer, err := n.store.DB().Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for an adjustment: %w", err)
		}
		var id record.ID
		copy(id[:], v)
		if err := closer.Close(); err != nil {
			return nil, fmt.Errorf("look for an adjustment: %w", err)
		}
		list, err := n.findHere(ctx, id.String())
		if err != nil || len(list) > 0 {
			return last(list), err
		}
	}
	return nil, nil
}

// adjusted is the record of an adjustment, wherever it is, and who did not answer.
func (n *Node) adjusted(ctx context.Context, name string) (r *record.Record, silent []string, err error) {
	r, err = n.adjustedHere(ctx, name)
	if err != nil || r != nil || n.colleagues == nil {
		return r, nil, err
	}
	list, silent := n.askRecords(ctx, topicUsageAdjusted, []byte(name))
	return last(list), silent, nil
}

// tellAdjusted answers topicUsageAdjusted.
func (n *Node) tellAdjusted(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	t := n.answering(ctx, say)
	defer t.end()
	if n.adjusting.underWay(string(body)) {
		return errUnderWay
	}
	r, err := n.adjustedHere(ctx, string(body))
	if err != nil || r == nil {
		return err
	}
	return t.say(pieceRecords, appendRecord(nil, r))
}

// dropNames forgets the names of adjustments of before an instant, whose records go.
func (n *Node) dropNames(before ledger.Instant) error {
	b := n.store.NewBatch()
	for _, prefix := range [][]byte{ownNames, copiedNames} {
		it, err := n.store.DB().NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: []byte{prefix[0], prefix[1] + 1}})
		if err != nil {
			return errors.Join(fmt.Errorf("read the names of adjustments: %w", err), b.Close())
		}
		for ok := it.First(); ok && err == nil; ok = it.Next() {
			if v := it.Value(); len(v) >= 8 && ledger.Instant(binary.BigEndian.Uint64(v)) < before {
				err = b.Delete(it.Key(), nil)
			}
		}
		if err = errors.Join(err, it.Error(), it.Close()); err != nil {
			return errors.Join(fmt.Errorf("forget the names of adjustments: %w", err), b.Close())
		}
	}
	return n.store.Apply(b, store.Buffered)
}
