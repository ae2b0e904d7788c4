package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/proxy/upstream"
)

// secrets are what an upstream's text may quote and no client may see: the key as
// it is configured, and what looks like a key or the operator's account.
var secrets = []string{operatorsKey, "AIzaSyD-operator", "sk-ant-api03-abcdefgh", "org-Ab1cD2eF3", "gsk_0123456789abcdef"}

var quoting = "no: key " + strings.Join(secrets, ", ")

// refusing answers with a status and a body.
func refusing(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func quiet(t *testing.T, where, text string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s: %q passes in %s", where, s, text)
		}
	}
}

// messageAt is where a dialect's clients look for the text of an error.
const messageAt = "error.message"

var errorForms = map[string]string{ // as providers send them, with a text to fill in
	"openai":    `{"error":{"message":%q,"type":"t","param":null,"code":"c"}}`,
	"responses": `{"error":{"message":%q,"type":"t","param":null,"code":"c"}}`,
	"anthropic": `{"type":"error","error":{"type":"overloaded_error","message":%q},"request_id":"req_up"}`,
	"gemini":    `{"error":{"code":418,"message":%q,"status":"UNAVAILABLE","details":[]}}`,
}

// TestUpstreamErrorsPassInTheirDialect: every error of a provider reaches the
// client with its status and text, in a form that the client can read, and without
// what is the operator's.
func TestUpstreamErrorsPassInTheirDialect(t *testing.T) {
	foreign := []string{
		`{"detail":%q}`, `{"detail":[{"loc":["body"],"msg":%q}]}`, `{"message":%q}`, `{"object":"error","message":%q,"code":40303}`, `{"error":%q}`, `{"errors":[{"message":%q}]}`,
	}
	for _, call := range asked {
		for _, status := range []int{400, 404, 408, 409, 413, 422, 429, 500, 503, 504, 529} {
			w := newWorld(t, refusing(status, fmt.Sprintf(errorForms[call.name], quoting)), func(c *Config) { c.Attempts = 1 })
			a, body := w.send("POST", call.path, call.body)
			where := fmt.Sprintf("%s %d", call.name, status)
			if a.Status != status || !strings.HasPrefix(gjson.Get(body, messageAt).Str, "no: key ") || sent(a, "retry-after") != "7" {
				t.Errorf("%s: %d %v %s", where, a.Status, a.Header, body)
			}
			if want := strings.Count(errorForms[call.name], `"`) + 2; strings.Count(body, `"`) != want {
				t.Errorf("%s: it is not as it was: %s", where, body)
			}
			quiet(t, where, body)
			if r := w.last(); r.Outcome != record.UpstreamError || r.Status != status {
				t.Errorf("%s: record %+v", where, r)
			}
		}
		for _, form := range foreign {
			w := newWorld(t, refusing(429, fmt.Sprintf(form, quoting)), func(c *Config) { c.Attempts = 1 })
			a, body := w.send("POST", call.path, call.body)
			where := call.name + " " + form
			if text := gjson.Get(body, messageAt).Str; a.Status != 429 || !strings.Contains(text, "answered with status 429: no: key ") || sent(a, "retry-after") != "7" {
				t.Errorf("%s: %d %v %s", where, a.Status, a.Header, body)
			}
			quiet(t, where, body)
			if r := w.last(); r.Outcome != record.UpstreamError || r.Code != "upstream_error" || r.Cost != 0 {
				t.Errorf("%s: record %+v", where, r)
			}
		}
		for _, bare := range []string{"", "<html>" + quoting, `{"error":{"message":` + `"` + quoting, `{"nothing":1}`, "[]"} {
			w := newWorld(t, refusing(502, bare), func(c *Config) { c.Attempts = 1 })
			a, body := w.send("POST", call.path, call.body)
			if a.Status != 502 || gjson.Get(body, messageAt).Str == "" {
				t.Errorf("%s %q: %d %s", call.name, bare, a.Status, body)
			}
			quiet(t, call.name+" "+bare, body)
		}
	}
	form := map[string]string{"anthropic": `type="error"`, "gemini": `error.status="RESOURCE_EXHAUSTED"`, "openai": `error.type="requests"`, "responses": `error.code="upstream_error"`}
	for _, call := range asked {
		w := newWorld(t, refusing(429, `{"detail":"x"}`), func(c *Config) { c.Attempts = 1 })
		_, body := w.send("POST", call.path, call.body)
		if path, want, _ := strings.Cut(form[call.name], "="); gjson.Get(body, path).Raw != want {
			t.Errorf("%s: %s", call.name, body)
		}
	}
}

