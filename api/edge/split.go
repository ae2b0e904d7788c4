package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// preface begins every HTTP/2 connection and no HTTP/1 request that is served (RFC 9113 section 3.4).
const preface = "PRI "

// serve tells the protocols apart and runs the connection to its end, or hands it over.
func (s *Server) serve(c *conn) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked("connection", v)
			_ = c.Close()
		}
	}()
	if err := c.SetDeadline(time.Now().Add(s.cfg.ReadTimeout)); err != nil {
		_ = c.Close()
		return
	}
	over, proto, err := s.open(c)
	if err == nil {
		err = c.settle()
	}
	if err != nil {
		_ = c.Close()
		return
	}
	if proto == "h2" {
		s.handoff.give(over)
		return
	}
	c.rest()
	// The error repeats what the client was told, or that it went away.
	_ = s.http1.ServeConn(over)
}

// open does the handshake, or looks at the first bytes.
func (s *Server) open(c *conn) (net.Conn, string, error) {
	if s.tls == nil {
		first := make([]byte, len(preface))
		if _, err := io.ReadFull(c, first); err != nil {
			return nil, "", err
		}
		c.ahead = first
		if string(first) == preface {
			return c, "h2", nil
		}
		return c, "", nil
	}
	t := tls.Server(c, s.tls)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ReadTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && looksPlain(plain.RecordHeader) {
			s.tell(c, refusedPlain, nil)
		}
		return nil, "", err
	}
	return t, t.ConnectionState().NegotiatedProtocol, nil
}

// looksPlain: what a client sends that speaks HTTP to a TLS port.
func looksPlain(first [5]byte) bool {
	switch string(first[:4]) {
	case "GET ", "HEAD", "POST", "PUT ", "OPTI", "PATC", "DELE":
		return true
	}
	return false
}

// reject tells a client that there is no room.
func (s *Server) reject(c *conn) {
	defer func() { _ = c.Close() }()
	if c.SetDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	if s.tls == nil {
		s.turnAway(c)
		return
	}
	t := tls.Server(c, &tls.Config{GetCertificate: s.cfg.Certificates.get, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	ctx, cancel := context.WithTimeout(context.Background(), lingerTime)
	defer cancel()
	if t.HandshakeContext(ctx) == nil {
		s.turnAway(t)
	}
}

// turnAway waits for a request to begin: an answer before it looks to a client
// like noise on an unused connection.
func (s *Server) turnAway(c net.Conn) {
	var begin [1 << 10]byte
	if n, err := c.Read(begin[:]); err == nil {
		s.tell(c, refusedConns, begin[:n])
	}
}

// tell writes a refusal on a connection that no server has; begin is what came
// of the request.
func (s *Server) tell(c net.Conn, r refusal, begin []byte) {
	if _, err := c.Write(s.render(r, begin)); err == nil {
		beneath(c).linger.Store(true)
	}
}

// handoff is the listener of the HTTP/2 server: connections come from serve.
type handoff struct {
	addr net.Addr
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newHandoff(a net.Addr) *handoff {
	return &handoff{addr: a, ch: make(chan net.Conn), done: make(chan struct{})}
}

func (h *handoff) give(c net.Conn) {
	select {
	case h.ch <- c:
	case <-h.done:
		_ = c.Close()
	}
}

func (h *handoff) close() { h.once.Do(func() { close(h.done) }) }

// Accept is net.Listener's.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.ch:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (h *handoff) Close() error { h.close(); return nil }

// Addr is net.Listener's.
func (h *handoff) Addr() net.Addr { return h.addr }
