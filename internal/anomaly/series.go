package anomaly

import (
	"math"
	"slices"
)

const (
	minutesKept  = 120 // that a series remembers
	leastMinutes = 15  // that it is judged by
	binsOfMinute = 6
	hoursOfWeek  = 168
	madToSigma   = 1.4826 // of a normal distribution
)

// minute is what was spent in one.
type minute struct {
	Sum
	held bool // it teaches nothing: it was far from usual
}

// Season is what a key usually spends in a minute, by hour of the week.
type Season [hoursOfWeek]Usual

// Usual is what is usual.
type Usual struct {
	Median, Scale float64 // nano-dollars a minute
	Known         bool
}

// series is what is known of one key.
type series struct {
	window  [binsOfMinute]Sum // the last bins, by number
	current minute            // the minute that is being filled
	minutes []minute          // the last ones, a ring once it is full
	oldest  int
	season  *Season
	active  int64 // the last bin in which anything was spent
	held    int   // minutes in a row that teach nothing
	over    int   // bins in a row beyond the bound
	under   int   // bins in a row well below it
	event   *Event
}

// last is what was spent in the last sixty seconds.
func (s *series) last() (sum Sum) {
	for _, b := range s.window {
		sum.Add(b)
	}
	return sum
}

func (s *series) keep(m minute) {
	if len(s.minutes) < minutesKept {
		s.minutes = append(s.minutes, m)
		return
	}
	s.minutes[s.oldest] = m
	s.oldest = (s.oldest + 1) % minutesKept
}

// usual is what the series goes by at an hour of the week; false where it knows too
// little. scratch is for sorting.
func (s *series) usual(hour int, scratch []float64) (Usual, bool) {
	var u Usual
	costs := scratch[:0]
	var squares float64
	for i := range s.minutes {
		if m := &s.minutes[i]; !m.held {
			costs = append(costs, m.Cost)
			squares += m.Squares
		}
	}
	if len(costs) >= leastMinutes {
		u.Median, u.Scale = MedianMAD(costs)
		u.Scale = max(u.Scale, math.Sqrt(squares/float64(len(costs))))
		// What comes in bursts has a median that says little: its upper part counts too.
		u.Scale = max(u.Scale, (quantile(costs, 0.95)-u.Median)/normal95)
		u.Known = true
	}
	if s.season != nil {
		if at := s.season[hour]; at.Known {
			u.Median, u.Scale, u.Known = max(u.Median, at.Median), max(u.Scale, at.Scale), true
		}
	}
	return u, u.Known
}

// normal95 is the 95th percentile of the standard normal distribution.
const normal95 = 1.6449

// MedianMAD is the median of the values and their scaled median absolute deviation. It
// sorts them. Of none both are 0.
func MedianMAD(values []float64) (median, scale float64) {
	if len(values) == 0 {
		return 0, 0
	}
	slices.Sort(values)
	median = middle(values)
	distances := make([]float64, len(values))
	for i, v := range values {
		distances[i] = math.Abs(v - median)
	}
	slices.Sort(distances)
	return median, madToSigma * middle(distances)
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile is that of sorted values, the nearest that is not lower.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(math.Ceil(q*float64(len(sorted)))), len(sorted)-1)]
}
