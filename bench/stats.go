package main

import (
	"math"
	"slices"
	"time"
)

// sample is what one cell of one round measured.
type sample struct {
	requests int64
	errors   int64
	p50, p99 time.Duration
	first50  time.Duration // until the first event of a stream
	first99  time.Duration
	rate     float64       // requests a second
	cpu      time.Duration // of the proxying process, for one request
	mallocs  float64       // of the proxying process, for one request; NaN when not known
	rss      int64         // bytes, after the cell
}

// percentile returns the smallest of sorted that at least the share p of them
// does not exceed (nearest rank); 0 of none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median of the numbers in xs; NaN values are left out, and of none it is NaN.
func median(xs []float64) float64 {
	known := slices.DeleteFunc(slices.Clone(xs), math.IsNaN)
	if len(known) == 0 {
		return math.NaN()
	}
	slices.Sort(known)
	middle := len(known) / 2
	if len(known)%2 == 1 {
		return known[middle]
	}
	return (known[middle-1] + known[middle]) / 2
}

// medianOf is the median of one figure over the rounds.
func medianOf(rounds []sample, figure func(sample) float64) float64 {
	xs := make([]float64, len(rounds))
	for i, s := range rounds {
		xs[i] = figure(s)
	}
	return median(xs)
}

// medianRatio is the median over the rounds of a figure of a over that of b in
// the same round, so that a slow minute of the machine weighs on both.
func medianRatio(a, b []sample, figure func(sample) float64) float64 {
	xs := make([]float64, min(len(a), len(b)))
	for i := range xs {
		if xs[i] = figure(a[i]) / figure(b[i]); math.IsInf(xs[i], 0) {
			xs[i] = math.NaN()
		}
	}
	return median(xs)
}

// medianAdded is the median over the rounds of a figure of a less that of b.
func medianAdded(a, b []sample, figure func(sample) float64) float64 {
	xs := make([]float64, min(len(a), len(b)))
	for i := range xs {
		xs[i] = figure(a[i]) - figure(b[i])
	}
	return median(xs)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func cpuOf(s sample) float64     { return micros(s.cpu) }
func p50Of(s sample) float64     { return micros(s.p50) }
func p99Of(s sample) float64     { return micros(s.p99) }
func first50Of(s sample) float64 { return micros(s.first50) }
func first99Of(s sample) float64 { return micros(s.first99) }
func rateOf(s sample) float64    { return s.rate }
func mallocsOf(s sample) float64 { return s.mallocs }
func rssOf(s sample) float64     { return float64(s.rss) / (1 << 20) }
