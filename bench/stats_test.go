package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{hundred[:1], 0.99, 1},
		{hundred[:2], 0.5, 1},
		{hundred, 0, 1},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("percentile %v of %d is %d, want %d", c.p, len(c.of), got, c.want)
		}
	}
}

func TestMedianLeavesOutWhatIsNotKnown(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		of   []float64
		want float64
	}{
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 2, 3}, 2.5},
		{[]float64{nan, 7, nan}, 7},
		{[]float64{nan}, nan},
		{nil, nan},
	} {
		if got := median(c.of); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}

func TestMedianDoesNotReorderTheRounds(t *testing.T) {
	xs := []float64{3, math.NaN(), 1}
	median(xs)
	if xs[0] != 3 || !math.IsNaN(xs[1]) || xs[2] != 1 {
		t.Fatalf("the input is now %v", xs)
	}
}

func TestComparisonsPairTheSameRound(t *testing.T) {
	// The machine was four times slower in the second round, for both.
	a := []sample{{p50: 2 * time.Microsecond}, {p50: 8 * time.Microsecond}, {p50: 3 * time.Microsecond}}
	b := []sample{{p50: 1 * time.Microsecond}, {p50: 4 * time.Microsecond}, {p50: 1 * time.Microsecond}}
	if got := medianRatio(a, b, p50Of); got != 2 {
		t.Errorf("the ratio is %v, want 2", got)
	}
	if got := medianAdded(a, b, p50Of); got != 2 {
		t.Errorf("added are %v, want 2", got)
	}
	if got := medianRatio(a, make([]sample, 3), p50Of); !math.IsNaN(got) {
		t.Errorf("the ratio to nothing is %v, want NaN", got)
	}
}

func TestCPUTimeReadsAnOddCommandName(t *testing.T) {
	got, err := parseStat([]byte("42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0\n"))
	if err != nil || got != 3*time.Second {
		t.Fatalf("got %v, %v; want 3s", got, err)
	}
	if _, err := parseStat([]byte("42 (a) S 1")); err == nil {
		t.Fatal("a short stat was read")
	}
}

func TestNumberAfter(t *testing.T) {
	text := []byte("go_memstats_mallocs_total_x 1\ngo_memstats_mallocs_total 1.5e+06\n")
	if got, err := numberAfter(text, "go_memstats_mallocs_total "); err != nil || got != 1.5e6 {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := numberAfter(text, "absent "); err == nil {
		t.Fatal("an absent line was found")
	}
}
