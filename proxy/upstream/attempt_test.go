package upstream

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRequestIsSentAsGivenWithTheKeyOfItsIndex(t *testing.T) {
	var got *call
	d := answers(t, nil, func(c *call) bool { got = c; return ok(c) })
	cfg := quick(d.url + "/v1/")
	cfg.Keys = []Key{{"first", "sk-1"}, {"second", "sk-2"}}
	cfg.ExtraHeaders = []Header{{"OpenAI-Organization", "org-7"}}
	c := client(t, cfg)
	r := post(`{"a":1}`)
	r.Path = "/a%2Fb//c?q=1&r"
	r.Key = 1
	r.Header = append(r.Header, Header{"Connection", "close"}, Header{"Content-Length", "9"}, Header{"Accept-Encoding", "br"},
		Header{"Host", "elsewhere"}, Header{"Authorization", "Bearer vk-of-the-client"}, Header{"x-trace", "caf\xe9"})
	if s := all(t, must(t, c, r)); s != "{}" {
		t.Fatalf("body %q", s)
	}
	if got.req.RequestURI != "/v1/a%2Fb//c?q=1&r" || string(got.body) != `{"a":1}` {
		t.Errorf("target %q body %q", got.req.RequestURI, got.body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer sk-2", "Openai-Organization": "org-7", "Accept-Encoding": "identity", "Content-Type": "application/json",
		"X-Trace": "caf\xe9", "Connection": "",
	} {
		if v := strings.Join(got.req.Header.Values(name), "|"); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if !strings.HasSuffix(d.url, got.req.Host) || got.req.ContentLength != 7 {
		t.Errorf("host %q length %d", got.req.Host, got.req.ContentLength)
	}
	if ids := c.Keys(); len(ids) != 2 || ids[1] != "second" || c.Name() != "double" {
		t.Error(ids, c.Name())
	}
}

func TestRequestsThatWouldSplitAreNotSent(t *testing.T) {
	d := answers(t, nil, ok)
	cfg := quick(d.url)
	cfg.Keys = []Key{{"k", "s"}}
	c := client(t, cfg)
	for name, change := range map[string]func(*Request){
		"line break in value": func(r *Request) { r.Header[0].Value = "a\r\nx: y" },
		"nul in value":        func(r *Request) { r.Header[0].Value = "a\x00" },
		"colon in name":       func(r *Request) { r.Header[0].Name = "a:b" },
		"empty name":          func(r *Request) { r.Header[0].Name = "" },
		"space in path":       func(r *Request) { r.Path = "/a HTTP/1.1" },
		"relative path":       func(r *Request) { r.Path = "a" },
		"fragment":            func(r *Request) { r.Path = "/a#b" },
		"method":              func(r *Request) { r.Method = "PO ST" },
		"key beyond the last": func(r *Request) { r.Key = 1 },
		"negative key":        func(r *Request) { r.Key = -1 },
	} {
		r := post("{}")
		change(r)
		_, f := c.Do(r)
		if f == nil || f.Sent || f.Phase != PhaseStart || f.Err != ErrBadRequest {
			t.Errorf("%s: %v", name, f)
		}
	}
	if d.conns.Load() != 0 {
		t.Error("something was dialled")
	}
}

func TestU1RefusedDialIsUnsent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, quick("http://"+ln.Addr().String()))
	_ = ln.Close()
	_, f := c.Do(post("{}"))
	if f == nil || f.Sent || f.Timeout || f.Phase != PhaseConnect || !errors.Is(f, syscall.ECONNREFUSED) {
		t.Fatalf("%+v", f)
	}
	if c.InFlight() != 0 {
		t.Error("a slot was kept")
	}
}

func TestU1UnknownHostIsUnsent(t *testing.T) {
	c := client(t, quick("http://no-such-host.invalid"))
	_, f := c.Do(post("{}"))
	if f == nil || f.Sent || f.Phase != PhaseConnect {
		t.Fatalf("%+v", f)
	}
}

// brokenWrite is a connection whose peer was lost between the look and the write.
type brokenWrite struct {
	net.Conn
	after int // bytes that still go out
}

func (b *brokenWrite) Write(p []byte) (int, error) {
	n, _ := b.Conn.Write(p[:min(b.after, len(p))])
	return n, syscall.EPIPE
}

