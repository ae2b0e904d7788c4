package upstream

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// headerLimit bounds an answer's status line and headers, which must fit the
	// read buffer. Providers send 2 to 4 KiB, cookies of their front included.
	headerLimit = 16 << 10
	// chunkSize bounds what one Next gives: a TLS record, or a burst of small events.
	chunkSize = 16 << 10
	// earlyWait is how long to look for an answer after a write broke: a refusal
	// sent before the whole request was read (413) is then already on its way.
	earlyWait = time.Second
	// tlsSessions bounds the tickets kept for resumption; one per address is enough.
	tlsSessions = 64
)

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headerLimit) }}
	chunks  = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}
	heads   = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}
)

// http1 carries attempts over kept HTTP/1.1 connections.
type http1 struct {
	client *Client
	pool   *pool
}

func newHTTP1(c *Client) *http1 {
	p := &pool{base: c.base, connect: c.cfg.Timeouts.Connect, life: c.life, live: make(map[*conn]struct{})}
	if c.base.tls {
		p.tls = &tls.Config{
			ServerName:         c.base.server,
			RootCAs:            c.cfg.RootCAs,
			MinVersion:         tls.VersionTLS12,
			NextProtos:         []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions),
		}
	}
	return &http1{client: c, pool: p}
}

func (h *http1) closeIdle(before time.Time) { h.pool.closeIdle(before) }
func (h *http1) abort()                     { h.pool.abort() }

func (h *http1) attempt(r *Request, deadline time.Time) (*Response, *Failure) {
	c, err := h.pool.take(time.Now())
	if err != nil {
		return nil, fail(false, PhaseConnect, err)
	}
	first := earlier(time.Now().Add(h.client.cfg.Timeouts.FirstByte), deadline)
	if err := c.wire.begin(first, deadline); err != nil {
		h.pool.drop(c)
		return nil, fail(false, PhaseWrite, err)
	}
	if err := h.send(c, r); err != nil {
		resp := h.early(c, r, err, first)
		if resp == nil {
			h.pool.drop(c)
			return nil, fail(c.wire.written > 0, PhaseWrite, err)
		}
		return resp, nil
	}
	resp, err := h.receive(c, r)
	if err != nil {
		h.pool.drop(c)
		return nil, fail(true, PhaseFirstByte, c.wire.reason(err))
	}
	return resp, nil
}

// send writes the request: small ones in one piece, a large body behind its head.
func (h *http1) send(c *conn, r *Request) error {
	buf := heads.Get().(*[]byte)
	head := r.appendHead((*buf)[:0], h.client.base.prefix, h.client.keyHeader, h.client.fixedFor(r))
	joined := len(r.Body) <= maxJoinedBody
	if joined {
		head = append(head, r.Body...)
	}
	_, err := c.rw.Write(head)
	if err == nil && !joined {
		_, err = c.rw.Write(r.Body)
	}
	clear(head) // credentials and prompts do not linger in a pool
	*buf = head[:0]
	heads.Put(buf)
	return err
}

// early looks for an answer that the upstream gave before it had read the whole
// request and closed. The connection ends with it.
func (h *http1) early(c *conn, r *Request, err error, first time.Time) *Response {
	if c.wire.written == 0 || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if c.wire.SetReadDeadline(earlier(time.Now().Add(earlyWait), first)) != nil {
		return nil
	}
	resp, err := h.receive(c, r)
	if err != nil {
		return nil
	}
	if b, ok := resp.body.(*body1); ok {
		b.once = true
	}
	return resp
}

// receive reads the status and the headers. On an error the connection is still the caller's.
func (h *http1) receive(c *conn, r *Request) (*Response, error) {
	br := readers.Get().(*bufio.Reader)
	br.Reset(c.rw)
	resp := fasthttp.AcquireResponse()
	resp.StreamBody = true
	resp.SkipBody = r.Method == "HEAD"
	err := resp.ReadLimitBody(br, 0)
	if err == nil && resp.StatusCode() < 200 {
		err = ErrMalformed // 101: nobody asked for an upgrade
	}
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		putReader(br)
		return nil, err
	}
	b := &body1{h: h, conn: c, br: br, resp: resp, stream: resp.BodyStream()}
	out := &Response{Status: resp.StatusCode(), head: b, body: b, length: -1}
	if n := resp.Header.ContentLength(); n >= 0 {
		out.length = int64(n)
	}
	// Without a length only the connection's end is the answer's end.
	b.once = resp.ConnectionClose() || resp.Header.ContentLength() == -2 && b.stream != nil
	b.chunked = resp.Header.ContentLength() == -1
	c.wire.idle = h.client.cfg.Timeouts.Idle
	if b.stream == nil || out.length == 0 {
		b.ended(io.EOF)
		out.length = 0
	}
	return out, nil
}

func putReader(br *bufio.Reader) {
	br.Reset(nil)
	readers.Put(br)
}

// body1 is the body of an HTTP/1.1 answer, and holds its headers.
type body1 struct {
	h       *http1
	conn    *conn // nil once let go
	br      *bufio.Reader
	resp    *fasthttp.Response
	stream  io.Reader
	chunked bool
	once    bool  // the connection ends with this answer
	err     error // how the body ended
}

func (b *body1) peek(name string) []byte { return b.resp.Header.Peek(name) }

func (b *body1) each(f func(name, value []byte)) {
	for name, value := range b.resp.Header.All() {
		f(name, value)
	}
}

func (b *body1) setDeadline(t time.Time) {
	if b.conn != nil {
		b.conn.wire.end = earlier(b.conn.wire.end, t)
	}
}

// read blocks for the first byte only: more chunks are added while they are
// complete in the buffer, so that a burst of events costs one write further on.
func (b *body1) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = b.stream.Read(p)
	}
	for err == nil && b.chunked && n < len(p) && chunkReady(b.br) {
		var more int
		more, err = b.stream.Read(p[n:])
		n += more
	}
	if err != nil {
		b.ended(err)
		if n == 0 {
			return 0, b.err
		}
	}
	return n, nil
}

func (b *body1) ready() bool {
	return b.err != nil || b.chunked && chunkReady(b.br) || !b.chunked && b.br.Buffered() > 0
}

// chunkReady says that the next chunk is complete in the buffer, so that reading
// it cannot block. The decoder stands at the start of a chunk whenever its read
// gave less than was asked for and left bytes behind; else the bytes looked at
// are a body's, and the worst of a wrong guess is a wait for the rest of a chunk.
func chunkReady(br *bufio.Reader) bool {
	n := br.Buffered()
	if n == 0 {
		return false
	}
	b, err := br.Peek(n)
	return err == nil && wholeChunk(b)
}

// ended lets the connection go, once, and remembers how the body ended.
func (b *body1) ended(err error) {
	if b.err != nil {
		return
	}
	if b.err = err; err != io.EOF {
		b.err = fail(true, PhaseBody, b.conn.wire.reason(err))
	}
	keep := err == io.EOF && !b.once && b.br.Buffered() == 0
	_ = b.resp.CloseBodyStream()
	putReader(b.br)
	if keep {
		b.h.pool.keep(b.conn)
	} else {
		b.h.pool.drop(b.conn)
	}
	b.conn, b.br, b.stream = nil, nil, nil
	b.h.client.giveSlot()
}

// stop breaks the answer off if it has not ended.
func (b *body1) stop() { b.ended(ErrClosed) }

func (b *body1) release() { fasthttp.ReleaseResponse(b.resp) }
