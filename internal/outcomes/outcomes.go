// Package outcomes keeps what was had for requests, as clients and other programs report it:
// qualities of single requests, beside the usage records ([Store]); outcomes by an id of
// their own, of a request, a run, a session, a trace or whatever dimensions say ([Reports]);
// and what customers paid ([Payments]). It gathers what several nodes keep, each thing once
// ([Gathered], [Ledger]), and finds what is known of a record ([Index]).
//
// It decides nothing else: whose requests somebody may speak of is told to it, and what
// follows from outcomes is said by package economics.
//
// # Stored form
//
// A quality: 'u' id(16), the id of the request, so that the order of keys is that of the
// requests' times. Value, version 1: 1, when it was reported (nanoseconds since 1970,
// zigzag varint), the quality (millionths, unsigned varint).
//
// A report under 'v' and a payment under 'b': 'a' until(8) mark, and 'i' mark for its until.
// until is the end of what it is of, so that what is old is one range of keys. A report's
// mark is 16 bytes of the SHA-256 of its id and 8 of that of whose id it is; a payment's is
// 16 of its id's. reportcodec.go and payments.go have the values.
//
// What copies there are of another node's stands under 'V' length(1) node, and then as that
// node has it.
//
// # Concurrency
//
// All methods of what keeps things are safe for concurrent use. Of two reports of one id, one
// is the first.
package outcomes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Whole is a quality of 1.
const Whole = 1_000_000

// Outcome is what the answer to one request was worth.
type Outcome struct {
	Request record.ID
	At      ledger.Instant // of the report
	Quality int64          // millionths, 0 to [Whole]
}

// Share is the quality between 0 and 1.
func (o Outcome) Share() float64 { return float64(o.Quality) / Whole }

// Errors of reading.
var (
	ErrVersion   = errors.New("outcome of an unknown version")
	ErrMalformed = errors.New("malformed outcome")
)

const version byte = 1

func (o *Outcome) appendValue(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendVarint(append(b, version), int64(o.At)), uint64(o.Quality))
}

// decode reads an outcome: the id of its request, and its value.
func decode(id, value []byte) (o Outcome, err error) {
	if len(id) != len(o.Request) || len(value) == 0 {
		return o, ErrMalformed
	}
	copy(o.Request[:], id)
	if value[0] != version {
		return o, fmt.Errorf("%w: %d", ErrVersion, value[0])
	}
	at, n := binary.Varint(value[1:])
	if n <= 0 {
		return o, ErrMalformed
	}
	q, m := binary.Uvarint(value[1+n:])
	if m <= 0 || q > Whole || 1+n+m != len(value) {
		return o, ErrMalformed
	}
	o.At, o.Quality = ledger.Instant(at), int64(q)
	return o, nil
}

func (s *Store) key(id record.ID) []byte { return append(slices.Clone(s.prefix), id[:]...) }

// Store keeps outcomes in a node's store.
type Store struct {
	store  *store.Store
	prefix []byte
	note   Note           // nil: nobody is told
	locks  [64]sync.Mutex // by the last byte of the request's id, which is random
}

// Open gives the outcomes that a node keeps of its own. note, unless it is nil, is told of
// each key that is written.
func Open(s *store.Store, note Note) *Store {
	return &Store{store: s, prefix: []byte{store.PrefixOutcome}, note: note}
}

// Put keeps an outcome, unless there is one of its request: that stays. It returns the
// one which is kept, and has it on disk.
func (s *Store) Put(o Outcome) (kept Outcome, first bool, err error) {
	if o.Quality < 0 || o.Quality > Whole {
		return o, false, fmt.Errorf("a quality of %d millionths is not within 0 to %d", o.Quality, Whole)
	}
	l := &s.locks[int(o.Request[len(o.Request)-1])%len(s.locks)]
	l.Lock()
	defer l.Unlock()
	if kept, found, err := s.Get(o.Request); found || err != nil {
		return kept, false, err
	}
	b := s.store.NewBatch()
	err = b.Set(s.key(o.Request), o.appendValue(nil), nil)
	if s.note != nil {
		kv := s.note(s.key(o.Request))
		err = errors.Join(err, b.Set(kv.Key, kv.Value, nil))
	}
	if err != nil {
		return o, false, fmt.Errorf("add an outcome to a batch: %w", errors.Join(err, b.Close()))
	}
	return o, true, s.store.Apply(b, store.Synced)
}

// Get gives the outcome of a request; false if there is none.
func (s *Store) Get(id record.ID) (o Outcome, found bool, err error) {
	k := s.key(id)
	value, closer, err := s.store.DB().Get(k)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return Outcome{Request: id}, false, nil
	case err != nil:
		return o, false, fmt.Errorf("read an outcome: %w", err)
	}
	o, err = decode(k[len(s.prefix):], value)
	return o, true, errors.Join(err, closer.Close())
}

// Since visits the outcomes of requests from an instant on, in the order of the
// requests. An error ends them.
func (s *Store) Since(ctx context.Context, from ledger.Instant) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		it, err := s.store.DB().NewIter(&pebble.IterOptions{LowerBound: s.key(record.FirstID(from)), UpperBound: after(s.prefix)})
		if err != nil {
			yield(Outcome{}, fmt.Errorf("read outcomes: %w", err))
			return
		}
		var o Outcome
		more, n := true, 0
		for ok := it.First(); ok && more && err == nil; ok = it.Next() {
			if n++; n%checkEvery == 0 {
				if err = ctx.Err(); err != nil {
					break
				}
			}
			var value []byte
			if value, err = it.ValueAndErr(); err == nil {
				o, err = decode(it.Key()[len(s.prefix):], value)
			}
			if err == nil {
				more = yield(o, nil)
			}
		}
		if err = errors.Join(err, it.Error(), it.Close()); err != nil && more {
			yield(Outcome{}, fmt.Errorf("read outcomes: %w", err))
		}
	}
}

// DropBefore deletes the outcomes of requests before an instant, as their records are.
func (s *Store) DropBefore(at ledger.Instant) error {
	b := s.store.NewBatch()
	if err := b.DeleteRange(s.prefix, s.key(record.FirstID(at)), nil); err != nil {
		return fmt.Errorf("delete outcomes: %w", errors.Join(err, b.Close()))
	}
	return s.store.Apply(b, store.Buffered)
}
