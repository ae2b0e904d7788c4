package forecast

import (
	"math"

	"purser/ledger"
)

// Limits and spans. A node looks every few seconds.
const (
	// MaxSeries bounds the accounts that are followed.
	MaxSeries = 1 << 16
	// Recent, burst and usual are the spans of the averages.
	Recent = 10 * ledger.Minute
	burst  = 30 * ledger.Second
	usual  = ledger.Hour
	// LeastSamples and LeastSpan are what a forecast goes by at least.
	LeastSamples = 3
	LeastSpan    = 30 * ledger.Second
	// lag is how old the usual rate is that a burst is compared with, up to twice
	// that: what begins after a rest is then at most some six times the usual rate
	// that it makes itself.
	lag = 10 * ledger.Minute
	// Stale is how old the last look may be.
	Stale = 10 * ledger.Minute
	// forgetAfter is how long a series that is not looked at is kept.
	forgetAfter = 2 * ledger.Hour
)

// Series names the accounts of one budget and split, in every window.
type Series struct {
	Budget ledger.BudgetID
	Split  ledger.Split
}

// Tracker follows series. One goroutine uses it at a time.
type Tracker struct {
	series map[Series]*track
}

// New returns a tracker that follows nothing yet.
func New() *Tracker { return &Tracker{series: map[Series]*track{}} }

// track is what is known of one series. Rates are units a second.
type track struct {
	start   ledger.Instant // of the window of the last look
	spent   ledger.Amount  // in it, then
	first   ledger.Instant // look
	last    ledger.Instant
	samples int
	recent  average
	burst   average
	usual   average
	note    float64 // the usual rate at noteAt
	noteAt  ledger.Instant
	before  float64 // the usual rate a lag before noteAt; 0 for unknown
}

// average is an exponentially weighted mean of a rate. The weight is what of it is
// known: the mean is divided by it.
type average struct{ mean, weight float64 }

func (a *average) add(rate float64, dt, span ledger.Instant) {
	alpha := 1 - math.Exp(-float64(dt)/float64(span))
	a.mean += alpha * (rate - a.mean)
	a.weight += alpha * (1 - a.weight)
}

func (a *average) rate() float64 {
	if a.weight == 0 {
		return 0
	}
	return a.mean / a.weight
}

// Look takes note of what an account had spent at a moment.
func (t *Tracker) Look(s Series, start ledger.Instant, spent ledger.Amount, now ledger.Instant) {
	x := t.series[s]
	if x == nil {
		if len(t.series) >= MaxSeries {
			return
		}
		t.series[s] = &track{start: start, spent: spent, first: now, last: now, noteAt: now, samples: 1}
		return
	}
	dt := now - x.last
	if dt <= 0 || start < x.start {
		return
	}
	more := spent - x.spent
	if start != x.start {
		more = spent // what the window before had after the last look is not seen
	}
	x.start, x.spent, x.last = start, spent, now
	rate := float64(max(0, more)) / (float64(dt) / float64(ledger.Second))
	x.samples++
	x.recent.add(rate, dt, Recent)
	x.burst.add(rate, dt, burst)
	x.usual.add(rate, dt, usual)
	if now-x.noteAt >= lag {
		x.before, x.note, x.noteAt = x.note, x.usual.rate(), now
	}
}

// Forget drops the series that have not been looked at for long.
func (t *Tracker) Forget(now ledger.Instant) {
	for s, x := range t.series {
		if now-x.last > forgetAfter {
			delete(t.series, s)
		}
	}
}

// Len is how many series are followed.
func (t *Tracker) Len() int { return len(t.series) }

// Restart has a series known anew, as far as surges go: it was tripped by one, and
// what it does after that is its usual rate.
func (t *Tracker) Restart(s Series, now ledger.Instant) {
	if x := t.series[s]; x != nil {
		x.usual, x.burst, x.before, x.note, x.noteAt = average{}, average{}, 0, 0, now
	}
}

// Surge is how many times as fast as usual a series is spent, as of its last look.
// It is false where the usual rate is not known for long enough, or is below `least`
// units an hour: the first spending after a rest is no surge.
func (t *Tracker) Surge(s Series, least ledger.Amount) (times float64, ok bool) {
	x := t.series[s]
	if x == nil || x.before <= 0 || x.before*secondsAnHour < float64(least) {
		return 0, false
	}
	return x.burst.rate() / x.before, true
}

const secondsAnHour = 3600

// Estimate is how fast a series is spent, and what that goes by.
type Estimate struct {
	PerHour ledger.Amount // units an hour
	Samples int
	Since   ledger.Instant // the first look
	At      ledger.Instant // the last
}

// Estimate is false where there is too little to go by, or it is too old.
func (t *Tracker) Estimate(s Series, now ledger.Instant) (Estimate, bool) {
	x := t.series[s]
	if x == nil || x.samples < LeastSamples || x.last-x.first < LeastSpan || now-x.last > Stale {
		return Estimate{}, false
	}
	perHour := min(x.recent.rate()*secondsAnHour, float64(ledger.MaxAmount))
	return Estimate{PerHour: ledger.Amount(perHour), Samples: x.samples, Since: x.first, At: x.last}, true
}
