package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server2 is an HTTP/2 upstream, with TLS or in the clear.
func server2(t *testing.T, tls bool, h http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	p := new(http.Protocols)
	p.SetHTTP2(tls)
	p.SetUnencryptedHTTP2(!tls)
	s.Config.Protocols = p
	if tls {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	cfg := quick(s.URL + "/v1")
	cfg.Protocol = HTTP2
	if tls {
		_, cfg.RootCAs = certificate(t)
	}
	return cfg
}

func TestHTTP2(t *testing.T) {
	for _, tls := range []bool{true, false} {
		cfg := server2(t, tls, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", strings.Join([]string{
				r.Proto, r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("X-Extra"), r.Header.Get("Accept-Encoding"), r.UserAgent(),
			}, " "))
			_, _ = w.Write(body)
		})
		cfg.Keys = []Key{{"k", "sk"}}
		cfg.ExtraHeaders = []Header{{"x-extra", "e"}}
		c := client(t, cfg)
		for range 2 {
			r := post("hello")
			r.Header = append(r.Header, Header{"Connection", "close"}, Header{"authorization", "Bearer client's"})
			resp := must(t, c, r)
			if s := string(resp.Header("x-seen")); s != "HTTP/2.0 POST /v1/chat/completions Bearer sk e identity " {
				t.Errorf("tls %v: %q", tls, s)
			}
			n := 0
			resp.Each(func(name, _ []byte) { n++ })
			if n == 0 || resp.Header("none") != nil || all(t, resp) != "hello" {
				t.Error("answer")
			}
		}
	}
}

func TestHTTP2StreamFlowsAndBreaksVisibly(t *testing.T) {
	next := make(chan string)
	cfg := server2(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for s := range next {
			_, _ = io.WriteString(w, s)
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	})
	resp := must(t, client(t, cfg), post("{}"))
	for _, s := range []string{"one", "two"} {
		next <- s
		if b, err := resp.Next(); err != nil || string(b) != s {
			t.Fatalf("%q %v", b, err)
		}
	}
	close(next)
	_, err := resp.Next()
	var f *Failure
	if !errors.As(err, &f) || !f.Sent || f.Timeout || f.Phase != PhaseBody || f.Err != ErrTruncated {
		t.Errorf("%v", err)
	}
	resp.Close()
}

func TestHTTP2TimeLimits(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	cfg := server2(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/body" {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	cfg.Timeouts.FirstByte, cfg.Timeouts.Idle = 200*time.Millisecond, 60*time.Millisecond
	c := client(t, cfg)
	_, f := c.Do(post("{}"))
	if f == nil || !f.Sent || !f.Timeout || f.Phase != PhaseFirstByte {
		t.Errorf("first byte: %+v", f)
	}
	r := post("{}")
	r.Path = "/body"
	pieces, err := pulled(must(t, c, r))
	if !errors.As(err, &f) || !f.Timeout || f.Phase != PhaseBody || strings.Join(pieces, "") != "x" {
		t.Errorf("idle: %v", err)
	}
	resp := must(t, c, r)
	resp.SetDeadline(time.Now())
	if _, err := pulled(resp); !errors.As(err, &f) || !f.Timeout {
		t.Errorf("deadline: %v", err)
	}
	if c.InFlight() != 0 {
		t.Error("slots kept")
	}
}

func TestU1HTTP2(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := quick("http://" + ln.Addr().String())
	cfg.Protocol = HTTP2
	_ = ln.Close()
	_, f := client(t, cfg).Do(post("{}"))
	if f == nil || f.Sent || f.Phase != PhaseConnect || !errors.Is(f, syscall.ECONNREFUSED) {
		t.Errorf("refused: %+v", f)
	}
	// An HTTP/1.1 server that never speaks HTTP/2: the request may have left.
	d := answers(t, nil, ok)
	cfg = quick(d.url)
	cfg.Protocol = HTTP2
	_, f = client(t, cfg).Do(post("{}"))
	if f == nil || f.Phase == PhaseBody {
		t.Errorf("wrong protocol: %+v", f)
	}
	// Only HTTP/1.1 is offered by ALPN.
	server, roots := certificate(t)
	server.NextProtos = []string{"http/1.1"}
	d = answers(t, server, ok)
	cfg = quick(d.url)
	cfg.Protocol, cfg.RootCAs = HTTP2, roots
	_, f = client(t, cfg).Do(post("{}"))
	if f == nil || f.Sent {
		t.Errorf("no h2: %+v", f)
	}
}

func TestU2HTTP2IsNotSentAgain(t *testing.T) {
	calls := make(chan string, 8)
	cfg := server2(t, true, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- string(body)
		panic(http.ErrAbortHandler)
	})
	c := client(t, cfg)
	r := post("only once")
	r.Header = append(r.Header, Header{"Idempotency-Key", "1"})
	_, f := c.Do(r)
	if f == nil || !f.Sent || f.Phase != PhaseFirstByte {
		t.Errorf("%+v", f)
	}
	if <-calls != "only once" || len(calls) != 0 {
		t.Error("sent again")
	}
}

func TestHTTP2BodyOutlivesTheCallersBuffer(t *testing.T) {
	cfg := server2(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush() // answers before it has read
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, itoa(int(n)))
	})
	c := client(t, cfg)
	r := &Request{Method: "POST", Path: "/", Body: bytes.Repeat([]byte("x"), 4<<20)}
	resp := must(t, c, r)
	clear(r.Body)
	if s := all(t, resp); s != itoa(4<<20) {
		t.Error(s)
	}
}

func TestHTTP2CloseBreaksOff(t *testing.T) {
	cfg := server2(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c := client(t, cfg)
	resp := must(t, c, post("{}"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	_, err := pulled(resp)
	var f *Failure
	if !errors.As(err, &f) || Judge(0, f) != Abandoned {
		t.Error(err)
	}
}
