package audit

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Errors of the decoders. In the log or in a snapshot either stops the node.
var (
	// ErrUnknown is an input of a version or kind this build does not know.
	ErrUnknown = errors.New("unknown version or kind")
	// ErrMalformed is an input that no encoder has written.
	ErrMalformed = errors.New("malformed")
)

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func appendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(appendUint(b, uint64(len(s))), s...)
}

// reader takes values off the front of b. After the first value that is not there,
// or that no encoder writes, it is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.take(uint64(len(h))))
	return h
}

// uint reads a varint in its shortest form: a stored form has one way to be written,
// or a hash would not stand for what it covers.
func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.take(uint64(n))
	if r.bad {
		return 0
	}
	return v
}

func (r *reader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// text reads UTF-8 of at most limit bytes.
func (r *reader) text(limit uint64) string {
	b := r.bytes(limit)
	return string(b)
}

// bytes reads UTF-8 of at most limit bytes, nil for none. It shares r's memory.
func (r *reader) bytes(limit uint64) []byte {
	n := r.uint()
	if n > limit {
		r.bad = true
	}
	b := r.take(n)
	if !utf8.Valid(b) {
		r.bad = true
	}
	if r.bad || len(b) == 0 {
		return nil
	}
	return b
}
