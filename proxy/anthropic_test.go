package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

const message = `{"model":"%s","max_tokens":50,"messages":[{"role":"user","content":"hello"}]%s}`

// seenUpstream is what the upstream was sent.
type seenUpstream struct {
	header      http.Header
	path, query string
	body        string
}

// anthropicWorld answers every message with the usage given.
func anthropicWorld(t *testing.T, usage string) (*world, *seenUpstream) {
	seen := &seenUpstream{}
	return newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*seen = seenUpstream{r.Header.Clone(), r.URL.Path, r.URL.RawQuery, string(body)}
		w.Header().Set("Request-Id", "req_up")
		if strings.HasSuffix(r.URL.Path, "/count_tokens") {
			fmt.Fprint(w, `{"input_tokens":14}`)
			return
		}
		fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":%s}`, usage)
	}, nil), seen
}

func (w *world) message(path, body string, headers ...string) (*Answer, string) {
	w.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	return w.serve(&Request{Method: "POST", Path: path, Query: query, Body: []byte(body), Header: headerList(headers)})
}

func TestAnthropicKeysAndHeaders(t *testing.T) {
	w, seen := anthropicWorld(t, `{"input_tokens":10,"output_tokens":5}`)
	body := fmt.Sprintf(message, "claude-opus-4-8", "")
	for name, headers := range map[string][]string{
		"x-api-key": {"x-api-key", "pk_good"}, "bearer": {"Authorization", "Bearer pk_good"},
		"another's key and ours": {"x-api-key", "sk-ant-other", "Authorization", "Bearer pk_good"},
	} {
		if a, got := w.message("/v1/messages?beta=true", body, append(headers, "anthropic-beta", "a-1,b-2", "x-purser-customer", "acme")...); a.Status != 200 {
			t.Errorf("%s: %d %s", name, a.Status, got)
		}
		if seen.path != "/v1/messages" || seen.query != "beta=true" || seen.body != body || seen.header.Get("anthropic-beta") != "a-1,b-2" ||
			seen.header.Get("anthropic-version") != "2023-06-01" || seen.header.Get("x-purser-customer") != "" || strings.Contains(fmt.Sprint(seen.header), "pk_good") || strings.Contains(fmt.Sprint(seen.header), "sk-ant") {
			t.Errorf("%s: the upstream saw %+v", name, seen)
		}
	}
	w.message("/v1/messages", body, "x-api-key", "pk_good", "anthropic-version", "2026-01-01", "x-claude-code-session-id", "s1", "x-claude-code-agent-id", "a1", "x-purser-agent", "mine")
	if seen.header.Get("anthropic-version") != "2026-01-01" || len(seen.header.Values("anthropic-version")) != 1 {
		t.Errorf("the upstream saw %v", seen.header)
	}
	if d := w.last().Dims.Values; d[ledger.DimSession] != "s1" || d[ledger.DimAgent] != "mine" {
		t.Errorf("session %q, agent %q", d[ledger.DimSession], d[ledger.DimAgent])
	}
	for _, headers := range [][]string{nil, {"x-api-key", "sk-ant-other"}} {
		if a, got := w.message("/v1/messages", body, headers...); a.Status != 401 || !strings.Contains(got, `"type":"authentication_error"`) {
			t.Errorf("%d %s", a.Status, got)
		}
	}
	if a, _ := w.message("/v1/chat/completions", question, "x-api-key", "pk_good"); a.Status != 401 {
		t.Errorf("OpenAI's dialect takes a key in Anthropic's header: %d", a.Status)
	}
}

func TestAnthropicModelsByTheirHeader(t *testing.T) {
	w, _ := anthropicWorld(t, "{}")
	for _, version := range []string{"", "2023-06-01"} {
		_, body := w.serve(&Request{Method: "GET", Path: "/v1/models", Header: headerList{"Authorization", "Bearer pk_good", "anthropic-version", version}})
		if strings.Contains(body, `"has_more":false`) != (version != "") || strings.Contains(body, `"text-embedding-3-small"`) != (version == "") ||
			version != "" && !strings.Contains(body, `"claude-opus-4-8"`) {
			t.Errorf("%q: %.300s", version, body)
		}
	}
	if a, body := w.serve(&Request{Method: "GET", Path: "/v1/models/claude-x", Header: headerList{"x-api-key", "pk_good", "anthropic-version", "1"}}); a.Status != 404 || !strings.Contains(body, "not_found_error") {
		t.Errorf("%d %s", a.Status, body)
	}
}

