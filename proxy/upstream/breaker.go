package upstream

import (
	"errors"
	"time"
)

// BreakerConfig says when an upstream counts as down.
type BreakerConfig struct {
	// Window is how far back results count; it is kept in tenths. Default 10 s.
	Window time.Duration
	// MinResults is how many results within the window are needed to judge. Default 10.
	MinResults int
	// FailPercent of them must have failed, 1 to 100. Default 50.
	FailPercent int
	// Open is how long to refuse before the first probe; it doubles with each probe that fails. Default 2 s.
	Open time.Duration
	// MaxOpen ends the doubling. Default 60 s.
	MaxOpen time.Duration
	// Probes must succeed in a row to close again, one at a time. Default 2.
	Probes int
	// ProbeLimit is when a probe without a result is given up for lost. Default 30 s.
	ProbeLimit time.Duration
}

// DefaultBreaker opens at half of ten results failing within ten seconds.
func DefaultBreaker() BreakerConfig {
	return BreakerConfig{
		Window: 10 * time.Second, MinResults: 10, FailPercent: 50,
		Open: 2 * time.Second, MaxOpen: 60 * time.Second, Probes: 2, ProbeLimit: 30 * time.Second,
	}
}

// Validate reports everything that is out of range.
func (c BreakerConfig) Validate() error {
	var errs []error
	if c.Window < buckets*time.Millisecond {
		errs = append(errs, errors.New("window is shorter than 10 ms"))
	}
	if c.MinResults < 1 || c.Probes < 1 {
		errs = append(errs, errors.New("results and probes needed are not at least 1"))
	}
	if c.FailPercent < 1 || c.FailPercent > 100 {
		errs = append(errs, errors.New("fail percent is not within 1 to 100"))
	}
	if c.Open <= 0 || c.MaxOpen < c.Open || c.ProbeLimit <= 0 {
		errs = append(errs, errors.New("open times and probe limit do not rise from above zero"))
	}
	return errors.Join(errs...)
}

// Result is what an attempt says about the upstream's health.
type Result uint8

const (
	// Succeeded: it answered, whatever it thought of the request.
	Succeeded Result = iota
	// Failed: it did not, or not sensibly.
	Failed
	// Abandoned: the attempt ended for a reason of ours or the client's, and says nothing.
	Abandoned
)

// Judge maps an attempt's end to what it says about the upstream. A hang-up of
// the client is not among its arguments on purpose: report it as Abandoned.
func Judge(status int, f *Failure) Result {
	switch {
	case f == nil && status >= 500:
		return Failed
	case f == nil:
		return Succeeded
	case f.Phase == PhaseStart, f.Phase == PhaseWait, errors.Is(f.Err, ErrClosed), errors.Is(f.Err, ErrTooLarge):
		return Abandoned
	}
	return Failed
}

// State is a breaker's.
type State uint8

const (
	// Closed lets everything through and counts.
	Closed State = iota
	// Open refuses until a time.
	Open
	// HalfOpen lets one probe through at a time.
	HalfOpen
)

// String names the state for metrics.
func (s State) String() string { return [...]string{"closed", "open", "half_open"}[s] }

const buckets = 10

// Breaker is a circuit breaker for one credential and model, as a state machine:
// time is an argument and must not go back. It is not safe for concurrent use;
// Breakers is.
type Breaker struct {
	cfg   BreakerConfig
	state State
	// era counts the changes of state. Results of another era say nothing: they began under other circumstances.
	era uint64

	tally [buckets]struct{ all, failed int }
	slot  int64 // the tenth of the window that the newest bucket stands for

	until   time.Time     // Open: when probes begin
	backoff time.Duration // the length of the present or last opening
	passed  int           // HalfOpen: probes that succeeded in a row
	probing bool          // HalfOpen: a probe is out
	probed  time.Time     // when it went out
}

// NewBreaker is closed and has seen nothing.
func NewBreaker(cfg BreakerConfig) *Breaker { return &Breaker{cfg: cfg} }

// Ticket admits one attempt. It must be given back by Report.
type Ticket struct {
	era   uint64
	probe bool
}

// State is the state at now.
func (b *Breaker) State(now time.Time) State {
	b.advance(now)
	return b.state
}

// Allow admits an attempt, or refuses it and says how long to stay away.
func (b *Breaker) Allow(now time.Time) (Ticket, time.Duration, bool) {
	b.advance(now)
	switch b.state {
	case Closed:
		return Ticket{era: b.era}, 0, true
	case Open:
		return Ticket{}, b.until.Sub(now), false
	case HalfOpen:
		if b.probing && now.Sub(b.probed) < b.cfg.ProbeLimit {
			return Ticket{}, b.cfg.ProbeLimit - now.Sub(b.probed), false
		}
		b.probing, b.probed = true, now
		return Ticket{era: b.era, probe: true}, 0, true
	}
	panic("upstream: breaker in no state")
}

// Report tells how the attempt of a ticket ended.
func (b *Breaker) Report(now time.Time, t Ticket, r Result) {
	b.advance(now)
	if t.era != b.era {
		return
	}
	if t.probe {
		b.probing = false
		switch r {
		case Succeeded:
			if b.passed++; b.passed >= b.cfg.Probes {
				b.change(Closed)
				b.backoff = 0
			}
		case Failed:
			b.open(now)
		case Abandoned:
		}
		return
	}
	if b.state != Closed || r == Abandoned {
		return
	}
	bucket := &b.tally[b.slot%buckets]
	bucket.all++
	if r == Failed {
		bucket.failed++
		if b.failing() {
			b.open(now)
		}
	}
}

// advance lets time pass: old buckets empty, an opening ends.
func (b *Breaker) advance(now time.Time) {
	if b.state == Open && !now.Before(b.until) {
		b.change(HalfOpen)
	}
	slot := now.UnixNano() / int64(b.cfg.Window/buckets)
	for n := min(slot-b.slot, buckets); n > 0; n-- {
		b.tally[(slot-n+1)%buckets] = struct{ all, failed int }{}
	}
	b.slot = max(b.slot, slot)
}

func (b *Breaker) failing() bool {
	all, failed := 0, 0
	for _, t := range b.tally {
		all, failed = all+t.all, failed+t.failed
	}
	return all >= b.cfg.MinResults && failed*100 >= all*b.cfg.FailPercent
}

func (b *Breaker) open(now time.Time) {
	b.backoff = min(max(b.cfg.Open, 2*b.backoff), b.cfg.MaxOpen)
	b.until = now.Add(b.backoff)
	b.change(Open)
}

func (b *Breaker) change(s State) {
	b.state = s
	b.era++
	b.passed, b.probing = 0, false
	b.tally = [buckets]struct{ all, failed int }{}
}
