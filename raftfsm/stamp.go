package raftfsm

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"purser/ledger"
)

// Clock is where a proposer reads time.
type Clock struct {
	// Wall is the time of day, which may be set forth and back.
	Wall func() ledger.Instant
	// Elapsed is time since some moment, which only ever runs forth at its pace.
	Elapsed func() time.Duration
}

// SystemClock reads the clocks of this machine.
func SystemClock() Clock {
	start := time.Now()
	return Clock{
		Wall:    func() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) },
		Elapsed: func() time.Duration { return time.Since(start) }, // monotonic
	}
}

// ErrClockJump is a wall clock that moved further than the monotonic clock
// allows. Nothing is proposed until it is set back, or the node is restarted:
// a restart takes the time of day as it finds it.
var ErrClockJump = errors.New("wall clock jumped ahead")

// clockSlack is how far the wall clock may run ahead of the monotonic clock in
// one go; what was used of it comes back in as much time. In a time e stamps
// advance by at most 2e + clockSlack, beside what a clock that had been set back
// makes up for. It lets through what time daemons
// do to a running machine (they slew, or step by less than half a second), and
// no step that would open a minute's window much too early.
const clockSlack = time.Second

// stamper gives out ledger time. Its first stamp is the wall clock's; from then
// on the wall clock is believed only as far as the monotonic clock bears it out.
type stamper struct {
	clock Clock

	mu   sync.Mutex
	last ledger.Instant // the latest stamp
	// ahead is the furthest the wall clock was ever seen ahead of the monotonic
	// one, among those readings that were believed.
	ahead  time.Duration
	credit time.Duration // of clockSlack, as of creditAt
	at     time.Duration // when credit was reckoned
	begun  bool
}

// stamp returns an instant that is not before floor or any earlier stamp.
func (s *stamper) stamp(floor ledger.Instant) (ledger.Instant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wall, elapsed := s.clock.Wall(), s.clock.Elapsed()
	ahead := time.Duration(wall) - elapsed
	if !s.begun {
		s.begun, s.ahead, s.credit, s.at = true, ahead, clockSlack, elapsed
	}
	s.credit, s.at = min(clockSlack, s.credit+(elapsed-s.at)), elapsed
	if step := ahead - s.ahead; step > 0 {
		if step > s.credit {
			return 0, fmt.Errorf("%w: by %v more than the %v that were to spare; set it right, or restart the node if it is right now",
				ErrClockJump, (step - s.credit).Round(time.Millisecond), s.credit.Round(time.Millisecond))
		}
		s.credit -= step
		s.ahead = ahead
	}
	s.last = max(s.last, wall, floor)
	return s.last, nil
}
