package embed

import (
	"sync"
	"time"
)

const (
	// restAfter is how many calls in a row fail before a server is left alone.
	restAfter = 5
	// restFor is for how long; then one call tries it.
	restFor = 5 * time.Second
)

// rest leaves a failing server alone, so that requests do not wait for it.
type rest struct {
	now func() time.Time

	mu     sync.Mutex
	failed int
	until  time.Time // of the rest; one call may go when it has passed
	trying bool
}

// may says whether a call may be made. Each call that may ends with note.
func (r *rest) may() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed < restAfter {
		return true
	}
	if r.trying || r.now().Before(r.until) {
		return false
	}
	r.trying = true
	return true
}

// note tells how a call ended; void is for one that says nothing of the server.
func (r *rest) note(good, void bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trying = false
	switch {
	case good:
		r.failed = 0
	case void:
	default:
		r.failed = min(r.failed+1, restAfter)
		r.until = r.now().Add(restFor)
	}
}
