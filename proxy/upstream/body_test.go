package upstream

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func printed(v any) string { return fmt.Sprintf("%v %+v %#v %s", v, v, v, v) }

const chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

func TestPiecesArriveBeforeTheEndIsWritten(t *testing.T) {
	next := make(chan string)
	d := answers(t, nil, func(c *call) bool {
		c.write(chunkedHead)
		for s := range next {
			c.write(s)
		}
		return true
	})
	c := client(t, quick(d.url))
	resp := must(t, c, post("{}"))
	for _, s := range []string{"data: 1\n\n", "data: 2\n\n", "data: 3\n\n"} {
		next <- chunk(s)
		if b, err := resp.Next(); err != nil || string(b) != s {
			t.Fatalf("%q %v", b, err)
		}
	}
	next <- "0\r\n\r\n"
	close(next)
	if _, err := resp.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if kept(c) != 1 || c.InFlight() != 0 {
		t.Error("the connection is not free at the end of the body")
	}
	resp.Close()
}

func TestChunksThatAreHereComeTogether(t *testing.T) {
	burst := strings.Repeat(chunk("data: x\n\n"), 50)
	d := answers(t, nil, func(c *call) bool { return c.write(chunkedHead + burst + "0\r\n\r\n") })
	pieces, err := pulled(must(t, client(t, quick(d.url)), post("{}")))
	if err != io.EOF || strings.Join(pieces, "") != strings.Repeat("data: x\n\n", 50) {
		t.Fatal(pieces, err)
	}
	// The headers and the burst may arrive in two segments; not in fifty.
	if len(pieces) > 3 {
		t.Errorf("%d pieces", len(pieces))
	}
}

