package directory

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"purser/ledger"
)

// The kinds of snapshot record.
const (
	recordHeader  = 1 // first: now, version, number of keys
	recordKey     = 2 // a key, then created, revoked, version
	recordNode    = 3 // a member, then state, joined
	recordToken   = 4 // hash, expires, used by
	recordGateway = 5 // a gateway, as a member; they are in one order by ID
	recordObject  = 6 // an object, as a command puts it with its version for expect, then created, changed
	// recordWholeKey is a key that has more than recordKey holds: as WriteKey puts it, then
	// old hash, old public key (32 bytes each), old until, last used, created, revoked, version.
	recordWholeKey = 7
	recordChild    = 8 // id of the parent, then a child
	recordAlerts   = 9 // of alerts: see alert_codec.go
	// recordSuspendedKey is recordWholeKey for a key that is suspended.
	recordSuspendedKey = 10
)

// Records yields the state as a sequence of records: a header, then the keys in
// the order of [State.Keys], then nodes, tokens, objects, children and alerts in theirs. A record is valid until the next one is asked for.
func (s *State) Records() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := append(make([]byte, 0, 512), codecVersion, recordHeader)
		b = appendInt(b, int64(s.now))
		b = appendUint(b, s.version)
		b = appendUint(b, uint64(s.count))
		if !yield(b) {
			return
		}
		for k := range s.Keys() {
			if b = keyRecord(b[:0], k); !yield(b) {
				return
			}
		}
		_ = s.nodeRecords(b, yield) && s.objectRecords(b, yield) && s.childRecords(b, yield) && s.alertRecords(b, yield)
	}
}

// Digest is the SHA-256 of the records with their lengths: two states that hold
// the same have the same digest, whatever their history. It takes time in
// proportion to the number of keys.
func (s *State) Digest() [32]byte {
	h := sha256.New()
	var size []byte
	for b := range s.Records() {
		size = appendUint(size[:0], uint64(len(b)))
		h.Write(size)
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// Load builds a state from its records. It keeps nothing of a record's memory.
// An error of the sequence is returned as it is; a sequence that is not that of
// a state is [ErrMalformed], one of a later build [ErrUnknown].
func Load(records iter.Seq2[[]byte, error]) (*State, error) {
	var s *State
	promised := 0
	for b, err := range records {
		if err != nil {
			return nil, err
		}
		r := reader{b: b}
		version, kind := r.byte(), r.byte()
		switch {
		case r.bad:
			return nil, fmt.Errorf("directory record: %w", ErrMalformed)
		case version != codecVersion || kind < recordHeader || kind > recordSuspendedKey:
			return nil, fmt.Errorf("directory record of version %d, kind %d: %w", version, kind, ErrUnknown)
		case (kind == recordHeader) != (s == nil):
			return nil, fmt.Errorf("directory header out of place: %w", ErrMalformed)
		case kind == recordHeader:
			s = &State{now: ledger.Instant(r.int()), version: r.uint()}
			n := r.uint()
			if n > MaxKeys {
				return nil, fmt.Errorf("directory of %d keys, the most is %d: %w", n, MaxKeys, ErrMalformed)
			}
			promised = int(n)
		default:
			if err := s.load(kind, &r); err != nil {
				return nil, err
			}
		}
		if r.bad || len(r.b) != 0 {
			return nil, fmt.Errorf("directory record of kind %d: %w", kind, ErrMalformed)
		}
	}
	if s == nil || s.count != promised {
		return nil, fmt.Errorf("directory records are incomplete: %w", ErrMalformed)
	}
	if err := s.objects.link(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *State) load(kind byte, r *reader) error {
	switch kind {
	case recordKey:
		return s.loadKey(r)
	case recordNode:
		return s.loadNode(r, Member)
	case recordGateway:
		return s.loadNode(r, Gateway)
	case recordObject:
		return s.loadObject(r)
	case recordWholeKey, recordSuspendedKey:
		return s.loadWholeKey(kind, r)
	case recordChild:
		return s.loadChild(r)
	case recordAlerts:
		return s.loadAlerts(r)
	default:
		return s.loadToken(r)
	}
}

func (s *State) loadKey(r *reader) error {
	k := r.key()
	return s.loadRest(r, &k)
}

// loadRest reads what the record of a key ends with, and takes the key in.
func (s *State) loadRest(r *reader, k *Key) error {
	k.Created, k.Revoked, k.Version = ledger.Instant(r.int()), ledger.Instant(r.int()), r.uint()
	if r.bad {
		return nil // the caller says so
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("directory record: %w: %w", ErrMalformed, err)
	}
	_, sameID := s.Key(k.ID)
	_, sameHash := s.Find(k.Hash)
	if sameID || sameHash || k.Version == 0 || k.Version > s.version {
		return fmt.Errorf("directory record of key %s contradicts the others: %w", k.ID, ErrMalformed)
	}
	s.count++
	s.insert(k)
	return nil
}
