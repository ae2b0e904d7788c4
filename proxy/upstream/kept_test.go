package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestU3ConnectionsAreKept(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		if c.n%2 == 0 {
			return c.write(chunkedHead + chunk("{") + chunk("}") + "0\r\n\r\n")
		}
		return ok(c)
	})
	c := client(t, quick(d.url))
	for range 6 {
		if all(t, must(t, c, post("{}"))) != "{}" {
			t.Fatal("body")
		}
	}
	if n := d.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestU3StaleConnectionIsNotWrittenTo(t *testing.T) {
	for name, end := range map[string]func(*call){
		"closed":        func(*call) {},
		"reset":         func(c *call) { c.reset() },
		"spoken on":     func(c *call) { c.write("HTTP/1.1 408 Request Timeout\r\n\r\n") },
		"spoken, alive": func(c *call) { c.write("x"); <-c.after },
	} {
		answered := make(chan struct{})
		d := answers(t, nil, func(c *call) bool {
			if c.conn > 1 {
				return ok(c)
			}
			ok(c)
			<-answered
			end(c)
			return false
		})
		c := client(t, quick(d.url))
		all(t, must(t, c, post("{}")))
		if kept(c) != 1 {
			t.Fatalf("%s: not kept", name)
		}
		w := c.via.(*http1).pool.idle[0].wire
		if !w.silent() {
			t.Fatalf("%s: an open connection does not look silent", name)
		}
		close(answered)
		eventually(t, name+": peer's end is seen", func() bool { return !w.silent() })
		all(t, must(t, c, post("{}"))) // one attempt, and it succeeds
		if d.calls.Load() != 2 || d.conns.Load() != 2 {
			t.Errorf("%s: %d requests on %d connections", name, d.calls.Load(), d.conns.Load())
		}
	}
}

func TestU3NotKept(t *testing.T) {
	for name, answer := range map[string]string{
		"connection: close": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
		"http/1.0":          "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"bytes behind":      okBody + "HTTP/1.1 200 OK\r\n",
	} {
		d := answers(t, nil, func(c *call) bool { return c.write(answer) })
		c := client(t, quick(d.url))
		all(t, must(t, c, post("{}")))
		if kept(c) != 0 || c.via.(*http1).pool.open() != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}

func TestU3HalfReadAnswerCostsItsConnection(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		c.write(chunkedHead + chunk("some"))
		<-c.after
		return false
	})
	c := client(t, quick(d.url))
	resp := must(t, c, post("{}"))
	if _, err := resp.Next(); err != nil {
		t.Fatal(err)
	}
	resp.Close()
	if c.via.(*http1).pool.open() != 0 || c.InFlight() != 0 {
		t.Error("kept")
	}
}

func TestIdleConnectionsAreClosedAfterTheirTime(t *testing.T) {
	d := answers(t, nil, ok)
	c := client(t, quick(d.url))
	all(t, must(t, c, post("{}")))
	p := c.via.(*http1).pool
	p.closeIdle(time.Now().Add(-idleLife))
	if p.open() != 1 {
		t.Fatal("closed too early")
	}
	p.closeIdle(time.Now().Add(time.Second))
	if p.open() != 0 || kept(c) != 0 {
		t.Fatal("not closed")
	}
	all(t, must(t, c, post("{}")))
	p.idle[0].since = time.Now().Add(-idleLife)
	all(t, must(t, c, post("{}")))
	if d.conns.Load() != 3 {
		t.Errorf("an old connection was used: %d", d.conns.Load())
	}
}

