// Package packed reads what the Append functions of encoding/binary wrote: varints, and
// bytes behind their lengths.
package packed

import (
	"encoding/binary"
	"math"
)

// Reader takes stored bytes apart. Once something was not there it is Bad and yields
// zeroes, so that its user looks once, at the end.
type Reader struct {
	Rest []byte // what is left
	Bad  bool
}

// Fail makes it bad.
func (r *Reader) Fail() { r.Bad, r.Rest = true, nil }

// Whole says whether everything was there, and nothing more.
func (r *Reader) Whole() bool { return !r.Bad && len(r.Rest) == 0 }

// Take gives the next n bytes, which stay part of what is read.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.Rest) {
		r.Fail()
		return nil
	}
	p := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return p
}

// Byte gives the next one.
func (r *Reader) Byte() byte {
	if p := r.Take(1); p != nil {
		return p[0]
	}
	return 0
}

// Varint reads a zigzag varint.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Uvarint reads a varint that is at most most.
func (r *Reader) Uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 || v > most {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Count reads how many things follow. Each takes a byte or more, so that no count makes its
// user allocate more than was read.
func (r *Reader) Count() int {
	n := r.Uvarint(math.MaxInt)
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Bytes reads bytes behind their length; they stay part of what is read.
func (r *Reader) Bytes() []byte { return r.Take(r.Count()) }

// Text is [Reader.Bytes] as a string of its own.
func (r *Reader) Text() string { return string(r.Bytes()) }
