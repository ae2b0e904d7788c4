package usage

import "math/bits"

// histogram counts durations in buckets that are at most an eighth wider at the
// end than at the start: 8 to each power of two, from about a microsecond to
// about an hour. What is outside is counted in the first or last bucket.
type histogram struct {
	n       int64
	buckets [octaves * 8]uint32
}

const (
	firstOctave = 10 // 2^10 ns
	octaves     = 32 // to 2^42 ns
)

// add counts a duration in nanoseconds; zero and less is none.
func (h *histogram) add(ns int64) {
	if ns <= 0 {
		return
	}
	h.n++
	h.buckets[bucketOf(ns)]++
}

func bucketOf(ns int64) int {
	o := bits.Len64(uint64(ns)) - 1 - firstOctave
	switch {
	case o < 0:
		return 0
	case o >= octaves:
		return octaves*8 - 1
	default:
		return o*8 + int(uint64(ns)>>(o+firstOctave-3)&7)
	}
}

// middleOf is the middle of a bucket: within 1/16 of everything in it.
func middleOf(bucket int) int64 {
	o := bucket/8 + firstOctave
	return int64(8+bucket%8)<<(o-3) + int64(1)<<(o-4)
}

func (h *histogram) merge(o *histogram) {
	h.n += o.n
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
}

func (h *histogram) latency() Latency {
	return Latency{P50: h.quantile(50), P99: h.quantile(99)}
}

// quantile is the duration that percent of those counted do not pass.
func (h *histogram) quantile(percent int64) int64 {
	rank := (h.n*percent + 99) / 100
	var seen int64
	for i, n := range h.buckets {
		seen += int64(n)
		if n > 0 && seen >= rank {
			return middleOf(i)
		}
	}
	return 0
}
