package links

import (
	"net"
	"sync"
	"time"
)

// Conn carries what passes between two ends of a connection.
type Conn struct {
	near, far net.Conn
	out, back *Flow // from near to far, and from far to near
	once      sync.Once
	ended     chan struct{}
}

const (
	pieceSize = 32 << 10
	// maxHeld bounds the pieces of one direction of a connection that wait; then its
	// sender waits, as behind a full window.
	maxHeld = 256
)

// NewConn returns a connection that is carried by Run, and whose ends are closed by
// End.
func NewConn(near, far net.Conn, out, back *Flow) *Conn {
	return &Conn{near: near, far: far, out: out, back: back, ended: make(chan struct{})}
}

// Run carries bytes until the connection ends.
func (c *Conn) Run() {
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(c.out, c.near, c.far) })
	pumps.Go(func() { c.pump(c.back, c.far, c.near) })
	pumps.Wait()
}

// End breaks the connection off.
func (c *Conn) End() {
	c.once.Do(func() {
		close(c.ended)
		_ = c.near.Close()
		_ = c.far.Close()
	})
}

// pump carries one direction. When its source ends, what is under way still
// arrives, and then the connection ends.
func (c *Conn) pump(f *Flow, from, to net.Conn) {
	way := make(chan piece, maxHeld)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(way)
		c.read(f, from, way)
	})
	for p := range way {
		if !c.pass(f, p) {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	c.End()
	reading.Wait()
}

func (c *Conn) read(f *Flow, from net.Conn, way chan<- piece) {
	for {
		b := make([]byte, pieceSize)
		n, err := from.Read(b)
		if n > 0 {
			p, wait := f.take(time.Now(), b[:n])
			select {
			case way <- p:
			case <-c.ended:
				return
			}
			if !c.pause(f, p, wait) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pause waits before more is taken, at most until the flow changes; false if the
// connection ended first.
func (c *Conn) pause(f *Flow, last piece, wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	_, _, changed := f.look(last)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.ended:
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}

// pass waits until the flow lets a piece go; false if the connection ended first.
func (c *Conn) pass(f *Flow, p piece) bool {
	for {
		held, late, changed := f.look(p)
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
