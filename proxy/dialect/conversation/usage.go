package conversation

import (
	"purser/proxy/dialect"
	"purser/proxy/price"
)

// Tokens are the sums of a usage that dialects report, of its disjoint meters.
type Tokens struct {
	Input     int64 // all of it: uncached, read from a cache, written to one, audio and images
	CacheRead int64
	Write5m   int64 // written to a cache for a short time, or for one that is not stated
	Write1h   int64
	Output    int64 // all of it, reasoning included
	Reasoning int64
}

// TokensOf sums a usage up.
func TokensOf(u *price.Usage) Tokens {
	return Tokens{
		Input:     u.TotalInput(),
		CacheRead: u[price.CacheRead],
		Write5m:   u[price.CacheWrite5m] + u[price.CacheWrite30m] + u[price.CacheWriteOther],
		Write1h:   u[price.CacheWrite1h] + u[price.CacheWrite12h],
		Output:    u.TotalOutput(),
		Reasoning: u[price.OutputReasoning],
	}
}

// TokensIn are those that an answer reported, or what was seen of its output where it
// reported none: a stream may end so, and is charged otherwise.
func TokensIn(r *dialect.Report) Tokens {
	if r.State != dialect.UsageReported {
		return Tokens{Output: r.EstimatedOutput()}
	}
	return TokensOf(&r.Usage)
}

// Written is what was written to caches.
func (t Tokens) Written() int64 { return t.Write5m + t.Write1h }
