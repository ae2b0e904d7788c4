package semcache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

// Entry is one complete, successful answer. It is immutable.
type Entry struct {
	Created ledger.Instant
	// Expires is when it is not fresh any more; 0 has [Cache.Fill] set it by the
	// configured TTL.
	Expires ledger.Instant
	// Stale is for how long after that it may be given to those who take stale
	// answers. At most [MaxTTL].
	Stale time.Duration
	// Epoch is the latest purge that was known when the request began that made it
	// ([Cache.Epoch]): later purges apply to it, however late it comes.
	Epoch Epoch
	Tags  []string // by which it can be purged; at most MaxTags of MaxTag bytes

	Status      int    // HTTP status
	ContentType string // of Body
	Body        []byte // the canonical JSON answer, from which a stream can be replayed
	Asked       string // the model as the upstream was asked for it
	Model       string // as the provider named it
	Usage       price.Usage
	Cost        ledger.Amount // nano-dollars: what it would have cost to make without any lever

	labels []label // of it, once the cache has it
}

// Limits of an entry's life and labels.
const (
	MaxTTL  = 365 * 24 * time.Hour
	MaxTags = 8
	MaxTag  = 512 // bytes
)

// keptUntil is when nobody may be given it any more.
func (e *Entry) keptUntil() ledger.Instant { return e.Expires + ledger.Instant(e.Stale) }

// The stored forms of an entry:
//
//	version=2, created (8 bytes), payload sealed and bound to version, key and created
//	version=1, CRC-32C of key and all that follows, created, expires, status,
//	content type, model, usage, cost, body: what earlier builds have written in clear
//
// and the form in which it goes to another node, over TLS:
//
//	version=1, CRC-32C of key and payload, payload
//
// A payload is created, expires, stale (ns), epoch, tags, status, content type,
// model asked, model, usage, cost, body.
const (
	clearVersion  = 1
	sealedVersion = 2
	wireVersion   = 1

	entryHeader  = 1 + 4 // of what has a checksum
	sealedHeader = 1 + 8
)

// errDamaged is why a stored entry is not used: it was changed, or another key has
// sealed it.
var errDamaged = errors.New("damaged cache entry")

// Sealer encrypts what is on disk, bound to what it belongs to. Both append to dst.
type Sealer interface {
	Seal(dst, plain, bound []byte) []byte
	Open(dst, sealed, bound []byte) ([]byte, error)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(k *Key, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(k[:], castagnoli), castagnoli, payload)
}

// size is what the entry counts against the bounds in bytes.
func (e *Entry) size() int64 {
	const overhead = 256 // the struct, its keys, its places in maps
	n := len(e.Body) + len(e.ContentType) + len(e.Asked) + len(e.Model)
	for _, t := range e.Tags {
		n += len(t)
	}
	return int64(n) + overhead
}

func appendPayload(b []byte, e *Entry) []byte {
	for _, n := range [...]int64{int64(e.Created), int64(e.Expires), int64(e.Stale), int64(e.Epoch)} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Tags)))
	for _, t := range e.Tags {
		b = appendText(b, t)
	}
	b = binary.AppendVarint(b, int64(e.Status))
	b = appendText(b, e.ContentType)
	b = appendText(b, e.Asked)
	b = appendText(b, e.Model)
	b = appendUsage(b, &e.Usage)
	b = binary.AppendVarint(b, int64(e.Cost))
	return appendText(b, e.Body)
}

func decodePayload(b []byte) (*Entry, error) {
	in := input{b: b}
	e := &Entry{
		Created: ledger.Instant(in.varint()), Expires: ledger.Instant(in.varint()), Stale: time.Duration(in.varint()),
		Epoch: Epoch(in.varint()),
	}
	tags := in.uvarint()
	if tags > MaxTags || e.Stale < 0 || e.Stale > MaxTTL {
		return nil, errDamaged
	}
	for range tags {
		e.Tags = append(e.Tags, string(in.bytes()))
	}
	e.Status, e.ContentType, e.Asked, e.Model = int(in.varint()), string(in.bytes()), string(in.bytes()), string(in.bytes())
	in.usage(&e.Usage)
	e.Cost = ledger.Amount(in.varint())
	e.Body = append([]byte(nil), in.bytes()...)
	if in.bad || len(in.b) != 0 {
		return nil, errDamaged
	}
	return e, nil
}

