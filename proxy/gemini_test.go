package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
)

const geminiQuestion = `{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":50}}`

func geminiAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"thoughtsTokenCount":5,"totalTokenCount":15},"modelVersion":"gemini-2.5-flash","responseId":"g1"}`)
}

func (w *world) gemini(operation, query, body string, headers ...string) (*Answer, string) {
	w.t.Helper()
	return w.serve(&Request{Method: "POST", Path: "/v1beta/models/" + operation, Query: query, Body: []byte(body), Header: headerList(headers)})
}

func TestGeminiIsSettledByItsUsage(t *testing.T) {
	w := newWorld(t, geminiAnswer, nil)
	a, body := w.gemini("gemini-2.5-flash:generateContent", "", geminiQuestion, "x-goog-api-key", "pk_good")
	r := w.last()
	if a.Status != 200 || !strings.Contains(body, `"text":"hi"`) || r.Dialect != "gemini" || r.Basis != record.Reported || r.UpstreamID != "g1" {
		t.Fatalf("%d %s %+v", a.Status, body, r)
	}
	// 8 tokens at 0.30 USD and 7 at 2.50 USD for a million.
	if r.Cost != 8*300+7*2500 || r.Hold < r.Cost || w.purse.spent != r.Cost {
		t.Errorf("cost %d, hold %d, spent %d", r.Cost, r.Hold, w.purse.spent)
	}
	// The cap, and the largest thinking that may come beside it.
	if least := (50 + 24_576) * 2500; int(r.Hold) < least {
		t.Errorf("the hold %d does not cover thoughts beside the cap, %d", r.Hold, least)
	}
}

// TestGeminiKeys: the client's key is read where its SDKs put it, and goes
// nowhere; the upstream gets the operator's, and of the query only what we set.
func TestGeminiKeys(t *testing.T) {
	var seen *http.Request
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		geminiAnswer(w, r)
	}, nil)
	for name, x := range map[string]struct {
		query   string
		headers []string
		status  int
	}{
		"header":              {"", []string{"x-goog-api-key", "pk_good"}, 200},
		"query":               {"key=pk_good&prettyPrint=false", nil, 200},
		"escaped":             {"key=pk%5Fgood", nil, 200},
		"bearer":              {"", []string{"Authorization", "Bearer pk_good"}, 200},
		"the header is known": {"key=pk_other", []string{"x-goog-api-key", "pk_good"}, 200},
		"the one known":       {"key=pk_good", []string{"x-goog-api-key", "AIza-theirs"}, 200},
		"none known":          {"key=pk_other", []string{"x-goog-api-key", "AIza-theirs"}, 401},
		"none":                {"", nil, 401},
		"another's":           {"", []string{"x-api-key", "pk_good"}, 401},
	} {
		seen = nil
		a, body := w.gemini("gemini-2.5-flash:generateContent", x.query, geminiQuestion,
			append(x.headers, "x-goog-user-project", "theirs", "x-goog-fieldmask", "candidates", "x-goog-api-client", "sdk")...)
		if a.Status != x.status {
			t.Errorf("%s: %d %s", name, a.Status, body)
			continue
		}
		if x.status != 200 {
			if !strings.Contains(body, "UNAUTHENTICATED") || strings.Contains(body, "pk_") && !strings.Contains(body, "pk_…") {
				t.Errorf("%s: %s", name, body)
			}
			continue
		}
		all := fmt.Sprint(seen.Header, seen.URL)
		if strings.Contains(all, "pk_") || strings.Contains(all, "theirs") || seen.URL.RawQuery != "" || seen.Header.Get("X-Goog-Fieldmask") != "" {
			t.Errorf("%s: the upstream saw %s", name, all)
		}
		if seen.Header.Get("X-Goog-Api-Key") != operatorsKey || seen.Header.Get("Authorization") != "" || seen.Header.Get("X-Goog-Api-Client") != "sdk" {
			t.Errorf("%s: the upstream saw %v", name, seen.Header)
		}
	}
}

// TestGeminiUpstreamRequest: the name of the model is in the path and wherever
// the body has it, and the cap is written.
func TestGeminiUpstreamRequest(t *testing.T) {
	var path, sent string
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		path, sent = r.URL.String(), string(body)
		if strings.HasSuffix(path, "alt=sse") {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1}}\r\n\r\n")
			return
		}
		geminiAnswer(w, r)
	}, nil)
	for _, x := range []struct{ operation, query, body, path, sent string }{
		{"quick:generateContent", "", `{"contents":{"parts":{"text":"x"}},"model":"models/quick"}`, "/v1beta/models/gemini-2.0-flash:generateContent",
			`{"contents":{"parts":{"text":"x"}},"model":"models/gemini-2.0-flash","generationConfig":{"maxOutputTokens":8192}}`},
		{"gemini-2.0-flash:streamGenerateContent", "alt=sse&key=pk_good", geminiQuestion, "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", geminiQuestion},
		{"gemini-2.0-flash:streamGenerateContent", "", geminiQuestion, "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", geminiQuestion},
		{"quick:countTokens", "", `{"contents":[]}`, "/v1beta/models/gemini-2.0-flash:countTokens", `{"contents":[]}`},
		{"gemini-embedding-001:embedContent", "", `{"content":{"parts":[{"text":"x"}]}}`, "/v1beta/models/gemini-embedding-001:embedContent", `{"content":{"parts":[{"text":"x"}]}}`},
	} {
		a, body := w.gemini(x.operation, x.query, x.body, "x-goog-api-key", "pk_good")
		if a.Status != 200 || path != x.path || sent != x.sent {
			t.Errorf("%s: %d %s\nsent to %s: %s", x.operation, a.Status, body, path, sent)
		}
	}
}

// TestCountingIsFree: also where nothing is left.
func TestCountingIsFree(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"totalTokens":7}`) }, nil)
	w.purse.free = 0
	a, body := w.gemini("gemini-2.5-flash:countTokens", "", `{"contents":[{"parts":[{"text":"x"}]}]}`, "x-goog-api-key", "pk_good")
	if r := w.last(); a.Status != 200 || body != `{"totalTokens":7}` || r.Cost != 0 || r.Hold != 0 || r.Basis != record.NoCharge {
		t.Errorf("%d %s %+v", a.Status, body, r)
	}
	if a, body := w.gemini("gemini-2.5-flash:generateContent", "", geminiQuestion, "x-goog-api-key", "pk_good"); a.Status != 402 || !strings.Contains(body, "BudgetPerDay-b") {
		t.Errorf("%d %s", a.Status, body)
	}
}