// TestNoKeyPassesInAStream: an event with which the upstream says that it failed
// may quote a key, and may come in pieces.
func TestNoKeyPassesInAStream(t *testing.T) {
	streams := map[string]struct{ path, body, begin, fail string }{
		"openai": {"/v1/chat/completions", strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1),
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sk-is a word\"}}]}\n\n", "data: {\"error\":{\"message\":%q,\"type\":\"t\"}}\n\n"},
		"openai with usage": {"/v1/chat/completions", strings.Replace(question, `{"model"`, `{"stream":true,"stream_options":{"include_usage":true},"model"`, 1),
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sk-is a word\"}}]}\n\n", "event: error\ndata: {\"message\":%q}\n\n"},
		"responses": {"/v1/responses", strings.Replace(asked[1].body, `{"model"`, `{"stream":true,"model"`, 1),
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"sk-is a word\"}\n\n", "event: error\ndata: {\"type\":\"error\",\"code\":\"c\",\"message\":%q}\n\n"},
		"a response that failed": {"/v1/responses", strings.Replace(asked[1].body, `{"model"`, `{"stream":true,"model"`, 1),
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"sk-is a word\"}\n\n",
			"event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"status\":\"failed\",\"error\":{\"code\":\"c\",\"message\":%q}}}\n\n"},
		"anthropic": {"/v1/messages", strings.Replace(asked[2].body, `{"model"`, `{"stream":true,"model"`, 1),
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"sk-is a word\"}}\n\n",
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":%q}}\n\n"},
		"gemini": {"/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse", asked[3].body,
			"data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"sk-is a word\"}]}}]}\r\n\r\n", "data: {\"error\":{\"code\":500,\"message\":%q,\"status\":\"INTERNAL\"}}\r\n\r\n"},
		"gemini's array": {"/v1beta/models/gemini-2.0-flash:streamGenerateContent", asked[3].body,
			"data: {\"candidates\":[{\"index\":0,\"content\":{\"parts\":[{\"text\":\"sk-is a word\"}]}}]}\r\n\r\n", "data: {\"error\":{\"code\":500,\"message\":%q,\"status\":\"INTERNAL\"}}\r\n\r\n"},
	}
	for name, x := range streams {
		fail := fmt.Sprintf(x.fail, quoting)
		for _, size := range []int{1, 7, 40, len(fail)} {
			w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for rest := x.begin + fail; rest != ""; {
					n := min(size, len(rest))
					fmt.Fprint(w, rest[:n])
					w.(http.Flusher).Flush()
					rest = rest[n:]
				}
			}, nil)
			_, body := w.send("POST", x.path, x.body)
			if !strings.Contains(body, "no: key ") || !strings.Contains(body, "sk-is a word") {
				t.Errorf("%s by %d: %s", name, size, body)
			}
			quiet(t, fmt.Sprintf("%s by %d", name, size), body)
			if r := w.last(); r.Basis != record.FullHold {
				t.Errorf("%s by %d: record %+v", name, size, r)
			}
		}
	}
	// The key itself passes in no event at all, nor in a whole answer.
	echo := `{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"` + operatorsKey + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}`
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "text/event-stream" {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\ndata: not json %s\n\n", echo, operatorsKey)
			return
		}
		fmt.Fprint(w, echo)
	}, nil)
	if a, body := w.ask(question); a.Status != 200 || !strings.Contains(body, "key-withheld") {
		t.Errorf("%d %s", a.Status, body)
	} else {
		quiet(t, "a whole answer", body)
	}
	_, body := w.ask(strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1), "Accept", "text/event-stream")
	if strings.Count(body, "key-withheld") != 2 {
		t.Error(body)
	}
	quiet(t, "events", body)
}

// TestABrokenTLSSetUpIsToldPlainly: a 502 of the dialect that says whose it is to
// mend, and nothing of hosts and certificates; nothing is charged.
func TestABrokenTLSSetUpIsToldPlainly(t *testing.T) {
	silent := log.New(io.Discard, "", 0)
	unknown := httptest.NewUnstartedServer(http.HandlerFunc(answerJSON))
	unknown.Config.ErrorLog = silent
	unknown.StartTLS()
	defer unknown.Close()
	plain := httptest.NewServer(http.HandlerFunc(answerJSON))
	defer plain.Close()
	old := httptest.NewUnstartedServer(http.HandlerFunc(answerJSON))
	old.Config.ErrorLog = silent
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	for name, url := range map[string]string{"an unknown authority": unknown.URL, "no TLS": strings.Replace(plain.URL, "http:", "https:", 1), "a version too old": old.URL} {
		w := newWorld(t, unasked(t), func(c *Config) { c.Attempts = 1 })
		cfg := upstream.Default()
		cfg.Name, cfg.BaseURL, cfg.Keys = "up", url+"/v1", []upstream.Key{{ID: "key", Secret: operatorsKey}}
		client, err := upstream.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range w.gateway.upstreams {
			u.Client = client
		}
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body)
			text := gjson.Get(body, messageAt).Str
			if a.Status != 502 || !strings.Contains(text, "no TLS connection") || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "x509") || w.purse.spent != 0 {
				t.Errorf("%s, %s: %d %s", name, call.name, a.Status, body)
			}
			quiet(t, name, body)
		}
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
