package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
)

// counting is an upstream with a token counter.
type counting struct {
	mu     sync.Mutex
	asked  []string // bodies of questions
	uris   []string
	calls  int
	answer func(http.ResponseWriter, *http.Request) // to a question
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	if strings.HasSuffix(r.URL.Path, "count_tokens") || strings.HasSuffix(r.URL.Path, "input_tokens") || strings.HasSuffix(r.URL.Path, ":countTokens") {
		c.mu.Lock()
		c.asked, c.uris = append(c.asked, string(raw)), append(c.uris, r.RequestURI)
		c.mu.Unlock()
		c.answer(w, r)
		return
	}
	c.mu.Lock()
	c.calls++
	c.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/messages"):
		fmt.Fprint(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":4000,"output_tokens":5}}`)
	case strings.HasSuffix(r.URL.Path, ":generateContent"):
		fmt.Fprint(w, `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4000,"candidatesTokenCount":5,"totalTokenCount":4005},"modelVersion":"m"}`)
	default:
		fmt.Fprint(w, `{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":4000,"output_tokens":5,"total_tokens":4005}}`)
	}
}

// seen are the questions, where they were asked, and the number of calls.
func (c *counting) seen() (asked, uris []string, calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked), slices.Clone(c.uris), c.calls
}

func says(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
}

func countingWorld(t *testing.T, answer func(http.ResponseWriter, *http.Request)) (*world, *counting) {
	c := &counting{answer: answer}
	w := newWorld(t, c.ServeHTTP, func(cfg *Config) { cfg.CountTime, cfg.Attempts = time.Second, 1 })
	for _, u := range w.gateway.upstreams {
		u.CountTokens = true
	}
	return w, c
}

// long is a prompt of 20,000 bytes, which its provider counts as 4,000 tokens.
var long = strings.Repeat("word ", 4000)

func longMessage(extra string) string {
	return fmt.Sprintf(`{"model":"claude-opus-4-8","max_tokens":50,"stop_sequences":["x"],%s"messages":[{"role":"user","content":%q}]}`, extra, long)
}

// heldFor is what such a message holds with so many input tokens: at the prices of
// the region us, the dearest it may be served in, in nano-dollars.
func heldFor(tokens ledger.Amount) ledger.Amount { return tokens*5_500 + 50*27_500 }

// TestTheProviderCountsWhatDoesNotFitByItsBytes: it is asked once, with the
// prompt and nothing else, and its count with the margin is the hold.
func TestTheProviderCountsWhatDoesNotFitByItsBytes(t *testing.T) {
	w, c := countingWorld(t, says(`{"input_tokens":4000}`))
	want := heldFor(4000 + 4000/16 + 64)
	w.purse.free = want
	a, body := w.message("/v1/messages", longMessage(""), "x-api-key", "pk_good", "anthropic-beta", "b-1")
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, body)
	}
	r := w.last()
	if r.Bound != record.BoundCounted || r.Hold != want || r.Cost > r.Hold || r.Overrun != 0 || r.Attempts != 1 {
		t.Errorf("%+v, not held for %d", r, want)
	}
	asked, uris, _ := c.seen()
	if len(asked) != 1 || uris[0] != "/v1/messages/count_tokens" {
		t.Fatal(uris)
	}
	var question map[string]json.RawMessage
	if err := json.Unmarshal([]byte(asked[0]), &question); err != nil {
		t.Fatal(err)
	}
	if len(question) != 2 || string(question["model"]) != `"claude-opus-4-8"` || !strings.Contains(string(question["messages"]), "word word") {
		t.Errorf("asked %.200s", asked[0])
	}
}

// TestEachDialectsCounter is asked in its own form, with the upstream's name of the model.
func TestEachDialectsCounter(t *testing.T) {
	for _, x := range []struct {
		path, body, answer, uri, question string
		upstream                          int
	}{
		{"/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"parts":[{"text":"` + long + `"}]}],"generationConfig":{"maxOutputTokens":50,"thinkingConfig":{"thinkingBudget":0}}}`,
			`{"totalTokens":4000}`, "/v1beta/models/ours:countTokens", `{"generateContentRequest":{"model":"models/ours","contents":[{"parts":`, 2},
		{"/v1/responses", `{"model":"grok-4","max_output_tokens":50,"temperature":0,"instructions":"be brief","store":false,"input":"` + long + `"}`,
			`{"object":"response.input_tokens","input_tokens":4000}`, "/v1/responses/input_tokens", `{"model":"ours","instructions":"be brief","input":"word`, 0},
	} {
		w, c := countingWorld(t, says(x.answer))
		up := w.gateway.upstreams[x.upstream]
		up.Deployments = map[string]string{"gemini-2.5-flash": "ours", "grok-4": "ours"}
		if x.upstream == 0 {
			up.Provider, up.Deployments = "x-ai", map[string]string{"grok-4": "ours"}
		}
		w.purse.free = 1 << 40
		w.send("POST", x.path, x.body, "x-goog-api-key", "pk_good")
		byBytes := w.last()
		if asked, _, _ := c.seen(); byBytes.Bound == record.BoundCounted || len(asked) != 0 {
			t.Fatalf("%s: asked with plenty left: %+v", x.path, byBytes)
		}
		w.purse.free = byBytes.Hold - 1
		if a, body := w.send("POST", x.path, x.body, "x-goog-api-key", "pk_good"); a.Status != 200 {
			t.Fatalf("%s: %d %s", x.path, a.Status, body)
		}
		if r := w.last(); r.Bound != record.BoundCounted || r.Hold >= byBytes.Hold || r.Cost > r.Hold {
			t.Errorf("%s: %s, held %d and %d", x.path, r.Bound, r.Hold, byBytes.Hold)
		}
		if asked, uris, _ := c.seen(); len(uris) != 1 || uris[0] != x.uri || !strings.HasPrefix(asked[0], x.question) {
			t.Errorf("%s: asked %s %.120s", x.path, uris, asked)
		}
	}
}

