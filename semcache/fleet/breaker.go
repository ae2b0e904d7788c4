package fleet

import (
	"sync"
	"time"
)

const (
	// failuresMost in a row and a node is not asked for a while.
	failuresMost = 3
	// pauseLeast is that while at first; it doubles with each failure after it, up to
	// pauseMost.
	pauseLeast = time.Second
	pauseMost  = 30 * time.Second
)

// breaker says whether a node is worth asking.
type breaker struct {
	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time // it is not asked before
	probing  bool      // one asks whether it is there again
}

// allows says whether the node may be asked now. After a pause it is true once, until
// what came of that is known.
func (b *breaker) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures < failuresMost:
		return true
	case now.Before(b.until) || b.probing:
		return false
	}
	b.probing = true
	return true
}

// open says whether the node is not asked, without asking for leave.
func (b *breaker) open(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= failuresMost && now.Before(b.until)
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.pause, b.probing = 0, 0, false
}

func (b *breaker) failed(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if b.failures++; b.failures < failuresMost {
		return
	}
	b.pause = min(max(2*b.pause, pauseLeast), pauseMost)
	b.until = now.Add(b.pause)
}

// unknown ends a probe of which nothing came, because nobody waited for it.
func (b *breaker) unknown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}
