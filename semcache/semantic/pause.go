package semantic

import (
	"errors"
	"sync"
	"time"

	"purser/ledger"
)

// pause leaves an embedder alone that has failed several times in a row.
type pause struct {
	mu     sync.Mutex
	failed int
	until  ledger.Instant
}

const (
	// restAfter is how many failures in a row it takes: one may be a slow moment.
	restAfter = 5
	// restFor is how long nobody waits for it then; after that one failure is enough.
	restFor = 5 * time.Second
)

func (p *pause) resting(now ledger.Instant) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now < p.until
}

func (p *pause) report(ok bool, now ledger.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		p.failed, p.until = 0, 0
		return
	}
	if p.failed++; p.failed >= restAfter {
		p.until = now + ledger.Instant(restFor)
	}
}

var errNotUnit = errors.New("a vector that is not of unit length")

// unit says whether a vector is one of unit length, as far as is needed.
func unit(v []float32) bool {
	var sum float32
	for _, x := range v {
		sum += x * x
	}
	return sum > 0.98 && sum < 1.02
}
