package simprovider

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	readBuffer = 16 << 10 // bytes; also the longest head of a request
	// writeTimeout is how long a caller may take no bytes before it counts as gone.
	writeTimeout = time.Minute
)

// conn is one connection: one goroutine, one request at a time.
type conn struct {
	p    *Provider
	nc   net.Conn
	br   *bufio.Reader
	req  fasthttp.Request
	call call
}

// serve answers requests until the connection ends.
func (c *conn) serve(handle func(*call) (keep bool)) {
	defer c.nc.Close()
	for {
		c.nc.SetReadDeadline(time.Now().Add(c.p.cfg.IdleTimeout))
		if c.p.closing.Load() { // after the deadline is set: Close sets its own after closing
			return
		}
		c.req.Reset()
		err := c.req.ReadLimitBody(c.br, c.p.cfg.MaxBody)
		if err == nil && c.req.MayContinue() {
			if _, err = c.nc.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err == nil {
				err = c.req.ContinueReadBody(c.br, c.p.cfg.MaxBody, false)
			}
		}
		if err != nil {
			c.refuseUnread(err)
			return
		}
		c.call.begin(c)
		if !handle(&c.call) || c.req.ConnectionClose() {
			return
		}
	}
}

// refuseUnread answers a request that could not be read, if there was one.
func (c *conn) refuseUnread(err error) {
	var nothing fasthttp.ErrNothingRead
	var network net.Error
	refusal := apiError{status: 400, kind: "invalid_request_error", message: "The request is not valid HTTP."}
	switch {
	case errors.As(err, &nothing), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return // there was none, or it broke off
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		refusal.status, refusal.message = 413, "The request body is too large."
	case c.req.Header.ContentLength() > 0:
		return // broke off within a body
	}
	c.call.begin(c)
	c.call.fail(&refusal)
}

// wait waits, and says whether the caller hung up meanwhile.
func (c *conn) wait(d time.Duration) (gone bool) {
	until := time.Now().Add(d)
	for {
		left := time.Until(until)
		if left <= 0 {
			return false
		}
		c.nc.SetReadDeadline(until)
		_, err := c.br.Peek(1)
		switch {
		case err == nil: // the next request is here already; it cannot tell of a hang-up
			timer := time.NewTimer(left)
			defer timer.Stop()
			select {
			case <-timer.C:
				return false
			case <-c.p.halted:
				return true
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return true
		}
	}
}

// abort resets the connection: the caller sees ECONNRESET, not an end.
func (c *conn) abort() {
	nc := c.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	nc.Close()
}
