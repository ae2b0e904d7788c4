package gist

import (
	"encoding/binary"
	"math/bits"
)

// The primes are wyhash's (Wang Yi, github.com/wangyi-fudan/wyhash), as is the step.
const (
	prime0 = 0xa0761d6478bd642f
	prime1 = 0xe7037ed1a0b428db
	prime2 = 0x8ebc6af09c88c6e3
)

// mix multiplies two numbers and folds the product.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^prime0, b^prime1)
	return hi ^ lo
}

// sum hashes bytes. It is kept in records: it is the same on every machine, and for good.
func sum(seed uint64, b []byte) uint64 {
	n := uint64(len(b))
	h := seed ^ prime2
	for len(b) >= 16 {
		h = mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:]))
		b = b[16:]
	}
	var tail [16]byte
	copy(tail[:], b)
	h = mix(binary.LittleEndian.Uint64(tail[:])^h, binary.LittleEndian.Uint64(tail[8:]))
	return mix(h, n^prime2)
}

// The size of a prefix is a number of 5 bits of exponent and 7 of fraction.
const (
	fraction = 7
	sizeMask = 1<<(5+fraction) - 1
)

// sizeOf is a size in that form, rounded down.
func sizeOf(n int) uint64 {
	if n <= 0 {
		return 0
	}
	e := bits.Len64(uint64(n)) - 1
	f := uint64(n)<<fraction>>e - 1<<fraction
	return min(uint64(e), 1<<5-1)<<fraction | f
}

// PrefixBytes is how many bytes the instructions and tools have that a prefix stands for.
func PrefixBytes(prefix uint64) int64 {
	v := prefix & sizeMask
	if v == 0 {
		return 0
	}
	return int64(1<<fraction+v&(1<<fraction-1)) << (v >> fraction) >> fraction
}

// Exact is a hash of a body, of one tenant and one place where it goes.
func Exact(tenant, upstream, model string, body []byte) uint64 {
	h := sum(0, []byte(tenant))
	h = sum(h, []byte(upstream))
	h = sum(h, []byte(model))
	return max(sum(h, body), 1)
}
