package usage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Range is the time from From up to, but not including, To. Its zero value is
// empty; [Always] is all of it.
type Range struct {
	From, To ledger.Instant
}

// Always is the range that every record is in.
var Always = Range{To: ledger.MaxInstant}

// Order is the order in which records are visited.
type Order uint8

// The orders.
const (
	OldestFirst Order = iota
	NewestFirst
)

// Query selects records.
type Query struct {
	Range Range
	Where []Condition // all must hold
	// Within, unless it is nil, are conditions of which one must hold, too: of none,
	// no record is selected.
	Within []Condition
	Order  Order
	Limit  int // most records; 0 means all
}

// checkEvery is how many records are visited between looks at the context: some
// milliseconds' worth.
const checkEvery = 1024

// visit calls yield for the records that q selects, until it says no.
func visit(ctx context.Context, it *pebble.Iterator, q Query, yield func(*record.Record) bool) error {
	first, next := it.First, it.Next
	if q.Order == NewestFirst {
		first, next = it.Last, it.Prev
	}
	var dec record.Decoder
	var r record.Record
	n := 0
	for ok := first(); ok; ok = next() {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		n++
		v, err := it.ValueAndErr()
		if err == nil {
			err = dec.Decode(&r, v)
		}
		if err != nil {
			return fmt.Errorf("read usage record %s: %w", idOf(it.Key()), err)
		}
		if !selected(q.Where, q.Within, &r) {
			continue
		}
		q.Limit--
		if !yield(&r) || q.Limit == 0 {
			return nil
		}
	}
	return nil
}

// selected says whether all of where hold for a record, and one of within, unless it is nil.
func selected(where, within []Condition, r *record.Record) bool {
	for i := range where {
		if !where[i].holds(r) {
			return false
		}
	}
	return within == nil || slices.ContainsFunc(within, func(c Condition) bool { return c.holds(r) })
}

// Proven is the settled spending of one lease for which there are records on
// disk, or about to be. It is exact when the journal was just opened; later it
// may lack the group that is being written.
func (j *Journal) Proven(account ledger.AccountKey, incarnation uint32) (ledger.Amount, error) {
	return j.leaseSum(store.PrefixProof, account, incarnation)
}

// ProvenOverrun is the part of [Journal.Proven] that was spent beyond the holds
// it was charged to.
func (j *Journal) ProvenOverrun(account ledger.AccountKey, incarnation uint32) (ledger.Amount, error) {
	return j.leaseSum(store.PrefixOverrun, account, incarnation)
}

// Overruns calls each with the leases that have something in [Journal.ProvenOverrun].
func (j *Journal) Overruns(each func(ledger.AccountKey, uint32)) (err error) {
	it, err := j.db.NewIter(&pebble.IterOptions{LowerBound: []byte{store.PrefixOverrun}, UpperBound: []byte{store.PrefixOverrun + 1}})
	if err != nil {
		return fmt.Errorf("read the overruns: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		const head = 1 + 4 // the prefix and the incarnation
		if len(it.Key()) < head {
			return fmt.Errorf("the overrun under %x has no lease: %w", it.Key(), store.ErrCorrupt)
		}
		account, rest, err := record.DecodeAccount(it.Key()[head:])
		if err != nil || len(rest) > 0 {
			return fmt.Errorf("the lease of the overrun under %x cannot be read: %w", it.Key(), store.ErrCorrupt)
		}
		each(account, binary.BigEndian.Uint32(it.Key()[1:head]))
	}
	return it.Error()
}

func (j *Journal) leaseSum(prefix byte, account ledger.AccountKey, incarnation uint32) (ledger.Amount, error) {
	v, closer, err := j.db.Get(appendLeaseKey(nil, prefix, lease{account, incarnation}))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the proof of %s: %w", account.Budget, err)
	}
	sum, err := store.DecodeSum(v)
	if err = errors.Join(err, closer.Close()); err != nil {
		return 0, fmt.Errorf("read the proof of %s: %w", account.Budget, err)
	}
	return ledger.Amount(sum), nil
}

// Forget deletes the proof of a lease that is closed in the ledger.
func (j *Journal) Forget(account ledger.AccountKey, incarnation uint32) error {
	b := j.store.NewBatch()
	for _, prefix := range [...]byte{store.PrefixProof, store.PrefixOverrun} {
		if err := b.Delete(appendLeaseKey(nil, prefix, lease{account, incarnation}), nil); err != nil {
			return fmt.Errorf("forget the proof of %s: %w", account.Budget, err)
		}
	}
	return j.store.Apply(b, store.Buffered)
}

// ForgetFrom deletes the proofs of an incarnation and of all later ones.
func (j *Journal) ForgetFrom(incarnation uint32) error {
	b := j.store.NewBatch()
	for _, prefix := range [...]byte{store.PrefixProof, store.PrefixOverrun} {
		from := binary.BigEndian.AppendUint32([]byte{prefix}, incarnation)
		if err := b.DeleteRange(from, []byte{prefix + 1}, nil); err != nil {
			return fmt.Errorf("forget proofs: %w", err)
		}
	}
	return j.store.Apply(b, store.Synced)
}

// idOf names the record behind a key in an error.
func idOf(key []byte) string {
	var id record.ID
	if len(key) < recordKeyLen {
		return fmt.Sprintf("%x", key)
	}
	copy(id[:], key[len(key)-len(id)-1:])
	return id.String()
}
