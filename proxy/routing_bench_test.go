package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// newBenched is a gateway with one upstream, and whose rules are given.
func newBenched(b *testing.B, rules Governance) *Gateway {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answerJSON)}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(ln) }()
	cfg := upstream.Default()
	cfg.Name, cfg.BaseURL = "up", "http://"+ln.Addr().String()+"/v1"
	client, err := upstream.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	serial := 0
	g, err := New(context.Background(), DefaultConfig(), []*Upstream{{Name: "up", Provider: "openai", Models: []string{"*"}, Client: client}}, price.Embedded(), Seams{
		Keys: fakeKeys{sha("pk_good"): keyed{&Principal{ID: "k1"}, KeyActive}}, Purse: &fakePurse{free: 1 << 60}, Journal: forgetful{}, Rules: rules,
		Log: slog.New(slog.DiscardHandler), NewID: func() string { serial++; return fmt.Sprint("req_", serial) }, Now: func() ledger.Instant { return 1_790_000_000 * ledger.Second },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		g.Wait()
		_ = client.Close(context.Background())
		_ = server.Close()
		<-served
	})
	return g
}

// benchServe asks for a model.
func benchServe(b *testing.B, g *Gateway, model string) {
	b.Helper()
	r := &Request{Method: "POST", Path: "/v1/chat/completions", Header: headerList{"Authorization", "Bearer pk_good"},
		Body: []byte(`{"model":"` + model + `","max_completion_tokens":50,"messages":[{"role":"user","content":"hello"}]}`)}
	b.ReportAllocs()
	for b.Loop() {
		if a := g.Serve(r); a.Status != 200 {
			b.Fatalf("%d %s", a.Status, a.Body)
		}
	}
}

// forgetful is a journal that keeps nothing.
type forgetful struct{}

// Commit implements Journal.
func (forgetful) Commit(*record.Record, *Fill) {}

func BenchmarkServeModel(b *testing.B) { benchServe(b, newBenched(b, noRules{}), "gpt-4o-mini") }

func BenchmarkServeAlias(b *testing.B) {
	benchServe(b, newBenched(b, aliased{ruled{}, route.Alias("fast", "gpt-4o-mini", "")}), "fast")
}

// BenchmarkServeRoute has four candidates, of which the cheapest leads.
func BenchmarkServeRoute(b *testing.B) {
	r, err := route.Compile("fast", route.Spec{Strategy: route.Cheapest, Sticky: "session", Candidates: []route.Candidate{{Model: "gpt-4o"}, {Model: "gpt-4o-mini"}, {Model: "gpt-4.1"}, {Model: "gpt-4.1-mini"}}})
	if err != nil {
		b.Fatal(err)
	}
	benchServe(b, newBenched(b, aliased{ruled{}, r}), "fast")
}
