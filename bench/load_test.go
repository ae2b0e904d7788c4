package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/api/admin"
	"purser/proxy/redaction"
)

const wholeJSON = `{"choices":[{}],"usage":{"completion_tokens":50,"x":{}}}`

func wholeStream() string {
	return strings.Repeat("data: {}\n\n", streamEvents-1) + "data: [DONE]\n\n"
}

// provider answers as the simulated provider does, and keeps the bodies.
func provider(t *testing.T, answer func(w http.ResponseWriter, stream bool)) (addr string, bodies func() []string) {
	var mu sync.Mutex
	var kept []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		kept = append(kept, string(b))
		mu.Unlock()
		answer(w, bytes.Contains(b, []byte(`"stream":true`)))
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return kept
	}
}

func honest(w http.ResponseWriter, stream bool) {
	if !stream {
		fmt.Fprint(w, wholeJSON)
		return
	}
	for _, event := range strings.SplitAfter(wholeStream(), "\n\n") {
		fmt.Fprint(w, event)
		w.(http.Flusher).Flush()
	}
}

func TestLoadReadsBothFramingsThroughTheBareProxy(t *testing.T) {
	addr, bodies := provider(t, honest)
	u := &url.URL{Scheme: "http", Host: addr}
	proxy := httptest.NewServer(bareProxy(u))
	t.Cleanup(proxy.Close)
	for _, to := range []string{addr, strings.TrimPrefix(proxy.URL, "http://")} {
		for _, stream := range []bool{false, true} {
			out := load{target: target{"test", to, "k"}, stream: stream, connections: 3, seconds: 30 * time.Millisecond}.run()
			if out.errors != 0 || len(out.latencies) < 3 || len(out.firsts) != len(out.latencies) || out.firsts[0] <= 0 || out.firsts[0] > out.latencies[0] {
				t.Fatalf("stream %v: %d answers, %d errors: %v", stream, len(out.latencies), out.errors, out.first)
			}
		}
	}
	seen := map[string]bool{}
	for _, b := range bodies() {
		if seen[b] || !json.Valid([]byte(b)) {
			t.Fatalf("a request was sent twice or is not JSON: %s", b)
		}
		seen[b] = true
	}
}

func TestBareProxyCountsItsAllocations(t *testing.T) {
	proxy := httptest.NewServer(bareProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:1"}))
	t.Cleanup(proxy.Close)
	b, err := get(t.Context(), proxy.URL+mallocsPath)
	if n, bad := numberAfter(append([]byte("n "), b...), "n "); err != nil || bad != nil || n <= 0 {
		t.Fatalf("got %q, %v, %v", b, err, bad)
	}
}

func TestLoadCountsWhatIsNotWhole(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter, bool){
		"refused":     func(w http.ResponseWriter, _ bool) { http.Error(w, "no", http.StatusPaymentRequired) },
		"cut JSON":    func(w http.ResponseWriter, _ bool) { fmt.Fprint(w, wholeJSON[:len(wholeJSON)-1]) },
		"broken off":  func(w http.ResponseWriter, _ bool) { w.Header().Set("Content-Length", "100"); fmt.Fprint(w, "{") },
		"no body":     func(w http.ResponseWriter, _ bool) {},
		"broken wire": func(http.ResponseWriter, bool) { panic(http.ErrAbortHandler) },
	} {
		addr, _ := provider(t, answer)
		out := load{target: target{"test", addr, "k"}, connections: 2, seconds: time.Second}.run()
		if out.errors != 2 || out.first == nil || len(out.latencies) != 0 {
			t.Errorf("%s: %d errors, %d answers, %v", name, out.errors, len(out.latencies), out.first)
		}
	}
}

func TestCompleteKnowsCutStreams(t *testing.T) {
	if !errors.Is(complete(503, []byte(`{"error":{"code":"undecided"}}`), false), errUndecided) || errors.Is(complete(503, []byte(`{"error":{"code":"overloaded"}}`), false), errUndecided) {
		t.Error("what is put off and what fails is not told apart")
	}
	if err := complete(200, []byte(wholeStream()), true); err != nil {
		t.Error(err)
	}
	for _, cut := range []string{"", wholeStream()[10:], wholeStream()[:len(wholeStream())-1]} {
		if complete(200, []byte(cut), true) == nil {
			t.Errorf("a stream of %d bytes is taken for whole", len(cut))
		}
	}
}

