package price

// Meter is one thing a provider counts and charges for.
type Meter uint8

// The meters. They are disjoint: a token is in exactly one of them, whatever
// the provider's own totals include.
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