func TestGeminiErrorsOfTheUpstream(t *testing.T) {
	for name, x := range map[string]struct {
		status int
		body   string
		want   int
		has    string
	}{
		"its quota":        {429, `{"error":{"code":429,"message":"Quota exceeded for project_number:123456789","status":"RESOURCE_EXHAUSTED"}}`, 429, "project_number:-withheld"},
		"its own key":      {400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, 502, `"status":"UNAVAILABLE"`},
		"a key it quotes":  {400, `{"error":{"code":400,"message":"bad AIzaSyD1234567890","status":"INVALID_ARGUMENT"}}`, 400, "AIza-withheld"},
		"no Google at all": {500, `<html>`, 500, `"status":"INTERNAL"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(x.status)
				fmt.Fprint(w, x.body)
			}, func(c *Config) { c.Attempts = 1 })
			a, body := w.gemini("gemini-2.5-flash:generateContent", "", geminiQuestion, "x-goog-api-key", "pk_good")
			if a.Status != x.want || !strings.Contains(body, x.has) || !json.Valid([]byte(body)) {
				t.Errorf("%d %s", a.Status, body)
			}
		})
	}
}

func TestGeminiRoutesAndModels(t *testing.T) {
	w := newWorld(t, geminiAnswer, nil)
	for path, want := range map[string]int{"/v1beta/models/a/b:generateContent": 405, "/v1beta/nothing": 404, "/v1beta/models/m:nothing": 405} {
		a, body := w.serve(&Request{Method: "POST", Path: path, Header: headerList{"x-goog-api-key", "pk_good"}})
		if a.Status != want || !strings.Contains(body, `"status":"`) {
			t.Errorf("%s: %d %s", path, a.Status, body)
		}
	}
	// Each list has what its clients reach: in translation, what talks.
	lists := map[string]string{}
	for path, header := range map[string][]string{"/v1beta/models": {"x-goog-api-key", "pk_good"}, "/v1/models": {"Authorization", "Bearer pk_good"}} {
		a, body := w.serve(&Request{Method: "GET", Path: path, Header: headerList(header)})
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, body)
		}
		lists[path] = body
	}
	for _, x := range []struct {
		path, model string
		listed      bool
	}{
		{"/v1beta/models", "models/gemini-2.5-flash", true}, {"/v1beta/models", "models/quick", true}, {"/v1beta/models", "models/gemini-embedding-001", true},
		{"/v1beta/models", "models/gpt-4o", true}, {"/v1beta/models", "models/text-embedding-3-small", false},
		{"/v1/models", "gpt-4o", true}, {"/v1/models", "text-embedding-3-small", true}, {"/v1/models", "gemini-2.5-flash", true}, {"/v1/models", "gemini-embedding-001", false},
	} {
		if strings.Contains(lists[x.path], `"`+x.model+`"`) != x.listed {
			t.Errorf("%s has %s: %v", x.path, x.model, !x.listed)
		}
	}
}