func TestU5TimeLimits(t *testing.T) {
	const short = 60 * time.Millisecond
	for name, tc := range map[string]struct {
		set    func(*Timeouts)
		answer func(*call) bool
		phase  Phase
	}{
		"first byte": {func(o *Timeouts) { o.FirstByte = short }, func(c *call) bool { <-c.after; return false }, PhaseFirstByte},
		"dripping headers": {func(o *Timeouts) { o.FirstByte = short }, func(c *call) bool {
			c.write("HTTP/1.1 200 OK\r\nx: ")
			drip(c, "a")
			return false
		}, PhaseFirstByte},
		"idle": {func(o *Timeouts) { o.Idle = short }, func(c *call) bool {
			c.write(chunkedHead + chunk("a"))
			<-c.after
			return false
		}, PhaseBody},
		"total, silent": {func(o *Timeouts) { o.Total = short }, func(c *call) bool { <-c.after; return false }, PhaseFirstByte},
		"total, busy": {func(o *Timeouts) { o.Total = short }, func(c *call) bool {
			c.write(chunkedHead)
			drip(c, chunk("a"))
			return false
		}, PhaseBody},
	} {
		d := answers(t, nil, tc.answer)
		cfg := quick(d.url)
		tc.set(&cfg.Timeouts)
		c := client(t, cfg)
		resp, f := c.Do(post("{}"))
		if f == nil {
			_, err := pulled(resp)
			if !errors.As(err, &f) {
				t.Errorf("%s: %v", name, err)
				continue
			}
		}
		if !f.Sent || !f.Timeout || f.Err != ErrTimeout || f.Phase != tc.phase {
			t.Errorf("%s: %+v", name, f)
		}
		if c.InFlight() != 0 || c.via.(*http1).pool.open() != 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
}

// drip writes a piece every few milliseconds until the client goes.
func drip(c *call, piece string) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for c.write(piece) {
		select {
		case <-tick.C:
		case <-c.after:
			return
		}
	}
}

func TestRequestTimeoutShortensTheTotal(t *testing.T) {
	d := answers(t, nil, func(c *call) bool { <-c.after; return false })
	r := post("{}")
	r.Timeout = 30 * time.Millisecond
	_, f := client(t, quick(d.url)).Do(r)
	if f == nil || !f.Timeout {
		t.Fatal(f)
	}
}

func TestSetDeadlineBoundsReadingOn(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		c.write(chunkedHead + chunk("a"))
		<-c.after
		return false
	})
	resp := must(t, client(t, quick(d.url)), post("{}"))
	resp.SetDeadline(time.Now().Add(time.Hour)) // later than the limit: no effect
	resp.SetDeadline(time.Now().Add(30 * time.Millisecond))
	_, err := pulled(resp)
	var f *Failure
	if !errors.As(err, &f) || !f.Timeout {
		t.Fatal(err)
	}
	resp.SetDeadline(time.Now()) // after the end: no effect, no harm
}

func TestDialTimeoutIsUnsent(t *testing.T) {
	cfg := quick("http://127.0.0.1:1")
	cfg.Timeouts.Connect = time.Nanosecond
	_, f := client(t, cfg).Do(post("{}"))
	if f == nil || f.Sent || !f.Timeout || f.Phase != PhaseConnect {
		t.Fatalf("%+v", f)
	}
}

func TestTLS(t *testing.T) {
	server, roots := certificate(t)
	d := answers(t, server, ok)
	cfg := quick(d.url)
	cfg.RootCAs = roots
	c := client(t, cfg)
	for range 3 {
		if all(t, must(t, c, post(strings.Repeat("x", 100_000)))) != "{}" {
			t.Fatal("body")
		}
	}
	if d.conns.Load() != 1 {
		t.Errorf("%d connections", d.conns.Load())
	}
}

func TestTLSStaleConnection(t *testing.T) {
	server, roots := certificate(t)
	answered := make(chan struct{})
	d := answers(t, server, func(c *call) bool {
		ok(c)
		if c.conn == 1 {
			<-answered
			return false
		}
		return true
	})
	cfg := quick(d.url)
	cfg.RootCAs = roots
	c := client(t, cfg)
	all(t, must(t, c, post("{}")))
	w := c.via.(*http1).pool.idle[0].wire
	close(answered)
	eventually(t, "farewell arrives", func() bool { return !w.silent() })
	all(t, must(t, c, post("{}")))
	if d.conns.Load() != 2 || d.calls.Load() != 2 {
		t.Error(d.conns.Load(), d.calls.Load())
	}
}

