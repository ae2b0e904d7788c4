package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

// both runs a test in the clear and over TLS.
func both(t *testing.T, f func(t *testing.T, start func(proxy.Handler) *running)) {
	t.Run("clear", func(t *testing.T) { f(t, func(h proxy.Handler) *running { return serve(t, h, nil) }) })
	t.Run("tls", func(t *testing.T) { f(t, func(h proxy.Handler) *running { return serveTLS(t, h) }) })
}

func TestHTTP2RequestArrivesAsItWasSent(t *testing.T) {
	var got proxy.Request
	header := map[string]string{}
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		got = *q
		q.Header.Each(func(n, v []byte) { header[string(n)] += string(v) + ";" })
		return echo(q)
	}, nil)
	req, err := http.NewRequest("PUT", r.url("/a%2Fb//c?q=1&r"), io.NopCloser(strings.NewReader("no length")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["X-A"] = []string{"1", "2"}
	resp, err := r.client(t, 2).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if got.Path != "/a%2Fb//c" || got.Query != "q=1&r" || got.Method != "PUT" || string(body) != "no length" || resp.ContentLength != 9 {
		t.Errorf("%+v %q", got, body)
	}
	if header["X-A"] != "1;2;" || header["Host"] != r.addr+";" || string(got.Header.Peek("x-a")) != "1" || got.Header.Peek("none") != nil || !got.Remote.IsValid() {
		t.Error(header)
	}
}

func TestHTTP2PiecesAndTheirEnd(t *testing.T) {
	both(t, func(t *testing.T, start func(proxy.Handler) *running) {
		for _, end := range []string{"", "!", "panic"} {
			s := newScript()
			r := start(stream(s))
			resp, err := r.client(t, 2).Post(r.url("/"), "", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err) // the headers come before the first piece is there
			}
			for _, piece := range []string{"data: 1\n\n", "data: 2\n\n"} {
				s.next <- piece
				buf := make([]byte, len(piece))
				if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != piece {
					t.Fatal(string(buf), err)
				}
			}
			if end == "" {
				s.end()
			} else {
				s.next <- end
			}
			rest, err := io.ReadAll(resp.Body)
			if len(rest) != 0 || (end == "") != (err == nil) {
				t.Errorf("%q: %q %v", end, rest, err)
			}
			_ = resp.Body.Close()
			eventually(t, "closed", func() bool { return s.closed.Load() == 1 && r.Running() == 0 })
		}
	})
}

func TestHTTP2HangUpClosesTheStream(t *testing.T) {
	both(t, func(t *testing.T, start func(proxy.Handler) *running) {
		s := newScript()
		r := start(stream(s))
		ctx, cancel := context.WithCancel(context.Background())
		req, err := http.NewRequestWithContext(ctx, "POST", r.url("/"), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.client(t, 2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
		eventually(t, "stream closed", func() bool {
			select {
			case s.next <- "data: x\n\n":
			default:
			}
			return s.closed.Load() == 1
		})
	})
}

func TestHTTP2Refusals(t *testing.T) {
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		switch q.Path {
		case "/panic":
			panic("secret prompt")
		case "/inject":
			return &proxy.Answer{Status: 200, Header: []proxy.HeaderField{{Name: "x-evil", Value: "a\r\nb"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "x-good", Value: "1"}}}
		case "/head":
			return stream(newScript("never").end())(q)
		}
		return echo(q)
	}, func(c *Config) { c.MaxBody, c.MaxHeader = 1000, 4<<10 })
	c := r.client(t, 2)
	big := bytes.Repeat([]byte("x"), 1001)
	for name, tc := range map[string]struct {
		method, path string
		body         io.Reader
		header       string
		status       int
		code         string
	}{
		"body":           {"POST", "/", bytes.NewReader(big), "", 413, "request_too_large"},
		"unknown length": {"POST", "/", io.NopCloser(bytes.NewReader(big)), "", 413, "request_too_large"},
		"the limit":      {"POST", "/", bytes.NewReader(big[:1000]), "", 200, ""},
		"panic":          {"POST", "/panic", nil, "", 500, "internal_error"},
		"inject":         {"POST", "/inject", nil, "", 200, ""},
		"head":           {"HEAD", "/head", nil, "", 200, ""},
		"no body":        {"GET", "/", nil, "", 200, ""},
	} {
		req, err := http.NewRequest(tc.method, r.url(tc.path), tc.body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tc.status || err != nil || resp.Header.Get("X-Evil") != "" {
			t.Errorf("%s: %d %v %v", name, resp.StatusCode, resp.Header, err)
		}
		if tc.code != "" {
			code(t, string(body), tc.code)
		}
		if name == "inject" && resp.Header.Get("X-Good") != "1" {
			t.Error("a good header is gone")
		}
	}
	req, err := http.NewRequest("GET", r.url("/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Big", strings.Repeat("h", 1<<20))
	if resp, err := c.Do(req); err == nil && resp.StatusCode == 200 {
		t.Error("huge headers pass")
	}
	if strings.Contains(r.log.String(), "secret prompt") || r.Running() != 0 {
		t.Error(r.log)
	}
}

func TestHTTP2SlowBody(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.ReadTimeout = 80 * time.Millisecond })
	pr, pw := io.Pipe()
	defer func() { _ = pw.Close() }()
	go func() { _, _ = io.WriteString(pw, "begun") }()
	req, err := http.NewRequest("POST", r.url("/"), pr)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.client(t, 2).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 408 {
		t.Error(resp.StatusCode)
	}
	code(t, string(body), "request_timeout")
}

func TestHTTP2ClientThatTakesNothing(t *testing.T) {
	both(t, func(t *testing.T, start func(proxy.Handler) *running) {
		s := newScript()
		r := start(stream(endless{s}))
		r.cfg.WriteStall = 50 * time.Millisecond
		resp, err := r.client(t, 2).Post(r.url("/"), "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		// The flow-control window fills, since nobody reads.
		eventually(t, "given up", func() bool { return s.closed.Load() == 1 && r.Running() == 0 })
		_ = resp.Body.Close()
	})
}
