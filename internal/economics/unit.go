package economics

import (
	"math/bits"

	"purser/ledger"
)

// Unit is what follows from a sum. A pointer that is nil is something of which a half is
// not known, which is never the same as 0.
type Unit struct {
	// Coverage is the share of the cost that is of requests of which each measure is known,
	// 0 to 1; nil where there was no cost. What follows from a measure says nothing of the
	// rest.
	Coverage [NumMeasures]*float64

	PerOutcome *ledger.Amount // cost of the requests with outcomes / outcomes
	PerLoaded  *ledger.Amount // all cost / outcomes: as if the rest were spent for nothing
	PerSuccess *ledger.Amount // cost of the requests of which success is told / successes
	PerQuality *ledger.Amount // cost of the judged / sum of quality: of one outcome of quality 1
	MeanWorth  *float64       // quality, 0 to 1

	PerDollar   *float64       // value / cost of the valued
	Price       *ledger.Amount // value of one outcome that has one
	ValueMargin *float64       // (value - cost of the valued) / value
	ValueProfit *ledger.Amount // value - cost of the valued

	Margin *float64       // (revenue - cost of the paid) / revenue
	Profit *ledger.Amount // revenue - cost of the paid

	// BreakEvenPrice is what one outcome has to bring so that the margin is 0: the cost of
	// one of those with a value or, where none has one, of any. BreakEvenOutcomes is how many
	// outcomes, at the cost of one, spend what was paid.
	BreakEvenPrice    *ledger.Amount
	BreakEvenOutcomes *float64
}

// Unit says what follows.
func (s *Sum) Unit() (u Unit) {
	for m := range u.Coverage {
		u.Coverage[m] = ratio(s.Of[m], s.Cost)
	}
	h := &s.Had
	u.PerOutcome, u.PerLoaded = per(s.Of[Counted], h.Outcomes), per(s.Cost, h.Outcomes)
	u.PerSuccess = per(s.Of[Told], h.Successes)
	u.PerQuality = per(s.Of[Judged], h.Quality)
	if h.Judged > 0 {
		mean := float64(h.Quality) / float64(h.Judged)
		u.MeanWorth = &mean
	}
	if s.Knows[Valued] {
		profit := h.Value - s.Of[Valued]
		u.ValueProfit = &profit
		u.PerDollar = ratio(h.Value, s.Of[Valued])
		u.Price = per(h.Value, h.Valued)
		u.BreakEvenPrice = per(s.Of[Valued], h.Valued)
		if h.Value > 0 {
			u.ValueMargin = ratio(profit, h.Value)
		}
	} else {
		u.BreakEvenPrice = u.PerOutcome
	}
	if s.Knows[Paid] {
		profit := s.Revenue - s.Of[Paid]
		u.Profit = &profit
		if s.Revenue > 0 {
			u.Margin = ratio(profit, s.Revenue)
		}
		if u.PerOutcome != nil && *u.PerOutcome > 0 && s.Revenue >= 0 {
			volume := float64(s.Revenue) / float64(*u.PerOutcome)
			u.BreakEvenOutcomes = &volume
		}
	}
	return u
}

// ratio is a / b; nil where b is 0.
func ratio(a, b ledger.Amount) *float64 {
	if b == 0 {
		return nil
	}
	r := float64(a) / float64(b)
	return &r
}

// per is an amount for one of what is counted in parts of [Whole], rounded to the nearest
// nano-dollar; nil for none, or where 64 bits do not hold it.
func per(amount ledger.Amount, parts int64) *ledger.Amount {
	if parts <= 0 {
		return nil
	}
	magnitude, negative := uint64(amount), amount < 0
	if negative {
		magnitude = uint64(-amount)
	}
	hi, lo := bits.Mul64(magnitude, Whole)
	lo, carry := bits.Add64(lo, uint64(parts)/2, 0)
	if hi += carry; hi >= uint64(parts) {
		return nil
	}
	q, _ := bits.Div64(hi, lo, uint64(parts))
	if q > uint64(ledger.MaxAmount) {
		return nil
	}
	v := ledger.Amount(q)
	if negative {
		v = -v
	}
	return &v
}
