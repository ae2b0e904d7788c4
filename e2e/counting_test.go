package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// counting stands before the node and counts what clients send and receive.
type counting struct {
	url     string
	count   atomic.Int64           // requests
	answers atomic.Int64           // of count, those that ask for an answer: not lists of models, not probes
	last    atomic.Pointer[[]byte] // body of the last of these
	passed  atomic.Int64           // bytes of answers
	keep    atomic.Pointer[kept]   // the bodies of these, where it is set
}

func countBefore(t *testing.T, node string) *counting {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{url: "http://" + ln.Addr().String()}
	c.last.Store(&[]byte{})
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	proxy.ModifyResponse = func(res *http.Response) error {
		res.Body = &passing{res.Body, &c.passed}
		return nil
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.count.Add(1)
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the client has gone
			}
			c.answers.Add(1)
			c.last.Store(&body)
			if isTurn(r.URL.Path) {
				c.keep.Load().add(body)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-done })
	return c
}

// passing counts the bytes that are read.
type passing struct {
	io.ReadCloser
	passed *atomic.Int64
}

func (p *passing) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.passed.Add(int64(n))
	return n, err
}

// flows waits until some events of an answer came after so many bytes.
func (c *counting) flows(ctx context.Context, after int64) error {
	const some = 4 << 10 // bytes: more than what a stream begins with
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.passed.Load() < after+some {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer is under way: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
