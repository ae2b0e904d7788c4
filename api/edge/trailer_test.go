package edge

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/proxy"
)

// trailing is a stream whose trailer has its value when its end was given.
type trailing struct {
	*script
	answer *proxy.Answer
}

func (s trailing) Next() ([]byte, error) {
	b, err := s.script.Next()
	if err == io.EOF {
		s.answer.Trailer[0].Value = "42"
		s.answer.Trailer[1].Value = "a\r\nb"
	}
	return b, err
}

func trails(pieces ...string) proxy.Handler {
	return func(*proxy.Request) *proxy.Answer {
		a := &proxy.Answer{Status: 200, Header: []proxy.HeaderField{{Name: "Content-Type", Value: "text/event-stream"}}, Trailer: []proxy.HeaderField{{Name: "x-cost"}, {Name: "x-evil"}}}
		a.Stream = trailing{newScript(pieces...).end(), a}
		return a
	}
}

// TestTrailers: what is known at a stream's end follows it, for who takes it.
func TestTrailers(t *testing.T) {
	r := serve(t, trails("one", "two"), nil)
	ask := func(version int, te string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest("POST", r.url("/"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if te != "" {
			req.Header.Set("TE", te)
		}
		resp, err := r.client(t, version).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != "onetwo" {
			t.Errorf("version %d: %q, %v", version, body, err)
		}
		return resp, resp.Trailer.Get("x-cost")
	}
	for _, te := range []string{"trailers", "gzip;q=0.5, Trailers"} {
		if resp, cost := ask(1, te); cost != "42" || resp.Trailer.Get("x-evil") != "" {
			t.Errorf("%s: %v", te, resp.Trailer)
		}
	}
	for _, te := range []string{"", "gzip", "trailersx"} {
		if resp, _ := ask(1, te); len(resp.Trailer) != 0 || resp.Header.Get("Trailer") != "" || resp.Header.Get("x-cost") != "" {
			t.Errorf("%q: a trailer that was not asked for: %v", te, resp.Trailer)
		}
	}
	if resp, cost := ask(2, ""); cost != "42" || resp.Trailer.Get("x-evil") != "" {
		t.Errorf("HTTP/2: %v", resp.Trailer)
	}
	// The same connection goes on, and the old protocol has no trailers.
	p := r.dial(t)
	for range 2 {
		p.say("POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n")
		if s := p.until("\r\n0\r\nX-Cost: 42\r\n\r\n"); !strings.Contains(s, "\r\nTrailer: X-Cost, X-Evil\r\n") {
			t.Errorf("%q", s)
		}
	}
	p = r.dial(t)
	p.say("POST / HTTP/1.0\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n")
	if all, _ := p.rest(); strings.Contains(strings.ToLower(all), "x-cost") || !strings.HasSuffix(all, "onetwo") {
		t.Errorf("%q", all)
	}
}

// TestATruncatedStreamHasNoTrailer: it never gets its final chunk (E1).
func TestATruncatedStreamHasNoTrailer(t *testing.T) {
	r := serve(t, trails("one", "!"), nil)
	p := r.dial(t)
	p.say("POST / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n")
	if all, _ := p.rest(); strings.Contains(all, "X-Cost:") || strings.Contains(all, "\r\n0\r\n") || !strings.Contains(all, "one") {
		t.Errorf("%q", all)
	}
}
