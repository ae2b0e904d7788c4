package edge

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

func TestRequestArrivesAsItWasSent(t *testing.T) {
	var got proxy.Request
	var header map[string][]string
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		got = *q
		got.Body = append([]byte(nil), q.Body...)
		header = map[string][]string{"peek": {string(q.Header.Peek("x-TWO")), string(q.Header.Peek("none"))}}
		q.Header.Each(func(n, v []byte) { header[string(n)] = append(header[string(n)], string(v)) })
		return &proxy.Answer{Status: 201, Header: []proxy.HeaderField{{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "Content-Type", Value: "application/json"}}, Body: []byte("{}")}
	}, nil)
	p := r.dial(t)
	p.say("POST //v1/../a%2Fb?q=%20x&y HTTP/1.1\r\nHost: h\r\nx-two: b\xe9\r\nX-Two: c\r\nAuthorization: Bearer k\r\nContent-Length: 4\r\n\r\nbody")
	resp, body := p.answer()
	if resp.StatusCode != 201 || body != "{}" || resp.ContentLength != 2 || resp.Header.Get("Content-Type") != "application/json" ||
		strings.Join(resp.Header.Values("X-A"), ",") != "1,2" || resp.Header.Get("Server") != "" || resp.Header.Get("Date") == "" {
		t.Errorf("%+v %q", resp, body)
	}
	if got.Method != "POST" || got.Path != "//v1/../a%2Fb" || got.Query != "q=%20x&y" || string(got.Body) != "body" || got.TLS ||
		got.Remote.String() != p.LocalAddr().String() {
		t.Errorf("%+v", got)
	}
	if header["peek"][0] != "b\xe9" || header["peek"][1] != "" || fmt.Sprint(header["X-Two"]) != "[b\xe9 c]" || header["Authorization"][0] != "Bearer k" || header["Host"][0] != "h" {
		t.Errorf("%q", header)
	}
}

func TestE3EachPieceIsSentBeforeTheNextIsMade(t *testing.T) {
	s := newScript()
	r := serve(t, stream(s), nil)
	p := r.dial(t)
	p.say(post("{}"))
	if head := p.until("\r\n\r\n"); !strings.Contains(head, "Transfer-Encoding: chunked") || !strings.Contains(head, "200 OK") {
		t.Fatalf("%q", head) // the headers come before the first piece is there
	}
	for _, piece := range []string{"data: 1\n\n", "data: 2\n\n", strings.Repeat("x", 100_000)} {
		s.next <- piece
		if got := p.until("\r\n") + p.until("\r\n"); got != fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece) {
			t.Fatalf("%.40q", got)
		}
	}
	s.end()
	if got := p.until("\r\n\r\n"); got != "0\r\n\r\n" {
		t.Fatalf("%q", got)
	}
	eventually(t, "stream closed", func() bool { return s.closed.Load() == 1 })
	if r.Running() != 0 {
		t.Error("still running")
	}
}

func TestE1TruncationShows(t *testing.T) {
	for name, fault := range map[string]string{"error": "!", "panic": "panic"} {
		s := newScript("data: 1\n\n", fault)
		r := serve(t, stream(s), nil)
		p := r.dial(t)
		p.say(post("{}"))
		out, _ := p.rest()
		if !strings.HasSuffix(out, "9\r\ndata: 1\n\n\r\n") {
			t.Errorf("%s: %q", name, out)
		}
		eventually(t, name+": closed", func() bool { return s.closed.Load() == 1 && r.Running() == 0 })
		if strings.Contains(r.log.String(), "secret value") || name == "panic" != strings.Contains(r.log.String(), "panic in handler") {
			t.Errorf("%s: log %s", name, r.log)
		}
	}
}

func TestE2StreamIsClosedOnceAlsoWithoutABody(t *testing.T) {
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"head":         {"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		"no content":   {post(""), 204},
		"not modified": {post(""), 304},
	} {
		s := newScript("never").end()
		r := serve(t, func(*proxy.Request) *proxy.Answer { return &proxy.Answer{Status: tc.status, Stream: s} }, nil)
		p := r.dial(t)
		p.say(tc.request)
		if head := p.until("\r\n\r\n"); !strings.Contains(head, fmt.Sprint(tc.status)) {
			t.Errorf("%s: %q", name, head)
		}
		eventually(t, name, func() bool { return s.closed.Load() == 1 && r.Running() == 0 })
		if s.pulled.Load() != 0 {
			t.Errorf("%s: pulled", name)
		}
		p.say(tc.request) // the connection is still in step
		p.until("\r\n\r\n")
	}
}

