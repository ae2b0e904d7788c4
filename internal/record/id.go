package record

import (
	"encoding/binary"
	"math/rand/v2"

	"purser/ledger"
)

// ID is a request id as bytes: eight of time, eight at random. Its order is the
// order of time.
type ID [16]byte

// IDPrefix begins the text form of every request id.
const IDPrefix = "req_"

// idDigits are the 26 characters that 128 bits take in base 32.
const idDigits = 26

// alphabet is Crockford's base 32 in lower case: its order is the order of its
// bytes, and no digit is mistaken for another.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID returns the id of a request that arrived at the instant: "req_" and 26
// characters. Ids of one instant differ by 64 random bits. They are names, not
// secrets.
func NewID(at ledger.Instant) string {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(max(at, 0)))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return id.String()
}

// FirstID is the least id of an instant: those of earlier requests are below it.
func FirstID(at ledger.Instant) (id ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(max(at, 0)))
	return id
}

// At is the instant the id was made for.
func (id ID) At() ledger.Instant {
	return ledger.Instant(binary.BigEndian.Uint64(id[:8]))
}

// String is the text form of the id.
func (id ID) String() string {
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var b [len(IDPrefix) + idDigits]byte
	copy(b[:], IDPrefix)
	for i := len(b) - 1; i >= len(IDPrefix); i-- {
		b[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(b[:])
}

// ParseID is the inverse of [ID.String].
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != len(IDPrefix)+idDigits || s[:len(IDPrefix)] != IDPrefix {
		return id, false
	}
	s = s[len(IDPrefix):]
	if s[0] > '7' { // 26 digits hold two bits more than an id has
		return id, false
	}
	var hi, lo uint64
	for i := range len(s) {
		d := digitOf[s[i]]
		if d < 0 {
			return id, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(d)
	}
	if hi>>63 != 0 { // before the epoch's end: an Instant is not negative
		return id, false
	}
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, true
}

var digitOf = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = int8(i)
	}
	return t
}()
