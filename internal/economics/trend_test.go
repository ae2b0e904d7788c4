package economics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestATrendIsNotMovedByOutliers.
func TestATrendIsNotMovedByOutliers(t *testing.T) {
	var points []Point
	for i := range 20 {
		points = append(points, Point{float64(i), 3 - 0.1*float64(i)})
	}
	clean, ok := Trend(points)
	if !ok || !near(clean.Slope, -0.1) || !near(clean.At0, 3) || !clean.Clear() {
		t.Fatalf("%+v", clean)
	}
	points[3].Y, points[11].Y, points[12].Y = 1000, -1000, 500
	spoilt, ok := Trend(points)
	if !ok || math.Abs(spoilt.Slope+0.1) > 0.02 || !spoilt.Clear() {
		t.Errorf("%+v", spoilt)
	}
	if _, ok := Trend(points[:MinPoints-1]); ok {
		t.Error("few points have a trend")
	}
	flat, ok := Trend([]Point{{0, 5}, {1, 5}, {2, 5}, {3, 5}, {4, 5}, {5, 5}})
	if !ok || flat.Slope != 0 || flat.Clear() {
		t.Errorf("%+v", flat)
	}
}

// TestTheBoundsOfASlopeHold: of noise around a line, about 95 in 100 bounds have its slope.
func TestTheBoundsOfASlopeHold(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	const trials = 2000
	held := 0
	for range trials {
		points := make([]Point, 20)
		for i := range points {
			points[i] = Point{float64(i), 0.3*float64(i) + r.NormFloat64()}
		}
		l, _ := Trend(points)
		if l.Low <= 0.3 && 0.3 <= l.High {
			held++
		}
	}
	if share := float64(held) / trials; share < 0.94 || share > 0.98 {
		t.Errorf("%v of the bounds hold", share)
	}
}

// TestWhereALineCrosses: only ahead, and only by a clear trend.
func TestWhereALineCrosses(t *testing.T) {
	falling := Line{Slope: -0.1, At0: 1, Low: -0.2, High: -0.05}
	at, soonest, latest, ok := falling.Crosses(0, 5)
	if !ok || !near(at, 10) || !near(soonest, 7.5) || !near(latest, 15) {
		t.Errorf("%v %v %v %v", at, soonest, latest, ok)
	}
	if _, _, latest, ok := falling.Crosses(3, 5); !ok || !math.IsInf(latest, 1) {
		t.Errorf("latest %v", latest)
	}
	for name, l := range map[string]Line{
		"not clear": {Slope: -0.1, At0: 1, Low: -0.2, High: 0.1}, "upwards": {Slope: 0.1, At0: 1, Low: 0.05, High: 0.2},
		"past": {Slope: -0.5, At0: 1, Low: -0.6, High: -0.4}, "far": {Slope: -0.001, At0: 1, Low: -0.002, High: -0.0005},
	} {
		if at, _, _, ok := l.Crosses(0, 5); ok {
			t.Errorf("%s: at %v", name, at)
		}
	}
	rising := Line{Slope: 0.1, At0: -1, Low: 0.05, High: 0.2}
	if at, soonest, _, ok := rising.Crosses(0, 5); !ok || !near(at, 10) || soonest > at {
		t.Errorf("%v %v %v", at, soonest, ok)
	}
}

// TestASeriesHasThePointsThatAreKnown.
func TestASeriesHasThePointsThatAreKnown(t *testing.T) {
	one, bad := 1.0, math.NaN()
	if p := (Series{nil, &one, &bad, nil, &one}).Points(); len(p) != 2 || p[0].X != 1 || p[1].X != 4 {
		t.Errorf("%+v", p)
	}
}
