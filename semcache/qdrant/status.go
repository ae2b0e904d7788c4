package qdrant

import "sync/atomic"

// State is what the tier is doing.
type State uint8

// The states. Only in Ready is the server asked.
const (
	Connecting State = iota // it has not been reached yet
	Ready
	Down    // it was reached, and is looked for again
	Refused // what was found does not fit; it is looked at again now and then
	Closed
)

// String is the name in logs and metrics.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Ready:
		return "ready"
	case Down:
		return "down"
	case Refused:
		return "refused"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// Reason is why the tier is off.
type Reason string

// The reasons.
const (
	ReasonNone        Reason = ""
	ReasonUnreachable Reason = "unreachable" // no answer to the health check
	ReasonSlow        Reason = "slow"        // the breaker opened: late or failing lookups
	ReasonLost        Reason = "lost"        // the collection is gone
	ReasonVersion     Reason = "version"
	ReasonDimension   Reason = "dimension"
	ReasonDistance    Reason = "distance"
	ReasonKey         Reason = "key"
	ReasonSetup       Reason = "setup"
)

// Status is the tier at one moment.
type Status struct {
	State      State
	Reason     Reason
	Detail     string // for operators: what is wrong and what to do; "" in Ready
	Version    string // of the server, once it was reached
	Collection string
	Queued     int // points
	Counts     Counts
}

// Counts are since the start.
type Counts struct {
	Found, Empty             uint64 // lookups that were answered, with neighbours and without
	Late, Failed             uint64 // lookups that took longer than they may, or failed
	Abandoned                uint64 // lookups whose request went away
	Off, Busy                uint64 // lookups that were not made
	Alien                    uint64 // points that came back and were not what was asked for
	Written                  uint64 // points that the server acknowledged
	Overflowed               uint64 // points that the full queue let go
	Expired                  uint64 // points whose time came in the queue
	Rejected                 uint64 // points that do not fit, or that the server does not take
	GivenUp                  uint64 // points whose retries ended, or that Close left behind
	Retries                  uint64 // of writes
	Forgotten, ForgetsFailed uint64 // calls of Forget
	Sweeps, SweepsFailed     uint64
	Opened                   uint64 // times that Ready ended
	LookupNanos              uint64 // time spent in lookups that were made
}

// counters are [Counts] while they count.
type counters struct {
	found, empty, late, failed, abandoned, off, busy, alien             atomic.Uint64
	written, overflowed, expired, rejected, givenUp, retries            atomic.Uint64
	forgotten, forgetsFailed, sweeps, sweepsFailed, opened, lookupNanos atomic.Uint64
}

func (c *counters) read() Counts {
	return Counts{
		Found: c.found.Load(), Empty: c.empty.Load(), Late: c.late.Load(), Failed: c.failed.Load(), Abandoned: c.abandoned.Load(),
		Off: c.off.Load(), Busy: c.busy.Load(), Alien: c.alien.Load(),
		Written: c.written.Load(), Overflowed: c.overflowed.Load(), Expired: c.expired.Load(), Rejected: c.rejected.Load(), GivenUp: c.givenUp.Load(), Retries: c.retries.Load(),
		Forgotten: c.forgotten.Load(), ForgetsFailed: c.forgetsFailed.Load(), Sweeps: c.sweeps.Load(), SweepsFailed: c.sweepsFailed.Load(),
		Opened: c.opened.Load(), LookupNanos: c.lookupNanos.Load(),
	}
}
