package raftfsm

import (
	"errors"
	"math/rand"
	"testing"
	"time"

	"purser/ledger"
)

// hands is a clock moved by hand.
type hands struct {
	wall    ledger.Instant
	elapsed time.Duration
}

func (h *hands) clock() Clock {
	return Clock{
		Wall:    func() ledger.Instant { return h.wall },
		Elapsed: func() time.Duration { return h.elapsed },
	}
}

// pass moves both clocks, the wall clock by step more.
func (h *hands) pass(d, step time.Duration) {
	h.elapsed += d
	h.wall += ledger.Instant(d + step)
}

const base = 1_700_000_000 * ledger.Second

func TestL7StampsFollowTheClockAsFarAsItCanBeTrusted(t *testing.T) {
	type tick struct {
		pass, step time.Duration
		want       time.Duration // of the stamp after base; -1: refused
	}
	s := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	cases := map[string][]tick{
		"a clock that runs": {{0, 0, 0}, {s(1), 0, s(1)}, {s(3600), 0, s(3601)}},
		"set forth a little": {
			{0, 0, 0}, {s(1), s(0.5), s(1.5)}, {s(1), s(0.5), s(3)}, {s(1), 0, s(4)},
		},
		"set forth a lot": {
			{0, 0, 0}, {s(1), s(3600), -1}, {s(60), 0, -1}, {s(3600), 0, -1},
			{s(1), -s(3600), s(3662)}, // set right again
		},
		"a day, after a day of silence": {
			{0, 0, 0}, {24 * time.Hour, 24 * time.Hour, -1},
		},
		"a day of silence": {
			{0, 0, 0}, {24 * time.Hour, 0, 24 * time.Hour},
		},
		"set back": {
			{0, 0, 0}, {s(10), 0, s(10)}, {s(1), -s(3600), s(10)}, {s(1), 0, s(10)},
			{s(1), s(3600), s(13)}, // set right again: no jump
		},
		"many small steps": {
			{0, 0, 0}, {0, s(0.4), s(0.4)}, {0, s(0.4), s(0.8)}, {0, s(0.4), -1}, {s(0.2), 0, s(1.4)},
		},
		"twice as fast": {
			{0, 0, 0}, {s(1), s(1), s(2)}, {s(1), s(1), s(4)}, {s(1), s(1), s(6)}, {s(1), s(1.1), -1},
		},
		"suspended": { // the monotonic clock stood still
			{0, 0, 0}, {0, 8 * time.Hour, -1},
		},
	}
	for name, ticks := range cases {
		h := &hands{wall: base}
		st := &stamper{clock: h.clock()}
		for i, k := range ticks {
			h.pass(k.pass, k.step)
			got, err := st.stamp(0)
			switch {
			case k.want < 0 && !errors.Is(err, ErrClockJump):
				t.Errorf("%s, %d: stamp %v, %v, want a refusal", name, i, time.Duration(got-base), err)
			case k.want >= 0 && (err != nil || time.Duration(got-base) != k.want):
				t.Errorf("%s, %d: stamp %v, %v, want %v", name, i, time.Duration(got-base), err, k.want)
			}
		}
	}
}

func TestL7AStampIsNotBeforeTheLedger(t *testing.T) {
	h := &hands{wall: base}
	st := &stamper{clock: h.clock()}
	for _, floor := range []ledger.Instant{0, base + 50, 0, base - 7} {
		got, err := st.stamp(floor)
		if want := max(base, floor); err != nil || got < want {
			t.Fatalf("stamp(%d) = %d, %v", floor, got, err)
		}
	}
	if got, _ := st.stamp(0); got != base+50 {
		t.Errorf("stamp after a floor = %d", got-base)
	}
}

// TestL7StampsAreBounded: whatever the wall clock does, stamps never run back,
// and in a time e they come no further than 2e and the slack.
func TestL7StampsAreBounded(t *testing.T) {
	for seed := range int64(500) {
		r := rand.New(rand.NewSource(seed))
		h := &hands{wall: base}
		st := &stamper{clock: h.clock()}
		first, err := st.stamp(0)
		if err != nil {
			t.Fatal(err)
		}
		last := first
		for range 100 {
			d := time.Duration(r.Int63n(int64(2 * time.Second)))
			step := time.Duration(0)
			switch r.Intn(4) {
			case 0:
				step = time.Duration(r.Int63n(int64(3*time.Second))) - time.Second
			case 1:
				step = time.Duration(r.Int63n(int64(2*time.Hour))) - time.Hour
			}
			h.pass(d, step)
			got, err := st.stamp(0)
			if err != nil {
				continue
			}
			if most := first + 2*ledger.Instant(h.elapsed) + ledger.Instant(clockSlack); got < last || got > most {
				t.Fatalf("seed %d: stamp %d after %d, at most %d is allowed", seed, got-base, last-base, most-base)
			}
			last = got
		}
	}
}

func TestSystemClockRuns(t *testing.T) {
	c := SystemClock()
	w, e := c.Wall(), c.Elapsed()
	if w < base || e < 0 || c.Elapsed() < e {
		t.Errorf("wall %d, elapsed %v", w, e)
	}
}
