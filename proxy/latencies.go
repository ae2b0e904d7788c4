package proxy

import (
	"sync"
	"time"

	"purser/ledger"
	"purser/proxy/route"
)

// maxLatencies bounds the table, like that of breakers: models are named by clients.
// 1,024 of them are about half a megabyte.
const maxLatencies = 1024

// latencyKey is what a latency is of. Streams begin with the first token, whole
// answers with the last.
type latencyKey struct {
	upstream, model string
	stream          bool
}

// latencies are how soon upstreams lately began to answer calls of routes, as this
// node has measured it. Safe for concurrent use.
type latencies struct {
	mu    sync.Mutex
	table map[latencyKey]*route.Latency
}

// note adds an answer.
func (l *latencies) note(k latencyKey, at ledger.Instant, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.table[k]
	if of == nil {
		if len(l.table) >= maxLatencies {
			l.forgetLocked()
		}
		if l.table == nil {
			l.table = map[latencyKey]*route.Latency{}
		}
		of = &route.Latency{}
		l.table[k] = of
	}
	of.Note(at, took)
}

// of gives the medians and ninth tenths, in nanoseconds; 0 where nothing was measured
// lately.
func (l *latencies) of(k latencyKey, now ledger.Instant) (p50, p90 int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of := l.table[k]; of != nil {
		return of.Quantiles(now)
	}
	return 0, 0
}

// forgetLocked makes room: the one measured longest ago goes.
func (l *latencies) forgetLocked() {
	var oldest latencyKey
	last := ledger.MaxInstant
	for k, of := range l.table {
		if of.Last() < last {
			oldest, last = k, of.Last()
		}
	}
	delete(l.table, oldest)
}
