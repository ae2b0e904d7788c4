package simprovider

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"purser/proxy/price"
)

const version = "Anthropic-Version"

type messageJSON struct {
	ID      string
	Type    string
	Content []struct {
		Type, Text, Name string
	}
	StopReason string `json:"stop_reason"`
	Usage      *struct {
		Input         int64 `json:"input_tokens"`
		Written       int64 `json:"cache_creation_input_tokens"`
		Read          int64 `json:"cache_read_input_tokens"`
		Output        int64 `json:"output_tokens"`
		CacheCreation struct {
			Short int64 `json:"ephemeral_5m_input_tokens"`
			Long  int64 `json:"ephemeral_1h_input_tokens"`
		} `json:"cache_creation"`
		Speed string
	}
}

func messages(t *testing.T, addr, text, more string, headers ...string) messageJSON {
	t.Helper()
	body := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":%q}]%s}`, text, more)
	resp, raw := post(t, addr, "/v1/messages", body, append([]string{version, "2023-06-01"}, headers...)...)
	if resp.StatusCode != 200 {
		t.Fatalf("status %d: %s", resp.StatusCode, raw)
	}
	return decode[messageJSON](t, raw)
}

// TestAnthropicCacheByBreakpoints: what lies before a breakpoint is written for
// its lifetime, read until that is over, and billed as it is reported.
func TestAnthropicCacheByBreakpoints(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	p, addr := start(t, quick(), func(p *Provider) { p.now = func() time.Time { return now } })
	long := strings.Repeat("a word ", 3000)
	marked := fmt.Sprintf(`,"system":[{"type":"text","text":%q,"cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":%q,"cache_control":{"type":"ephemeral"}}]`, "one "+long, "two "+long)
	first := messages(t, addr, "q", marked).Usage
	if first.Read != 0 || first.CacheCreation.Long < 1024 || first.CacheCreation.Short < 1024 || first.Written != first.CacheCreation.Long+first.CacheCreation.Short {
		t.Fatalf("first: %+v", first)
	}
	if u := messages(t, addr, "another", marked).Usage; u.Read != first.Written || u.Written != 0 {
		t.Errorf("again: %+v", u)
	}
	now = now.Add(6 * time.Minute)
	if u := messages(t, addr, "later", marked).Usage; u.Read != first.CacheCreation.Long || u.CacheCreation.Short != first.CacheCreation.Short || u.CacheCreation.Long != 0 {
		t.Errorf("after six minutes: %+v", u)
	}
	now = now.Add(61 * time.Minute)
	if u := messages(t, addr, "last", marked).Usage; u.Read != 0 {
		t.Errorf("after an hour: %+v", u)
	}
	if u := messages(t, addr, "small", `,"cache_control":{"type":"ephemeral"}`).Usage; u.Written != 0 {
		t.Errorf("a small prompt: %+v", u)
	}
	row := p.Bill().Rows()[0]
	want := price.Usage{price.InputText: first.Input, price.CacheWrite5m: first.CacheCreation.Short, price.CacheWrite1h: first.CacheCreation.Long, price.OutputText: first.Output, price.Requests: 1}
	if row.Usage != want || row.Endpoint != "messages" || row.Tier != "standard" {
		t.Errorf("the row %+v, want %v", row, want)
	}
}

func TestAnthropicBillsWhatIsBesideTheTotals(t *testing.T) {
	p, addr := start(t, quick())
	u := messages(t, addr, "use web_search", `,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}]`).Usage
	if row := p.Bill().Rows()[0]; row.Usage[price.WebSearch] != 1 || row.Usage[price.InputText] != u.Input {
		t.Errorf("search: %+v", row)
	}
	u = messages(t, addr, strings.Repeat("word ", 500), `,"speed":"fast","context_management":{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":100}}]}`).Usage
	if row := p.Bill().Rows()[1]; row.Usage[price.InputText] != 2*u.Input || row.Usage[price.OutputText] <= u.Output || row.Tier != "fast" || u.Speed != "fast" {
		t.Errorf("compaction: %+v, usage %+v", row, u)
	}
	before := p.Bill().Totals().Rows
	resp, raw := post(t, addr, "/v1/messages/count_tokens", `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}`, version, "2023-06-01")
	if resp.StatusCode != 200 || !strings.HasPrefix(raw, `{"input_tokens":`) || p.Bill().Totals().Rows != before {
		t.Errorf("%d %s", resp.StatusCode, raw)
	}
}

func TestAnthropicRefusals(t *testing.T) {
	_, addr := start(t, quick())
	for _, x := range []struct {
		body, want string
		status     int
		headers    []string
	}{
		{`{"model":"claude-haiku-4-5","messages":[]}`, "max_tokens: Field required", 400, []string{version, "1"}},
		{`{}`, "anthropic-version", 400, nil},
		{`{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, "not_found_error", 404, []string{version, "1"}},
		{`{"model":"claude-haiku-4-5","max_tokens":99999999,"messages":[]}`, "maximum allowed", 400, []string{version, "1"}},
		{`{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"x"}]}`, "overloaded_error", 529, []string{version, "1", modeHeader, "529"}},
		{`{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"x"}]}`, "rate_limit_error", 429, []string{version, "1", modeHeader, "429=1s"}},
	} {
		if resp, raw := post(t, addr, "/v1/messages", x.body, x.headers...); resp.StatusCode != x.status || !strings.Contains(raw, x.want) || !strings.Contains(raw, `"type":"error"`) {
			t.Errorf("%s: %d %s", x.body, resp.StatusCode, raw)
		}
	}
	if resp, raw := post(t, addr, "/v1/chat/completions", `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"x"}]}`); resp.StatusCode != 404 {
		t.Errorf("a model of another dialect: %d %s", resp.StatusCode, raw)
	}
}
