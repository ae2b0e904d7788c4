package node

import (
	"testing"
	"time"

	"purser/api/pb"
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

// TestANodeThatIsSentNothingIsKnown: it answers, there is more for it, and it does
// not get on (hashicorp/raft issue 612).
func TestANodeThatIsSentNothingIsKnown(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	type look struct {
		after  time.Duration // since the last one
		last   uint64        // of the node; 0: it does not answer
		commit uint64
	}
	for name, c := range map[string]struct {
		looks []look
		stuck bool // at the last one
	}{
		"it gets on":               {[]look{{0, 5, 9}, {20 * time.Second, 6, 20}, {20 * time.Second, 7, 30}}, false},
		"it has everything":        {[]look{{0, 9, 9}, {40 * time.Second, 9, 9}, {time.Second, 9, 10}}, false},
		"it stands still":          {[]look{{0, 5, 9}, {20 * time.Second, 5, 10}, {11 * time.Second, 5, 11}}, true},
		"it was away":              {[]look{{0, 5, 9}, {20 * time.Second, 0, 10}, {20 * time.Second, 5, 11}}, false},
		"not for long enough":      {[]look{{0, 5, 9}, {29 * time.Second, 5, 10}}, false},
		"told once, then it waits": {[]look{{0, 5, 9}, {31 * time.Second, 5, 10}, {time.Second, 5, 11}}, false},
	} {
		s, now, reason := paces{}, at, ""
		for _, l := range c.looks {
			now = now.Add(l.after)
			answers := map[string]*pb.ProgressReply{}
			if l.last > 0 {
				answers["n2"] = &pb.ProgressReply{Last: l.last}
			}
			reason = s.wedged(answers, l.commit, now)
		}
		if (reason != "") != c.stuck {
			t.Errorf("%s: %q", name, reason)
		}
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
