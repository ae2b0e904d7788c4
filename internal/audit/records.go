package audit

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"purser/ledger"
)

// The kinds of snapshot record.
const (
	recordHeader = 1 // first: now, base (seq, hash), head (seq, hash)
	recordSource = 2 // node, incarnation, seq, head; by node
	recordEntry  = 3 // an entry, in its stored form; by seq
)

// Records yields the trail as a sequence of records: a header, then sources, then
// entries. A record is valid until the next one is asked for.
func (t *Trail) Records() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := appendInt([]byte{codecVersion, recordHeader}, int64(t.now))
		b = append(appendUint(b, t.base.Seq), t.base.Hash[:]...)
		b = append(appendUint(b, t.head.Seq), t.head.Hash[:]...)
		if !yield(b) {
			return
		}
		for _, s := range t.sources {
			b = appendBytes(append(b[:0], codecVersion, recordSource), string(s.node))
			b = appendUint(appendUint(appendUint(b, uint64(s.incarnation)), s.seq), s.head)
			if !yield(b) {
				return
			}
		}
		for _, l := range t.recent {
			if !yield(append(append(b[:0], codecVersion, recordEntry), l.Stored...)) {
				return
			}
		}
	}
}

// Digest is the SHA-256 of the records with their lengths: two trails that hold the
// same have the same digest.
func (t *Trail) Digest() [32]byte {
	h := sha256.New()
	var size []byte
	for b := range t.Records() {
		size = appendUint(size[:0], uint64(len(b)))
		h.Write(size)
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// Load builds a trail from its records, and checks that its entries lead from its
// base to its head. It keeps nothing of a record's memory. An error of the sequence
// is returned as it is; a sequence that is not that of a trail is [ErrMalformed], one
// of a later build [ErrUnknown].
func Load(records iter.Seq2[[]byte, error]) (*Trail, error) {
	var t *Trail
	var head Head
	for b, err := range records {
		if err != nil {
			return nil, err
		}
		r := reader{b: b}
		version, kind := r.byte(), r.byte()
		switch {
		case r.bad:
			return nil, fmt.Errorf("audit record: %w", ErrMalformed)
		case version != codecVersion || kind < recordHeader || kind > recordEntry:
			return nil, fmt.Errorf("audit record of version %d, kind %d: %w", version, kind, ErrUnknown)
		case (kind == recordHeader) != (t == nil):
			return nil, fmt.Errorf("audit header out of place: %w", ErrMalformed)
		case kind == recordHeader:
			t = &Trail{now: ledger.Instant(r.int()), base: Head{r.uint(), r.hash()}}
			head = Head{r.uint(), r.hash()}
			t.head = t.base
		case kind == recordSource:
			t.loadSource(&r)
		default:
			t.loadEntry(&r)
		}
		if r.bad || len(r.b) != 0 {
			return nil, fmt.Errorf("audit record of kind %d: %w", kind, ErrMalformed)
		}
	}
	if t == nil || t.head != head {
		return nil, fmt.Errorf("audit records do not lead to their head: %w", ErrMalformed)
	}
	return t, nil
}

func (t *Trail) loadSource(r *reader) {
	s := source{node: ledger.NodeID(r.text(MaxText))}
	incarnation := r.uint()
	s.incarnation, s.seq, s.head = uint32(incarnation), r.uint(), r.uint()
	n := len(t.sources)
	if incarnation > 1<<32-1 || n >= MaxSources || n > 0 && t.sources[n-1].node >= s.node || len(t.recent) > 0 {
		r.bad = true
	}
	t.sources = append(t.sources, s)
}

func (t *Trail) loadEntry(r *reader) {
	stored := append([]byte(nil), r.take(uint64(len(r.b)))...)
	e, err := DecodeEntry(stored)
	base := t.base
	if err != nil || e.Seq != t.head.Seq+1 || e.At > t.now {
		r.bad = true
		return
	}
	t.add(link(t.head.Hash, stored))
	if t.base != base {
		r.bad = true // more than a trail holds
	}
}