// TestAnthropicHoldsCoverTheCost asks for what is charged in a way of its own and
// answers with usage near the most that can be.
func TestAnthropicHoldsCoverTheCost(t *testing.T) {
	rate, ok := price.Embedded().Find("anthropic", "claude-opus-4-8", 1_790_000_000*ledger.Second)
	us, found := price.Embedded().FindIn("anthropic", "us", "claude-opus-4-8", 1_790_000_000*ledger.Second)
	if !ok || !found || us == rate {
		t.Fatal("claude-opus-4-8 has no prices, or none for the us")
	}
	for _, x := range []struct {
		more, usage string
		want        price.Usage
		rate        *price.Rate
		tier        price.Tier
	}{
		{"", `{"input_tokens":10,"output_tokens":50}`, price.Usage{price.InputText: 10, price.OutputText: 50}, us, price.Standard},
		{"", `{"input_tokens":10,"output_tokens":50,"inference_geo":"global"}`, price.Usage{price.InputText: 10, price.OutputText: 50}, rate, price.Standard},
		{`,"inference_geo":"us"`, `{"input_tokens":10,"output_tokens":50,"inference_geo":"us"}`, price.Usage{price.InputText: 10, price.OutputText: 50}, us, price.Standard},
		{`,"speed":"fast"`, `{"input_tokens":10,"output_tokens":50,"speed":"fast","service_tier":"standard"}`, price.Usage{price.InputText: 10, price.OutputText: 50}, us, price.Priority},
		{`,"speed":"fast"`, `{"input_tokens":10,"output_tokens":50,"speed":"standard","service_tier":"priority"}`, price.Usage{price.InputText: 10, price.OutputText: 50}, us, price.Standard},
		{`,"cache_control":{"ttl":"1h"}`, `{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":50}`, price.Usage{price.InputText: 1, price.CacheWrite1h: 9, price.OutputText: 50}, us, price.Standard},
		{`,"cache_control":{}`, `{"input_tokens":1,"cache_creation_input_tokens":9,"output_tokens":50}`, price.Usage{price.InputText: 1, price.CacheWrite5m: 9, price.OutputText: 50}, us, price.Standard},
		{`,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":2}]`, `{"input_tokens":2900000,"output_tokens":150,"server_tool_use":{"web_search_requests":2}}`,
			price.Usage{price.InputText: 2900000, price.OutputText: 150, price.WebSearch: 2}, us, price.Standard},
		{`,"context_management":{"edits":[{"type":"compact_20260112"}]}`, `{"input_tokens":9,"output_tokens":50,"iterations":[{"type":"compaction","input_tokens":9,"output_tokens":128000}]}`,
			price.Usage{price.InputText: 18, price.OutputText: 128050}, us, price.Standard},
	} {
		w, _ := anthropicWorld(t, x.usage)
		if a, body := w.message("/v1/messages", fmt.Sprintf(message, "claude-opus-4-8", x.more), "x-api-key", "pk_good"); a.Status != 200 {
			t.Errorf("%s: %d %s", x.more, a.Status, body)
			continue
		}
		x.want[price.Requests] = 1
		r := w.last()
		if want := x.rate.Cost(&x.want, x.tier); r.Usage != x.want || r.Cost != want || r.RateID != x.rate.ID || r.Overrun != 0 || r.Hold < r.Cost || r.Basis != record.Reported {
			t.Errorf("%s %s:\nrecord %+v\nwant %d at %s", x.more, x.usage, r, want, x.rate.ID)
		}
	}
}

func TestAnthropicIsRefusedWhatHasNoPrice(t *testing.T) {
	w, _ := anthropicWorld(t, "{}")
	for _, x := range []struct{ model, more, want string }{
		{"claude-3-haiku-20240307", `,"tools":[{"type":"web_search_20250305","max_uses":1}]`, `"param":"tools.0.type"`},
		{"claude-haiku-4-5", `,"speed":"fast"`, `"param":"service_tier"`},
		{"claude-haiku-4-5", `,"tools":[{"type":"code_execution_20250825"}]`, `"param":"tools.0.type"`},
	} {
		if a, body := w.message("/v1/messages", fmt.Sprintf(message, x.model, x.more), "x-api-key", "pk_good"); a.Status != 400 || !strings.Contains(body, x.want) {
			t.Errorf("%s%s: %d %s", x.model, x.more, a.Status, body)
		}
	}
}

