package simprovider

import (
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

func TestRefusalsAreOpenAIs(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) {
		c.Models = append(c.Models, Model{ID: "tiny", ContextWindow: 20, MaxOutput: 10})
	}))
	chatPath, embedPath := "/v1/chat/completions", "/v1/embeddings"
	for _, tc := range []struct {
		name, path, body string
		status           int
		code, param      string
	}{
		{"not JSON", chatPath, `{"model":`, 400, "", ""},
		{"not an object", chatPath, `[]`, 400, "", ""},
		{"no model", chatPath, `{"messages":[]}`, 400, "", ""},
		{"model of a wrong type", chatPath, `{"model":4}`, 400, "invalid_type", "model"},
		{"unknown model", chatPath, `{"model":"gpt-0","messages":[]}`, 404, "model_not_found", ""},
		{"embedding model", chatPath, `{"model":"text-embedding-3-small","messages":[]}`, 404, "", "model"},
		{"no messages", chatPath, `{"model":"gpt-4o"}`, 400, "missing_required_parameter", "messages"},
		{"null messages", chatPath, `{"model":"gpt-4o","messages":null}`, 400, "missing_required_parameter", "messages"},
		{"empty messages", chatPath, `{"model":"gpt-4o","messages":[]}`, 400, "empty_array", "messages"},
		{"messages of a wrong type", chatPath, `{"model":"gpt-4o","messages":"hi"}`, 400, "invalid_type", "messages"},
		{"a message of a wrong type", chatPath, `{"model":"gpt-4o","messages":["hi"]}`, 400, "invalid_type", "messages[0]"},
		{"unknown role", chatPath, `{"model":"gpt-4o","messages":[{"role":"king","content":"hi"}]}`, 400, "invalid_value", "messages[0].role"},
		{"content of a wrong type", chatPath, `{"model":"gpt-4o","messages":[{"role":"user","content":4}]}`, 400, "invalid_type", "messages[0].content"},
		{"unknown part", chatPath, `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"smell"}]}]}`, 400, "invalid_value", "messages[0].content"},
		{"n of 0", chatPath, ask("x", `"n":0`), 400, "integer_below_min_value", "n"},
		{"n of 129", chatPath, ask("x", `"n":129`), 400, "integer_above_max_value", "n"},
		{"n and a half", chatPath, ask("x", `"n":1.5`), 400, "invalid_type", "n"},
		{"cap of 0", chatPath, ask("x", `"max_tokens":0`), 400, "integer_below_min_value", "max_tokens"},
		{"cap too high", chatPath, ask("x", `"max_tokens":16385`), 400, "invalid_value", "max_tokens"},
		{"both caps", chatPath, ask("x", `"max_tokens":1,"max_completion_tokens":1`), 400, "invalid_parameter_combination", "max_tokens"},
		{"old cap for a thinker", chatPath, strings.Replace(ask("x", `"max_tokens":1`), "gpt-4o", "o3", 1), 400, "unsupported_parameter", "max_tokens"},
		{"stream of a wrong type", chatPath, ask("x", `"stream":"yes"`), 400, "invalid_type", "stream"},
		{"options without a stream", chatPath, ask("x", `"stream_options":{"include_usage":true}`), 400, "", "stream_options"},
		{"unknown tier", chatPath, ask("x", `"service_tier":"gold"`), 400, "invalid_value", "service_tier"},
		{"tools of a wrong type", chatPath, ask("x", `"tools":{}`), 400, "invalid_type", "tools"},
		{"tool without a name", chatPath, ask("x", `"tools":[{"type":"function","function":{}}]`), 400, "missing_required_parameter", "tools[0].function.name"},
		{"unknown tool choice", chatPath, ask("x", weatherTool, `"tool_choice":{"type":"function","function":{"name":"nope"}}`), 400, "invalid_value", "tool_choice"},
		{"prompt too long", chatPath, strings.Replace(ask(strings.Repeat("long ", 40)), "gpt-4o", "tiny", 1), 400, "context_length_exceeded", "messages"},
		{"unknown mode", chatPath, strings.Replace(ask("x"), "gpt-4o", "gpt-4o--sim-frob", 1), 400, "invalid_mode", ""},
		{"no input", embedPath, `{"model":"text-embedding-3-small"}`, 400, "missing_required_parameter", "input"},
		{"empty input", embedPath, `{"model":"text-embedding-3-small","input":""}`, 400, "invalid_value", "input"},
		{"an empty input among others", embedPath, `{"model":"text-embedding-3-small","input":["a",""]}`, 400, "invalid_value", "input"},
		{"chat model", embedPath, `{"model":"gpt-4o","input":"x"}`, 404, "", "model"},
		{"too many dimensions", embedPath, `{"model":"text-embedding-3-small","input":"x","dimensions":1537}`, 400, "invalid_value", "dimensions"},
		{"unknown encoding", embedPath, `{"model":"text-embedding-3-small","input":"x","encoding_format":"hex"}`, 400, "invalid_value", "encoding_format"},
		{"input too long", embedPath, `{"model":"text-embedding-3-small","input":"` + strings.Repeat("long", 9000) + `"}`, 400, "", ""},
		{"unknown path", "/v1/images/generations", `{}`, 404, "unknown_url", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, raw := post(t, addr, tc.path, tc.body)
			e := gjson.Get(raw, "error")
			if resp.StatusCode != tc.status || e.Get("code").Str != tc.code || e.Get("param").Str != tc.param || e.Get("message").Str == "" || e.Get("type").Str != "invalid_request_error" {
				t.Errorf("%d %s", resp.StatusCode, raw)
			}
			if resp.Header.Get("x-request-id") == "" {
				t.Error("no request id")
			}
		})
	}
	if n := p.Bill().Totals().Rows; n != 0 {
		t.Errorf("%d refusals were billed", n)
	}
}

