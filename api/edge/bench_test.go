package edge

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"purser/proxy"
)

var (
	benchBody  = []byte(`{"id":"chatcmpl-1","choices":[{"message":{"content":"` + strings.Repeat("x", 900) + `"}}]}`)
	benchEvent = []byte("data: " + strings.Repeat("y", 192) + "\n\n")
	benchAsk   = "POST /v1/chat/completions HTTP/1.1\r\nHost: gw.local\r\nUser-Agent: OpenAI/Python\r\nAccept: application/json\r\nAuthorization: Bearer vk-0123456789\r\n" +
		"X-Stainless-Lang: python\r\nX-Stainless-Os: Linux\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("z", 1024)
)

// fifty are fifty events.
type fifty struct{ n int }

func (f *fifty) Next() ([]byte, error) {
	if f.n++; f.n > 50 {
		return nil, io.EOF
	}
	return benchEvent, nil
}

func (f *fifty) Ready() bool { return true }

func (f *fifty) Close() {}

func benchmark(b *testing.B, addr string) {
	b.SetParallelism(32) // enough to keep both cores busy: the time is then CPU, the client's included
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		br := bufio.NewReaderSize(c, 32<<10)
		for pb.Next() {
			if _, err := io.WriteString(c, benchAsk); err != nil {
				b.Error(err)
				return
			}
			if err := skip(br); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// skip reads past one answer with as little work as can be.
func skip(br *bufio.Reader) error {
	length, chunked := 0, false
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if s := string(line); strings.HasPrefix(s, "Content-Length: ") {
			length, _ = strconv.Atoi(strings.TrimSpace(s[16:]))
		} else if strings.HasPrefix(s, "Transfer-Encoding: chunked") {
			chunked = true
		}
	}
	for chunked {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 64)
		if err != nil {
			return err
		}
		if _, err := br.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
	_, err := br.Discard(length)
	return err
}

var benchHeader = []proxy.HeaderField{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Request-Id", Value: "req-1"}}

func BenchmarkJSON(b *testing.B) {
	r := serve(b, func(*proxy.Request) *proxy.Answer {
		return &proxy.Answer{Status: 200, Header: benchHeader, Body: benchBody}
	},
		func(c *Config) { c.Log = slog.New(slog.DiscardHandler) })
	benchmark(b, r.addr)
}

func BenchmarkStream(b *testing.B) {
	r := serve(b, func(*proxy.Request) *proxy.Answer {
		return &proxy.Answer{Status: 200, Header: benchHeader, Stream: &fifty{}}
	}, func(c *Config) { c.Log = slog.New(slog.DiscardHandler) })
	benchmark(b, r.addr)
}

// BenchmarkNetHTTPJSON is the same answer from net/http.
func BenchmarkNetHTTPJSON(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "req-1")
		_, _ = w.Write(benchBody)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	b.Cleanup(func() { _ = s.Close(); <-done })
	benchmark(b, ln.Addr().String())
}