// TestAnthropicCapIsTheModelsAtMost: a cap above what the model can give is
// written lower; one of zero is kept, and asks for no output.
func TestAnthropicCapIsTheModelsAtMost(t *testing.T) {
	w, seen := anthropicWorld(t, `{"input_tokens":10,"output_tokens":0}`)
	ask := func(limit string) {
		w.message("/v1/messages", fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":%s,"messages":[{"role":"user","content":"x"}]}`, limit), "x-api-key", "pk_good")
	}
	ask("100000")
	if !strings.Contains(seen.body, `"max_tokens":64000,`) {
		t.Errorf("sent %s", seen.body)
	}
	ask("0")
	if r := w.last(); !strings.Contains(seen.body, `"max_tokens":0,`) || r.Hold >= 1_000_000 || r.Cost == 0 {
		t.Errorf("sent %s, held %d", seen.body, r.Hold)
	}
}

// TestAnthropicToolsAreHeldByTheRun: each use of a tool that the provider runs is
// followed by a run of the model, with a cap of its own, and so is one too many.
func TestAnthropicToolsAreHeldByTheRun(t *testing.T) {
	w, _ := anthropicWorld(t, `{"input_tokens":10,"output_tokens":1}`)
	const uses = 2
	a, body := w.message("/v1/messages", fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":50000,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_search_20250305","max_uses":%d}]}`, uses), "x-api-key", "pk_good")
	const input, output, call = 1_000, 5_000, 10_000_000 // nano-dollars of a token and of a search, as the catalogue has them
	least := ledger.Amount((uses+2)*(200_000*input+50_000*output) + uses*call)
	if r := w.last(); a.Status != 200 || r.Hold < least || r.Hold > least+least/5 {
		t.Errorf("%d %s: %d held, want at least %d", a.Status, body, r.Hold, least)
	}
}

// TestAnthropicCountingIsFree also when there is no money, and no price.
func TestAnthropicCountingIsFree(t *testing.T) {
	w, seen := anthropicWorld(t, "{}")
	w.purse.free = 0
	a, body := w.message("/v1/messages/count_tokens?beta=true", `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"x"}]}`, "x-api-key", "pk_good")
	if a.Status != 200 || body != `{"input_tokens":14}` || seen.path != "/v1/messages/count_tokens" || seen.query != "beta=true" {
		t.Errorf("%d %s, upstream %+v", a.Status, body, seen)
	}
	if r := w.last(); r.Cost != 0 || r.Usage != (price.Usage{}) || r.Endpoint != "/v1/messages/count_tokens" || w.purse.spent != 0 {
		t.Errorf("%+v", r)
	}
	if a, body := w.message("/v1/messages/count_tokens", `{"model":"claude-unheard-of","messages":[{"role":"user","content":"x"}]}`, "x-api-key", "pk_good"); a.Status != 200 {
		t.Errorf("%d %s", a.Status, body)
	}
	if a, body := w.message("/v1/messages", fmt.Sprintf(message, "claude-haiku-4-5", ""), "x-api-key", "pk_good"); a.Status != 402 || !strings.Contains(body, `"error_code":"spend_limit_reached"`) {
		t.Errorf("%d %s", a.Status, body)
	}
}

func TestAnthropicErrorsBeforeTheRoute(t *testing.T) {
	w, _ := anthropicWorld(t, "{}")
	for _, r := range []*Request{
		{Method: "POST", Path: "/v1/messages/nothing", Header: headerList{}},
		{Method: "POST", Path: "/v1/nothing", Header: headerList{"anthropic-version", "2023-06-01"}},
	} {
		if a, body := w.serve(r); a.Status != 404 || !strings.Contains(body, `"type":"not_found_error"`) || !strings.Contains(body, `"request_id":"req_`) {
			t.Errorf("%s: %d %s", r.Path, a.Status, body)
		}
	}
	for _, method := range []string{"HEAD", "GET"} {
		if a, _ := w.serve(&Request{Method: method, Path: "/", Header: headerList{}}); a.Status != 200 {
			t.Errorf("%s /: %d", method, a.Status)
		}
	}
	if a, _ := w.serve(&Request{Method: "POST", Path: "/", Header: headerList{}}); a.Status != 404 {
		t.Errorf("POST /: %d", a.Status)
	}
}