func TestKeys(t *testing.T) {
	_, addr := start(t, quick())
	for _, header := range []string{"", "Basic abc", "Bearer", "Bearer ", "Bearer sk-wrong"} {
		resp, raw := post(t, addr, "/v1/chat/completions", ask("x"), "Authorization", header)
		if resp.StatusCode != 401 || gjson.Get(raw, "error.type").Str != "invalid_request_error" || strings.Contains(raw, "sk-wrong") {
			t.Errorf("%q: %d %s", header, resp.StatusCode, raw)
		}
	}
	if resp, raw := post(t, addr, "/v1/chat/completions", ask("x"), "Authorization", "bearer sk-test-0002"); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, raw)
	}
}

func TestHeadersAndTiers(t *testing.T) {
	p, addr := start(t, quick(func(c *Config) { c.RequestsPerMinute = 10 }), func(p *Provider) {
		p.now = func() time.Time { return time.Unix(1_800_000_010, 0) }
	})
	for asked, want := range map[string]string{"auto": "default", "default": "default", "flex": "flex", "priority": "priority", "fast": "priority"} {
		resp, raw := post(t, addr, "/v1/chat/completions", ask("x", `"service_tier":"`+asked+`"`), "x-client-request-id", "tier-"+asked)
		if got := gjson.Get(raw, "service_tier").Str; got != want {
			t.Errorf("tier %s is answered with %s", asked, got)
		}
		row := rowOf(t, p, "tier-"+asked)
		if row.Tier != want || resp.Header.Get("x-request-id") != "req_"+row.Call || gjson.Get(raw, "id").Str != "chatcmpl-"+row.Call {
			t.Errorf("row %+v of %v", row, resp.Header)
		}
		for _, name := range []string{"openai-processing-ms", "openai-version", "x-ratelimit-remaining-requests", "x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens", "date"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("no header %s", name)
			}
		}
	}
	for range 5 {
		post(t, addr, "/v1/chat/completions", ask("x"))
	}
	resp, raw := post(t, addr, "/v1/chat/completions", ask("x"))
	if resp.StatusCode != 429 || gjson.Get(raw, "error.code").Str != "rate_limit_exceeded" || resp.Header.Get("Retry-After") != "50" || resp.Header.Get("x-ratelimit-remaining-requests") != "0" {
		t.Errorf("the eleventh request of a minute: %d %v %s", resp.StatusCode, resp.Header, raw)
	}
	if n := p.Bill().Totals().Rows; n != 10 {
		t.Errorf("%d rows", n)
	}
}