func TestU1WriteThatMovesNothingIsUnsentAndTheNextAttemptSucceeds(t *testing.T) {
	d := answers(t, nil, ok)
	c := client(t, quick(d.url))
	all(t, must(t, c, post("{}")))
	w := c.via.(*http1).pool.idle[0].wire
	w.Conn = &brokenWrite{Conn: w.Conn}
	_, f := c.Do(post("{}"))
	if f == nil || f.Sent || f.Phase != PhaseWrite || !errors.Is(f, syscall.EPIPE) {
		t.Fatalf("%+v", f)
	}
	if dec := DefaultPolicy().Decide(Outcome{Attempt: 1, Failure: f}, 0); !dec.Retry || dec.Reason != ReasonUnsent {
		t.Fatalf("%+v", dec)
	}
	all(t, must(t, c, post("{}")))
	if n := d.calls.Load(); n != 2 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestU1OneByteWrittenIsSent(t *testing.T) {
	d := answers(t, nil, ok)
	c := client(t, quick(d.url))
	all(t, must(t, c, post("{}")))
	w := c.via.(*http1).pool.idle[0].wire
	w.Conn = &brokenWrite{Conn: w.Conn, after: 1}
	r := post("{}")
	r.Timeout = 50 * time.Millisecond // the look for an early answer ends here
	_, f := c.Do(r)
	if f == nil || !f.Sent || f.Phase != PhaseWrite {
		t.Fatalf("%+v", f)
	}
}

func TestResetAfterTheRequestIsSent(t *testing.T) {
	d := answers(t, nil, func(c *call) bool { c.reset(); return false })
	c := client(t, quick(d.url))
	_, f := c.Do(post("{}"))
	if f == nil || !f.Sent || f.Timeout || f.Phase != PhaseFirstByte || !errors.Is(f, syscall.ECONNRESET) {
		t.Fatalf("%+v", f)
	}
}

func TestU2HangUpBeforeTheAnswerIsSentOnce(t *testing.T) {
	for _, method := range []string{"POST", "GET", "PUT"} {
		d := answers(t, nil, func(c *call) bool { return c.n == 1 && ok(c) })
		c := client(t, quick(d.url))
		r := &Request{Method: method, Path: "/"}
		all(t, must(t, c, r)) // so that the next one uses a kept connection
		_, f := c.Do(r)
		if f == nil || !f.Sent || f.Err != ErrHungUp {
			t.Fatalf("%s: %+v", method, f)
		}
		if d.calls.Load() != 2 || d.conns.Load() != 1 {
			t.Errorf("%s: %d requests on %d connections", method, d.calls.Load(), d.conns.Load())
		}
	}
}

func TestAnswersThatAreNotHTTP(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		want   error
	}{
		"not http":         {"SSH-2.0-OpenSSH_9.6\r\n\r\n", ErrMalformed},
		"status not ended": {"HTTP/1.1 200 OK", ErrHungUp},
		"headers too big":  {"HTTP/1.1 200 OK\r\nx: " + strings.Repeat("a", headerLimit) + "\r\n\r\n", ErrHeadersTooLarge},
		"two lengths":      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", ErrMalformed},
		"upgrade":          {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ErrMalformed},
	} {
		d := answers(t, nil, func(c *call) bool { c.write(tc.answer); return false })
		c := client(t, quick(d.url))
		_, f := c.Do(post(`{"secret":"prompt"}`))
		if f == nil || !f.Sent || f.Phase != PhaseFirstByte {
			t.Errorf("%s: %+v", name, f)
			continue
		}
		if f.Err != tc.want && !errors.Is(f, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want %v", name, f.Err, tc.want)
		}
		if c.via.(*http1).pool.open() != 0 || c.InFlight() != 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
}

func TestInterimAnswersArePassedOver(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		return c.write("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + okBody)
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	if resp.Status != 200 || all(t, resp) != "{}" {
		t.Fatal(resp.Status)
	}
}

func TestRefusalBeforeTheWholeRequestIsRead(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 1024)
		_, _ = c.Read(buf)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		// Stop reading but let the answer out, as a front that refuses early does.
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.CopyN(io.Discard, c, 1<<20)
		_ = c.Close()
	}()
	defer func() { _ = ln.Close(); <-done }()
	c := client(t, quick("http://"+ln.Addr().String()))
	r := post(strings.Repeat("x", 64<<20))
	resp, f := c.Do(r)
	if f != nil {
		// The reset may overtake the answer; then it is a failure that counts as sent.
		if !f.Sent {
			t.Fatalf("%+v", f)
		}
		return
	}
	if resp.Status != 413 || all(t, resp) != "big" {
		t.Fatal(resp.Status)
	}
	if kept(c) != 0 {
		t.Error("the connection was kept")
	}
}

func TestU5LimitOnAttemptsInFlight(t *testing.T) {
	hold := make(chan struct{})
	d := answers(t, nil, func(c *call) bool { <-hold; return ok(c) })
	cfg := quick(d.url)
	cfg.MaxConns = 1
	cfg.Timeouts.Connect = 20 * time.Millisecond
	c := client(t, cfg)
	first := make(chan *Response, 1)
	go func() { resp, _ := c.Do(post("{}")); first <- resp }()
	eventually(t, "first attempt in flight", func() bool { return d.calls.Load() == 1 })
	_, f := c.Do(post("{}"))
	if f == nil || f.Sent || f.Phase != PhaseWait || f.Err != ErrBusy {
		t.Fatalf("%+v", f)
	}
	if Judge(0, f) != Abandoned {
		t.Error("our own limit counts against the upstream")
	}
	close(hold)
	all(t, <-first)
	all(t, must(t, c, post("{}")))
}

func TestSecretsDoNotPrint(t *testing.T) {
	cfg := quick("http://127.0.0.1:1/v1")
	cfg.Keys = []Key{{"k", "sk-very-secret"}}
	c := client(t, cfg)
	_, f := c.Do(&Request{Method: "GET", Path: "/x?key=sk-very-secret"})
	for _, s := range []string{printed(cfg), printed(cfg.Keys), f.Error(), printed(f)} {
		if strings.Contains(s, "very-secret") {
			t.Errorf("leaks: %s", s)
		}
	}
}
