package price

import (
	"math/bits"

	"purser/ledger"
)

// Rate is what one model costs during one span of time, with its limits. It is
// immutable and safe for concurrent use. Its fields are read only.
type Rate struct {
	// ID names the rate within its catalogue, for people and for records:
	// "openai/gpt-5.6-sol@2026-08-21". See [Catalogue] for its grammar.
	ID       string
	Provider string // whose price it is, which for a reseller may be another provider
	Region   string // "" for any
	Model    string // the catalogue's name of the model, not the caller's

	ContextWindow int64  // tokens in and out together, 0 when unknown
	MaxOutput     int64  // output tokens of one answer, 0 when unknown
	Tokenizer     string // "o200k", "cl100k", or "" when unknown

	From, Until ledger.Instant // valid from From to just before Until
	Source      string         // where the price was read
	Ceiling     bool           // an operator's ceiling for models without a price

	tiers  [numTiers][]band // resolved: each is never empty and begins with a band from 0
	listed [numTiers]bool   // tiers with prices of their own
	prices Set              // meters with a price of their own at the standard tier
	daily  span             // the part of the day it applies in, when limited
	peers  []*Rate          // the rates of other hours of the day, which a call may run into

	list  *Rate // of a contracted rate: the one it is made of
	scale int64 // of a contracted rate: its units are this fraction of a pico-dollar
}

// band is the prices of a call whose whole input has at least from tokens.
// Bands are ordered by from; the last that fits prices the whole call.
type band struct {
	from int64
	unit [NumMeters]int64        // pico-dollars for one, in the rate's scale
	text struct{ in, out int64 } // the dearest of Text, for the common bound
}

// Lists tells whether the catalogue has prices of its own for tier t. A tier it
// does not list is costed as standard: right for flex and batch, which are
// never dearer, and a reason to refuse priority. Auto is always listed.
func (r *Rate) Lists(t Tier) bool { return int(t) >= numTiers || r.listed[t] }

// Prices tells whether the rate has a price of its own for m, and not one taken
// from another meter. A tool call without one would be costed as free, and
// audio as text: reasons to refuse a request that asks for them.
func (r *Rate) Prices(m Meter) bool { return r.prices.Has(m) }

// Price is the pico-dollars for one unit of m in a call at tier t with input
// tokens in all; for a contracted rate, rounded up. For Auto it is the dearest.
func (r *Rate) Price(m Meter, t Tier, input int64) int64 {
	if int(t) < numTiers {
		unit, scale := r.band(t, input).unit[m], max(r.scale, 1)
		return unit/scale + min(unit%scale, 1)
	}
	var dearest int64
	for t := range Tier(numTiers) {
		dearest = max(dearest, r.Price(m, t, input))
	}
	return dearest
}

// Unit is the exact price of one unit of m in a call at tier t with input tokens in
// all: units of the fraction 1/scale of a pico-dollar. The scale divides a million.
// Auto, which has no price of its own, is false.
func (r *Rate) Unit(m Meter, t Tier, input int64) (units, scale int64, ok bool) {
	if int(t) >= numTiers {
		return 0, 0, false
	}
	return r.band(t, input).unit[m], max(r.scale, 1), true
}

// Cost is what usage u costs at tier t, in nano-dollars: summed exactly and
// rounded up once. It is at most [ledger.MaxAmount], where it stops. A negative
// count costs nothing. u is only read.
func (r *Rate) Cost(u *Usage, t Tier) ledger.Amount {
	if int(t) < numTiers {
		return r.cost(u, t)
	}
	var dearest ledger.Amount
	for t := range Tier(numTiers) {
		dearest = max(dearest, r.cost(u, t))
	}
	return dearest
}

func (r *Rate) cost(u *Usage, t Tier) ledger.Amount {
	b := &r.tiers[t][0]
	if len(r.tiers[t]) > 1 {
		b = r.band(t, u.TotalInput())
	}
	var sum pico
	for m, n := range u {
		if n > 0 {
			sum.add(n, b.unit[m])
		}
	}
	return sum.nano(r.scale)
}

// Thresholds are the total input tokens from which a call at tier t has other
// prices, the first of them 0.
func (r *Rate) Thresholds(t Tier) (from []int64) {
	for _, b := range r.tiers[t%Auto] {
		from = append(from, b.from)
	}
	return from
}

// band is the last band of tier t that begins at or below input.
func (r *Rate) band(t Tier, input int64) *band {
	return last(r.tiers[t], max(input, 0))
}

// Extent bounds what a call may consume.
type Extent struct {
	Input  int64 // tokens of every meter in [Input] together, cached or not
	Output int64 // tokens of every meter in [Output] together, all choices
	Calls  int64 // tool calls of every meter in [Calls] together
	Meters Set   // meters that may be counted at all; 0 means any
}

// Bound is the most a call with at most in input and out output tokens of any
// kind, and no tool calls, can cost at tier t: each token at its dearest meter,
// in the dearest context band that in tokens can reach. It is never less than
// the [Rate.Cost] of any usage within. One request is included.
func (r *Rate) Bound(in, out int64, t Tier) ledger.Amount {
	return r.BoundOf(Extent{Input: in, Output: out}, t)
}

// BoundOf is [Rate.Bound] with tool calls, and for the meters that can occur:
// a text request need not be held at the price of audio.
func (r *Rate) BoundOf(e Extent, t Tier) ledger.Amount {
	may := e.Meters
	if may == 0 {
		may = every
	}
	dearest := r.bound(&e, may, t)
	for _, p := range r.peers {
		dearest = dearest.max(p.bound(&e, may, t))
	}
	return dearest.nano(r.scale)
}

func (r *Rate) bound(e *Extent, may Set, t Tier) (dearest pico) {
	first, last := t, t
	if int(t) >= numTiers {
		first, last = 0, Tier(numTiers-1)
	}
	for t := first; t <= last; t++ {
		if t != first && !r.listed[t] {
			continue // the same as the standard tier, which was the first
		}
		for i := range r.tiers[t] {
			b := &r.tiers[t][i]
			if b.from > 0 && b.from > e.Input {
				break
			}
			dearest = dearest.max(b.bound(e, may))
		}
	}
	return dearest
}

func (b *band) bound(e *Extent, may Set) (sum pico) {
	in, out := b.text.in, b.text.out
	if may != Text {
		in, out = b.dearest(may&Input), b.dearest(may&Output)
	}
	sum.add(max(e.Input, 0), in)
	sum.add(max(e.Output, 0), out)
	if e.Calls > 0 {
		sum.add(e.Calls, b.dearest(may&Calls))
	}
	sum.add(1, b.unit[Requests])
	return sum
}

func (b *band) dearest(of Set) (p int64) {
	for ; of != 0; of &= of - 1 {
		p = max(p, b.unit[bits.TrailingZeros32(uint32(of))])
	}
	return p
}
