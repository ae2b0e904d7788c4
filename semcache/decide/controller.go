package decide

import "math"

// Label is what became of an explored hit: the stored answer compared with a fresh one.
// The numbers are stored: append only.
type Label uint8

// The labels.
const (
	Undecided Label = iota // the judge could not tell: it is shown, and moves nothing
	Agrees
	Disagrees
)

// String is the label's name.
func (l Label) String() string {
	switch l {
	case Agrees:
		return "agrees"
	case Disagrees:
		return "disagrees"
	case Undecided:
	}
	return "undecided"
}

// Event is what a label did to a controller.
type Event uint8

// The events.
const (
	Kept      Event = iota
	Tightened       // the bar is higher
	Disabled        // nothing is served any more
	Relaxed         // the bar is lower
)

// Bounds of a controller.
const (
	// tightest is the highest level: each halves the error that is allowed for.
	tightest = 4
	// loosest is the lowest: each doubles it.
	loosest = -3
	// sureRise and sureFall are the one-sided confidences at which the bar moves: it
	// rises sooner than it falls.
	sureRise = 0.70
	sureFall = 0.975
	// maxLabels bounds the counts: they are halved there, so that what is old fades.
	maxLabels = 8192
	// probation, over the error that is allowed, is how many would-be hits are explored
	// first, at the beginning and after each rise: 100 at 1 %.
	probation = 1.0
)

// Controller keeps the measured error of one route, at one allowed error, below it.
// It is a value: [Controller.Observe] gives the next. The zero value is a route that
// nothing is known of.
//
// Labels are of would-be hits that were answered fresh anyway, drawn at random: the
// share of bad ones among them is that among served ones. When its lower bound is
// above the allowed error, the bar rises; above the highest bar nothing is served
// until an operator resets it. When the upper bound is below half of the allowed
// error, the bar falls, unless it ever had to rise. Counts begin
// anew whenever the bar moves, for they were of other hits.
type Controller struct {
	Level    int8   // 0 at first; higher is stricter
	Floor    int8   // the highest level that it had to rise to: it falls no more
	Bad, All uint16 // labels at this level, without the undecided
	Off      bool
}

// Sound says whether observing labels can have led to it: what is stored of a
// controller may be damaged, and a level without bounds would let anything be served.
func (c Controller) Sound() bool {
	return c.Level >= loosest && c.Level <= tightest && c.Floor > loosest && c.Floor <= tightest+1 && c.Bad <= c.All
}

// Bar is the lower bound that a decision must reach to be served, from 0 to 1. Above
// 1 nothing reaches it.
func (c Controller) Bar(delta float64) float64 {
	if c.Off {
		return math.Inf(1)
	}
	return 1 - delta*math.Pow(2, -float64(c.Level))
}

// Serves says whether a decision may be served.
func (c Controller) Serves(lower, delta float64) bool { return lower > 0 && lower >= c.Bar(delta) }

// Explores says whether a would-be hit is to be answered fresh, for a label. rate is
// the share that is explored in the long run; u is a random number in [0, 1).
func (c Controller) Explores(delta, rate, u float64) bool {
	if first := probation / max(delta, 1e-4); float64(c.All) < first && c.Level == c.Floor {
		return true
	}
	return u < rate
}

// Observe adds a label. Undecided changes nothing.
func (c Controller) Observe(l Label, delta float64) (Controller, Event) {
	if c.Off || l == Undecided {
		return c, Kept
	}
	c.All++
	if l == Disagrees {
		c.Bad++
	}
	bad, all := int(c.Bad), int(c.All)
	switch {
	case l == Disagrees && above(bad, all, delta, sureRise):
		c.Bad, c.All = 0, 0
		c.Floor = c.Level + 1
		if c.Level++; c.Level > tightest {
			c.Level, c.Off = tightest, true
			return c, Disabled
		}
		return c, Tightened
	case l == Agrees && c.Level > loosest && c.Floor == 0 && below(bad, all, delta/2, sureFall):
		c.Bad, c.All = 0, 0
		c.Level--
		return c, Relaxed
	case c.All >= maxLabels:
		c.Bad, c.All = c.Bad/2, c.All/2
	}
	return c, Kept
}
