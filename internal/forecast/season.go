package forecast

import (
	"math"
	"slices"

	"purser/ledger"
)

// History is what was spent in whole hours, one after the other: the first is hour From
// since 1970, UTC. Hours in which nothing was spent are there, as 0.
type History struct {
	From    int64
	Amounts []ledger.Amount // nano-dollars
}

// The shapes that a projection goes by.
const (
	Weekly = "hour_of_week" // two weeks are known
	Daily  = "hour_of_day"  // two days are
	Flat   = "recent_hours" // three hours are
)

// Projection is what will be spent, as far as can be said.
type Projection struct {
	Expected ledger.Amount // nano-dollars, of the span alone
	// Low and High are an interval that is to hold in four cases of five.
	Low, High ledger.Amount
	Shape     string
	Hours     int // of history that it goes by
}

const (
	day, week = 24, 168
	// leastHours is what a projection goes by at least.
	leastHours = 3
	// levelHours is how many of the last hours say how much more, or less, is spent than
	// the shape has it.
	levelHours = week
	// maxLevel bounds that: a week in which nothing was spent is no reason to expect
	// nothing for ever, nor one of a thousandfold.
	maxLevel = 10
	// normal80 is the 90th percentile of the standard normal distribution.
	normal80 = 1.2816
	// leastError is the relative standard error of a day that is believed at least, and
	// unknownError that of one where days cannot be compared.
	leastError, unknownError = 0.05, 0.5
)

// Project says what will be spent from an instant until another. Shapes are means by hour
// of the week, or of the day, of the hours that are known, in which the largest is not
// counted where there are four; the level is what the last week came to against its shape.
// The interval is that of a lognormal value: the errors of whole days against the shape,
// that of the level, and that the level moves. It is false where less than three hours are
// known.
func Project(h History, now, until ledger.Instant) (Projection, bool) {
	n := len(h.Amounts)
	if n < leastHours || until <= now {
		return Projection{}, false
	}
	p := Projection{Hours: n}
	period := 1
	switch {
	case n >= 2*week:
		p.Shape, period = Weekly, week
	case n >= 2*day:
		p.Shape, period = Daily, day
	default:
		p.Shape = Flat
	}
	shape := shapeOf(&h, period)
	at := func(hour int64) float64 { return shape[int(hour%int64(period))] }
	level := levelOf(&h, at)
	expected := 0.0
	hour := int64(ledger.Hour)
	for from := int64(now); from < int64(until); {
		next := min((from/hour+1)*hour, int64(until))
		expected += level * at(from/hour) * float64(next-from) / float64(hour)
		from = next
	}
	days := float64(until-now) / float64(24*ledger.Hour)
	e := spread(&h, at, days)
	p.Expected = amount(expected)
	p.Low, p.High = amount(expected*math.Exp(-normal80*e)), amount(expected*math.Exp(normal80*e))
	return p, true
}

func amount(v float64) ledger.Amount {
	return ledger.Amount(min(max(v, 0), float64(ledger.MaxAmount)))
}

// shapeOf is the mean of each hour of a period.
func shapeOf(h *History, period int) []float64 {
	of := make([][]float64, period)
	for i, a := range h.Amounts {
		slot := int((h.From + int64(i)) % int64(period))
		of[slot] = append(of[slot], float64(a))
	}
	shape := make([]float64, period)
	for slot, values := range of {
		slices.Sort(values)
		if len(values) >= 4 && period > 1 {
			values = values[:len(values)-1] // the dearest may be a fault
		}
		for _, v := range values {
			shape[slot] += v / float64(len(values))
		}
	}
	return shape
}

// levelOf is what the last hours came to against their shape.
func levelOf(h *History, at func(int64) float64) float64 {
	var was, shaped float64
	for i := max(0, len(h.Amounts)-levelHours); i < len(h.Amounts); i++ {
		was += float64(h.Amounts[i])
		shaped += at(h.From + int64(i))
	}
	if shaped <= 0 {
		return 1
	}
	return min(max(was/shaped, 1.0/maxLevel), maxLevel)
}

// spread is the standard error of the logarithm of what so many days come to.
func spread(h *History, at func(int64) float64, days float64) float64 {
	var ratios []float64
	for end := len(h.Amounts); end >= day; end -= day {
		var was, shaped float64
		for i := end - day; i < end; i++ {
			was += float64(h.Amounts[i])
			shaped += at(h.From + int64(i))
		}
		if was > 0 && shaped > 0 {
			ratios = append(ratios, math.Log(was/shaped))
		}
	}
	one := unknownError
	known := float64(len(ratios))
	if known >= 3 {
		var mean, square float64
		for _, r := range ratios {
			mean += r / known
		}
		for _, r := range ratios {
			square += (r - mean) * (r - mean) / (known - 1)
		}
		one = max(math.Sqrt(square), leastError)
	}
	known = max(min(known, levelHours/day), 1)
	// Of whole days the errors partly cancel; that of the level does not, and moves.
	return one * math.Sqrt(1/max(days, 0.25)+1/known*(1+days/known))
}
