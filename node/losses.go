package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/copies"
	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
)

// loss is what a node that was fenced had of the budgets in dollars when it was: the ledger
// forgets it with the fence. What its records do not show of it may have been spent without
// one.
type loss struct {
	Form     int            `json:"form"`
	Node     string         `json:"node"`
	At       ledger.Instant `json:"at"`
	Accounts []lostAccount  `json:"accounts"`
}

// lostAccount is one incarnation's part of an account.
type lostAccount struct {
	Account     []byte        `json:"account"` // as record.AppendAccount writes it
	Incarnation uint32        `json:"incarnation"`
	Reported    ledger.Amount `json:"reported"` // as spent
	Outstanding ledger.Amount `json:"outstanding"`
}

const (
	lossForm = 1
	// maxLostAccounts bounds what is remembered of one node.
	maxLostAccounts = 1 << 16
)

// The rooms of losses under [store.PrefixQueue]; see package store.
var (
	ownLosses    = []byte{store.PrefixQueue, 'l'}
	copiedLosses = []byte{store.PrefixQueue, 'L'}
)

func lossKey(node string, at ledger.Instant) []byte {
	b := append(append([]byte{}, ownLosses...), node...)
	return binary.BigEndian.AppendUint64(append(b, 0), uint64(at))
}

// noteLoss remembers what a node has, which has been removed and is to be fenced.
func (n *Node) noteLoss(ctx context.Context, node string) error {
	l := loss{Form: lossForm, Node: node, At: now()}
	state := n.fsm.Ledger()
	for a := range state.AccountsFrom(ledger.AccountKey{Start: -1 << 63}) {
		if a.Unit != ledger.USD {
			continue
		}
		v, ok := state.Lease(a.Key, ledger.NodeID(node))
		if !ok || v.Spent+v.Earlier == 0 && v.Granted == v.Returned {
			continue
		}
		if len(l.Accounts) == maxLostAccounts {
			n.log.Warn("of a fenced node's accounts, some are not remembered", "node", node, "remembered", maxLostAccounts)
			break
		}
		l.Accounts = append(l.Accounts, lostAccount{
			Account: record.AppendAccount(nil, a.Key), Incarnation: v.Incarnation, Reported: v.Spent + v.Earlier, Outstanding: v.Granted - v.Spent - v.Returned,
		})
	}
	if len(l.Accounts) == 0 {
		return nil
	}
	value, err := json.Marshal(&l)
	if err != nil {
		return fmt.Errorf("remember what a fenced node had: %w", err)
	}
	b := n.store.NewBatch()
	key := lossKey(node, l.At)
	note := n.copies.Note(key)
	if err := errors.Join(b.Set(key, value, nil), b.Set(note.Key, note.Value, nil)); err != nil {
		return errors.Join(fmt.Errorf("remember what a fenced node had: %w", err), b.Close())
	}
	return n.store.Apply(b, store.Synced)
}

// copiedLossesOf are copies of the losses that another node remembers.
func (n *Node) copiedLossesOf() copies.Part { return n.small(ownLosses, copiedLosses) }

// losses are those that this node remembers, its own and copies, of nodes that were fenced
// at an instant or later.
func (n *Node) losses(since ledger.Instant) (list []loss, err error) {
	for _, prefix := range [][]byte{ownLosses, copiedLosses} {
		it, err := n.store.DB().NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: []byte{prefix[0], prefix[1] + 1}})
		if err != nil {
			return nil, fmt.Errorf("read what is known of fenced nodes: %w", err)
		}
		for ok := it.First(); ok; ok = it.Next() {
			v, err := it.ValueAndErr()
			var l loss
			if err == nil {
				err = json.Unmarshal(v, &l)
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("read what is known of fenced nodes: %w", err), it.Close())
			}
			if l.Form == lossForm && l.At >= since {
				list = append(list, l)
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return nil, fmt.Errorf("read what is known of fenced nodes: %w", err)
		}
	}
	return list, nil
}

// dropLosses forgets those of nodes that were fenced before an instant.
func (n *Node) dropLosses(before ledger.Instant) error {
	b := n.store.NewBatch()
	for _, prefix := range [][]byte{ownLosses, copiedLosses} {
		it, err := n.store.DB().NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: []byte{prefix[0], prefix[1] + 1}})
		if err != nil {
			return errors.Join(fmt.Errorf("read what is known of fenced nodes: %w", err), b.Close())
		}
		for ok := it.First(); ok && err == nil; ok = it.Next() {
			if key := it.Key(); len(key) > 8 && ledger.Instant(binary.BigEndian.Uint64(key[len(key)-8:])) < before {
				err = b.Delete(key, nil)
			}
		}
		if err = errors.Join(err, it.Error(), it.Close()); err != nil {
			return errors.Join(fmt.Errorf("forget what is known of fenced nodes: %w", err), b.Close())
		}
	}
	return n.store.Apply(b, store.Buffered)
}
