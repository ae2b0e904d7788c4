package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Policy says how often and how patiently failed attempts are repeated.
type Policy struct {
	// Attempts is the largest number of attempts for one request, the first included. 1 to 10, default 3.
	Attempts int
	// Base is the upper end of the first wait; it doubles with each attempt. Default 250 ms.
	Base time.Duration
	// MaxWait is the upper end that the doubling stops at. Default 8 s.
	MaxWait time.Duration
	// MaxAsked is the longest retry-after that is waited for here; beyond it the client gets the answer and decides.
	// Default 10 s: a wait holds the client's connection and its place in the concurrency limits.
	MaxAsked time.Duration
}

const maxAttempts = 10

// DefaultPolicy is three attempts within a few seconds.
func DefaultPolicy() Policy {
	return Policy{Attempts: 3, Base: 250 * time.Millisecond, MaxWait: 8 * time.Second, MaxAsked: 10 * time.Second}
}

// Validate reports everything that is out of range.
func (p Policy) Validate() error {
	var errs []error
	if p.Attempts < 1 || p.Attempts > maxAttempts {
		errs = append(errs, fmt.Errorf("attempts %d is not within 1 to %d", p.Attempts, maxAttempts))
	}
	if p.Base <= 0 || p.MaxWait < p.Base {
		errs = append(errs, fmt.Errorf("waits from %s to %s do not rise from above zero", p.Base, p.MaxWait))
	}
	if p.MaxAsked < 0 {
		errs = append(errs, errors.New("longest retry-after is negative"))
	}
	return errors.Join(errs...)
}

// Advice is what an answer's x-should-retry header says.
type Advice uint8

const (
	AdviceNone Advice = iota
	AdviceRetry
	AdviceStop
)

// Outcome is how an attempt ended, as data.
type Outcome struct {
	// Attempt counts from 1.
	Attempt int
	// Failure is the end without an answer, or nil.
	Failure *Failure
	// Status is the answer's, when Failure is nil.
	Status int
	// RetryAfter is the wait that the answer asks for, when Asked.
	RetryAfter time.Duration
	Asked      bool
	Advice     Advice
	// FirstByteSent says that the client has bytes of this answer: nothing can be repeated any more.
	FirstByteSent bool
}

// Reason says why a decision was taken, for the usage record.
type Reason uint8

const (
	ReasonDone          Reason = iota // the answer stands: a success, or an error that repeating would not mend
	ReasonUnsent                      // nothing reached the upstream
	ReasonBroken                      // the connection broke with the request sent
	ReasonStatus                      // the answer is one that passes
	ReasonAdvised                     // x-should-retry asked for it
	ReasonFirstByteSent               // too late
	ReasonExhausted                   // no attempts left
	ReasonTimeout                     // a time limit was used up; another attempt would double the wait
	ReasonTooLong                     // retry-after is beyond what is waited for here
	ReasonForbidden                   // x-should-retry forbids it
	ReasonOurs                        // the fault is the request's or this client's
)

var reasonNames = [...]string{"done", "unsent", "broken", "status", "advised", "first_byte_sent", "exhausted", "timeout", "too_long", "forbidden", "ours"}

// String names the reason for records.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// Decision is what to do after an attempt.
type Decision struct {
	Retry  bool
	Wait   time.Duration // before the next attempt
	Reason Reason
}

// Decide says whether to make another attempt. random is 64 uniformly random
// bits, so that equal arguments give equal decisions. Each further attempt needs
// a hold of its own: one that was sent may be billed whatever came of it.
func (p Policy) Decide(o Outcome, random uint64) Decision {
	why, again := verdict(o)
	if !again {
		return Decision{Reason: why}
	}
	if o.FirstByteSent {
		return Decision{Reason: ReasonFirstByteSent}
	}
	if o.Attempt >= p.Attempts {
		return Decision{Reason: ReasonExhausted}
	}
	wait := p.jitter(o.Attempt, random)
	if o.Asked {
		if o.RetryAfter > p.MaxAsked {
			return Decision{Reason: ReasonTooLong}
		}
		// At least what was asked for; the jitter on top keeps a crowd from returning at once.
		wait += max(0, o.RetryAfter)
	}
	return Decision{Retry: true, Wait: wait, Reason: why}
}

// verdict says whether repeating could help, limits aside.
func verdict(o Outcome) (Reason, bool) {
	if f := o.Failure; f != nil {
		switch {
		case f.Phase == PhaseStart || f.Phase == PhaseWait:
			return ReasonOurs, false
		case !f.Sent:
			return ReasonUnsent, true
		case f.Timeout:
			return ReasonTimeout, false
		case errors.Is(f.Err, ErrClosed), errors.Is(f.Err, ErrTooLarge), errors.Is(f.Err, ErrEncoding), errors.Is(f.Err, ErrHeadersTooLarge):
			return ReasonOurs, false
		}
		return ReasonBroken, true
	}
	if o.Status < 400 {
		return ReasonDone, false
	}
	switch o.Advice {
	case AdviceRetry:
		return ReasonAdvised, true
	case AdviceStop:
		return ReasonForbidden, false
	case AdviceNone:
	}
	if passes(o.Status) {
		return ReasonStatus, true
	}
	return ReasonDone, false
}

// passes: statuses that say "later", not "never".
func passes(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// jitter is uniform from zero to a bound that doubles with each attempt: full
// jitter spreads a crowd of retries best for the work it costs.
func (p Policy) jitter(attempt int, random uint64) time.Duration {
	bound := p.Base
	for i := 1; i < attempt && bound < p.MaxWait; i++ {
		bound *= 2
	}
	bound = min(bound, p.MaxWait)
	return time.Duration(random % uint64(bound+1))
}

// maxRetryAfter bounds what is read from a header, so that arithmetic on it is safe.
const maxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads retry-after-ms, which goes first, and retry-after in
// seconds, also broken ones, or as a date (RFC 9110 section 10.2.3), seen from now.
func ParseRetryAfter(millis, after []byte, now time.Time) (time.Duration, bool) {
	if d, ok := parseDecimal(millis, time.Millisecond); ok {
		return d, true
	}
	if d, ok := parseDecimal(after, time.Second); ok {
		return d, true
	}
	if t, err := http.ParseTime(string(after)); err == nil {
		return min(max(0, t.Sub(now)), maxRetryAfter), true
	}
	return 0, false
}

func parseDecimal(b []byte, unit time.Duration) (time.Duration, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b { // no signs, exponents, infinities
		if (c < '0' || c > '9') && c != '.' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, false
	}
	if f > float64(maxRetryAfter/unit) {
		return maxRetryAfter, true
	}
	return time.Duration(f * float64(unit)), true
}

// ParseAdvice reads x-should-retry.
func ParseAdvice(b []byte) Advice {
	switch string(b) {
	case "true":
		return AdviceRetry
	case "false":
		return AdviceStop
	}
	return AdviceNone
}
