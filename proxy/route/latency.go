package route

import (
	"slices"
	"time"

	"purser/ledger"
)

// Of a latency.
const (
	// kept is how many answers count at the most: enough for nine in ten to mean
	// something, few enough to follow an upstream that has become slow.
	kept = 32
	// Fresh is how long one counts.
	Fresh = 5 * 60 * ledger.Second
)

// Latency is how long an upstream lately took to begin its answers. The zero value has
// seen none. It is not safe for concurrent use.
type Latency struct {
	took [kept]int64 // nanoseconds
	at   [kept]ledger.Instant
	n    int // how many were noted in all
}

// Note adds an answer that began after so long.
func (l *Latency) Note(at ledger.Instant, took time.Duration) {
	l.took[l.n%kept], l.at[l.n%kept] = max(int64(took), 1), at
	l.n++
}

// Last is when the newest was noted.
func (l *Latency) Last() ledger.Instant {
	if l.n == 0 {
		return 0
	}
	return l.at[(l.n-1)%kept]
}

// Quantiles are the medians and the ninth tenth of those of the last [Fresh], in
// nanoseconds; 0 where there are none.
func (l *Latency) Quantiles(now ledger.Instant) (p50, p90 int64) {
	var room [kept]int64
	fresh := room[:0]
	for i := range min(l.n, kept) {
		if now-l.at[i] < Fresh {
			fresh = append(fresh, l.took[i])
		}
	}
	if len(fresh) == 0 {
		return 0, 0
	}
	slices.Sort(fresh)
	return fresh[(len(fresh)-1)/2], fresh[(len(fresh)-1)*9/10]
}
