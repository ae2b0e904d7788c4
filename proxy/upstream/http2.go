package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pingAfter and pingWait find a connection that died without a word: streams
	// share it, so it is worth a probe.
	pingAfter = 30 * time.Second
	pingWait  = 15 * time.Second
)

// http2 carries attempts over net/http's Transport.
type http2 struct {
	client *Client
	tr     *http.Transport

	mu     sync.Mutex
	live   map[net.Conn]struct{}
	closed bool
}

func newHTTP2(c *Client) *http2 {
	h := &http2{client: c, live: make(map[net.Conn]struct{})}
	only := new(http.Protocols)
	only.SetHTTP2(c.base.tls)
	only.SetUnencryptedHTTP2(!c.base.tls)
	h.tr = &http.Transport{
		Protocols:              only,
		DialContext:            h.dial,
		TLSClientConfig:        &tls.Config{ServerName: c.base.server, RootCAs: c.cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.cfg.Timeouts.Connect,
		IdleConnTimeout:        idleLife,
		MaxResponseHeaderBytes: headerLimit,
		DisableCompression:     true, // decode.go bounds it
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait},
	}
	return h
}

// tracked takes itself off the list when it is closed.
type tracked struct {
	net.Conn
	h    *http2
	once sync.Once
}

func (t *tracked) Close() error {
	t.once.Do(func() {
		t.h.mu.Lock()
		delete(t.h.live, t)
		t.h.mu.Unlock()
	})
	return t.Conn.Close()
}

// dial outlives the attempt that asked for it, as Transport wants; not the client.
func (h *http2) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.client.cfg.Timeouts.Connect)
	defer cancel()
	defer context.AfterFunc(h.client.life, cancel)()
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, h.client.base.addr)
	if err != nil {
		return nil, err
	}
	c := &tracked{Conn: raw, h: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = raw.Close()
		return nil, ErrClosed
	}
	h.live[c] = struct{}{}
	return c, nil
}

// closeIdle does nothing: Transport has a timer of its own for each connection.
func (h *http2) closeIdle(time.Time) {}

func (h *http2) abort() {
	h.mu.Lock()
	h.closed = true
	live := make([]net.Conn, 0, len(h.live))
	for c := range h.live {
		live = append(live, c)
	}
	h.mu.Unlock()
	h.tr.CloseIdleConnections()
	for _, c := range live {
		_ = c.Close()
	}
}

// attempt sends one request. A body has no GetBody, so net/http never sends it
// again once any of it was written. Requests without a body, which list things
// and cost nothing, it may repeat on a connection that turned out dead.
func (h *http2) attempt(r *Request, deadline time.Time) (*Response, *Failure) {
	ctx, cancel := context.WithCancelCause(h.client.life)
	b := &body2{h: h, cancel: cancel, idle: h.client.cfg.Timeouts.Idle, end: deadline}
	b.timer = time.AfterFunc(min(h.client.cfg.Timeouts.FirstByte, time.Until(deadline)), func() { cancel(ErrTimeout) })

	var got, sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
		// Called just before the headers are written: earlier than needed, never later (U1).
		WroteHeaderField: func(string, []string) { sent.Store(true) },
		WroteHeaders:     func() { sent.Store(true) },
	})
	req, err := h.request(ctx, r)
	if err != nil {
		b.timer.Stop()
		cancel(nil)
		return nil, fail(false, PhaseStart, ErrBadRequest)
	}
	resp, err := h.tr.RoundTrip(req)
	if !b.timer.Stop() && err == nil {
		_ = resp.Body.Close()
		err = ErrTimeout
	}
	if err != nil {
		err = because(ctx, err)
		cancel(nil)
		at := PhaseConnect
		switch {
		case sent.Load():
			at = PhaseFirstByte
		case got.Load():
			at = PhaseWrite
		}
		return nil, fail(sent.Load(), at, err)
	}
	b.ctx, b.body = ctx, resp.Body
	out := &Response{Status: resp.StatusCode, head: header2(resp.Header), body: b, length: resp.ContentLength}
	if resp.Body == http.NoBody || resp.ContentLength == 0 {
		b.ended(io.EOF)
		out.length = 0
	}
	return out, nil
}

// request builds net/http's form of r.
func (h *http2) request(ctx context.Context, r *Request) (*http.Request, error) {
	scheme := "http"
	if h.client.base.tls {
		scheme = "https"
	}
	u, err := url.ParseRequestURI(h.client.base.prefix + r.Path)
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = scheme, h.client.base.host
	req := &http.Request{
		Method: r.Method, URL: u, Host: h.client.base.host,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: make(http.Header, len(r.Header)+4),
	}
	cfg := &h.client.cfg
	for _, hd := range r.Header {
		if r.takes(hd.Name, h.client.keyHeader) {
			req.Header.Add(hd.Name, hd.Value)
		}
	}
	for _, hd := range r.proof {
		req.Header.Set(hd.Name, hd.Value)
	}
	req.Header.Set("Accept-Encoding", "identity")
	if req.Header.Get("User-Agent") == "" {
		req.Header["User-Agent"] = nil // none of net/http's own
	}
	if h.client.keyHeader != "" {
		req.Header.Set(cfg.KeyHeader, cfg.KeyPrefix+string(cfg.Keys[r.Key].Secret))
	}
	for _, hd := range cfg.ExtraHeaders {
		req.Header.Add(hd.Name, hd.Value)
	}
	if r.hasBody() {
		// A copy: Transport may read the body after it has answered, and the caller's ends with Do.
		req.Body = io.NopCloser(bytes.NewReader(bytes.Clone(r.Body)))
		req.ContentLength = int64(len(r.Body))
	}
	return req.WithContext(ctx), nil
}

// because prefers the reason the attempt was cancelled for.
func because(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// header2 are an HTTP/2 answer's headers.
type header2 http.Header

func (h header2) peek(name string) []byte {
	if v := http.Header(h).Get(name); v != "" {
		return []byte(v)
	}
	return nil
}

func (h header2) each(f func(name, value []byte)) {
	for name, values := range h {
		for _, v := range values {
			f([]byte(name), []byte(v))
		}
	}
}

func (header2) release() {}

// body2 is the body of an HTTP/2 answer.
type body2 struct {
	h      *http2
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer // cancels the attempt; runs only while something is awaited
	body   io.ReadCloser
	idle   time.Duration
	end    time.Time
	err    error
}

func (b *body2) setDeadline(t time.Time) { b.end = earlier(b.end, t) }

func (b *body2) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.timer.Reset(min(b.idle, time.Until(b.end)))
	n, err := 0, error(nil)
	for n == 0 && err == nil {
		n, err = b.body.Read(p)
	}
	b.timer.Stop()
	if err != nil {
		b.ended(err)
		if n == 0 {
			return 0, b.err
		}
	}
	return n, nil
}

func (b *body2) ended(err error) {
	if b.err != nil {
		return
	}
	if b.err = err; err != io.EOF {
		b.err = fail(true, PhaseBody, streamCause(because(b.ctx, err)))
	}
	b.cancel(nil)
	_ = b.body.Close()
	b.h.client.giveSlot()
}

func (b *body2) stop() { b.ended(ErrClosed) }

// ready knows the end only: what net/http has received is its own.
func (b *body2) ready() bool { return b.err != nil }

// streamCause knows the reset streams of net/http, whose error type is its own secret.
func streamCause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) || isKnown(err) || !strings.HasPrefix(err.Error(), "stream error:") {
		return err
	}
	return ErrTruncated
}
