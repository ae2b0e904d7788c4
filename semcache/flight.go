package semcache

import (
	"context"
	"sync"
	"time"
)

// Limits of coalescing.
const (
	// maxFollowers bounds who waits for one answer: each is a connection that
	// would else be served at once.
	maxFollowers = 1024
	// maxFlights bounds the requests that can be waited for; beyond it requests
	// go on alone.
	maxFlights = 1 << 16
)

// Flights lets identical requests in flight share one answer. The first to Join
// a key leads: it asks the provider and must Land, whatever happens. Those who
// Join until then wait for it.
//
// A leader lands with an entry only when it has the complete, successful answer.
// If it failed, was refused, or was cut off, it lands with nil, and its followers
// go on alone, each with a hold and an attempt of its own. A leader whose client
// hangs up goes on to the end of the answer as it would without followers, so a
// hang-up takes nothing from them.
//
// The zero Flights is ready.
type Flights struct {
	mu     sync.Mutex
	flying map[Key]*Flight
	stats  FlightStats
}

// FlightStats are counts since the start.
type FlightStats struct {
	Led, Shared, Alone uint64 // requests that led, were given an answer, went on alone after all
}

// Flight is a request that others may be waiting for.
type Flight struct {
	of        *Flights
	key       Key
	followers int           // guarded by of.mu
	landed    chan struct{} // closed by Land
	entry     *Entry        // set before landed is closed
}

// Join makes the caller the leader of k (a Flight), or waits for the leader's
// answer (an Entry), at most for the limit. Both nil: go on alone, since the leader
// has no answer to share, ctx or the limit has ended, or too many wait already.
func (fs *Flights) Join(ctx context.Context, k Key, limit time.Duration) (*Flight, *Entry) {
	fs.mu.Lock()
	f := fs.flying[k]
	if f == nil {
		defer fs.mu.Unlock()
		return fs.leadLocked(k), nil
	}
	if f.followers >= maxFollowers {
		fs.stats.Alone++
		fs.mu.Unlock()
		return nil, nil
	}
	f.followers++
	fs.mu.Unlock()

	var e *Entry
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-f.landed:
		e = f.entry
	case <-over.C:
	case <-ctx.Done():
	}

	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.followers--
	if e == nil {
		fs.stats.Alone++
	} else {
		fs.stats.Shared++
	}
	return nil, e
}

func (fs *Flights) leadLocked(k Key) *Flight {
	if len(fs.flying) >= maxFlights {
		fs.stats.Alone++
		return nil
	}
	if fs.flying == nil {
		fs.flying = make(map[Key]*Flight)
	}
	f := &Flight{of: fs, key: k, landed: make(chan struct{})}
	fs.flying[k] = f
	fs.stats.Led++
	return f
}

// Land ends the flight: its followers get e, which is immutable from now on, or
// are told to go on alone when e is nil. It is called exactly once; a second
// call panics.
func (f *Flight) Land(e *Entry) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.of.flying[f.key] != f {
		panic("semcache: a flight landed twice")
	}
	delete(f.of.flying, f.key)
	f.entry = e
	close(f.landed)
}

// Stats returns the counts.
func (fs *Flights) Stats() FlightStats {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.stats
}

// Flying is how many requests can be waited for now.
func (fs *Flights) Flying() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.flying)
}
