package edge

import (
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"purser/proxy"
)

// writeBuffer holds an answer's head and a small body, so that both leave in one
// write; longer ones pass it by. There is one for each open connection.
const writeBuffer = 8 << 10

func (s *Server) newHTTP1() *fasthttp.Server {
	handler := s.answer1
	if s.cfg.Admin != nil {
		admin := fasthttpadaptor.NewFastHTTPHandler(s.guarded(s.cfg.Admin))
		handler = func(ctx *fasthttp.RequestCtx) {
			if s.cfg.admin(string(ctx.URI().PathOriginal())) {
				s.admin1(ctx, admin)
				return
			}
			s.answer1(ctx)
		}
	}
	return &fasthttp.Server{
		Handler:                      handler,
		ErrorHandler:                 func(ctx *fasthttp.RequestCtx, err error) { s.refuse1(ctx, readRefusal(err)) },
		ExpectHandler:                s.expect1,
		ConnState:                    follow,
		Logger:                       quiet{s.log},
		MaxRequestBodySize:           s.cfg.MaxBody,
		ReadBufferSize:               s.cfg.MaxHeader,
		WriteBufferSize:              writeBuffer,
		ReadTimeout:                  s.cfg.ReadTimeout,
		IdleTimeout:                  s.cfg.IdleTimeout,
		Concurrency:                  math.MaxInt32, // MaxConns counts already
		DisablePreParseMultipartForm: true,          // bodies are the handler's
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
		LazyRequestTime:              true, // nobody asks for it
	}
}

// follow keeps the connection's state for Shutdown.
func follow(nc net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateActive:
		beneath(nc).begin()
	case fasthttp.StateIdle:
		beneath(nc).rest()
	case fasthttp.StateNew, fasthttp.StateHijacked, fasthttp.StateClosed:
	}
}

// expect1 answers "Expect: 100-continue" before a byte of the body is sent.
func (s *Server) expect1(ctx *fasthttp.RequestCtx) int {
	r, ok := s.refuses(ctx)
	if !ok && ctx.Request.Header.ContentLength() > s.cfg.MaxBody {
		r, ok = refusedBody, true
	}
	if !ok {
		return http.StatusContinue
	}
	s.refuse1(ctx, r)
	return r.status
}

// refuses looks at what fasthttp lets through and the edge does not.
func (s *Server) refuses(ctx *fasthttp.RequestCtx) (refusal, bool) {
	if s.draining.Load() {
		return refusedDraining, true
	}
	h := &ctx.Request.Header
	if !h.IsHTTP11() && string(h.Protocol()) != "HTTP/1.0" {
		return refusedVersion, true
	}
	// fasthttp marks the connection for closing when a request gives both, or is chunked beside a length.
	if (h.ConnectionClose() || h.ContentLength() == -1) && ambiguous(h.RawHeaders()) {
		return refusedFraming, true
	}
	for name := range h.All() {
		if spaced(name) {
			return refusedHeader, true
		}
	}
	return refusal{}, false
}

// refuse1 answers with a refusal, and ends the connection: bytes of the request may still be on their way.
func (s *Server) refuse1(ctx *fasthttp.RequestCtx, r refusal) {
	path, _, _ := strings.Cut(string(ctx.Request.Header.RequestURI()), "?")
	contentType, body := s.cfg.ErrorBody(&proxy.Request{Path: path, Header: &exchange1{ctx: ctx}}, r.status, r.code, r.message)
	ctx.Response.Reset()
	ctx.SetStatusCode(r.status)
	ctx.Response.Header.SetContentType(contentType)
	if r.status == http.StatusServiceUnavailable {
		ctx.Response.Header.Set("Retry-After", retryAfter)
	}
	ctx.Response.SetBodyRaw(body)
	ctx.SetConnectionClose()
	beneath(ctx.Conn()).linger.Store(true)
}

func (s *Server) admin1(ctx *fasthttp.RequestCtx, admin fasthttp.RequestHandler) {
	if r, ok := s.refuses(ctx); ok {
		s.refuse1(ctx, r)
		return
	}
	s.running.Add(1)
	defer s.running.Add(-1)
	admin(ctx)
}

// answer1 is one request for the proxy.
func (s *Server) answer1(ctx *fasthttp.RequestCtx) {
	if r, ok := s.refuses(ctx); ok {
		s.refuse1(ctx, r)
		return
	}
	s.running.Add(1)
	streams := false
	defer func() {
		if v := recover(); v != nil {
			s.panicked("proxy", v)
			s.refuse1(ctx, refusedPanic)
		}
		if !streams {
			s.running.Add(-1)
		}
	}()
	body, refused := s.body1(ctx)
	if refused != nil {
		s.refuse1(ctx, *refused)
		return
	}
	x := &exchange1{ctx: ctx}
	x.request = proxy.Request{
		Method: method(ctx.Method()),
		Path:   string(ctx.URI().PathOriginal()),
		Query:  string(ctx.URI().QueryString()),
		Header: x,
		Body:   body,
		Remote: remote(ctx.RemoteAddr()),
		TLS:    s.tls != nil,
		Client: beneath(ctx.Conn()),
	}
	a := s.cfg.Proxy(&x.request)
	if a.Stream != nil {
		x.flow = flow{s: s, stream: a.Stream}
		streams = true
	}
	s.write1(ctx, x, a)
}

