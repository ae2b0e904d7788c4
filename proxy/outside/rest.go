// Package outside is what the clients of services have in common that a request may ask
// for help with its text: recognizers, compressors. Such a service is never worth a wait
// for one that is down.
package outside

import (
	"context"
	"errors"
	"sync"
	"time"
)

// When a service rests.
const (
	Failures = 5 // in a row, before it rests
	RestsFor = 10 * time.Second
)

// Rest leaves a service alone that fails again and again. The zero Rest is ready; it is
// safe for concurrent use.
type Rest struct {
	mu     sync.Mutex
	failed int
	until  time.Time
}

// Resting says whether nobody is to ask it now.
func (r *Rest) Resting(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.until)
}

// Note counts how a call ended, and gives err back. A client that has left says nothing
// of the service.
func (r *Rest) Note(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.failed = 0
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if r.failed++; r.failed >= Failures {
		r.failed, r.until = 0, time.Now().Add(RestsFor)
	}
	return err
}
