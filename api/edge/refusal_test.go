package edge

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

// TestRefusalsKnowTheRequest: whoever words a refusal has the path and the headers
// of the request, wherever these were read.
func TestRefusalsKnowTheRequest(t *testing.T) {
	fails := func(*proxy.Request) *proxy.Answer { panic("secret") }
	r := serve(t, fails, func(c *Config) { c.MaxBody, c.MaxHeader, c.ReadTimeout = 1000, 4<<10, 200*time.Millisecond })
	const head = "POST /v1/messages?beta=true HTTP/1.1\r\nHost: h\r\nAnthropic-Version: v1\r\n"
	for name, x := range map[string]struct{ request, code string }{
		"a body too large":     {head + "Content-Length: 1001\r\n\r\n", "request_too_large"},
		"an expectation":       {head + "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", "request_too_large"},
		"two lengths":          {head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ambiguous_length"},
		"a handler that fails": {head + "Content-Length: 1\r\n\r\nx", "internal_error"},
	} {
		p := r.dial(t)
		p.say(x.request)
		_, body := p.answer()
		code(t, body, x.code)
		if !strings.Contains(body, `"path":"/v1/messages","version":"v1"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	// fasthttp forgets a request whose body it could not read.
	for _, request := range []string{
		"GET /" + strings.Repeat("h", 5000) + " HTTP/1.1\r\nHost: h\r\n\r\n",
		head + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n",
		head + "Content-Length: 10\r\n\r\nab",
	} {
		p := r.dial(t)
		p.say(request)
		if _, body := p.answer(); !strings.Contains(body, `"version":""`) || strings.Contains(body, "messages") {
			t.Errorf("%.60q: %s", request, body)
		}
	}
	// On HTTP/2.
	for name, body := range map[string]io.Reader{"request_too_large": bytes.NewReader(make([]byte, 1001)), "internal_error": nil} {
		req, err := http.NewRequest("POST", r.url("/v1/messages?beta=true"), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("anthropic-version", "v1")
		resp, err := r.client(t, 2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		code(t, string(got), name)
		if err != nil || !strings.Contains(string(got), `"path":"/v1/messages","version":"v1"`) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// TestAClientWithoutRoomIsToldInItsWords: the refusal comes before any server has
// the connection.
func TestAClientWithoutRoomIsToldInItsWords(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.MaxConns = 1 })
	r.dial(t)
	eventually(t, "the first is counted", func() bool { return r.Connections() == 1 })
	p := r.dial(t)
	p.say("POST /v1/messages?beta=true HTTP/1.1\r\nHost: h\r\nanthropic-version: v1\r\nContent-Length: 0\r\n\r\n")
	_, body := p.answer()
	code(t, body, "too_many_connections")
	if !strings.Contains(body, `"path":"/v1/messages","version":"v1"`) {
		t.Error(body)
	}
}

func TestGlimpse(t *testing.T) {
	for begin, want := range map[string]string{
		"":                      " ",
		"POST /v1/messages HTT": " ", // the path may go on
		"POST /v1/messages?a=b HTTP/1.1\r\nHost: h\r\n":               "/v1/messages ",
		"GET /x HTTP/1.1\nAnthropic-Version:  v1 \nhost: h":           "/x v1",
		"GET /x HTTP/1.1\r\nHost: h\r\nanthropic-version: v1":         "/x ", // the line may go on
		"GET /x HTTP/1.1\r\nHost: h\r\n\r\nanthropic-version: v1\r\n": "/x ", // a body
		"\r\n\r\n": " ", "\x16\x03\x01\n\n": " ", "GET\r\n": " ", "GET  /y\r\n:\r\n": "/y ",
	} {
		r := glimpse([]byte(begin))
		if got := r.Path + " " + string(r.Header.Peek("anthropic-version")); got != want {
			t.Errorf("%q: %q, want %q", begin, got, want)
		}
	}
}
