package price

import (
	"math"
	"math/bits"
)

// Meter is one thing a provider counts and charges for.
type Meter uint8

// The meters. They are disjoint: a token is in exactly one of them, whatever
// the provider's own totals include. Their order is the order of [Usage] as it
// is stored: append, never insert.
const (
	InputText Meter = iota // uncached input tokens
	CacheRead
	CacheWrite5m
	CacheWrite30m
	CacheWrite1h
	CacheWrite12h
	CacheWriteOther // a cache write of unstated lifetime
	OutputText
	OutputReasoning
	AudioIn
	AudioOut
	ImageIn
	ImageOut
	WebSearch
	WebFetch
	CodeExec
	FileSearch
	Requests
)

// NumMeters is how many meters there are.
const NumMeters = int(Requests) + 1

// Usage is what one call consumed, by meter: tokens, but for the tool calls
// and Requests, which are counts.
type Usage [NumMeters]int64

// meterNames are the meters as catalogues and overrides name them.
var meterNames = [NumMeters]string{
	InputText:       "input",
	CacheRead:       "cache_read",
	CacheWrite5m:    "cache_write_5m",
	CacheWrite30m:   "cache_write_30m",
	CacheWrite1h:    "cache_write_1h",
	CacheWrite12h:   "cache_write_12h",
	CacheWriteOther: "cache_write",
	OutputText:      "output",
	OutputReasoning: "output_reasoning",
	AudioIn:         "audio_in",
	AudioOut:        "audio_out",
	ImageIn:         "image_in",
	ImageOut:        "image_out",
	WebSearch:       "web_search",
	WebFetch:        "web_fetch",
	CodeExec:        "code_exec",
	FileSearch:      "file_search",
	Requests:        "requests",
}

// String is the meter's name in catalogues: "input", "cache_read", and so on.
func (m Meter) String() string {
	if int(m) < NumMeters {
		return meterNames[m]
	}
	return "meter(?)"
}

// ParseMeter is the inverse of [Meter.String].
func ParseMeter(name string) (Meter, bool) {
	for m, n := range meterNames {
		if n == name {
			return Meter(m), true
		}
	}
	return 0, false
}

// Set is a set of meters.
type Set uint32

// Meters returns the set of the meters named.
func Meters(ms ...Meter) Set {
	var s Set
	for _, m := range ms {
		s |= 1 << m
	}
	return s
}

// Has tells whether m is in s.
func (s Set) Has(m Meter) bool { return s&(1<<m) != 0 }

// The sets that bounds are made of. [Input] and [Output] are the token meters
// that a bound on input and on output tokens covers; [Calls] are the tool calls.
const (
	Input = Set(1<<InputText | 1<<CacheRead | 1<<CacheWrite5m | 1<<CacheWrite30m | 1<<CacheWrite1h |
		1<<CacheWrite12h | 1<<CacheWriteOther | 1<<AudioIn | 1<<ImageIn)
	Output = Set(1<<OutputText | 1<<OutputReasoning | 1<<AudioOut | 1<<ImageOut)
	Calls  = Set(1<<WebSearch | 1<<WebFetch | 1<<CodeExec | 1<<FileSearch)

	// Text is what a request without audio or images can be metered as, on a
	// provider that caches by itself and for a lifetime it does not state.
	Text = Set(1<<InputText | 1<<CacheRead | 1<<CacheWriteOther | 1<<CacheWrite5m | 1<<CacheWrite30m |
		1<<OutputText | 1<<OutputReasoning)

	every = Input | Output | Calls | 1<<Requests
)

// PerCall tells whether m counts calls and not tokens.
func (m Meter) PerCall() bool { return (Calls | 1<<Requests).Has(m) }

// TotalInput is every input token of the call, cached or not: the number that
// long-context thresholds compare with.
func (u *Usage) TotalInput() int64 { return u.total(Input) }

// TotalOutput is every output token of the call.
func (u *Usage) TotalOutput() int64 { return u.total(Output) }

// total adds the counts of some meters. A negative one is none, and the sum
// stops at the largest count.
func (u *Usage) total(of Set) (n int64) {
	for ; of != 0; of &= of - 1 {
		if c := u[bits.TrailingZeros32(uint32(of))]; c > 0 {
			if n += c; n < 0 {
				return math.MaxInt64
			}
		}
	}
	return n
}
