package edge

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

func TestE3WhatIsHereAlreadyGoesInOnePiece(t *testing.T) {
	for name, big := range map[string]int{"small": 10, "beyond what is kept back": heldMost} {
		s := newScript("data: 1\n\n", strings.Repeat("x", big), "data: 3\n\n")
		s.prompt = true
		r := serve(t, stream(s), nil)
		p := r.dial(t)
		p.say(post("{}"))
		// The third piece is not followed by another: all must be here while the stream is still open.
		p.until("\r\n\r\n")
		for _, want := range []string{"data: 1\n\n", strings.Repeat("x", big), "data: 3\n\n"} {
			if got := p.until("\r\n") + p.until("\r\n"); got != fmt.Sprintf("%x\r\n%s\r\n", len(want), want) {
				t.Fatalf("%s: %.40q", name, got)
			}
		}
		s.end()
		if got := p.until("\r\n\r\n"); got != "0\r\n\r\n" {
			t.Fatalf("%s: %q", name, got)
		}
	}
}

// TestE3NothingIsKeptBackWhileTheStreamWaits has a stream that said it was ready
// and then has nothing.
func TestE3NothingIsKeptBackWhileTheStreamWaits(t *testing.T) {
	s := newScript("data: 1\n\n", "wait")
	s.prompt = true
	r := serve(t, stream(s), nil)
	p := r.dial(t)
	p.say(post("{}"))
	p.until("\r\n\r\n")
	if got := p.until("\r\n") + p.until("\r\n"); got != "9\r\ndata: 1\n\n\r\n" {
		t.Fatalf("%q", got)
	}
	s.next <- "data: 2\n\n"
	if got := p.until("\r\n") + p.until("\r\n"); got != "9\r\ndata: 2\n\n\r\n" {
		t.Fatalf("%q", got)
	}
	s.end()
	p.until("0\r\n\r\n")
}

func TestE1WhatCameBeforeTheFaultIsSent(t *testing.T) {
	s := newScript("data: 1\n\n", "data: 2\n\n", "!")
	s.prompt = true
	r := serve(t, stream(s), nil)
	p := r.dial(t)
	p.say(post("{}"))
	out, _ := p.rest()
	if !strings.HasSuffix(out, "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n") {
		t.Errorf("%q", out)
	}
}

func TestE3HeadersWithoutABodyAreNotKeptBack(t *testing.T) {
	s := newScript("never").end()
	s.prompt = true
	r := serve(t, func(*proxy.Request) *proxy.Answer { return &proxy.Answer{Status: 200, Stream: s} }, nil)
	p := r.dial(t)
	for range 2 {
		p.say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
		if head := p.until("\r\n\r\n"); !strings.Contains(head, "200") {
			t.Fatalf("%q", head)
		}
	}
}

// tally counts writes, and fails them after some.
type tally struct {
	net.Conn
	writes []string
	fail   bool
}

func (c *tally) Write(p []byte) (int, error) {
	if c.fail {
		return 0, errors.New("gone")
	}
	c.writes = append(c.writes, string(p))
	return len(p), nil
}

func (c *tally) SetWriteDeadline(time.Time) error { return nil }

func TestHeldBytesAreOneWrite(t *testing.T) {
	under := &tally{}
	c := &conn{Conn: under, s: &Server{cfg: Default()}}
	say := func(hold bool, text string) {
		t.Helper()
		c.hold(hold)
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	say(true, "a")
	say(true, "b")
	say(false, "c")
	say(false, "d")
	say(true, "e")
	if err := c.release(); err != nil {
		t.Fatal(err)
	}
	say(true, "f")
	say(true, strings.Repeat("g", heldMost))
	if got := strings.Join(under.writes, "|"); got != "abc|d|e|f|"+strings.Repeat("g", heldMost) {
		t.Errorf("%.60q", got)
	}
	say(true, "h")
	under.fail = true
	if c.release() == nil || c.held != nil {
		t.Error("a write that failed passed as done")
	}
}
