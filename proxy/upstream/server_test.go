package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// call is one request as a double received it.
type call struct {
	conn  int // which connection, from 1
	n     int // which request on it, from 1
	raw   net.Conn
	req   *http.Request
	body  []byte
	after <-chan struct{} // closed when the test is over
}

func (c *call) write(s string) bool {
	_, err := io.WriteString(c.raw, s)
	return err == nil
}

// reset makes the peer see a reset instead of a clean end.
func (c *call) reset() {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.raw.Close()
}

// double is an upstream that answers byte by byte as a test says.
type double struct {
	url   string
	conns atomic.Int32
	calls atomic.Int32
}

// answers starts a double. The function returns whether to keep the connection.
func answers(t testing.TB, cfg *tls.Config, f func(*call) bool) *double {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &double{url: "http://" + ln.Addr().String()}
	if cfg != nil {
		ln = tls.NewListener(ln, cfg)
		d.url = "https://" + ln.Addr().String()
	}
	over := make(chan struct{})
	var tasks sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	tasks.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = struct{}{}
			mu.Unlock()
			n := int(d.conns.Add(1))
			tasks.Go(func() { d.serve(c, n, over, f) })
		}
	})
	t.Cleanup(func() {
		close(over)
		_ = ln.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		tasks.Wait()
	})
	return d
}

func (d *double) serve(c net.Conn, n int, over <-chan struct{}, f func(*call) bool) {
	defer func() { _ = c.Close() }()
	br := bufio.NewReader(c)
	for i := 1; ; i++ {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		d.calls.Add(1)
		if !f(&call{conn: n, n: i, raw: c, req: r, body: body, after: over}) {
			return
		}
	}
}

// certificate borrows the one that httptest carries.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, roots
}

// quick is a configuration whose limits a test can wait for.
func quick(url string) Config {
	c := Default()
	c.Name, c.BaseURL = "double", url
	c.Timeouts = Timeouts{Connect: 5 * time.Second, FirstByte: 5 * time.Second, Idle: 5 * time.Second, Total: 10 * time.Second}
	return c
}

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func post(body string) *Request {
	return &Request{Method: "POST", Path: "/chat/completions", Body: []byte(body), Header: []Header{{"content-type", "application/json"}}}
}

// must makes an attempt that has to be answered.
func must(t testing.TB, c *Client, r *Request) *Response {
	t.Helper()
	resp, f := c.Do(r)
	if f != nil {
		t.Fatal(f)
	}
	return resp
}

// all reads and closes an answer.
func all(t testing.TB, r *Response) string {
	t.Helper()
	defer r.Close()
	b, err := r.ReadAll(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pulled reads piece by piece until the error.
func pulled(r *Response) (pieces []string, err error) {
	defer r.Close()
	for {
		b, err := r.Next()
		if err != nil {
			return pieces, err
		}
		pieces = append(pieces, string(b))
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(5 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("never happened: " + what)
		}
	}
}

// kept is the number of idle connections.
func kept(c *Client) int {
	p := c.via.(*http1).pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

const okBody = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

func ok(c *call) bool { return c.write(okBody) }
