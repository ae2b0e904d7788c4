package node

import (
	"testing"
	"time"
)

// TestTheOddClockIsKnown: with three clocks or more, the one that is away from
// the middle is the wrong one; with two nobody can say.
func TestTheOddClockIsKnown(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	clock := func(off time.Duration) int64 { return at.Add(off).UnixNano() }
	for name, c := range map[string]struct {
		others []int64
		want   time.Duration
	}{
		"alone":                      {nil, 0},
		"one other":                  {[]int64{clock(-time.Hour)}, 0},
		"all agree":                  {[]int64{clock(0), clock(0)}, 0},
		"this one is ahead":          {[]int64{clock(-time.Hour), clock(-time.Hour)}, time.Hour},
		"this one is behind":         {[]int64{clock(time.Hour), clock(time.Hour)}, -time.Hour},
		"another one is off":         {[]int64{clock(0), clock(26 * time.Hour)}, 0},
		"a few milliseconds between": {[]int64{clock(3 * time.Millisecond), clock(-2 * time.Millisecond)}, 0},
	} {
		if got := clockOffset(c.others, at, at); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	// The answers came while the question was under way: half of that is no fault.
	if got := clockOffset([]int64{clock(time.Second), clock(time.Second)}, at, at.Add(2*time.Second)); got != 0 {
		t.Errorf("a slow question: %v", got)
	}
}

func TestASightingCountsFromItsLastChange(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	var s sighting
	s.note(false, at)
	if answers, silent := s.spans(at); answers != 0 || silent <= 0 {
		t.Errorf("silent for the first time: %v, %v", answers, silent)
	}
	s.note(true, at.Add(time.Second))
	s.note(true, at.Add(5*time.Second))
	if answers, silent := s.spans(at.Add(6 * time.Second)); answers != 5*time.Second || silent != 0 {
		t.Errorf("it has answered for %v, been silent for %v", answers, silent)
	}
	s.note(false, at.Add(7*time.Second))
	if answers, silent := s.spans(at.Add(9 * time.Second)); answers != 0 || silent != 2*time.Second {
		t.Errorf("it has answered for %v, been silent for %v", answers, silent)
	}
}
