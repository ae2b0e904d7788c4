package links

import (
	"net"
	"sync"
	"time"
)

// flow is one direction between two nodes, of all their connections.
type flow struct {
	mu      sync.Mutex
	held    bool
	cut     bool
	delay   time.Duration
	changed chan struct{} // closed at the next change
}

func newFlow() *flow { return &flow{changed: make(chan struct{})} }

func (f *flow) set(change func(*flow)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *flow) isCut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut
}

// state is what holds now, and a channel that says when to look again.
func (f *flow) state() (held bool, delay time.Duration, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held, f.delay, f.changed
}

// chunk is bytes on their way.
type chunk struct {
	bytes []byte
	due   time.Time
}

// pump carries one direction of a connection. When its source ends, what is under
// way still arrives, and then the connection ends.
func (c *conn) pump(f *flow, from, to net.Conn) {
	way := make(chan chunk, maxHeld)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(way)
		for {
			b := make([]byte, chunkSize)
			n, err := from.Read(b)
			if n > 0 {
				_, delay, _ := f.state()
				select {
				case way <- chunk{b[:n], time.Now().Add(delay)}:
				case <-c.ended:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for x := range way {
		if !c.pass(f, x.due) {
			break
		}
		if _, err := to.Write(x.bytes); err != nil {
			break
		}
	}
	c.end()
	reading.Wait()
}

// pass waits until the flow lets go what is due then; false if the connection
// ended first.
func (c *conn) pass(f *flow, due time.Time) bool {
	for {
		held, _, changed := f.state()
		late := time.Until(due)
		if !held && late <= 0 {
			return true
		}
		timer := time.NewTimer(max(late, 0))
		at := timer.C
		if held {
			at = nil // time alone does not let it go
		}
		select {
		case <-c.ended:
			timer.Stop()
			return false
		case <-changed:
		case <-at:
		}
		timer.Stop()
	}
}
