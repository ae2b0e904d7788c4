package decide

// Grid is the lower bounds of being right that labels are counted by. It is narrower
// where answers are served. Its numbers are stored: append only.
var Grid = [...]float64{0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995}

// Cell is the index of the last bound of the grid that lower reaches.
func Cell(lower float64) int {
	i := len(Grid) - 1
	for i > 0 && lower < Grid[i] {
		i--
	}
	return i
}

// Marks are the labels of one cell of a [Tally].
type Marks struct{ Good, Bad uint32 }

// Tally is the labels of a route by the lower bound that the model gave.
type Tally [len(Grid)]Marks

// MaxTally bounds the labels of a cell: all are halved there, so that what is old fades.
const MaxTally = 8192

func (t *Tally) add(lower float64, good bool) {
	m := &t[Cell(lower)]
	if good {
		m.Good++
	} else {
		m.Bad++
	}
	if m.Good+m.Bad >= MaxTally {
		for i := range t {
			t[i].Good, t[i].Bad = t[i].Good/2, (t[i].Bad+1)/2
		}
	}
}

// leastEarned is the lowest bar that can be earned. Below it not every entry is
// compared (see [Grey]), so that labels would say more good of them than there is.
const leastEarned = 0.6

// earned is the least bound of the grid such that of all labels from it on no more were
// wrong than delta allows: with a confidence of 95 % for the whole grid together, so
// that looking at many bounds does not find one by chance (Bonferroni). 0: there is none.
//
// Many easy questions must not pay for hard ones, of which there may be more tomorrow:
// the way down is in steps of at least 1/delta labels, and ends at the first of which
// more than twice delta were wrong.
func (t *Tally) earned(delta float64) float64 {
	const each = 1 - 2*(1-0.95)/float64(len(Grid)) // two-sided: the upper side has half of the rest
	var least float64
	var all, step Marks
	for i := len(Grid) - 1; Grid[i] >= leastEarned; i-- {
		step.Good, step.Bad = step.Good+t[i].Good, step.Bad+t[i].Bad
		all.Good, all.Bad = all.Good+t[i].Good, all.Bad+t[i].Bad
		n := step.Good + step.Bad
		if float64(n) < 1/delta {
			continue
		}
		if float64(step.Bad) > 2*delta*float64(n) {
			break
		}
		step = Marks{}
		if _, upper := ClopperPearson(int(all.Bad), int(all.Good+all.Bad), each); upper <= delta {
			least = Grid[i]
		}
	}
	return least
}

// Grey is the estimate of being right from which on a miss is compared with the answer
// that it did not get: the fresh one is there anyway.
const Grey = 0.5

// greyFactor is how much more often entries near the bound are asked anew: there the
// estimate is worth least.
const greyFactor = 3

// Measured is what labels say of one route at one allowed error, and so what is served
// and explored there. It is a value. The zero value is a route that nothing is known of.
type Measured struct {
	Controller         // labels of would-be hits
	Seen       Tally   // every label, of misses too
	least      float64 // bar that Seen has earned; 0 while it has none
}

// Remember is what was measured before, of what is stored of it.
func Remember(c Controller, seen Tally, delta float64) Measured {
	return Measured{c, seen, seen.earned(delta)}
}

// Bar is the lower bound of being right that an entry has to reach: one less delta by
// the controller, or what entries have earned on this route, unless more errors were
// measured there than may be. Above 1 nothing reaches it.
func (m *Measured) Bar(delta float64) float64 {
	b := m.Controller.Bar(delta)
	if !m.Off && m.Level <= 0 && m.least > 0 {
		b = min(b, m.least)
	}
	return b
}

// Serves says whether an entry may be served.
func (m *Measured) Serves(lower, delta float64) bool { return lower > 0 && lower >= m.Bar(delta) }

// Explores says whether an entry that may be served is asked anew, for a label. rate is
// the share that is explored in the long run; three times as many are where lower says
// that the decision is close. u is a random number in [0, 1).
func (m *Measured) Explores(lower, delta, rate, u float64) bool {
	return m.Controller.Explores(delta, RateOf(lower, delta, rate), u)
}

// RateOf is the share of entries with a lower bound that is asked anew.
func RateOf(lower, delta, rate float64) float64 {
	if lower < 1-delta/2 {
		return min(1, greyFactor*rate)
	}
	return rate
}

// Observe adds a label of an entry with a lower bound of being right. would says that
// it may have been served. Undecided changes nothing.
func (m Measured) Observe(l Label, lower, delta float64, would bool) (Measured, Event) {
	if l == Undecided {
		return m, Kept
	}
	did := Kept
	if would {
		m.Controller, did = m.Controller.Observe(l, delta)
	}
	m.Seen.add(lower, l == Agrees)
	m.least = m.Seen.earned(delta)
	return m, did
}
