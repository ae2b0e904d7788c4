package economics

import (
	"math"
	"slices"

	"purser/ledger"
)

// Point is a measure of one interval; X counts intervals.
type Point struct {
	X, Y float64
}

// Line is the trend of some points: the median of the slopes between all pairs of them
// (Theil 1950, Sen 1968), which no quarter of outliers can move far, and the line of that
// slope through their medians.
type Line struct {
	Points int
	Slope  float64 // of Y, for one interval
	At0    float64 // Y of the line at X 0

	// Low and High bound the slope with a confidence of 95 % (Sen 1968, by the normal
	// approximation of Kendall's S, corrected for ties in Y); the points are taken to be
	// independent.
	Low, High float64
}

// The fewest points of which a trend is said, and the most that are looked at: the pairs
// grow with the square.
const (
	MinPoints = 5
	MaxPoints = 1000
)

// z95 is the quantile of the normal distribution for 95 % on both sides.
const z95 = 1.959963984540054

// Trend fits a line; false for too few points. The points have different X.
func Trend(points []Point) (l Line, ok bool) {
	n := len(points)
	if n < MinPoints {
		return l, false
	}
	if n > MaxPoints {
		points, n = points[n-MaxPoints:], MaxPoints
	}
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range points {
		for j := range i {
			slopes = append(slopes, (points[i].Y-points[j].Y)/(points[i].X-points[j].X))
		}
	}
	slices.Sort(slopes)
	l.Points, l.Slope = n, median(slopes)
	rest := make([]float64, n)
	for i, p := range points {
		rest[i] = p.Y - l.Slope*p.X
	}
	slices.Sort(rest)
	l.At0 = median(rest)
	c := z95 * math.Sqrt(varianceOfS(points))
	pairs := float64(len(slopes))
	low, high := int(math.Floor((pairs-c)/2))-1, int(math.Ceil((pairs+c)/2))
	l.Low, l.High = slopes[max(low, 0)], slopes[min(high, len(slopes)-1)]
	return l, true
}

// varianceOfS is that of Kendall's S where there is no trend: n(n-1)(2n+5)/18, less
// t(t-1)(2t+5)/18 for each t points with one Y.
func varianceOfS(points []Point) float64 {
	of := func(n float64) float64 { return n * (n - 1) * (2*n + 5) / 18 }
	ties := map[float64]float64{}
	for _, p := range points {
		ties[p.Y]++
	}
	v := of(float64(len(points)))
	for _, y := range sortedKeys(ties) {
		v -= of(ties[y])
	}
	return max(v, 0)
}

func sortedKeys(m map[float64]float64) []float64 {
	list := make([]float64, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// median is that of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// Clear says that the slope is above or below 0 with the confidence of its bounds.
func (l *Line) Clear() bool { return l.Low > 0 || l.High < 0 }

// horizon is how many times as far as it was looked back a line is followed.
const horizon = 2

// Crosses is where the line is 0, if that comes after the last point and a clear trend leads
// there within twice the length of the points; soonest and latest are where lines of the
// bounds of the slope are, through the line's value at the last point. latest is infinite
// where a bound leads nowhere near.
func (l *Line) Crosses(first, last float64) (at, soonest, latest float64, ok bool) {
	here := l.At0 + l.Slope*last
	if !l.Clear() || here == 0 || (here > 0) == (l.Slope > 0) {
		return 0, 0, 0, false
	}
	far := last + horizon*(last-first+1)
	at = last - here/l.Slope
	if at > far {
		return 0, 0, 0, false
	}
	steep, flat := l.Low, l.High
	if l.Slope > 0 {
		steep, flat = l.High, l.Low
	}
	soonest, latest = last-here/steep, last-here/flat
	if latest > far {
		latest = math.Inf(1)
	}
	return at, soonest, latest, true
}

// Series is a measure of a group, interval by interval; nil where it is not known.
type Series []*float64

// Points are those that are known.
func (s Series) Points() (list []Point) {
	for i, v := range s {
		if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
			list = append(list, Point{float64(i), *v})
		}
	}
	return list
}

// Dollars is an amount as a number, for a trend of it.
func Dollars(a *ledger.Amount) *float64 {
	if a == nil {
		return nil
	}
	v := float64(*a) / float64(ledger.NanoPerUSD)
	return &v
}