// body1 is the request's body without its coding.
func (s *Server) body1(ctx *fasthttp.RequestCtx) ([]byte, *refusal) {
	all := ctx.Request.Header.PeekAll("Content-Encoding")
	if len(all) == 0 {
		return ctx.PostBody(), nil
	}
	codings := make([]string, len(all))
	for i, c := range all {
		codings[i] = string(c)
	}
	return plain(codings, ctx.PostBody(), s.cfg.MaxBody)
}

// write1 hands the answer to fasthttp, which closes the stream in every case.
func (s *Server) write1(ctx *fasthttp.RequestCtx, x *exchange1, a *proxy.Answer) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(finalStatus(a.Status))
	for i := range a.Header {
		if f := &a.Header[i]; sendable(f.Name, f.Value) {
			h.Add(f.Name, f.Value)
		}
	}
	if s.draining.Load() {
		ctx.SetConnectionClose()
	}
	switch {
	case a.Stream == nil:
		ctx.Response.SetBodyRaw(a.Body)
	case ctx.Request.Header.IsHTTP11():
		ctx.Response.ImmediateHeaderFlush = true
		x.announce(a.Trailer)
		beneath(ctx.Conn()).hold(x.flow.ready())
		ctx.Response.SetBodyStream(x, -1)
	default:
		s.writeUnframed(ctx, x)
	}
}

// writeUnframed streams to an HTTP/1.0 client, which knows no chunks: the end of
// the connection is the end of the answer, and a reset stands for truncation.
func (s *Server) writeUnframed(ctx *fasthttp.RequestCtx, x *exchange1) {
	defer x.close()
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {})
	h := &ctx.Response.Header
	head := append([]byte("HTTP/1.1 "), strconv.Itoa(h.StatusCode())...)
	head = append(append(head, ' '), http.StatusText(h.StatusCode())...)
	head = append(head, "\r\nConnection: close\r\n"...)
	for name, value := range h.All() {
		if !framing(string(name)) {
			head = append(append(append(append(head, name...), ": "...), value...), "\r\n"...)
		}
	}
	_, err := ctx.Conn().Write(append(head, "\r\n"...))
	if err == nil && !ctx.IsHead() {
		_, err = x.WriteTo(ctx.Conn())
	}
	if tcp, ok := beneath(ctx.Conn()).Conn.(*net.TCPConn); ok && err != nil {
		_ = tcp.SetLinger(0)
	}
}

// exchange1 is a request and its answer's stream on HTTP/1.1. fasthttp reads it
// as the answer's body.
type exchange1 struct {
	request proxy.Request
	ctx     *fasthttp.RequestCtx
	flow    flow
	rest    []byte              // of Next, when fasthttp reads in pieces
	trailer []proxy.HeaderField // that was announced
}

// announce names the fields of the trailer, if the client takes one.
func (x *exchange1) announce(trailer []proxy.HeaderField) {
	if len(trailer) == 0 || !takesTrailers(x.Peek("TE")) {
		return
	}
	for i := range trailer {
		if x.ctx.Response.Header.AddTrailer(trailer[i].Name) != nil {
			return // not a name that may be there: none of them is sent
		}
	}
	x.trailer = trailer
}

// trail sets the values of the trailer, which fasthttp writes after the last chunk.
func (x *exchange1) trail() {
	for i := range x.trailer {
		if f := &x.trailer[i]; sendable(f.Name, f.Value) {
			x.ctx.Response.Header.Set(f.Name, f.Value)
		}
	}
}

// Peek is proxy.Headers'.
func (x *exchange1) Peek(name string) []byte { return x.ctx.Request.Header.Peek(name) }

// Each is proxy.Headers'.
func (x *exchange1) Each(f func(name, value []byte)) {
	for name, value := range x.ctx.Request.Header.All() {
		f(name, value)
	}
}

// SupportsBodyWriteTo lets fasthttp use WriteTo, which keeps the stream's own pieces.
func (x *exchange1) SupportsBodyWriteTo() bool { return true }

// WriteTo writes each piece as a chunk. fasthttp flushes after every one, and the
// connection keeps it back only while the next is here already (E3). fasthttp
// writes the final chunk only when this returns nil (E1).
func (x *exchange1) WriteTo(w io.Writer) (int64, error) {
	c := beneath(x.ctx.Conn())
	var sent int64
	for {
		b, err := x.flow.next()
		c.hold(err == nil && x.flow.ready())
		if len(b) > 0 {
			n, werr := w.Write(b)
			if sent += int64(n); werr != nil {
				return sent, werr
			}
		} else if werr := c.release(); werr != nil {
			return sent, werr
		}
		if errors.Is(err, io.EOF) {
			x.trail()
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
	}
}

// Read is the same in pieces, for paths of fasthttp that do not know WriteTo.
func (x *exchange1) Read(p []byte) (int, error) {
	for len(x.rest) == 0 {
		b, err := x.flow.next()
		if len(b) == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				x.trail()
			}
			return 0, err
		}
		x.rest = b
	}
	n := copy(p, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// Close is called by fasthttp when the answer is over, however it ended.
func (x *exchange1) Close() error {
	x.close()
	return nil
}

func (x *exchange1) close() {
	s := x.flow.s
	// Headers of an answer without a body are still there. A client that has
	// gone is found out by whoever writes next.
	_ = beneath(x.ctx.Conn()).release()
	x.flow.close()
	s.running.Add(-1)
}

// method avoids an allocation for the methods in use.
func method(b []byte) string {
	switch string(b) {
	case "POST":
		return "POST"
	case "GET":
		return "GET"
	}
	return string(b)
}

func remote(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
