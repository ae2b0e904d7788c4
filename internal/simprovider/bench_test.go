package simprovider

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProvider measures the double with the cheapest client there is: one
// that writes the same bytes and reads up to a mark. CPU is of both ends; the
// client's share is a write, a few reads and a search.
func BenchmarkProvider(b *testing.B) {
	prompt := strings.Repeat("the captain keeps a ledger of the cargo ", 25) // 1 KB
	for _, bc := range []struct {
		name, body, end string
		change          func(*Config)
	}{
		{"JSON", ask(prompt), "rejected_prediction_tokens\":0}}}", func(c *Config) {}},
		{"JSON/file", ask(prompt), "rejected_prediction_tokens\":0}}}", func(c *Config) { c.Bill = b.TempDir() + "/bill" }},
		{"JSON/o200k", ask(prompt), "rejected_prediction_tokens\":0}}}", func(c *Config) { c.Tokens = O200k }},
		{"SSE50", ask(prompt, metered), "[DONE]\n\n\r\n0\r\n\r\n", func(c *Config) {}},
		{"SSE50/at once", ask(prompt, metered), "[DONE]\n\n\r\n0\r\n\r\n", func(c *Config) { c.ChunksPerWrite = 0 }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			_, addr := start(b, quick(bc.change, func(c *Config) {
				c.RequestModes, c.KeepRows = false, 0
				if strings.HasPrefix(bc.name, "SSE") {
					c.OutputMin, c.OutputMax = 50, 50
				}
			}))
			benchConns(b, addr, rawRequest(bc.body), bc.end)
		})
	}
}

func benchConns(b *testing.B, addr, request, end string) {
	b.ReportAllocs()
	b.SetParallelism(32) // 64 connections on two cores
	b.ResetTimer()
	before := cpu()
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		buf := make([]byte, 64<<10)
		for pb.Next() {
			if _, err := io.WriteString(nc, request); err != nil {
				b.Error(err)
				return
			}
			for n := 0; !bytes.HasSuffix(buf[:n], []byte(end)); {
				m, err := nc.Read(buf[n:])
				if err != nil {
					b.Error(err)
					return
				}
				n += m
			}
		}
	})
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGenerate(b *testing.B) {
	for _, n := range []int{50, 150} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			cfg := quick(func(c *Config) { c.OutputMin, c.OutputMax = n, n })
			g := generation{model: &cfg.Models[0], n: 1}
			b.ReportAllocs()
			for b.Loop() {
				g.generate(&cfg, &wellBehaved)
			}
		})
	}
}

func BenchmarkBillAppend(b *testing.B) {
	bill, err := openBill(b.TempDir()+"/bill", false, 0)
	if err != nil {
		b.Fatal(err)
	}
	row := Row{Call: "c", ClientRequestID: "req_01", Key: "0123456789ab", Endpoint: "chat.completions", Model: "gpt-4o", Tier: "default", At: time.Unix(0, 0), Delivered: Complete}
	b.ReportAllocs()
	for b.Loop() {
		bill.append(&row)
	}
	if err := bill.close(); err != nil {
		b.Fatal(err)
	}
}
