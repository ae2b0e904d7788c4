package outcomes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// shelf is values under one prefix of a store. Each is found by its mark, and stands in the
// order of the end of what it is of:
//
//	prefix 'a' until(8) mark  the value
//	prefix 'i' mark           until(8)
type shelf struct {
	store  *store.Store
	prefix []byte
	note   Note           // nil: nobody is told
	locks  [64]sync.Mutex // by the last byte of a mark, taken in their order
}

// Note is told the key of what is written, and says what is to be written with it.
type Note func(key []byte) store.KV

// The rooms under the prefix.
const (
	roomValues byte = 'a'
	roomMarks  byte = 'i'
)

func (s *shelf) key(until ledger.Instant, mark []byte) []byte {
	return append(binary.BigEndian.AppendUint64(s.room(roomValues), uint64(max(until, 0))), mark...)
}

func (s *shelf) markKey(mark []byte) []byte { return append(s.room(roomMarks), mark...) }

func (s *shelf) room(name byte) []byte { return append(slices.Clone(s.prefix), name) }

// hold keeps others from writing under marks until it is called.
func (s *shelf) hold(marks [][]byte) (free func()) {
	var held [len(s.locks)]bool
	for _, m := range marks {
		held[int(m[len(m)-1])%len(held)] = true
	}
	for i := range held {
		if held[i] {
			s.locks[i].Lock()
		}
	}
	return func() {
		for i := range held {
			if held[i] {
				s.locks[i].Unlock()
			}
		}
	}
}

// set adds a value to a batch.
func (s *shelf) set(b *pebble.Batch, until ledger.Instant, mark, value []byte) error {
	key, index := s.key(until, mark), s.markKey(mark)
	err := errors.Join(b.Set(key, value, nil), b.Set(index, binary.BigEndian.AppendUint64(nil, uint64(max(until, 0))), nil))
	if s.note == nil {
		return err
	}
	for _, k := range [][]byte{key, index} {
		kv := s.note(k)
		err = errors.Join(err, b.Set(kv.Key, kv.Value, nil))
	}
	return err
}

// current says whether a value that ends at an instant is the one under its mark. Copies of
// values that another has taken the place of stay until their time is over.
func (s *shelf) current(until ledger.Instant, mark []byte) (bool, error) {
	at, err := s.read(s.markKey(mark))
	return len(at) == 8 && ledger.Instant(binary.BigEndian.Uint64(at)) == until, err
}

// get gives the value under a mark; nil where there is none.
func (s *shelf) get(mark []byte) ([]byte, error) {
	at, err := s.read(s.markKey(mark))
	if at == nil || err != nil {
		return nil, err
	}
	if len(at) != 8 {
		return nil, ErrMalformed
	}
	return s.read(s.key(ledger.Instant(binary.BigEndian.Uint64(at)), mark))
}

func (s *shelf) read(key []byte) ([]byte, error) {
	value, closer, err := s.store.DB().Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return slices.Clone(value), closer.Close()
}

// checkEvery is how many values are visited between looks at the context.
const checkEvery = 1024

// from visits the values that end after an instant, in the order of their ends, until it is
// told to stop. Mark and value are valid until the next.
func (s *shelf) from(ctx context.Context, at ledger.Instant, each func(until ledger.Instant, mark, value []byte) (bool, error)) error {
	it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: s.key(at+1, nil), UpperBound: s.room(roomValues + 1)})
	if err != nil {
		return err
	}
	more := true
	for n, ok := 1, it.First(); ok && more && err == nil; n, ok = n+1, it.Next() {
		if n%checkEvery == 0 {
			if err = ctx.Err(); err != nil {
				break
			}
		}
		var value []byte
		head := len(s.prefix) + 1
		if value, err = it.ValueAndErr(); err == nil && len(it.Key()) < head+8 {
			err = ErrMalformed
		}
		if err == nil {
			until := ledger.Instant(binary.BigEndian.Uint64(it.Key()[head:]))
			more, err = each(until, it.Key()[head+8:], value)
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// marked visits the marks that begin with some bytes.
func (s *shelf) marked(begin []byte, each func(mark []byte) error) error {
	key := s.markKey(begin)
	it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: key, UpperBound: after(key)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = each(slices.Clone(it.Key()[len(s.prefix)+1:]))
	}
	return errors.Join(err, it.Error(), it.Close())
}

// after is the least key beyond all that begin with key.
func after(key []byte) []byte {
	end := slices.Clone(key)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// dropAtOnce bounds the batch that deletes what is old.
const dropAtOnce = 4096

// dropBefore deletes the values that ended by an instant.
func (s *shelf) dropBefore(ctx context.Context, at ledger.Instant) error {
	for {
		b, n := s.store.NewBatch(), 0
		it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: s.room(roomValues), UpperBound: s.key(at+1, nil)})
		if err != nil {
			return fmt.Errorf("delete what is old: %w", errors.Join(err, b.Close()))
		}
		for ok := it.First(); ok && err == nil && n < dropAtOnce; ok = it.Next() {
			head := len(s.prefix) + 1 + 8 // before the mark
			if err = b.Delete(it.Key(), nil); err == nil && len(it.Key()) > head {
				err = b.Delete(s.markKey(it.Key()[head:]), nil)
			}
			n++
		}
		if err = errors.Join(err, it.Error(), it.Close(), ctx.Err()); err != nil {
			return fmt.Errorf("delete what is old: %w", errors.Join(err, b.Close()))
		}
		if err := s.store.Apply(b, store.Buffered); err != nil || n < dropAtOnce {
			return err
		}
	}
}
