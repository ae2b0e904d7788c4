package upstream

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// busy is an upstream that answers at once, with little work of its own.
func busy(b *testing.B, answer func(*fasthttp.RequestCtx)) string {
	b.Helper()
	// The tests' double parses with net/http; benchmarks want the cheapest peer there is.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &fasthttp.Server{Handler: answer, NoDefaultDate: true}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	b.Cleanup(func() { _ = s.Shutdown(); <-done })
	return "http://" + ln.Addr().String()
}

var (
	completion = []byte(`{"id":"chatcmpl-1","choices":[{"message":{"content":"` + strings.Repeat("x", 900) + `"}}]}`)
	question   = []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("z", 900) + `"}]}`)
	events     = strings.Repeat("data: "+strings.Repeat("y", 192)+"\n\n", 50)
)

func jsonAnswer(ctx *fasthttp.RequestCtx) { ctx.SetBody(completion) }

func sseAnswer(ctx *fasthttp.RequestCtx) { ctx.SetBodyStream(strings.NewReader(events), -1) }

func BenchmarkDoJSON(b *testing.B) {
	c := client(b, quick(busy(b, jsonAnswer)))
	r := post(string(question))
	b.ReportAllocs()
	b.SetParallelism(32) // enough to keep both cores busy: the time is then CPU, of both ends
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, f := c.Do(r)
			if f != nil {
				b.Error(f)
				return
			}
			if body, err := resp.ReadAll(1 << 20); err != nil || len(body) != len(completion) {
				b.Error(err)
			}
			resp.Close()
		}
	})
}

func BenchmarkDoStream(b *testing.B) {
	c := client(b, quick(busy(b, sseAnswer)))
	r := post(string(question))
	b.ReportAllocs()
	b.SetParallelism(32) // enough to keep both cores busy: the time is then CPU, of both ends
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, f := c.Do(r)
			if f != nil {
				b.Error(f)
				return
			}
			n := 0
			for {
				p, err := resp.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Error(err)
					return
				}
				n += len(p)
			}
			if n != len(events) {
				b.Error(n)
			}
			resp.Close()
		}
	})
}

// BenchmarkNetHTTPJSON is the same exchange over net/http's Transport.
func BenchmarkNetHTTPJSON(b *testing.B) {
	url := busy(b, jsonAnswer) + "/chat/completions"
	tr := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer tr.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(32) // enough to keep both cores busy: the time is then CPU, of both ends
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest("POST", url, bytes.NewReader(question))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := tr.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || int(n) != len(completion) {
				b.Error(n, err)
			}
			_ = resp.Body.Close()
		}
	})
}

func BenchmarkSilent(b *testing.B) {
	c := client(b, quick(busy(b, jsonAnswer)))
	all(b, must(b, c, post(string(question))))
	w := c.via.(*http1).pool.idle[0].wire
	b.ReportAllocs()
	for b.Loop() {
		if !w.silent() {
			b.Fatal("not silent")
		}
	}
}
