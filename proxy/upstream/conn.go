package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"syscall"
	"time"
)

// idleLife is how long an unused connection is kept. Common load balancers drop
// idle connections after 60 s; leaving first avoids writing into a closing one.
const idleLife = 45 * time.Second

// wire is the TCP connection, beneath TLS if there is any. It counts what is
// written and limits each read of a body. One attempt uses it at a time.
type wire struct {
	net.Conn
	raw     syscall.RawConn // nil where the platform has none
	written int64           // bytes since begin; U1 rests on it
	idle    time.Duration   // 0 before the body: then the deadlines of begin hold
	end     time.Time       // of the attempt
	failed  error           // of the last read: the wire code above may only say that something is missing
	probe   probe
}

func (w *wire) Read(p []byte) (int, error) {
	if w.idle > 0 {
		if err := w.SetReadDeadline(earlier(time.Now().Add(w.idle), w.end)); err != nil {
			return 0, err
		}
	}
	n, err := w.Conn.Read(p)
	w.failed = err
	return n, err
}

// reason prefers what the connection said to what its reader made of it.
func (w *wire) reason(err error) error {
	if w.failed != nil && !isKnown(err) {
		return w.failed
	}
	return err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written += int64(n)
	return n, err
}

// begin starts an attempt: nothing written yet, headers due at first.
func (w *wire) begin(first, end time.Time) error {
	w.written, w.idle, w.end, w.failed = 0, 0, end, nil
	return w.SetDeadline(first)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// conn is one connection to the upstream.
type conn struct {
	wire *wire
	rw   net.Conn // wire itself, or TLS over it
	// since is when it became idle.
	since time.Time
}

// pool keeps the connections of one upstream. In flight and idle together never
// exceed the client's slots: it dials only when nothing is idle, with a slot held.
type pool struct {
	base    base
	tls     *tls.Config // nil for http
	connect time.Duration
	life    context.Context

	mu     sync.Mutex
	idle   []*conn // a stack, so that the surplus at the bottom grows old
	live   map[*conn]struct{}
	closed bool
}

// take gives an idle connection that is open and silent, else a new one.
func (p *pool) take(now time.Time) (*conn, error) {
	for {
		c := p.pop()
		if c == nil {
			return p.dial()
		}
		if now.Sub(c.since) < idleLife && c.wire.silent() {
			return c, nil
		}
		p.drop(c)
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c
}

func (p *pool) dial() (*conn, error) {
	ctx, cancel := context.WithTimeout(p.life, p.connect)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", p.base.addr)
	if err != nil {
		return nil, err
	}
	w := newWire(raw)
	c := &conn{wire: w, rw: w}
	if p.tls != nil {
		t := tls.Client(w, p.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.rw = t
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = raw.Close()
		return nil, ErrClosed
	}
	p.live[c] = struct{}{}
	return c, nil
}

// keep puts a connection back whose answer was read to its end.
func (p *pool) keep(c *conn) {
	c.since = time.Now()
	p.mu.Lock()
	if !p.closed {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.drop(c)
}

// drop closes a connection without a word: a TLS farewell could block.
func (p *pool) drop(c *conn) {
	p.mu.Lock()
	delete(p.live, c)
	p.mu.Unlock()
	_ = c.wire.Conn.Close()
}

// closeIdle closes the connections that have been idle since before t.
func (p *pool) closeIdle(t time.Time) {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && p.idle[n].since.Before(t) {
		n++
	}
	old := append([]*conn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.mu.Unlock()
	for _, c := range old {
		p.drop(c)
	}
}

// abort closes every connection, idle or in use, and refuses new ones.
func (p *pool) abort() {
	p.mu.Lock()
	p.closed = true
	p.idle = nil
	live := p.live
	p.live = nil
	p.mu.Unlock()
	for c := range live {
		_ = c.wire.Conn.Close()
	}
}

// open is the number of connections, for tests and metrics.
func (p *pool) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.live)
}
