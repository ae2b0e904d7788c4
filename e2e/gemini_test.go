package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/genai"

	"purser/api/admin"
	"purser/internal/record"
)

// geminiUpstream is the simulated provider once more, by its Gemini surface.
const geminiUpstream = "  - name: gemini\n    api: gemini\n    base_url: PROVIDER/v1beta\n    key: sk-e2e\n    aliases:\n      quick: gemini-2.0-flash\n"

const geminiBody = `{"contents":[{"role":"user","parts":[{"text":"What is a purser?"}]}],"generationConfig":{"maxOutputTokens":400}}`

func geminiRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	o.config = geminiUpstream + o.config
	return newRig(t, o)
}

func geminiClient(t *testing.T, url, key string) *genai.Client {
	t.Helper()
	c, err := genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: url},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGoogleGoSDK asks what TestClients does not.
func TestGoogleGoSDK(t *testing.T) {
	r := geminiRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	client := geminiClient(t, r.url, r.key(admin.NewKey{Name: "sdk"}).Secret)
	ctx := context.Background()
	question := genai.Text("What is a purser?")
	const model = "gemini-2.5-flash"

	t.Run("several candidates", func(t *testing.T) {
		res, err := client.Models.GenerateContent(ctx, model, question, &genai.GenerateContentConfig{CandidateCount: 3, MaxOutputTokens: 300})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Candidates) != 3 {
			t.Errorf("%d candidates", len(res.Candidates))
		}
	})
	t.Run("count tokens", func(t *testing.T) {
		before := len(r.billRows())
		res, err := client.Models.CountTokens(ctx, model, question, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.TotalTokens == 0 || len(r.billRows()) != before {
			t.Errorf("%d tokens, %d rows more", res.TotalTokens, len(r.billRows())-before)
		}
	})
	t.Run("models", func(t *testing.T) {
		found := false
		for m, err := range client.Models.All(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			found = found || m.Name == "models/"+model
		}
		if !found {
			t.Errorf("%s is not listed", model)
		}
		if one, err := client.Models.Get(ctx, model, nil); err != nil || one.Name != "models/"+model {
			t.Errorf("the model: %+v, %v", one, err)
		}
	})
	t.Run("errors", func(t *testing.T) {
		_, err := client.Models.GenerateContent(ctx, "gemini-none", question, nil)
		if e, ok := errors.AsType[genai.APIError](err); !ok || e.Code != 400 || e.Status != "INVALID_ARGUMENT" || !strings.Contains(fmt.Sprint(e.Details), "MODEL_NOT_PRICED") {
			t.Errorf("an unknown model: %v", err)
		}
		_, err = geminiClient(t, r.url, "pk_none").Models.GenerateContent(ctx, model, question, nil)
		if e, ok := errors.AsType[genai.APIError](err); !ok || e.Code != 401 || e.Status != "UNAUTHENTICATED" {
			t.Errorf("an unknown key: %v", err)
		}
		_, err = client.Models.GenerateContent(ctx, model, question, &genai.GenerateContentConfig{Tools: []*genai.Tool{{GoogleSearch: &genai.GoogleSearch{}}}})
		if e, ok := errors.AsType[genai.APIError](err); !ok || e.Code != 400 || !strings.Contains(e.Message, "tools[0].googleSearch") {
			t.Errorf("a search: %v", err)
		}
	})
	t.Run("a refusal is tried once", func(t *testing.T) {
		b := usd("empty", "0.000000001")
		b.Match = map[string][]string{"customer": {"broke"}}
		r.budget(b)
		counted := countBefore(t, r.url)
		key := r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret
		broke, err := genai.NewClient(ctx, &genai.ClientConfig{
			APIKey: key, Backend: genai.BackendGeminiAPI,
			HTTPOptions: genai.HTTPOptions{BaseURL: counted.url, RetryOptions: &genai.HTTPRetryOptions{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = broke.Models.GenerateContent(ctx, model, question, nil)
		e, ok := errors.AsType[genai.APIError](err)
		if !ok || e.Code != 402 || e.Status != "FAILED_PRECONDITION" || !strings.Contains(fmt.Sprint(e.Details), "BudgetPerDay-empty") {
			t.Fatalf("the refusal came as %v", err)
		}
		if n := counted.count.Load(); n != 1 {
			t.Errorf("the client tried %d times", n)
		}
		if res, err := broke.Models.CountTokens(ctx, model, question, nil); err != nil || res.TotalTokens == 0 {
			t.Errorf("a count, which is free, on an exhausted budget: %v", err)
		}
	})
	if over := r.geminiAccounts(); over != 0 {
		t.Errorf("%d nano-dollars were billed beyond the holds", over)
	}
}

// geminiAccounts stops the node and checks that records and bill are the same. It
// gives what was billed beyond the holds.
func (r *rig) geminiAccounts() (overrun int64) {
	r.t.Helper()
	r.settled("cap")
	r.stopNode()
	records := r.records()
	if got := compare(r.t, r.billRows(), records); got.billed == 0 || got.billed != got.recorded {
		r.t.Errorf("records and bill differ: %+v", got)
	}
	for _, rec := range records {
		overrun += int64(rec.Overrun)
	}
	return overrun
}

// gemini posts a body to a route below the models and reads the answer whole.
func (r *rig) gemini(key, route, body string, headers ...string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+route, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Goog-Api-Key", key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Errorf("asking: %v", err)
		return 0, "", nil
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		b = append(b, "<broken off>"...)
	}
	return res.StatusCode, string(b), res.Header
}

// TestGeminiRoutes asks in all the ways the routes can be asked.
func TestGeminiRoutes(t *testing.T) {
	r := geminiRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "g"}).Secret
	const generate = "/v1beta/models/gemini-2.5-flash:generateContent"
	for name, x := range map[string]struct {
		key, route string
		headers    []string
		want       string
	}{
		"header":         {key, generate, nil, `"candidates"`},
		"query":          {"", generate + "?key=" + key, nil, `"candidates"`},
		"bearer":         {"", generate, []string{"Authorization", "Bearer " + key}, `"candidates"`},
		"stable version": {key, "/v1/models/gemini-2.5-flash:generateContent", nil, `"candidates"`},
		"alias":          {key, "/v1beta/models/quick:generateContent", nil, `"modelVersion":"gemini-2.0-flash-001"`},
		"events":         {key, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", nil, `data: {"candidates"`},
		"array":          {key, "/v1beta/models/gemini-2.5-flash:streamGenerateContent", nil, "},\r\n{"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, header := r.gemini(x.key, x.route, geminiBody, append(x.headers, "x-purser-cache", "off")...)
			if status != 200 || !strings.Contains(body, x.want) {
				t.Fatalf("%d %s", status, body)
			}
			if name == "array" {
				var chunks []map[string]any
				if err := json.Unmarshal([]byte(body), &chunks); err != nil || len(chunks) < 3 {
					t.Errorf("%d chunks, %v", len(chunks), err)
				}
				if got := header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
					t.Errorf("content type %q", got)
				}
			}
		})
	}
	t.Run("the tier that was served is billed", func(t *testing.T) {
		body := strings.Replace(geminiBody, `{"contents"`, `{"service_tier":"flex","contents"`, 1)
		if status, answer, _ := r.gemini(key, generate, body); status != 200 || !strings.Contains(answer, `"serviceTier":"flex"`) {
			t.Errorf("%d %s", status, answer)
		}
		if status, answer, _ := r.gemini(key, generate, strings.Replace(body, "flex", "priority", 1)); status != 400 || !strings.Contains(answer, "MODEL_NOT_PRICED") {
			t.Errorf("%d %s", status, answer)
		}
	})
	t.Run("a stream serves a whole answer from the cache", func(t *testing.T) {
		_, events, _ := r.gemini(key, "/v1beta/models/quick:streamGenerateContent?alt=sse", geminiBody)
		status, body, header := r.gemini(key, "/v1beta/models/quick:generateContent", geminiBody)
		if status != 200 || header.Get("X-Purser-Cache") != "hit" || !strings.Contains(events, "data: ") || !json.Valid([]byte(body)) {
			t.Errorf("%d %v %s", status, header, body)
		}
		_, array, header := r.gemini(key, "/v1beta/models/quick:streamGenerateContent", geminiBody)
		var chunks []map[string]any
		if err := json.Unmarshal([]byte(array), &chunks); err != nil || len(chunks) != 1 || header.Get("X-Purser-Cache") != "hit" {
			t.Errorf("%v %v %s", err, header, array)
		}
	})
	t.Run("errors are Google's before a route is known", func(t *testing.T) {
		status, body, _ := r.gemini(key, "/v1beta/tunedModels/x:generateContent", geminiBody)
		if status != 403 || !strings.Contains(body, `"status":"PERMISSION_DENIED"`) {
			t.Errorf("%d %s", status, body)
		}
		if status, body, _ := r.gemini(key, "/v1beta/nothing", geminiBody); status != 404 || !strings.Contains(body, `"status":"NOT_FOUND"`) {
			t.Errorf("%d %s", status, body)
		}
	})
	if over := r.geminiAccounts(); over != 0 {
		t.Errorf("%d nano-dollars were billed beyond the holds", over)
	}
	for _, name := range []string{"node.log", "provider.log"} {
		log, err := os.ReadFile(r.dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(log, []byte(key)) {
			t.Errorf("%s has the key in it", name)
		}
	}
}

// TestGeminiNastyProvider: whatever the provider does, what it bills is recorded,
// or the whole hold is.
func TestGeminiNastyProvider(t *testing.T) {
	r := geminiRig(t, rigOptions{config: "requests:\n  attempts: 1\n"})
	r.budget(usd("cap", "100"))
	key := r.key(admin.NewKey{Name: "g"}).Secret
	modes := []string{
		"ok", "no-usage", "null-usage", "dup-usage", "no-done", "cut=2", "error-event=2", "split=byte", "split=rune", "crlf", "comments",
		"burst", "huge=100000", "bad-json", "gzip", "close", "idle-close", "bill-reset", "429", "quota", "500", "502", "503", "reset", "short-length", "long-length",
	}
	for _, mode := range modes {
		for _, route := range []string{"generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"} {
			status, body, _ := r.gemini(key, "/v1beta/models/gemini-2.5-flash:"+route, geminiBody, "x-sim-mode", mode, "x-purser-cache", "off")
			whole := mode == "ok" || mode == "split=byte" || mode == "burst" || mode == "gzip" || mode == "dup-usage"
			if whole && (status != 200 || !strings.Contains(body, `"finishReason":"STOP"`)) {
				t.Errorf("%s %s: %d %.300s", mode, route, status, body)
			}
			if status >= 400 && !strings.Contains(body, `"status":"`) {
				t.Errorf("%s %s: an error that is not Google's: %d %.300s", mode, route, status, body)
			}
		}
	}
	r.settled("cap")
	r.stopNode()
	got := compare(t, r.billRows(), r.records())
	if got.unrecorded != 0 || got.different != 0 || got.billed > got.recorded {
		t.Errorf("records and bill: %+v", got)
	}
}

// TestGeminiHangUp: a client that goes away in mid-stream is charged what the
// provider bills, from the usage at the end of the stream.
func TestGeminiHangUp(t *testing.T) {
	r := geminiRig(t, rigOptions{provider: []string{"--chunk-gap", "5ms"}})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "g"}).Secret
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	for res, err := range geminiClient(t, r.url, key).Models.GenerateContentStream(ctx, "gemini-2.5-flash", genai.Text("What is a purser?"), nil) {
		if err != nil || res.Text() == "" {
			t.Fatalf("%+v %v", res, err)
		}
		break // closes the answer
	}
	hangUp()
	r.eventually("the stream is settled", func() error {
		if h := r.holds(); h != 0 {
			return fmt.Errorf("%d holds", h)
		}
		return nil
	})
	r.settled("cap")
	r.stopNode()
	records := r.records()
	if got := compare(t, r.billRows(), records); got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
	for _, rec := range records {
		if rec.Outcome != record.Disconnected || rec.Basis != record.Reported {
			t.Errorf("outcome %v, basis %v", rec.Outcome, rec.Basis)
		}
	}
}

// TestGeminiOverCap: a provider that generates beyond the cap is counted as an
// overrun and recorded in full.
func TestGeminiOverCap(t *testing.T) {
	r := geminiRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "g"}).Secret
	body := strings.Replace(geminiBody, "400", "20", 1)
	if status, answer, _ := r.gemini(key, "/v1beta/models/gemini-2.0-flash:generateContent", body, "x-sim-mode", "over-cap=50"); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	a := r.settled("cap")
	if a.Overrun == 0 {
		t.Errorf("account %+v", a)
	}
	if r.geminiAccounts() == 0 {
		t.Error("the records have no overrun")
	}
}
