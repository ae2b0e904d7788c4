package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/audit"
	"purser/internal/store"
	"purser/ledger"
)

// Of the keys, after [store.PrefixAudit].
const (
	keyAnchor byte = 'h'
	keyEntry  byte = 'e'
	keyAside  byte = 'x'
)

// anchorVersion begins the stored form of the anchor.
const anchorVersion = 1

// Archive is the audit trail on disk. [Open] makes one.
type Archive struct {
	store *store.Store

	mu     sync.Mutex
	anchor audit.Head
	last   audit.Head // the anchor where there is no entry
}

// Span is the part of the chain that an archive has: what follows the one, up to the
// other.
type Span struct {
	After, Last audit.Head
}

// Open reads how far the archive of a store goes. A last entry that cannot be read has
// no hash; [Archive.Follow] sets it aside.
func Open(s *store.Store) (*Archive, error) {
	a := &Archive{store: s}
	v, closer, err := s.DB().Get([]byte{store.PrefixAudit, keyAnchor})
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("read the anchor of the audit trail: %w", err)
	default:
		a.anchor, err = decodeAnchor(v)
		if err = errors.Join(err, closer.Close()); err != nil {
			return nil, err
		}
	}
	a.last = a.anchor
	it, err := s.DB().NewIter(entries(0))
	if err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	if it.Last() {
		a.last = headAt(it.Key(), it.Value())
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("read the audit trail: %w", err)
	}
	return a, nil
}

func decodeAnchor(b []byte) (h audit.Head, err error) {
	if len(b) == 0 || b[0] != anchorVersion {
		return h, errors.New("the anchor of the audit trail is of a later version, or damaged")
	}
	var n int
	if h.Seq, n = binary.Uvarint(b[1:]); n <= 0 || len(b) != 1+n+len(h.Hash) {
		return h, errors.New("the anchor of the audit trail is damaged")
	}
	copy(h.Hash[:], b[1+n:])
	return h, nil
}

func setAnchor(b *pebble.Batch, h audit.Head) error {
	v := append(binary.AppendUvarint([]byte{anchorVersion}, h.Seq), h.Hash[:]...)
	return b.Set([]byte{store.PrefixAudit, keyAnchor}, v, nil)
}

func entryKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{store.PrefixAudit, keyEntry}, seq)
}

// entries are the keys of entries from a seq on.
func entries(from uint64) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: entryKey(from), UpperBound: []byte{store.PrefixAudit, keyEntry + 1}}
}

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[2:]) }

// headAt is what a stored entry says its head is, without a hash if it cannot be read.
func headAt(key, value []byte) audit.Head {
	h := audit.Head{Seq: seqOf(key)}
	if l, err := audit.DecodeLink(value); err == nil {
		h.Hash = l.Hash
	}
	return h
}

// Span is what the archive has.
func (a *Archive) Span() Span {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Span{a.anchor, a.last}
}

func (a *Archive) set(s Span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.anchor, a.last = s.After, s.Last
}

// At is what the archive says the head at an entry is.
func (a *Archive) At(seq uint64) (audit.Head, bool, error) {
	if s := a.Span(); seq == s.After.Seq {
		return s.After, true, nil
	}
	v, closer, err := a.store.DB().Get(entryKey(seq))
	if errors.Is(err, pebble.ErrNotFound) {
		return audit.Head{}, false, nil
	}
	if err != nil {
		return audit.Head{}, false, fmt.Errorf("read entry %d of the audit trail: %w", seq, err)
	}
	return headAt(entryKey(seq), v), true, closer.Close()
}

// Read yields the entries after a seq, as they are at the call. One that cannot be
// decoded is an error that wraps [audit.ErrMalformed] or [audit.ErrUnknown], and does
// not end the sequence.
func (a *Archive) Read(after uint64) iter.Seq2[audit.Link, error] {
	return func(yield func(audit.Link, error) bool) {
		it, err := a.store.DB().NewIter(entries(after + 1))
		if err != nil {
			yield(audit.Link{}, fmt.Errorf("read the audit trail: %w", err))
			return
		}
		more := true
		for ok := it.First(); ok && more; ok = it.Next() {
			l, err := audit.DecodeLink(it.Value())
			if err != nil {
				err = fmt.Errorf("entry %d: %w", seqOf(it.Key()), err)
			}
			more = yield(l, err)
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil && more {
			yield(audit.Link{}, fmt.Errorf("read the audit trail: %w", err))
		}
	}
}

// Extend writes links that continue the last entry, whole or not at all, and forces
// them to disk. Links that do not are an error, and nothing is written.
func (a *Archive) Extend(links []audit.Link) error {
	if len(links) == 0 {
		return nil
	}
	span := a.Span()
	v, err := audit.Verify(func(yield func(audit.Link, error) bool) {
		for _, l := range links {
			if !yield(l, nil) {
				return
			}
		}
	}, audit.Expect{After: &span.Last})
	if err != nil {
		return fmt.Errorf("extend the audit trail from entry %d: %w", span.Last.Seq, err)
	}
	b := a.store.NewBatch()
	for i, l := range links {
		if err := b.Set(entryKey(span.Last.Seq+1+uint64(i)), audit.AppendLink(nil, l), nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if err := a.store.Apply(b, store.Synced); err != nil {
		return err
	}
	a.set(Span{span.After, v.Head})
	return nil
}

// DropBefore drops the entries from the beginning that are older than an instant, and
// moves the anchor: the rest is verified from it.
func (a *Archive) DropBefore(at ledger.Instant) (dropped uint64, err error) {
	span := a.Span()
	next := span.After
	for l, err := range a.Read(span.After.Seq) {
		if err != nil {
			return 0, err
		}
		e, err := l.Entry()
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", next.Seq+1, err)
		}
		if e.At >= at || e.Seq != next.Seq+1 || dropped == maxDrop {
			break
		}
		next = audit.Head{Seq: e.Seq, Hash: l.Hash}
		dropped++
	}
	if dropped == 0 {
		return 0, nil
	}
	b := a.store.NewBatch()
	if err := errors.Join(b.DeleteRange(entryKey(0), entryKey(next.Seq+1), nil), setAnchor(b, next)); err != nil {
		return 0, errors.Join(err, b.Close())
	}
	if err := a.store.Apply(b, store.Synced); err != nil {
		return 0, err
	}
	if span.Last.Seq == next.Seq {
		span.Last = next
	}
	a.set(Span{next, span.Last})
	return dropped, nil
}

// maxDrop bounds one drop; the rest goes with the next.
const maxDrop = 1 << 20