func appendUsage(b []byte, u *price.Usage) []byte {
	var set uint64
	for m, n := range u {
		if n != 0 {
			set |= 1 << m
		}
	}
	b = binary.AppendUvarint(b, set)
	for _, n := range u {
		if n != 0 {
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// boundTo is what a sealed entry is bound to.
func boundTo(k *Key, created ledger.Instant) []byte {
	b := append(make([]byte, 0, 64), "purser cache entry"...)
	b = append(append(b, sealedVersion), k[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(created))
}

func appendEntry(b []byte, k *Key, e *Entry, s Sealer) []byte {
	b = binary.BigEndian.AppendUint64(append(b, sealedVersion), uint64(e.Created))
	return s.Seal(b, appendPayload(make([]byte, 0, e.size()), e), boundTo(k, e.Created))
}

// decodeEntry returns the entry stored under k. It keeps no part of b.
func decodeEntry(k *Key, b []byte, s Sealer) (*Entry, error) {
	switch {
	case len(b) > entryHeader && b[0] == clearVersion:
		return decodeClear(k, b)
	case len(b) < sealedHeader || b[0] != sealedVersion:
		return nil, errDamaged
	}
	created := ledger.Instant(binary.BigEndian.Uint64(b[1:]))
	payload, err := s.Open(nil, b[sealedHeader:], boundTo(k, created))
	if err != nil {
		return nil, errDamaged
	}
	e, err := decodePayload(payload)
	if err != nil || e.Created != created {
		return nil, errDamaged
	}
	return e, nil
}

// decodeClear reads version 1.
func decodeClear(k *Key, b []byte) (*Entry, error) {
	if binary.BigEndian.Uint32(b[1:]) != checksum(k, b[entryHeader:]) {
		return nil, errDamaged
	}
	in := input{b: b[entryHeader:]}
	e := &Entry{
		Created: ledger.Instant(in.varint()), Expires: ledger.Instant(in.varint()), Status: int(in.varint()),
		ContentType: string(in.bytes()), Model: string(in.bytes()),
	}
	in.usage(&e.Usage)
	e.Cost = ledger.Amount(in.varint())
	e.Body = append([]byte(nil), in.bytes()...)
	if in.bad || len(in.b) != 0 {
		return nil, errDamaged
	}
	return e, nil
}

// createdIn reads when a stored entry was made; -1 where it does not say.
func createdIn(b []byte) ledger.Instant {
	switch {
	case len(b) >= sealedHeader && b[0] == sealedVersion:
		return ledger.Instant(binary.BigEndian.Uint64(b[1:]))
	case len(b) > entryHeader && b[0] == clearVersion:
		in := input{b: b[entryHeader:]}
		return ledger.Instant(in.varint())
	default:
		return -1
	}
}

// AppendWire appends the entry as it goes to another node.
func AppendWire(b []byte, k Key, e *Entry) []byte {
	start := len(b)
	b = append(b, wireVersion, 0, 0, 0, 0)
	b = appendPayload(b, e)
	binary.BigEndian.PutUint32(b[start+1:], checksum(&k, b[start+entryHeader:]))
	return b
}

// DecodeWire reads what another node sent as the entry of k. It keeps no part of b.
func DecodeWire(k Key, b []byte) (*Entry, error) {
	if len(b) < entryHeader || b[0] != wireVersion || binary.BigEndian.Uint32(b[1:]) != checksum(&k, b[entryHeader:]) {
		return nil, errDamaged
	}
	e, err := decodePayload(b[entryHeader:])
	if err != nil || !e.complete() {
		return nil, errDamaged
	}
	return e, nil
}

// complete says whether it is an answer that may be kept.
func (e *Entry) complete() bool { return e.Status == 200 && len(e.Body) > 0 }

// input is what is left to decode. After the first fault it yields zeroes.
type input struct {
	b   []byte
	bad bool
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.b)
	return advance(in, v, n)
}

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.b)
	return advance(in, v, n)
}

func advance[T int64 | uint64](in *input, v T, n int) T {
	if n <= 0 {
		in.bad, in.b = true, nil
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *input) bytes() []byte {
	n := in.uvarint()
	if n > uint64(len(in.b)) {
		in.bad, in.b = true, nil
		return nil
	}
	p := in.b[:n]
	in.b = in.b[n:]
	return p
}

func (in *input) usage(u *price.Usage) {
	set := in.uvarint()
	if set >= 1<<price.NumMeters {
		in.bad, in.b = true, nil
		return
	}
	for m := range u {
		if set&(1<<m) != 0 {
			u[m] = in.varint()
		}
	}
}