func TestReadySaysWhatIsHere(t *testing.T) {
	more := make(chan string)
	d := answers(t, nil, func(c *call) bool {
		half := chunk("data: 2\n\n")
		c.write(chunkedHead + chunk("data: 1\n\n") + half[:5])
		<-more
		c.write(half[5:] + chunk("data: 3\n\n") + "0\r\n\r\n")
		return true
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	defer resp.Close()
	if b, err := resp.Next(); err != nil || string(b) != "data: 1\n\n" {
		t.Fatalf("%q %v", b, err)
	}
	if resp.Ready() {
		t.Error("ready with half a chunk")
	}
	close(more)
	var got string
	for {
		b, err := resp.Next()
		if got += string(b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		// The rest came in one write: after its beginning nothing is waited for.
		if len(got) > len("data: 2\n\n") && !resp.Ready() {
			t.Error("not ready at the end")
		}
	}
	if got != "data: 2\n\ndata: 3\n\n" || !resp.Ready() {
		t.Errorf("%q", got)
	}
}

func TestAnIncompleteChunkDoesNotHoldBackAWholeOne(t *testing.T) {
	more := make(chan struct{})
	d := answers(t, nil, func(c *call) bool {
		c.write(chunkedHead + chunk("whole") + "5\r\nha")
		<-more
		return c.write("lf!\r\n0\r\n\r\n")
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	if b, err := resp.Next(); err != nil || string(b) != "whole" {
		t.Fatalf("%q %v", b, err)
	}
	close(more)
	pieces, err := pulled(resp)
	if err != io.EOF || strings.Join(pieces, "") != "half!" {
		t.Fatal(pieces, err)
	}
}

func TestU4BodiesThatBreakOff(t *testing.T) {
	for name, tc := range map[string]struct {
		answer, before string
		want           error
	}{
		"between chunks":    {chunkedHead + chunk("abc"), "abc", ErrTruncated},
		"inside a chunk":    {chunkedHead + "6\r\nabc", "abc", ErrTruncated},
		"before the end":    {chunkedHead + chunk("abc") + "0\r\n", "abc", ErrTruncated},
		"short of length":   {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "abc", ErrTruncated},
		"no size":           {chunkedHead + chunk("abc") + "zz\r\n", "abc", ErrMalformed},
		"no break at chunk": {chunkedHead + "3\r\nabcdef", "abc", nil},
	} {
		d := answers(t, nil, func(c *call) bool { c.write(tc.answer); return false })
		c := client(t, quick(d.url))
		pieces, err := pulled(must(t, c, post("{}")))
		var f *Failure
		if !errors.As(err, &f) || !f.Sent || f.Phase != PhaseBody || tc.want != nil && f.Err != tc.want {
			t.Errorf("%s: %v", name, err)
		}
		if s := strings.Join(pieces, ""); s != tc.before {
			t.Errorf("%s: %q", name, s)
		}
		if kept(c) != 0 || c.InFlight() != 0 {
			t.Errorf("%s: something was kept", name)
		}
		resp := must(t, c, post("{}"))
		if b, err := resp.ReadAll(100); err == nil || b != nil {
			t.Errorf("%s: read all %q", name, b)
		}
		resp.Close()
	}
}

func TestReadAll(t *testing.T) {
	big := strings.Repeat("y", 100_000)
	for name, tc := range map[string]struct {
		answer, want string
		limit        int
		err          error
	}{
		"length":           {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 3, nil},
		"length over":      {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", "", 3, ErrTooLarge},
		"chunked":          {chunkedHead + chunk("ab") + chunk("c") + "0\r\n\r\n", "abc", 3, nil},
		"chunked over":     {chunkedHead + chunk("ab") + chunk("cd") + "0\r\n\r\n", "", 3, ErrTooLarge},
		"chunked big":      {chunkedHead + chunk(big) + "0\r\n\r\n", big, 1 << 20, nil},
		"until the end":    {"HTTP/1.1 200 OK\r\n\r\nabc", "abc", 1 << 20, nil},
		"empty":            {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 1 << 20, nil},
		"empty, no limit":  {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 0, nil},
		"no content":       {"HTTP/1.1 204 No Content\r\n\r\n", "", 1 << 20, nil},
		"huge length lied": {"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000\r\n\r\nabc", "", 1 << 20, ErrTruncated},
	} {
		d := answers(t, nil, func(c *call) bool { c.write(tc.answer); return false })
		c := client(t, quick(d.url))
		resp := must(t, c, post("{}"))
		b, err := resp.ReadAll(tc.limit)
		if !errors.Is(err, tc.err) || string(b) != tc.want {
			t.Errorf("%s: %.20q %v", name, b, err)
		}
		if len(resp.Header("Content-Length")) != 0 {
			t.Errorf("%s: framing shows", name)
		}
		resp.Close()
		if c.InFlight() != 0 {
			t.Errorf("%s: slot kept", name)
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	d := answers(t, nil, func(c *call) bool { return c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") })
	c := client(t, quick(d.url))
	for range 2 {
		resp := must(t, c, &Request{Method: "HEAD", Path: "/"})
		if all(t, resp) != "" {
			t.Error("body")
		}
	}
	if d.conns.Load() != 1 {
		t.Error("not kept")
	}
}

func TestHeadersOfTheAnswer(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		return c.write("HTTP/1.1 429 Too Many\r\nx-REQUEST-id: r1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	defer resp.Close()
	if string(resp.Header("X-Request-Id")) != "r1" || resp.Header("x-none") != nil || resp.Status != 429 {
		t.Errorf("%q", resp.Header("X-Request-Id"))
	}
	seen := map[string]int{}
	resp.Each(func(name, _ []byte) { seen[string(name)]++ })
	if seen["X-Request-Id"] != 1 || seen["Set-Cookie"] != 2 || seen["Keep-Alive"] != 0 || seen["Content-Length"] != 0 {
		t.Error(seen)
	}
}

func TestNextAfterTheEnd(t *testing.T) {
	d := answers(t, nil, ok)
	resp := must(t, client(t, quick(d.url)), post("{}"))
	if _, err := resp.ReadAll(10); err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Next(); err != io.EOF {
		t.Error(err)
	}
	resp.Close()
	if b, err := resp.Next(); err != io.EOF || b != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("closing twice goes unnoticed")
		}
	}()
	resp.Close()
}

func FuzzWholeChunk(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "5\r\nhello\r\n", "5\r\nhell", "5;x=1\r\nhello\r\n", "fffffffff\r\n", "\r\n", "A\r\n0123456789\r\nB"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !wholeChunk(b) {
			return
		}
		// Whatever it says yes to must decode without wanting a byte more.
		n, rest, ok := dumbChunk(b)
		if !ok || n > len(b) || len(rest) > len(b) {
			t.Fatalf("%q", b)
		}
	})
}

// dumbChunk is the grammar read the slow way.
func dumbChunk(b []byte) (int, []byte, bool) {
	size, tail, found := strings.Cut(string(b), "\r\n")
	if !found {
		return 0, nil, false
	}
	var n int
	if _, err := fmt.Sscanf(size, "%x", &n); err != nil || fmt.Sprintf("%0*x", len(size), n) != strings.ToLower(size) {
		return 0, nil, false
	}
	if len(tail) < n+2 || tail[n:n+2] != "\r\n" {
		return 0, nil, false
	}
	return n, []byte(tail[n+2:]), true
}
