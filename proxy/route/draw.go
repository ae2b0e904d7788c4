package route

import "math"

// draws are the draws of one request: for each name a number that depends on the seed
// and the name alone.
type draws uint64

// newDraws seeds by what a route sticks to, which every node hashes alike, else by
// chance.
func newDraws(route, sticky string, random uint64) draws {
	if sticky == "" {
		return draws(random)
	}
	return draws(hash(hash(fnvOffset, route), "\x00"+sticky))
}

// of is the draw of a name, above zero and below one.
func (d draws) of(name string) float64 {
	const bits = 53 // of a float64's fraction
	return (float64(mix(hash(uint64(d)^fnvOffset, name))>>(64-bits)) + 0.5) / (1 << bits)
}

// weighted is the key by which names are put in order so that each comes first in
// proportion to its weight, which is above zero: the smallest first. It is the draw
// of an exponential distribution with that rate.
func (d draws) weighted(name string, weight int) float64 {
	return -math.Log(d.of(name)) / float64(weight)
}

// Offset and prime of FNV-1a with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hash(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

// mix spreads every bit over all: the finalizer of SplitMix64 (Steele, Lea and Flood,
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
