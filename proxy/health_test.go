package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/internal/record"
	"purser/proxy/upstream"
)

// TestABreakerIsOfOneModel: where one model of an upstream fails, it is given a
// rest, at no cost and with a wait to be told; another model is served.
func TestABreakerIsOfOneModel(t *testing.T) {
	calls := 0
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		if calls++; strings.Contains(string(body), "gpt-4o-mini") {
			w.WriteHeader(500)
			fmt.Fprint(w, `{"error":{"message":"the model is down"}}`)
			return
		}
		answerJSON(w, r)
	}, func(c *Config) { c.Attempts = 1 })
	for range 10 {
		if a, body := w.ask(question); a.Status != 500 {
			t.Fatalf("%d %s", a.Status, body)
		}
	}
	a, body := w.ask(question)
	if r := w.last(); a.Status != 503 || calls != 10 || r.Attempts != 0 || r.Cost != 0 || !strings.Contains(body, "given a rest") {
		t.Errorf("%d %s, %d calls, %+v", a.Status, body, calls, r)
	}
	after := ""
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, "retry-after-ms") {
			after = h.Value
		}
	}
	if after == "" {
		t.Errorf("no wait is told: %v", a.Header)
	}
	if a, body := w.ask(strings.Replace(question, "gpt-4o-mini", "gpt-4o", 1)); a.Status != 200 || w.last().Outcome != record.Completed {
		t.Errorf("another model: %d %s", a.Status, body)
	}
	states := map[string]upstream.State{}
	w.gateway.Breakers().Each(time.Now(), func(k upstream.BreakerKey, s upstream.State) { states[k.Upstream+" "+k.Model] = s })
	if len(states) != 2 || states["up gpt-4o-mini"] != upstream.Open || states["up gpt-4o"] != upstream.Closed {
		t.Errorf("%v", states)
	}
}

// TestRefusalsOpenNoBreaker: an upstream that says no is well.
func TestRefusalsOpenNoBreaker(t *testing.T) {
	calls := 0
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(429)
		fmt.Fprint(w, `{"error":{"message":"slow down"}}`)
	}, func(c *Config) { c.Attempts = 1 })
	for range 15 {
		w.ask(question)
	}
	if calls != 15 {
		t.Errorf("%d calls", calls)
	}
}
