package qdrant

import "sync"

// breaker judges lookups by a sum that forgets: each one keeps keepShare of what was,
// and a failure adds one. Five failures in a row open it, or about every second of many.
type breaker struct {
	mu  sync.Mutex
	sum float64
}

const (
	keepShare = 0.9
	openAt    = 4.0
)

// failed says whether the breaker opens with this failure.
func (b *breaker) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum = b.sum*keepShare + 1
	return b.sum >= openAt
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum *= keepShare
}

// reset forgets everything.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sum = 0
}
