package simprovider

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestConnectionServesManyRequests(t *testing.T) {
	p, addr := start(t, quick())
	nc := dial(t, addr)
	defer nc.Close()
	br := bufio.NewReader(nc)
	const pipelined = 5
	var all strings.Builder
	for i := range pipelined {
		more := `"n":1`
		if i%2 == 1 {
			more = streaming
		}
		all.WriteString(rawRequest(ask(fmt.Sprint("question ", i), more), "x-sim-mode", "slow-first=1ms"))
	}
	if _, err := io.WriteString(nc, all.String()); err != nil {
		t.Fatal(err)
	}
	for i := range pipelined {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || len(body) == 0 {
			t.Fatalf("answer %d: %d, %v", i, resp.StatusCode, err)
		}
	}
	if n := p.Bill().Totals().Rows; n != pipelined {
		t.Errorf("%d rows", n)
	}
	if _, err := io.WriteString(nc, rawRequest(ask("y"), "x-sim-mode", "idle-close")); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(br, nil); err != nil || resp.Close {
		t.Fatal(err)
	} else if body, err := io.ReadAll(resp.Body); err != nil || len(body) == 0 {
		t.Fatal(err)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestBadHTTPIsRefused(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.MaxBody, c.IdleTimeout = 2048, 50*time.Millisecond }))
	for _, tc := range []struct{ name, send, want string }{
		{"garbage", "\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 "},
		{"too long", "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n", "HTTP/1.1 413 "},
		{"silence", "", ""},
		{"half a head", "POST /v1/", ""},
		{"half a body", "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", ""},
		{"expectation", "POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n{}", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc := dial(t, addr)
			defer nc.Close()
			if _, err := io.WriteString(nc, tc.send); err != nil {
				t.Fatal(err)
			}
			raw, _ := io.ReadAll(nc) // a reset is as good as an end here
			if !strings.HasPrefix(string(raw), tc.want) || tc.want == "" && len(raw) > 0 {
				t.Errorf("%q, want %q", raw, tc.want)
			}
		})
	}
	until(t, p.open0)
}

func TestModesOverTLS(t *testing.T) {
	borrowed := httptest.NewTLSServer(nil) // for its certificate
	defer borrowed.Close()
	p, _ := start(t, quick())
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(tls.NewListener(inner, borrowed.TLS)) }()
	client := borrowed.Client()
	for mode, want := range map[string]bool{"ok": true, "bill-reset": false} {
		req, err := http.NewRequest("POST", "https://"+inner.Addr().String()+"/v1/chat/completions", strings.NewReader(ask("x")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+testKey)
		req.Header.Set("x-sim-mode", mode)
		resp, err := client.Do(req)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if (err == nil) != want || !want && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", mode, err)
		}
	}
	client.CloseIdleConnections()
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestTooManyConnectionsAreClosed(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.MaxConns = 1 }))
	first := dial(t, addr)
	defer first.Close()
	until(t, func() bool { return !p.open0() })
	second := dial(t, addr)
	defer second.Close()
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("served")
	}
}

func TestCloseLetsAnswersEnd(t *testing.T) {
	p, addr := start(t, quick())
	idle := dial(t, addr)
	defer idle.Close()
	busy := dial(t, addr)
	defer busy.Close()
	if _, err := io.WriteString(busy, rawRequest(ask("x", metered), "x-sim-mode", "slow-chunks=2ms+tokens=30")); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(busy)
	if _, err := br.Peek(1); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- p.Close(context.Background()) }()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
		t.Errorf("%v: %s", err, body)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection: %v", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still listening")
	}
	if rows := p.Bill().Rows(); len(rows) != 1 || rows[0].Delivered != Complete {
		t.Errorf("%v", rows)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(ln); err == nil {
		t.Error("serves after Close")
	}
}

func TestCloseBreaksOffWhatDoesNotEnd(t *testing.T) {
	p, addr := start(t, quick())
	for i, mode := range []string{"bill-timeout", "slow-first=10m", "slow-chunks=1m"} {
		nc := dial(t, addr)
		defer nc.Close()
		pipelined := ""
		if i == 1 { // with the next request already there
			pipelined = rawRequest(ask("next"))
		}
		if _, err := io.WriteString(nc, rawRequest(ask("x", streaming), "x-sim-mode", mode)+pipelined); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return p.calls.Load() == 3 && p.Bill().Totals().Rows == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := p.Bill().Totals().Rows; n != 3 {
		t.Errorf("%d rows of 3 calls in flight", n)
	}
	if p.Addr().String() != addr {
		t.Errorf("address %v", p.Addr())
	}
}
