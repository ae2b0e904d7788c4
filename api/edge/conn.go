package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lingerTime is how long a refused client may go on sending before the close:
// closing with bytes unread makes the kernel send a reset, and the client then
// often loses the refusal (RFC 9112 section 9.6).
const lingerTime = time.Second

// The states of a connection, as far as shutting down needs them. A connection
// is claimed by compare-and-swap: by its own goroutine when bytes arrive, or by
// Shutdown. Whoever comes first wins, so no request that has begun is dropped.
const (
	idle    int32 = iota // waiting for a request
	active               // a request, or a handshake, has begun
	leaving              // no more requests are read
)

// conn is a client's TCP connection, beneath TLS if there is any. It counts
// against the limit until it is closed.
type conn struct {
	net.Conn
	s     *Server
	state atomic.Int32
	// ahead holds bytes that were looked at to tell the protocols apart.
	ahead []byte
	// armed is the write deadline in force. Only the goroutine that writes uses it.
	armed time.Time
	// held are bytes to be sent with the next ones, while holding. Only the
	// goroutine that writes uses them.
	held    *[]byte
	holding bool
	// linger is set before Close when the client may still be sending.
	linger atomic.Bool
	once   sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if c.state.Load() == leaving {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	if !c.begin() {
		return 0, io.EOF // also hides the deadline that woke the read
	}
	return n, err
}

// begin marks a request as begun; false means that Shutdown was first.
func (c *conn) begin() bool {
	return c.state.CompareAndSwap(idle, active) || c.state.Load() == active
}

// rest marks the connection as waiting for a request.
func (c *conn) rest() {
	if c.state.CompareAndSwap(active, idle) && c.s.draining.Load() {
		c.leave()
	}
}

// leave ends an idle connection: its read sees the end, and its goroutine closes it.
func (c *conn) leave() {
	if c.state.CompareAndSwap(idle, leaving) {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// heldMost bounds what a connection keeps back: the head of an answer and a
// burst of events.
const heldMost = 32 << 10

var heldBuffers = sync.Pool{New: func() any { b := make([]byte, 0, heldMost); return &b }}

// hold says whether the next bytes may be kept back, because more will follow
// without waiting.
func (c *conn) hold(on bool) { c.holding = on }

// Write sends p and what was kept back before it, or keeps it back too.
func (c *conn) Write(p []byte) (int, error) {
	have := 0
	if c.held != nil {
		have = len(*c.held)
	}
	if have == 0 && !c.holding {
		return c.send(p)
	}
	if have+len(p) <= heldMost {
		if c.held == nil {
			c.held = heldBuffers.Get().(*[]byte)
		}
		*c.held = append(*c.held, p...)
		if c.holding {
			return len(p), nil
		}
		return len(p), c.release()
	}
	if err := c.release(); err != nil {
		return 0, err
	}
	return c.send(p)
}

// release sends what was kept back; nothing is, from now on.
func (c *conn) release() error {
	c.holding = false
	if c.held == nil {
		return nil
	}
	_, err := c.send(*c.held)
	clear(*c.held) // answers do not linger in a pool
	*c.held = (*c.held)[:0]
	heldBuffers.Put(c.held)
	c.held = nil
	return err
}

// send gives up when the client takes not a byte for WriteStall; a slow but
// steady one may take as long as it likes. The deadline is set for longer than
// the limit and renewed only when too little is left, since most writes take no
// time at all.
func (c *conn) send(p []byte) (int, error) {
	stall := c.s.cfg.WriteStall
	for done := 0; ; {
		if now := time.Now(); c.armed.Sub(now) < stall {
			c.armed = now.Add(stall + stall/2)
			if err := c.Conn.SetWriteDeadline(c.armed); err != nil {
				return done, err
			}
		}
		n, err := c.Conn.Write(p[done:])
		done += n
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return done, err
	}
}

// settle ends the handshake: its deadline is lifted.
func (c *conn) settle() error {
	c.armed = time.Time{}
	return c.Conn.SetDeadline(time.Time{})
}

// Close closes the connection once, and lets a refused client read its refusal first.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if c.linger.Load() {
			c.drain()
		}
		err = c.Conn.Close()
		c.s.forget(c)
	})
	return err
}

func (c *conn) drain() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	var waste [4 << 10]byte
	for {
		if _, err := c.Conn.Read(waste[:]); err != nil {
			return
		}
	}
}

// abort breaks the connection off now, also one that lingers.
func (c *conn) abort() {
	c.linger.Store(false)
	_ = c.Conn.Close()
}

// beneath finds the conn below what a server was given.
func beneath(c net.Conn) *conn {
	switch c := c.(type) {
	case *conn:
		return c
	case *tls.Conn:
		if own, ok := c.NetConn().(*conn); ok {
			return own
		}
	}
	panic("edge: a connection of nobody's")
}