func TestE2HangUpClosesTheStream(t *testing.T) {
	s := newScript("data: 1\n\n")
	r := serve(t, stream(s), nil)
	p := r.dial(t)
	p.say(post("{}"))
	p.until("data: 1\n\n")
	_ = p.Close()
	// The next pieces find out; a stream that gives nothing is bounded by its own limits.
	eventually(t, "stream closed", func() bool {
		select {
		case s.next <- "data: x\n\n":
		default:
		}
		return s.closed.Load() == 1
	})
	if s.pulled.Load() > 20 {
		t.Errorf("%d pieces were made for nobody", s.pulled.Load())
	}
	eventually(t, "connection closed", func() bool { return r.Connections() == 0 && r.Running() == 0 })
}

// panicky closes with a panic.
type panicky struct{ *script }

func (p panicky) Close() { p.script.Close(); panic("in close") }

func TestPanics(t *testing.T) {
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		if q.Path == "/nil" {
			return nil
		}
		panic("secret prompt")
	}, nil)
	for _, path := range []string{"/value", "/nil"} {
		p := r.dial(t)
		p.say("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
		resp, body := p.answer()
		if resp.StatusCode != 500 || !resp.Close {
			t.Error(resp.StatusCode, resp.Close)
		}
		code(t, body, "internal_error")
	}
	if r.Running() != 0 || strings.Contains(r.log.String(), "secret prompt") || !strings.Contains(r.log.String(), "nil pointer") {
		t.Error(r.log)
	}
	s := newScript("x").end()
	r = serve(t, stream(panicky{s}), nil)
	p := r.dial(t)
	p.say(post("{}"))
	if _, body := p.answer(); body != "x" {
		t.Error(body)
	}
	eventually(t, "closed in spite of the panic", func() bool { return s.closed.Load() == 1 && r.Running() == 0 })
}

func TestConnectionsAreKeptAndPipelined(t *testing.T) {
	r := serve(t, echo, nil)
	p := r.dial(t)
	for i := range 3 {
		p.say(post(fmt.Sprint(i)))
		if _, body := p.answer(); body != fmt.Sprint(i) {
			t.Fatal(body)
		}
	}
	p.say(post("a") + post("b") + "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n" + post("f"))
	for _, want := range []string{"a", "b", "cde", "f"} {
		if _, body := p.answer(); body != want {
			t.Fatalf("%q, want %q", body, want)
		}
	}
	p.say("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nz")
	resp, body := p.answer()
	if body != "z" || !resp.Close {
		t.Error(body, resp.Close)
	}
	if rest, err := p.rest(); rest != "" || err != nil {
		t.Error(rest, err)
	}
	if r.Connections() > 1 {
		t.Error(r.Connections())
	}
}

