package price

import (
	"math/bits"

	"purser/ledger"
)

// maxUnit is the dearest price of one unit, in pico-dollars: 1,000 USD. With
// counts below 2^63 it keeps every product below 2^113, so that the sum over
// all meters cannot leave 128 bits.
const maxUnit = 1_000_000_000_000_000

const picoPerNano = 1000

// pico is an exact sum of pico-dollars, of 128 bits.
type pico struct{ hi, lo uint64 }

// add adds n units at unit pico-dollars each. Both must not be negative.
func (p *pico) add(n, unit int64) {
	hi, lo := bits.Mul64(uint64(n), uint64(unit))
	var carry uint64
	p.lo, carry = bits.Add64(p.lo, lo, 0)
	p.hi, _ = bits.Add64(p.hi, hi, carry)
}

// max is the larger of the two.
func (p pico) max(q pico) pico {
	if q.hi > p.hi || q.hi == p.hi && q.lo > p.lo {
		return q
	}
	return p
}

// nano is the sum in nano-dollars, rounded up, at most [ledger.MaxAmount]. A
// scale above 1 says that the sum is in that fraction of a pico-dollar.
func (p pico) nano(scale int64) ledger.Amount {
	if scale <= 1 && p.hi == 0 && p.lo < 1<<63 { // below 9 million dollars, division by a constant will do
		return ledger.Amount((p.lo + picoPerNano - 1) / picoPerNano)
	}
	per := picoPerNano * uint64(max(scale, 1))
	hi, rest := bits.Div64(0, p.hi, per)
	lo, rest := bits.Div64(rest, p.lo, per)
	if hi != 0 || lo >= uint64(ledger.MaxAmount) {
		return ledger.MaxAmount
	}
	if rest > 0 {
		lo++
	}
	return ledger.Amount(lo)
}