// TestACounterThatDoesNotAnswerRefusesNothingMore: the local bound decides, as
// without it, within the time limit.
func TestACounterThatDoesNotAnswerRefusesNothingMore(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"an error":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"not found":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"no number":      says(`{"input_tokens":"4000"}`),
		"a negative one": says(`{"input_tokens":-1}`),
		"nothing":        says(`{"input_tokens":0}`),
		"a huge one":     says(`{"input_tokens":99999999999999999}`),
		"no JSON":        says(`input_tokens: 4000`),
		"too much":       says(`{"input_tokens":4000,"x":"` + strings.Repeat("x", maxCountAnswer) + `"}`),
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-release:
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := countingWorld(t, answer)
			w.gateway.cfg.CountTime = 50 * time.Millisecond
			w.purse.free = heldFor(5000)
			if a, body := w.message("/v1/messages", longMessage(""), "x-api-key", "pk_good"); a.Status != 402 {
				t.Errorf("%d %s", a.Status, body)
			}
			asked, _, calls := c.seen()
			if r := w.last(); len(asked) != 1 || calls != 0 || r.Cost != 0 || r.Attempts != 0 {
				t.Errorf("asked %d, called %d, %+v", len(asked), calls, r)
			}
		})
	}
}

// TestWhatACountWouldNotBoundIsNotCounted: other content may be there when the
// call comes, or the model reads more than the prompt.
func TestWhatACountWouldNotBoundIsNotCounted(t *testing.T) {
	for name, x := range map[string]struct {
		body string
		off  bool
	}{
		"not switched on":        {longMessage(""), true},
		"an image by its link":   {longMessage(`"system":"s","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}],"x":`), false},
		"a file":                 {`{"model":"claude-opus-4-8","max_tokens":50,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f_1"}}]}]}`, false},
		"a tool of the provider": {longMessage(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`), false},
		"a field not known":      {longMessage(`"skills":["long"],`), false},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := countingWorld(t, says(`{"input_tokens":10}`))
			w.gateway.upstreams[1].CountTokens = !x.off
			w.purse.free = 1000
			if a, body := w.message("/v1/messages", x.body, "x-api-key", "pk_good"); a.Status == 200 {
				t.Errorf("%d %s", a.Status, body)
			}
			if asked, _, calls := c.seen(); len(asked) != 0 || calls != 0 {
				t.Errorf("asked %d, called %d", len(asked), calls)
			}
		})
	}
}

// TestACounterThatFailsIsGivenARest: requests near a cap do not each wait for it.
func TestACounterThatFailsIsGivenARest(t *testing.T) {
	w, c := countingWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	w.purse.free = 1000
	for range 30 {
		w.message("/v1/messages", longMessage(""), "x-api-key", "pk_good")
	}
	if asked, _, _ := c.seen(); len(asked) != 10 { // as many results as a breaker wants to judge
		t.Errorf("asked %d times", len(asked))
	}
}

// TestACountIsAskedOnceForAllAttempts: a retry's hold rests on the same one.
func TestACountIsAskedOnceForAllAttempts(t *testing.T) {
	c := &counting{answer: says(`{"input_tokens":4000}`)}
	failures := 2
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/messages") && failures > 0 {
			failures--
			w.Header().Set("Retry-After-Ms", "1")
			w.WriteHeader(429)
			fmt.Fprint(w, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`)
			return
		}
		c.ServeHTTP(w, r)
	}, nil)
	w.gateway.upstreams[1].CountTokens = true
	w.purse.free = heldFor(5000)
	if a, body := w.message("/v1/messages", longMessage(""), "x-api-key", "pk_good"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, body)
	}
	asked, _, _ := c.seen()
	if r := w.last(); r.Attempt != 3 || r.Bound != record.BoundCounted || len(asked) != 1 {
		t.Errorf("attempt %d, %s, asked %d times", r.Attempt, r.Bound, len(asked))
	}
}
