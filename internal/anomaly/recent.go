package anomaly

import "purser/ledger"

// Bin is the span that spending is counted in.
const Bin = 10 * ledger.Second

// binsKept is how many bins [Recent] has: those of two minutes, and the present one.
const binsKept = 13

// maxKeysOfBin bounds the keys of one bin; what others spend counts under no key but that
// of everything.
const maxKeysOfBin = 4096

// Key is one value of one dimension, or everything: its zero value.
type Key struct {
	Dim   string `json:"dim,omitempty"`
	Value string `json:"value,omitempty"`
}

// Sum is what was spent in a span.
type Sum struct {
	Cost     float64 `json:"cost"`    // nano-dollars
	Squares  float64 `json:"squares"` // sum of the squares of the requests' costs
	Requests int64   `json:"requests"`
}

// Add adds o.
func (s *Sum) Add(o Sum) {
	s.Cost += o.Cost
	s.Squares += o.Squares
	s.Requests += o.Requests
}

// spread is over how many requests a sum is spread: as many as there are where they cost
// the same, and 1 where a single one is nearly all of it (the inverse of Herfindahl's
// index).
func (s *Sum) spread() float64 {
	if s.Squares <= 0 {
		return 0
	}
	return s.Cost * s.Cost / s.Squares
}

// Sample is what one key spent in one bin.
type Sample struct {
	Key
	Sum
}

// Recent counts what one node sees, bin by bin. It is not safe for concurrent use.
type Recent struct {
	bins [binsKept]bin
}

type bin struct {
	number int64 // since 1970
	sums   map[Key]Sum
}

// BinOf is the number of the bin that an instant is in.
func BinOf(at ledger.Instant) int64 { return int64(at / Bin) }

// Add counts a request that cost so much, under everything and under its keys. What is
// older than the bins that are kept is not counted.
func (r *Recent) Add(at ledger.Instant, cost ledger.Amount, keys []Key) {
	n := BinOf(at)
	b := &r.bins[n%binsKept]
	switch {
	case n < b.number:
		return
	case n > b.number || b.sums == nil:
		b.number, b.sums = n, map[Key]Sum{}
	}
	c := float64(cost)
	b.count(Key{}, Sum{c, c * c, 1})
	for _, k := range keys {
		b.count(k, Sum{c, c * c, 1})
	}
}

func (b *bin) count(k Key, s Sum) {
	sum, ok := b.sums[k]
	if !ok && len(b.sums) >= maxKeysOfBin {
		return
	}
	sum.Add(s)
	b.sums[k] = sum
}

// Of gives what was counted in a bin, in no order.
func (r *Recent) Of(number int64) []Sample {
	b := &r.bins[number%binsKept]
	if b.number != number {
		return nil
	}
	out := make([]Sample, 0, len(b.sums))
	for k, s := range b.sums {
		out = append(out, Sample{k, s})
	}
	return out
}