func TestU1TLSHandshakeFailuresAreUnsent(t *testing.T) {
	server, _ := certificate(t)
	d := answers(t, server, ok)
	_, f := client(t, quick(d.url)).Do(post("{}")) // unknown authority
	if f == nil || f.Sent || f.Phase != PhaseConnect || !strings.Contains(f.Error(), "certificate") {
		t.Fatalf("%+v", f)
	}
	plain := answers(t, nil, ok)
	_, f = client(t, quick(strings.Replace(plain.url, "http:", "https:", 1))).Do(post("{}"))
	if f == nil || f.Sent || f.Phase != PhaseConnect {
		t.Fatalf("%+v", f)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	cfg := quick("https://" + silent.Addr().String())
	cfg.Timeouts.Connect = 30 * time.Millisecond
	_, f = client(t, cfg).Do(post("{}"))
	if f == nil || f.Sent || !f.Timeout || f.Phase != PhaseConnect {
		t.Fatalf("%+v", f)
	}
}

func TestCloseWaitsForAnswers(t *testing.T) {
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
	closed := make(chan error, 1)
	go func() { closed <- c.Close(context.Background()) }()
	<-c.shut
	if _, f := c.Do(post("{}")); f == nil || f.Sent || f.Phase != PhaseStart || f.Err != ErrClosed {
		t.Errorf("%+v", f)
	}
	next <- chunk("x")
	next <- "0\r\n\r\n"
	close(next)
	if pieces, err := pulled(resp); err != io.EOF || strings.Join(pieces, "") != "x" {
		t.Error(pieces, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if c.via.(*http1).pool.open() != 0 {
		t.Error("a connection is left")
	}
}

func TestCloseBreaksOffWhenItsTimeIsUp(t *testing.T) {
	for _, stuck := range []func(c *call) bool{
		func(c *call) bool { <-c.after; return false },
		func(c *call) bool { c.write(chunkedHead + chunk("a")); <-c.after; return false },
	} {
		d := answers(t, nil, stuck)
		c := client(t, quick(d.url))
		ended := make(chan error, 1)
		go func() {
			resp, f := c.Do(post("{}"))
			if f != nil {
				ended <- f
				return
			}
			_, err := pulled(resp)
			ended <- err
		}()
		eventually(t, "attempt in flight", func() bool { return d.calls.Load() == 1 })
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
		var f *Failure
		if err := <-ended; !errors.As(err, &f) || !f.Sent {
			t.Error(err)
		} else if Judge(0, f) != Abandoned {
			t.Errorf("closing counts against the upstream: %+v", f)
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	d := answers(t, nil, ok)
	for _, proto := range []Protocol{HTTP1, HTTP2} {
		cfg := quick(d.url)
		cfg.Protocol = proto
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if resp, f := c.Do(post("{}")); f == nil {
			resp.Close()
		}
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "goroutines end", func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "upstream.(*Client)") && !strings.Contains(stacks, "http2ClientConn")
	})
}

func TestManyAtOnce(t *testing.T) {
	d := answers(t, nil, func(c *call) bool {
		if len(c.body)%3 == 0 {
			return c.write(chunkedHead + chunk(string(c.body)) + "0\r\n\r\n")
		}
		if len(c.body)%7 == 0 {
			return false // hang up
		}
		return c.write("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(c.body)) + "\r\n\r\n" + string(c.body))
	})
	c := client(t, quick(d.url))
	var tasks sync.WaitGroup
	for g := range 16 {
		tasks.Go(func() {
			for i := range 60 {
				body := strings.Repeat(string(rune('a'+g)), 1+(g*31+i*17)%200)
				resp, f := c.Do(post(body))
				if f != nil {
					if f.Err != ErrHungUp {
						t.Error(f)
					}
					continue
				}
				b, err := resp.ReadAll(1 << 20)
				if err != nil || string(b) != body {
					t.Errorf("%v: an answer went astray", err)
				}
				resp.Close()
			}
		})
	}
	tasks.Wait()
	if open, idle := c.via.(*http1).pool.open(), kept(c); open != idle || open > 16 {
		t.Errorf("%d open, %d idle", open, idle)
	}
}