func TestRunIsWrongUnlessEachRequestHasItsRecord(t *testing.T) {
	r := run{asked: 3, billed: 30}
	if err := r.compare(admin.UsageRow{Requests: 3, Cost: 30}); err != nil {
		t.Error(err)
	}
	if r.compare(admin.UsageRow{Requests: 2, Cost: 30}) == nil || r.compare(admin.UsageRow{Requests: 3, Cost: 31}) == nil {
		t.Error("a missing record or a wrong cost is not seen")
	}
	r.errors, r.first = 1, errors.New("cut")
	if r.compare(admin.UsageRow{Requests: 3, Cost: 30}) == nil {
		t.Error("a failed request is not seen")
	}
}

func TestARunWithoutItsRulesIsWrong(t *testing.T) {
	r := run{ruled: 3, valued: 2}
	metrics := func(ruled, found string) []byte {
		return []byte(ruledMeter + ruled + "\n" + foundMeter + `entity="EMAIL",action="tokenise"} 1` + "\n" + foundMeter + `entity="IBAN",action="tokenise"} ` + found + "\n")
	}
	if err := r.governed(metrics("3", "1")); err != nil {
		t.Error(err)
	}
	if r.governed(metrics("2", "1")) == nil || r.governed(metrics("3", "0")) == nil || r.governed(nil) == nil {
		t.Error("a policy that was not asked, or a value that was not found, is not seen")
	}
}

// TestPromptsHaveTheValuesThatTheyAreNamedAfter, and each request is another.
func TestPromptsHaveTheValuesThatTheyAreNamedAfter(t *testing.T) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "all"}}, redaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	scanner := set.Plan(nil, redaction.Input).NewScanner()
	seen := map[string]bool{}
	for every, p := range map[int]prompts{0: newPrompts(0), valuesEvery: newPrompts(valuesEvery)} {
		for range promptsOfKind {
			b := p.append(nil, true)
			if !json.Valid(b) || len(b) < promptBytes || seen[string(b)] {
				t.Fatalf("a request of %d bytes was sent twice or is not JSON: %.200s", len(b), b)
			}
			seen[string(b)] = true
			if found, _ := scanner.Scan(b); (len(found) > 0) != (every > 0) {
				t.Errorf("a prompt with a value every %d sentences has %d", every, len(found))
			}
		}
	}
}

func TestReportTellsTheTargetsApart(t *testing.T) {
	r := newRun(nil, plan{seconds: time.Second, rounds: 1}, io.Discard)
	for _, c := range r.cells {
		for i := range targets {
			c.rounds[i] = []sample{{requests: 1, p50: time.Duration(i+1) * time.Microsecond, p99: 1, first50: time.Duration(i+2) * time.Microsecond, first99: 1, cpu: time.Duration(i+1) * time.Microsecond, rate: 1, mallocs: float64(10 * i)}}
		}
		c.rounds[direct][0].mallocs = math.NaN()
	}
	res := r.result(admin.UsageRow{})
	if got := res.Cells[0].CPURatio; got != 1.5 {
		t.Errorf("the ratio of CPU is %v, want 1.5", got)
	}
	if last := res.Cells[len(res.Cells)-1]; !last.Paced || last.Targets[purser].AddedFirst50 != 2 || last.Targets[purser].FirstRatio != 2 || res.Cells[0].Targets[purser].First50 != 0 {
		t.Errorf("first events: %+v", last.Targets[purser])
	}
	if got := res.Ruled[0]; len(res.Ruled) != 8 || len(got.Targets) != 2 || got.CPURatio != 4.0/3 || got.Targets[1].AddedCPU != 1 || got.Targets[1].AddedP50 != 1 {
		t.Errorf("governance: %+v", got)
	}
	var table, text bytes.Buffer
	if err := errors.Join(res.writeTable(&table), res.writeJSON(&text)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"JSON, 64", "SSE, 1", "SSE paced, 64", "| purser", "| 1.50", "SSE with values, 64", "| 1.33"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
}
