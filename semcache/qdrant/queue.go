package qdrant

import (
	"slices"
	"sync"

	"purser/semcache/semantic"
)

// The queue holds what a burst of fills may bring while a write is under way, or the
// server restarts: not what a long outage would need. Whoever asks again fills again.
const (
	mostQueued      = 4096
	mostQueuedBytes = 16 << 20
	// A batch is bounded, so that a write stays well below a server's limit of a message
	// and does not stand in the way of lookups on the same connection.
	mostInBatch      = 64
	mostInBatchBytes = 1 << 20
)

// queue is what is to be written, the oldest first.
type queue struct {
	mu     sync.Mutex
	points []semantic.Point
	bytes  int
	closed bool
}

// weight is what a point takes, in bytes, with what surrounds it.
func weight(p *semantic.Point) int { return 4*len(p.Vector) + len(p.Payload) + 256 }

// put adds a point, and returns how many were let go for it. A closed queue takes none.
func (q *queue) put(p semantic.Point) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 1
	}
	q.points = append(q.points, p)
	q.bytes += weight(&p)
	for len(q.points) > mostQueued || q.bytes > mostQueuedBytes {
		q.bytes -= weight(&q.points[0])
		q.points[0] = semantic.Point{}
		q.points = q.points[1:]
		dropped++
	}
	return dropped
}

// take removes a batch.
func (q *queue) take() []semantic.Point {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.points) && n < mostInBatch {
		w := weight(&q.points[n])
		if n > 0 && size+w > mostInBatchBytes {
			break
		}
		size += w
		n++
	}
	batch := slices.Clone(q.points[:n])
	clear(q.points[:n])
	q.points = q.points[n:]
	q.bytes -= size
	if len(q.points) == 0 {
		q.points = nil
	}
	return batch
}

// remove takes out what is meant.
func (q *queue) remove(meant func(*semantic.Point) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.points = slices.DeleteFunc(q.points, func(p semantic.Point) bool {
		if !meant(&p) {
			return false
		}
		q.bytes -= weight(&p)
		return true
	})
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.points)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
