package links

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Flow is one direction, of any number of connections. Its methods may be called by
// any number of goroutines.
type Flow struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed at the next change
	changes int
	chance  *rand.Rand
	free    time.Time // when a line of the state's Rate has carried all that it took
	counts  Counts
}

// State is what happens to the bytes of a flow. The zero State carries them at once.
type State struct {
	// Held keeps bytes until it is lifted.
	Held bool
	// Delay is how long bytes are on their way; up to Jitter is added, drawn for each
	// piece. They stay in order.
	Delay, Jitter time.Duration
	// Rate is the most bytes in a second; 0 for no bound. Beyond it, senders wait.
	Rate int64
}

// Counts is what a flow has carried, in pieces as they were read.
type Counts struct {
	Pieces, Bytes, Held, Delayed int64
}

// maxBacklog is how much of what waits for a Rate is taken from its sender.
const maxBacklog = time.Second

// NewFlow returns a flow whose jitter is drawn from a seed.
func NewFlow(seed, stream uint64) *Flow {
	return &Flow{changed: make(chan struct{}), chance: rand.New(rand.NewPCG(seed, stream))}
}

// Set changes what happens. What was under way arrives at once, if it is not held.
func (f *Flow) Set(change func(*State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.state)
	f.changes++
	f.free = time.Time{}
	close(f.changed)
	f.changed = make(chan struct{})
}

// Counts is what the flow has carried until now.
func (f *Flow) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

// piece is bytes on their way.
type piece struct {
	bytes   []byte
	due     time.Time // unless the flow changes
	changes int       // of the flow, when it was taken
}

// take says when bytes arrive, and how long their sender waits before it may send
// more.
func (f *Flow) take(now time.Time, bytes []byte) (p piece, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Pieces++
	f.counts.Bytes += int64(len(bytes))
	due := now
	if f.state.Rate > 0 {
		if f.free.Before(now) {
			f.free = now
		}
		f.free = f.free.Add(time.Duration(float64(len(bytes)) / float64(f.state.Rate) * float64(time.Second)))
		due, wait = f.free, f.free.Sub(now)-maxBacklog
	}
	due = due.Add(f.state.Delay)
	if f.state.Jitter > 0 {
		due = due.Add(time.Duration(f.chance.Int64N(int64(f.state.Jitter))))
	}
	if due.After(now) {
		f.counts.Delayed++
	}
	if f.state.Held {
		f.counts.Held++
	}
	return piece{bytes, due, f.changes}, wait
}

// look says whether a piece is held, when it arrives otherwise, and when to look
// again.
func (f *Flow) look(p piece) (held bool, late time.Duration, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.changes == f.changes {
		late = time.Until(p.due)
	}
	return f.state.Held, late, f.changed
}