func TestE4AnswerHeadersCannotSplit(t *testing.T) {
	r := serve(t, func(*proxy.Request) *proxy.Answer {
		return &proxy.Answer{Status: 200, Body: []byte("ok"), Header: []proxy.HeaderField{
			{Name: "x-good", Value: "tab\tand \xff pass"},
			{Name: "x-crlf", Value: "a\r\nx-evil: 1"}, {Name: "x-lf", Value: "a\nb"}, {Name: "x-nul", Value: "a\x00"},
			{Name: "x-bad\r\nx-evil", Value: "1"}, {Name: "x bad", Value: "1"}, {Name: "", Value: "1"}, {Name: "x:y", Value: "1"},
			{Name: "Content-Length", Value: "99"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Connection", Value: "upgrade"}, {Name: "Trailer", Value: "x"},
		}}
	}, nil)
	p := r.dial(t)
	p.say(post(""))
	head := p.until("\r\n\r\n")
	if strings.Contains(head, "evil") || strings.Contains(head, "99") || strings.Contains(strings.ToLower(head), "x-lf") || strings.Contains(head, "chunked") ||
		!strings.Contains(head, "X-Good: tab\tand \xff pass\r\n") || !strings.Contains(head, "Content-Length: 2\r\n") {
		t.Errorf("%q", head)
	}
	for status, want := range map[int]int{0: 500, 100: 500, 199: 500, 600: 500, 200: 200, 529: 529} {
		if finalStatus(status) != want {
			t.Error(status)
		}
	}
}

func TestE5RequestsThatCanBeReadTwoWays(t *testing.T) {
	r := serve(t, func(q *proxy.Request) *proxy.Answer { t.Errorf("handled %q", q.Body); return echo(q) }, nil)
	for name, tc := range map[string]struct{ head, code string }{
		"length and coding":   {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ambiguous_length"},
		"coding and length":   {"Transfer-Encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", "ambiguous_length"},
		"identity and length": {"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}", "ambiguous_length"},
		"two lengths":         {"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "malformed_request"},
		"equal lengths":       {"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "malformed_request"},
		"length list":         {"Content-Length: 2, 2\r\n\r\n{}", "malformed_request"},
		"negative":            {"Content-Length: -1\r\n\r\n", "malformed_request"},
		"plus":                {"Content-Length: +2\r\n\r\n{}", "malformed_request"},
		"other coding":        {"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "malformed_request"},
		"coding twice":        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "malformed_request"},
		"space before colon":  {"Content-Length : 2\r\n\r\n{}", "malformed_request"},
		"space in name":       {"X Y: 1\r\nContent-Length: 0\r\n\r\n", "invalid_header"},
		"nul in value":        {"X: a\x00b\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"bell in value":       {"X: a\x07b\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"bare cr in value":    {"X: a\rb\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"no name":             {": a\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"no colon":            {"nonsense\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"two hosts":           {"Host: other\r\nContent-Length: 0\r\n\r\n", "malformed_request"},
		"chunk size":          {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed_request"},
		"chunk size overflow": {"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "malformed_request"},
		"chunk without end":   {"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "malformed_request"},
	} {
		p := r.dial(t)
		p.say("POST /v1/x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer sk-in-the-clear\r\n" + tc.head)
		resp, body := p.answer()
		if resp.StatusCode != 400 || !resp.Close {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		code(t, body, tc.code)
		if rest, _ := p.rest(); rest != "" {
			t.Errorf("%s: went on with %q", name, rest)
		}
	}
	for name, request := range map[string]string{
		"no host":       "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"no version":    "POST /\r\n\r\n",
		"control":       "POST /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
		"not a request": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	} {
		p := r.dial(t)
		p.say(request)
		if resp, body := p.answer(); resp.StatusCode != 400 || body == "" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	p := r.dial(t)
	p.say("POST / HTTP/3.0\r\nHost: h\r\n\r\n")
	if resp, _ := p.answer(); resp.StatusCode != 505 || !resp.Close {
		t.Error(resp.StatusCode)
	}
	if strings.Contains(r.log.String(), "sk-in") {
		t.Error("a credential is in the log")
	}
}

func TestFoldedHeadersBecomeOneLine(t *testing.T) {
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		return &proxy.Answer{Status: 200, Body: append([]byte(nil), q.Header.Peek("X-Fold")...)}
	}, nil)
	p := r.dial(t)
	p.say("POST / HTTP/1.1\r\nHost: h\r\nX-Fold: a\r\n b\r\nContent-Length: 0\r\n\r\n")
	resp, body := p.answer()
	if resp.StatusCode == 200 && strings.ContainsAny(body, "\r\n") {
		t.Errorf("%q", body)
	}
}

func TestSizes(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.MaxBody, c.MaxHeader = 1000, 4<<10 })
	big := strings.Repeat("x", 1001)
	for name, tc := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"body":          {post(big), 413, "request_too_large"},
		"body, no more": {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413, "request_too_large"},
		"chunked":       {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + big + "\r\n0\r\n\r\n", 413, "request_too_large"},
		"many chunks":   {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("64\r\n"+big[:100]+"\r\n", 11) + "0\r\n\r\n", 413, "request_too_large"},
		"huge, claimed": {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n", 413, "request_too_large"},
		"expect":        {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413, "request_too_large"},
		"header":        {"POST / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("h", 5000) + "\r\n\r\n", 431, "headers_too_large"},
		"line":          {"GET /" + strings.Repeat("h", 5000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 431, "headers_too_large"},
		"many headers":  {"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: 1\r\n", 1000) + "\r\n", 431, "headers_too_large"},
	} {
		p := r.dial(t)
		p.say(tc.request)
		resp, body := p.answer() // not 100 before it, and no reset instead of it
		if resp.StatusCode != tc.status || !resp.Close || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		code(t, body, tc.code)
	}
	p := r.dial(t)
	p.say(post(big[:1000]))
	if resp, body := p.answer(); resp.StatusCode != 200 || len(body) != 1000 {
		t.Error("the limit itself is refused")
	}
}

func TestRefusalReachesAClientThatGoesOnSending(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.MaxBody = 1000 })
	p := r.dial(t)
	go func() {
		// A client like any SDK: it writes everything before it reads.
		_, _ = io.WriteString(p.Conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n")
		piece := strings.Repeat("x", 1<<16)
		for range 50_000_000 / len(piece) {
			if _, err := io.WriteString(p.Conn, piece); err != nil {
				return
			}
		}
	}()
	resp, body := p.answer()
	if resp.StatusCode != 413 {
		t.Error(resp.StatusCode)
	}
	code(t, body, "request_too_large")
}

func TestExpectContinue(t *testing.T) {
	r := serve(t, echo, nil)
	p := r.dial(t)
	p.say("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if s := p.until("\r\n\r\n"); s != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("%q", s)
	}
	p.say("hello")
	if _, body := p.answer(); body != "hello" {
		t.Error(body)
	}
}

func TestE6SlowClients(t *testing.T) {
	r := serve(t, echo, func(c *Config) { c.ReadTimeout, c.IdleTimeout = 80*time.Millisecond, 80*time.Millisecond })
	for name, tc := range map[string]struct {
		first string
		drip  string
		want  string
	}{
		"says nothing":      {"", "", ""},
		"says little":       {"PO", "", ""},
		"stops in headers":  {"POST / HTTP/1.1\r\nHost: h\r\nX: ", "", "408"},
		"drips headers":     {"POST / HTTP/1.1\r\nHost: h\r\nX: ", "a", "408"},
		"stops in the body": {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\nab", "", "408"},
		"drips the body":    {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\nab", "c", "408"},
		"preface, no more":  {"PRI * HTTP/2.0\r\n", "", ""},
		"idle after one":    {post("x"), "", "200"},
	} {
		p := r.dial(t)
		p.say(tc.first)
		done := make(chan struct{})
		if tc.drip != "" {
			go func() {
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						if _, err := io.WriteString(p.Conn, tc.drip); err != nil {
							return
						}
					case <-done:
						return
					}
				}
			}()
		}
		out, _ := p.rest()
		close(done)
		if !strings.Contains(out, tc.want) || tc.want == "" && strings.HasPrefix(out, "HTTP/1.1 2") {
			t.Errorf("%s: %q", name, out)
		}
		if tc.want == "408" {
			code(t, out, "request_timeout")
		}
		_ = p.Close()
	}
	eventually(t, "all gone", func() bool { return r.Connections() == 0 })
}

// endless gives pieces for as long as it is asked.
type endless struct{ *script }

var piece = []byte(strings.Repeat("x", 64<<10))

func (e endless) Next() ([]byte, error) { e.pulled.Add(1); return piece, nil }

func TestE6ClientThatTakesNothing(t *testing.T) {
	for name, h := range map[string]func(s *script) proxy.Handler{
		"stream": func(s *script) proxy.Handler { return stream(endless{s}) },
		"body": func(s *script) proxy.Handler {
			return func(*proxy.Request) *proxy.Answer {
				return &proxy.Answer{Status: 200, Body: make([]byte, 64<<20)}
			}
		},
	} {
		s, asked := newScript(), make(chan struct{})
		answer := h(s)
		r := serve(t, func(q *proxy.Request) *proxy.Answer {
			close(asked)
			return answer(q)
		}, func(c *Config) { c.WriteStall = 50 * time.Millisecond })
		p := r.dial(t)
		p.say(post("{}"))
		<-asked // its connection is counted
		eventually(t, name+": given up", func() bool { return r.Connections() == 0 })
		if name == "stream" && s.closed.Load() != 1 {
			t.Error("not closed")
		}
	}
}

func TestSlowButSteadyClientIsServed(t *testing.T) {
	const size = 24 << 20
	r := serve(t, func(*proxy.Request) *proxy.Answer { return &proxy.Answer{Status: 200, Body: make([]byte, size)} },
		func(c *Config) { c.WriteStall = 500 * time.Millisecond })
	p := r.dial(t)
	_ = p.Conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	p.say(post("{}"))
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(4 * time.Millisecond) // takes longer in all than one stall
	defer tick.Stop()
	buf := make([]byte, 64<<10)
	n := 0
	for err == nil {
		<-tick.C
		var m int
		m, err = io.ReadFull(resp.Body, buf)
		n += m
	}
	if n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestHTTP10(t *testing.T) {
	s := newScript("data: 1\n\n", "data: 2\n\n").end()
	r := serve(t, func(q *proxy.Request) *proxy.Answer {
		if q.Path == "/stream" {
			return stream(s)(q)
		}
		return echo(q)
	}, nil)
	p := r.dial(t)
	p.say("POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
	if out, err := p.rest(); err != nil || !strings.HasSuffix(out, "\r\n\r\nhi") || !strings.Contains(out, "Content-Length: 2") {
		t.Errorf("%q %v", out, err)
	}
	p = r.dial(t)
	p.say("POST /stream HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
	out, err := p.rest()
	if err != nil || !strings.HasSuffix(out, "\r\n\r\ndata: 1\n\ndata: 2\n\n") || strings.Contains(out, "chunked") || !strings.Contains(out, "Content-Type: text/event-stream") {
		t.Errorf("%q %v", out, err)
	}
	eventually(t, "closed", func() bool { return s.closed.Load() == 1 && r.Running() == 0 && r.Connections() == 0 })

	s = newScript("data: 1\n\n", "!")
	p = r.dial(t)
	p.say("POST /stream HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
	if out, err := p.rest(); err == nil {
		t.Errorf("truncation does not show: %q", out)
	}
}
