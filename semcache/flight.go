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
// hang-up takes nothing from them. A leader that is lost, with its node or because it
// only waited, abandons the flight: one of its followers leads next, and the others
// wait for that.
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
	landed    chan struct{} // closed by Land and Abandon
	entry     *Entry        // set before landed is closed
	abandoned bool          // the same
}

// Join makes the caller the leader of k (a Flight), or waits for the leader's
// answer (an Entry), at most for the limit. Both nil: go on alone, since the leader
// has no answer to share, ctx or the limit has ended, or too many wait already.
func (fs *Flights) Join(ctx context.Context, k Key, limit time.Duration) (*Flight, *Entry) {
	var over <-chan time.Time
	for {
		fs.mu.Lock()
		f := fs.flying[k]
		if f == nil {
			defer fs.mu.Unlock()
			return fs.leadLocked(k), nil
		}
		if f.followers >= maxFollowers || limit <= 0 {
			fs.stats.Alone++
			fs.mu.Unlock()
			return nil, nil
		}
		f.followers++
		fs.mu.Unlock()
		if over == nil {
			t := time.NewTimer(limit)
			defer t.Stop()
			over = t.C
		}
		e, again := fs.follow(ctx, f, over)
		if !again {
			return nil, e
		}
	}
}

// follow waits for a flight to land. again says that it was abandoned.
func (fs *Flights) follow(ctx context.Context, f *Flight, over <-chan time.Time) (e *Entry, again bool) {
	select {
	case <-f.landed:
		e, again = f.entry, f.abandoned
	case <-over:
	case <-ctx.Done():
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.followers--
	switch {
	case again:
	case e == nil:
		fs.stats.Alone++
	default:
		fs.stats.Shared++
	}
	return e, again
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
// are told to go on alone when e is nil. A flight ends exactly once, by Land or by
// Abandon; a second call panics.
func (f *Flight) Land(e *Entry) {
	f.end(func() { f.entry = e })
}

// Abandon ends the flight without saying anything about the answer: one of its
// followers leads next.
func (f *Flight) Abandon() {
	f.end(func() { f.abandoned = true })
}

func (f *Flight) end(how func()) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.of.flying[f.key] != f {
		panic("semcache: a flight landed twice")
	}
	delete(f.of.flying, f.key)
	how()
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
