package usage

import "math/bits"

// histogram counts durations in buckets that are at most an eighth wider at the
// end than at the start: 8 to each power of two, from about a microsecond to
// about an hour. What is outside is counted in the first or last bucket.
type histogram struct {
	n       int64
	first   int     // the bucket that buckets begin with
	buckets []int64 // from the lowest that counts anything to the highest
}

const (
	firstOctave = 10 // 2^10 ns
	octaves     = 32 // to 2^42 ns
	numBuckets  = octaves * 8
)

// add counts a duration in nanoseconds; zero and less is none.
func (h *histogram) add(ns int64) {
	if ns > 0 {
		h.count(bucketOf(ns), 1)
	}
}

// count adds n durations to a bucket.
func (h *histogram) count(bucket int, n int64) {
	if i := bucket - h.first; uint(i) >= uint(len(h.buckets)) {
		h.reach(bucket)
	}
	h.n += n
	h.buckets[bucket-h.first] += n
}

// reach makes room for a bucket, and some beside it, an eighth and eight times as much:
// spans of one group are near each other.
func (h *histogram) reach(bucket int) {
	low, high := max(bucket-24, 0), min(bucket+25, numBuckets)
	if len(h.buckets) > 0 {
		low, high = min(low, h.first), max(high, h.first+len(h.buckets))
	}
	grown := make([]int64, high-low)
	if len(h.buckets) > 0 {
		copy(grown[h.first-low:], h.buckets)
	}
	h.first, h.buckets = low, grown
}

func bucketOf(ns int64) int {
	o := bits.Len64(uint64(ns)) - 1 - firstOctave
	switch {
	case o < 0:
		return 0
	case o >= octaves:
		return numBuckets - 1
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
	for i, n := range o.buckets {
		if n != 0 {
			h.count(o.first+i, n)
		}
	}
}

func (h *histogram) latency() Latency {
	return Latency{P50: h.quantile(50), P90: h.quantile(90), P99: h.quantile(99)}
}

// quantile is the duration that percent of those counted do not pass.
func (h *histogram) quantile(percent int64) int64 {
	rank := (h.n*percent + 99) / 100
	var seen int64
	for i, n := range h.buckets {
		seen += n
		if n > 0 && seen >= rank {
			return middleOf(h.first + i)
		}
	}
	return 0
}