func TestMethodsAndModels(t *testing.T) {
	_, addr := start(t, quick())
	get := func(method, path string) (int, string) {
		req, _ := http.NewRequest(method, "http://"+addr+path, nil)
		req.Header.Set("Authorization", "Bearer "+testKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/models", 200}, {"GET", "/v1/models?limit=1", 200}, {"GET", "/v1/models/gpt-4o", 200}, {"GET", "/v1/models/none", 404},
		{"POST", "/v1/models", 405}, {"GET", "/v1/chat/completions", 405}, {"DELETE", "/v1/embeddings", 405}, {"GET", "/", 404}, {"GET", "/v2/models", 404},
	} {
		if status, raw := get(tc.method, tc.path); status != tc.status || !gjson.Valid(raw) {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, status, raw)
		}
	}
	_, raw := get("GET", "/v1/models")
	if n := len(gjson.Get(raw, "data").Array()); n != len(DefaultModels()) {
		t.Errorf("%d models", n)
	}
}

func TestEmbeddingsCountWithTheirOwnVocabulary(t *testing.T) {
	_, addr := start(t, quick(func(c *Config) { c.Tokens = O200k }))
	const text = "日本語のテキストを数える"
	want, _ := loadCl100k().Count(text)
	if other, _ := loadO200k().Count(text); other == want {
		t.Fatal("the vocabularies agree on this text")
	}
	_, raw := post(t, addr, "/v1/embeddings", `{"model":"text-embedding-3-small","input":"`+text+`"}`)
	if got := gjson.Get(raw, "usage.prompt_tokens").Int(); got != int64(want) {
		t.Errorf("%d tokens, want %d", got, want)
	}
}

func TestEmbeddings(t *testing.T) {
	p, addr := start(t, quick())
	request := func(input, more string) (string, []float64) {
		_, raw := post(t, addr, "/v1/embeddings", `{"model":"text-embedding-3-small","input":`+input+more+`}`, "x-client-request-id", input)
		var v []float64
		for _, f := range gjson.Get(raw, "data.0.embedding").Array() {
			v = append(v, f.Num)
		}
		return raw, v
	}
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	raw, storm := request(`"a storm at sea"`, "")
	_, near := request(`"a storm on the sea"`, "")
	_, far := request(`"invoice number four"`, "")
	if len(storm) != 1536 || math.Abs(dot(storm, storm)-1) > 1e-4 {
		t.Errorf("%d dimensions, square %v", len(storm), dot(storm, storm))
	}
	if dot(storm, near) < 0.5 || dot(storm, far) > 0.3 {
		t.Errorf("near %v, far %v", dot(storm, near), dot(storm, far))
	}
	if u := rowOf(t, p, `"a storm at sea"`).Usage; u[price.InputText] != gjson.Get(raw, "usage.prompt_tokens").Int() || u[price.InputText] != 4 || u[price.Requests] != 1 {
		t.Errorf("billed %v for %s", u, gjson.Get(raw, "usage"))
	}
	raw, _ = request(`"a storm at sea"`, `,"encoding_format":"base64","dimensions":64`)
	packed, err := base64.StdEncoding.DecodeString(gjson.Get(raw, "data.0.embedding").Str)
	if err != nil || len(packed) != 256 || math.IsNaN(float64(math.Float32frombits(binary.LittleEndian.Uint32(packed)))) {
		t.Errorf("%v of %d bytes", err, len(packed))
	}
	for input, want := range map[string]int64{`["one two","three"]`: 4, `[1,2,3]`: 3, `[[1,2],[3]]`: 3, `"..."`: 1} {
		raw, _ := request(input, "")
		if got := gjson.Get(raw, "usage.total_tokens").Int(); got != want {
			t.Errorf("%s: %d tokens, want %d: %.200s", input, got, want, raw)
		}
	}
}
