package semcache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"purser/ledger"
	"purser/proxy/price"
)

// Entry is one complete, successful answer. It is immutable.
type Entry struct {
	Created, Expires ledger.Instant // Expires is set by [Cache.Fill]

	Status      int    // HTTP status
	ContentType string // of Body
	Body        []byte // the canonical JSON answer, from which a stream can be replayed
	Model       string // as the provider named it
	Usage       price.Usage
	Cost        ledger.Amount // nano-dollars: what it would have cost to make without any lever
}

// entryVersion of the stored form: version, CRC-32C of key and all that follows,
// created, expires, status, content type, model, usage, cost, body.
const entryVersion = 1

const entryHeader = 1 + 4

// errDamaged is why a stored entry is not used.
var errDamaged = errors.New("damaged cache entry")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(k *Key, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(k[:], castagnoli), castagnoli, payload)
}

// size is what the entry counts against the bounds in bytes.
func (e *Entry) size() int64 {
	const overhead = 256 // the struct, its keys, its places in maps
	return int64(len(e.Body)+len(e.ContentType)+len(e.Model)) + overhead
}

func appendEntry(b []byte, k *Key, e *Entry) []byte {
	start := len(b)
	b = append(b, entryVersion, 0, 0, 0, 0)
	b = binary.AppendVarint(b, int64(e.Created))
	b = binary.AppendVarint(b, int64(e.Expires))
	b = binary.AppendVarint(b, int64(e.Status))
	b = appendText(b, e.ContentType)
	b = appendText(b, e.Model)
	var set uint64
	for m, n := range e.Usage {
		if n != 0 {
			set |= 1 << m
		}
	}
	b = binary.AppendUvarint(b, set)
	for _, n := range e.Usage {
		if n != 0 {
			b = binary.AppendVarint(b, n)
		}
	}
	b = binary.AppendVarint(b, int64(e.Cost))
	b = appendText(b, string(e.Body))
	binary.BigEndian.PutUint32(b[start+1:], checksum(k, b[start+entryHeader:]))
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeEntry returns the entry stored under k. It keeps no part of b.
func decodeEntry(k *Key, b []byte) (*Entry, error) {
	if len(b) < entryHeader || b[0] != entryVersion || binary.BigEndian.Uint32(b[1:]) != checksum(k, b[entryHeader:]) {
		return nil, errDamaged
	}
	in := input{b: b[entryHeader:]}
	e := &Entry{
		Created: ledger.Instant(in.varint()), Expires: ledger.Instant(in.varint()), Status: int(in.varint()),
		ContentType: string(in.bytes()), Model: string(in.bytes()),
	}
	set := in.uvarint()
	if set >= 1<<price.NumMeters {
		return nil, errDamaged
	}
	for m := range e.Usage {
		if set&(1<<m) != 0 {
			e.Usage[m] = in.varint()
		}
	}
	e.Cost = ledger.Amount(in.varint())
	e.Body = append([]byte(nil), in.bytes()...)
	if in.bad || len(in.b) != 0 {
		return nil, errDamaged
	}
	return e, nil
}

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

// place is an entry's position in the order of eviction.
type place struct {
	placed ledger.Instant
	key    Key
}

// placeInfo is what is stored at a place: which filling of the key it stands
// for, and what that counts.
type placeInfo struct {
	created, expires ledger.Instant
	size             int64
}

const placeVersion = 1

func appendPlaceInfo(b []byte, p placeInfo) []byte {
	b = append(b, placeVersion)
	b = binary.AppendVarint(b, int64(p.created))
	b = binary.AppendVarint(b, int64(p.expires))
	return binary.AppendVarint(b, p.size)
}

func decodePlaceInfo(b []byte) (placeInfo, bool) {
	if len(b) == 0 || b[0] != placeVersion {
		return placeInfo{}, false
	}
	in := input{b: b[1:]}
	p := placeInfo{created: ledger.Instant(in.varint()), expires: ledger.Instant(in.varint()), size: in.varint()}
	return p, !in.bad && len(in.b) == 0 && p.size >= 0
}
