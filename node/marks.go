package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/purse"
	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
)

// marks keeps the purse's high-water marks in the node's store, under the keys
// that package store draws.
type marks struct{ store *store.Store }

var marksSequence = []byte{store.PrefixMarks, 's'}

const markEntry = 'a'

func markKey(m purse.Mark) []byte {
	k := binary.BigEndian.AppendUint32([]byte{store.PrefixMarks, markEntry}, m.Incarnation)
	return record.AppendAccount(k, m.Account)
}

// SaveMarks implements purse.MarkStore.
func (s marks) SaveMarks(seq uint64, list []purse.Mark) error {
	b := s.store.NewBatch()
	if err := b.Set(marksSequence, binary.BigEndian.AppendUint64(nil, seq), nil); err != nil {
		return errors.Join(fmt.Errorf("writing the marks' sequence: %w", err), b.Close())
	}
	for _, m := range list {
		var err error
		if m.Gone {
			err = b.Delete(markKey(m), nil)
		} else {
			err = b.Set(markKey(m), binary.BigEndian.AppendUint64(nil, uint64(m.Amount)), nil)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("writing a mark: %w", err), b.Close())
		}
	}
	if err := s.store.Apply(b, store.Synced); err != nil {
		return fmt.Errorf("saving the high-water marks: %w", err)
	}
	return nil
}

// LoadMarks implements purse.MarkStore.
func (s marks) LoadMarks() (seq uint64, list []purse.Mark, err error) {
	it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixMarks}, UpperBound: []byte{store.PrefixMarks + 1}})
	if err != nil {
		return 0, nil, fmt.Errorf("reading the high-water marks: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, nil, fmt.Errorf("reading a high-water mark: %w", err)
		}
		if len(v) != 8 {
			return 0, nil, fmt.Errorf("the high-water mark under %x has %d bytes: %w", it.Key(), len(v), store.ErrCorrupt)
		}
		n := binary.BigEndian.Uint64(v)
		if string(it.Key()) == string(marksSequence) {
			seq = n
			continue
		}
		m, err := decodeMark(it.Key(), n)
		if err != nil {
			return 0, nil, err
		}
		list = append(list, m)
	}
	if err := it.Error(); err != nil {
		return 0, nil, fmt.Errorf("reading the high-water marks: %w", err)
	}
	return seq, list, nil
}

// markHead is the prefix, the entry's letter and the incarnation.
const markHead = 1 + 1 + 4

func decodeMark(key []byte, amount uint64) (purse.Mark, error) {
	if len(key) < markHead || key[1] != markEntry || amount > uint64(ledger.MaxAmount) {
		return purse.Mark{}, fmt.Errorf("the high-water mark under %x cannot be read: %w", key, store.ErrCorrupt)
	}
	account, rest, err := record.DecodeAccount(key[markHead:])
	if err != nil || len(rest) > 0 {
		return purse.Mark{}, fmt.Errorf("the account of the high-water mark under %x cannot be read: %w", key, store.ErrCorrupt)
	}
	return purse.Mark{Account: account, Incarnation: binary.BigEndian.Uint32(key[2:markHead]), Amount: ledger.Amount(amount)}, nil
}
