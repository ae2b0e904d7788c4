package waste

import (
	"math"
	"math/bits"
)

// share is how many of some answers were good, where one may be partly so.
type share struct {
	n    int64
	good float64
}

func (s *share) add(good float64) { s.n, s.good = s.n+1, s.good+good }

func (s *share) plus(o share) { s.n, s.good = s.n+o.n, s.good+o.good }

func (s share) mean() float64 { return s.good / float64(max(s.n, 1)) }

// interval is the confidence interval of a share (E. B. Wilson, Probable inference, JASA
// 1927). Of values between 0 and 1 it is wider than need be, since none varies more than
// one that is 0 or 1.
func (s share) interval(z float64) (lower, upper float64) {
	if s.n == 0 {
		return 0, 1
	}
	n, p := float64(s.n), s.mean()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// Sizes are counted in quarters of a doubling.
const (
	quarters = 4
	bins     = 26 * quarters // to 2^26 tokens
)

// bin is that of a size.
func bin(n int64) int {
	if n < quarters {
		return int(max(n, 0))
	}
	e := bits.Len64(uint64(n)) - 1
	return min(e*quarters+int(n>>(e-2)&3), bins-1)
}

// edge is the least size of the bin after b.
func edge(b int) int64 {
	b++
	if b < 2*quarters {
		return int64(b)
	}
	return int64(quarters+b%quarters) << (b/quarters - 2)
}

// sizes are how long the inputs of peers are, and how good their answers were.
type sizes struct {
	n     int64
	count [bins]int32
	worth [bins]share

	// Of those that were compressed without loss to speak of: their tokens before and after.
	compressed, before, after int64
	shaped, plain             share // how good the answers of those were, and of the rest
}

// median is the bin that the middle one is in.
func (s *sizes) median() int {
	seen := int64(0)
	for b, n := range s.count {
		if seen += int64(n); 2*seen >= s.n {
			return b
		}
	}
	return bins - 1
}

// judged is how good the answers of the bins from one up to another were.
func (s *sizes) judged(from, to int) (all share) {
	for b := max(from, 0); b < min(to, bins); b++ {
		all.plus(s.worth[b])
	}
	return all
}
