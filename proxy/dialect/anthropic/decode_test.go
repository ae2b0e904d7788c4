package anthropic

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

func decode(body string) (*dialect.Call, *dialect.Error) {
	var c dialect.Call
	err := Decode(&c, dialect.Target{Endpoint: dialect.Chat}, []byte(body))
	return &c, err
}

func mustDecode(t testing.TB, body string) *dialect.Call {
	t.Helper()
	c, err := decode(body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return c
}

// with is a body with more members, and user one with the content given.
func with(members string) string {
	return `{"model":"claude-opus-4-8","max_tokens":100,"messages":[{"role":"user","content":"hi"}],` + members + `}`
}

func user(content string) string {
	return `{"model":"claude-opus-4-8","max_tokens":100,"messages":[{"role":"user","content":` + content + `}]}`
}

// agentBody is what an agent sends in the middle of its work.
const agentBody = `{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,
"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"},{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
"tools":[{"name":"bash","description":"runs","input_schema":{"type":"object","properties":{"cmd":{"type":"string"},"cache_control":{"type":"string"}}}},{"type":"text_editor_20250728","name":"e"}],
"thinking":{"type":"enabled","budget_tokens":10000},"metadata":{"user_id":"user_1"},"temperature":1,
"messages":[{"role":"user","content":[{"type":"text","text":"list\nit"}]},
{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"tool_use","id":"toolu_1","name":"bash","input":{"cmd":"ls"}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"a b"}],"cache_control":{"type":"ephemeral"}}]}]}`

func TestDecodeAnAgentsBody(t *testing.T) {
	c := mustDecode(t, agentBody)
	if c.Model != "claude-sonnet-4-5" || !c.Stream || c.MaxOutput != 32000 || c.Messages != 3 || c.Tools != 2 || c.ToolCalls != 2 ||
		c.User != "user_1" || c.HiddenContext != "" || c.ServiceTier != "standard" || c.Added != addedByTools+addedByClient {
		t.Errorf("%+v", c)
	}
	want := price.Meters(price.InputText, price.CacheRead, price.CacheWrite5m, price.CacheWrite1h, price.OutputText, price.OutputReasoning)
	if c.Meters != want {
		t.Errorf("meters %b, want %b", c.Meters, want)
	}
}

// TestEveryTextCounts puts a mark wherever a text can be: it must be counted, or
// the call must be known to have hidden context.
func TestEveryTextCounts(t *testing.T) {
	const mark = "MARKMARK"
	for _, body := range []string{
		user(`"MARKMARK"`), user(`[{"type":"text","text":"MARKMARK"}]`), with(`"system":"MARKMARK"`), with(`"system":[{"type":"text","text":"MARKMARK"}]`),
		with(`"tools":[{"name":"MARKMARK","input_schema":{}}]`), with(`"tools":[{"name":"x","description":"MARKMARK"}]`), with(`"tool_choice":{"type":"tool","name":"MARKMARK"}`),
		with(`"output_config":{"format":{"type":"json_schema","schema":{"title":"MARKMARK"}}}`), with(`"output_format":{"x":"MARKMARK"}`), with(`"brand_new":"MARKMARK"`),
		with(`"compaction":{"type":"summarize","instructions":"MARKMARK"}`), with(`"context_management":{"edits":[{"type":"compact_20260112","instructions":"MARKMARK"}]}`),
		user(`[{"type":"tool_use","id":"i","name":"n","input":{"a":{"MARKMARK":1}}}]`), user(`[{"type":"tool_result","tool_use_id":"i","content":"MARKMARK"}]`),
		user(`[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"MARKMARK"}]}]`), user(`[{"type":"thinking","thinking":"a","signature":"MARKMARK"}]`),
		user(`[{"type":"redacted_thinking","data":"MARKMARK"}]`), user(`[{"type":"document","title":"MARKMARK","source":{"type":"text","media_type":"text/plain","data":"x"}}]`),
		user(`[{"source":{"data":"MARKMARK","type":"text","media_type":"text/plain"},"type":"document"}]`), user(`[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"MARKMARK"}]}}]`),
		user(`[{"type":"document","source":{"type":"content","content":"MARKMARK"}}]`), user(`[{"type":"search_result","source":"MARKMARK","title":"t","content":[]}]`),
		user(`[{"type":"web_search_tool_result","tool_use_id":"i","content":[{"type":"web_search_result","encrypted_content":"MARKMARK"}]}]`),
		user(`[{"type":"web_fetch_tool_result","tool_use_id":"i","content":{"type":"web_fetch_result","content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":"MARKMARK"}}}}]`),
		user(`[{"type":"compaction","content":"MARKMARK"}]`), user(`[{"type":"tool_addition","tool":{"description":"MARKMARK"}}]`), user(`[{"type":"text","text":"x","brand_new":{"deep":["MARKMARK"]}}]`),
		`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x","brand_new":"MARKMARK"}]}`, `{"model":"m","max_tokens":1,"messages":[{"role":"system","content":"MARKMARK","clear_at":"never"}]}`,
	} {
		c := mustDecode(t, body)
		found := slices.ContainsFunc(c.Texts, func(x dialect.Text) bool { return strings.Contains(body[x.Start:x.End], mark) })
		if !found && c.HiddenContext == "" {
			t.Errorf("not counted: %s", body)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	const unsupported, ambiguous = dialect.CodeUnsupported, dialect.CodeAmbiguous
	for _, x := range []struct {
		body  string
		code  dialect.Code
		param string
	}{
		{`{"model":"m","messages":[{"role":"user","content":"x"}]}`, dialect.CodeMissingField, "max_tokens"},
		{`{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, dialect.CodeMissingField, "model"},
		{`{"max_tokens":1,"model":"m"}`, dialect.CodeMissingField, "messages"},
		{`{"max_tokens":1,"model":"m","messages":[]}`, dialect.CodeInvalidValue, "messages"},
		{`{"max_tokens":-1,"model":"m"}`, dialect.CodeInvalidValue, "max_tokens"},
		{`{"max_tokens":1.5,"model":"m"}`, dialect.CodeInvalidType, "max_tokens"},
		{`{"max_tokens":"9","model":"m"}`, dialect.CodeInvalidType, "max_tokens"},
		{`{"max_tokens":null,"model":"m"}`, dialect.CodeInvalidType, "max_tokens"},
		{`[]`, dialect.CodeInvalidType, "body"}, {`{`, dialect.CodeInvalidJSON, ""}, {``, dialect.CodeInvalidJSON, ""}, {with(`"a":1`) + `x`, dialect.CodeInvalidJSON, ""},
		{with(`"max_tokens":5`), ambiguous, "max_tokens"}, {with(`"MAX_TOKENS":5`), ambiguous, "max_tokens"}, {with(`"max_to\u006bens":5`), ambiguous, "max_tokens"},
		{with(`"\u017fpeed":"fast"`), ambiguous, "speed"}, {with(`"model":"n"`), ambiguous, "model"}, {with(`"Model":"n"`), ambiguous, "model"},
		{with(`"container":"c1"`), unsupported, "container"}, {with(`"mcp_servers":[{"type":"url"}]`), unsupported, "mcp_servers"}, {with(`"fallbacks":"default"`), unsupported, "fallbacks"},
		{with(`"fallbacks":[{"model":"x"}]`), unsupported, "fallbacks"}, {with(`"tools":[{"type":"code_execution_20250825","name":"c"}]`), unsupported, "tools.0.type"},
		{with(`"tools":[{"type":"advisor_20260301","name":"advisor","model":"x"}]`), unsupported, "tools.0.type"}, {with(`"tools":[{"type":"mcp_toolset"}]`), unsupported, "tools.0.type"},
		{with(`"tools":[{"type":"tool_search_tool_regex_20251119","name":"t"}]`), unsupported, "tools.0.type"}, {with(`"tools":[{"name":"a"},{"type":"brand_new_20270101"}]`), unsupported, "tools.1.type"},
		{with(`"tools":[{"type":"web_search_20250305","name":"web_search"}]`), unsupported, "tools.0.max_uses"},
		{with(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":null}]`), unsupported, "tools.0.max_uses"},
		{with(`"tools":[{"type":"web_search_20260209","name":"web_search","max_uses":2}]`), unsupported, "tools.0.allowed_callers"},
		{with(`"tools":[{"type":"web_search_20260209","max_uses":2,"allowed_callers":["direct","code_execution_20250825"]}]`), unsupported, "tools.0.allowed_callers"},
		{with(`"tools":[{"type":"web_fetch_20250910","max_uses":65}]`), dialect.CodeInvalidValue, "tools.0.max_uses"},
		{with(`"tools":[{"type":"web_fetch_20250910","max_uses":40},{"type":"web_search_20250305","max_uses":40}]`), dialect.CodeLimit, "tools.1.max_uses"},
		{with(`"tools":[{"type":"custom","type":"web_search_20250305"}]`), ambiguous, "tools.0.type"}, {with(`"tools":[{"Type":"web_search_20250305"}]`), ambiguous, "type"},
		{with(`"tools":{}`), dialect.CodeInvalidType, "tools"}, {with(`"tools":["x"]`), dialect.CodeInvalidType, "tools"},
		{with(`"speed":"ludicrous"`), dialect.CodeInvalidValue, "speed"}, {with(`"service_tier":"gold"`), dialect.CodeInvalidValue, "service_tier"}, {with(`"inference_geo":"mars"`), dialect.CodeInvalidValue, "inference_geo"},
		{with(`"cache_control":{"type":"ephemeral","ttl":"2h"}`), dialect.CodeInvalidValue, "cache_control.ttl"}, {with(`"cache_control":{"ttl":"5m","ttl":"1h"}`), ambiguous, "cache_control.ttl"},
		{with(`"context_management":{"edits":[{"type":"brand_new_1"}]}`), unsupported, "context_management.edits.type"},
		{user(`[{"type":"brand_new"}]`), dialect.CodeUnsupportedPart, "messages.0.content.0.type"}, {user(`[{"text":"x"}]`), dialect.CodeMissingField, "messages.0.content.0.type"},
		{user(`[{"type":"text","text":"x"},{"type":"text"}]`), dialect.CodeMissingField, "messages.0.content.1.text"}, {user(`[{"type":"image"}]`), dialect.CodeMissingField, "messages.0.content.0.source"},
		{user(`[{"type":"image","source":{"type":"ftp","data":"x"}}]`), dialect.CodeUnsupportedPart, "messages.0.content.0.source.type"}, {user(`[{"type":"text","type":"image"}]`), ambiguous, "messages.0.content.0.type"},
		{user(`5`), dialect.CodeInvalidType, "messages.0.content"}, {user(`["x"]`), dialect.CodeInvalidType, "messages.0.content.0"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"wizard","content":"x"}]}`, dialect.CodeInvalidValue, "messages.0.role"},
		{`{"model":"m","max_tokens":1,"messages":[{"content":"x"}]}`, dialect.CodeMissingField, "messages.0.role"},
		{`{"model":"","max_tokens":1}`, dialect.CodeInvalidValue, "model"}, {`{"model":"` + strings.Repeat("m", MaxModel+1) + `"}`, dialect.CodeLimit, "model"},
	} {
		_, err := decode(x.body)
		if err == nil || err.Code != x.code || err.Param != x.param {
			t.Errorf("%s: %+v, want %s %s", x.body, err, x.code, x.param)
		}
	}
}

func TestHiddenContext(t *testing.T) {
	for body, want := range map[string]string{
		user(`"x"`): "",
		user(`[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]`):                                                      "messages.0.content.0.source",
		user(`[{"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}]`):                                                                              "messages.0.content.0.source.url",
		user(`[{"type":"image","source":{"type":"file","file_id":"f"}}]`):                                                                                          "messages.0.content.0.source.file_id",
		user(`[{"type":"container_upload","file_id":"f"}]`):                                                                                                        "messages.0.content.0.file_id",
		user(`[{"type":"tool_result","tool_use_id":"i","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]}]`): "messages.0.content.0.source",
		with(`"thread":{"type":"continue","previous_message_id":"m"}`):                                                                                             "thread",
		with(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":2}]`):                                                                          "tools.0",
		with(`"container":null,"mcp_servers":[],"fallbacks":null,"thread":null,"context_management":null`):                                                         "",
	} {
		c := mustDecode(t, body)
		if c.HiddenContext != want {
			t.Errorf("%s: %q, want %q", body, c.HiddenContext, want)
		}
		if ok, _ := Cacheable(c); ok != (want == "") {
			t.Errorf("cacheable %v: %s", ok, body)
		}
	}
}

func TestWhatMayBeCharged(t *testing.T) {
	base := price.Meters(price.InputText, price.CacheRead, price.OutputText, price.OutputReasoning)
	short, long := price.Meters(price.CacheWrite5m), price.Meters(price.CacheWrite1h)
	for body, want := range map[string]price.Set{
		user(`"x"`):                          base,
		with(`"cache_control":{}`):           base | short,
		with(`"cache_control":null`):         base,
		with(`"cache_control":{"ttl":"1h"}`): base | long,
		with(`"tools":[{"name":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]`):                                                            base | long,
		with(`"tools":[{"name":"a","input_schema":{"properties":{"cache_control":{"ttl":"1h"}}}}]`):                                               base,
		user(`[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"x","cache_control":{"ttl":"1h"}}],"cache_control":{}}]`): base | short | long,
		with(`"tools":[{"type":"web_search_20260209","max_uses":3,"allowed_callers":["direct"]},{"type":"web_fetch_20250910","max_uses":1}]`):     base | price.Meters(price.WebSearch, price.WebFetch),
	} {
		if c := mustDecode(t, body); c.Meters != want {
			t.Errorf("%s: %b, want %b", body, c.Meters, want)
		}
	}
	c := mustDecode(t, with(`"tools":[{"type":"web_search_20250305","max_uses":3},{"type":"web_fetch_20250910","max_uses":1}],"speed":"fast","inference_geo":"us","context_management":{"edits":[{"type":"compact_20260112"}]}`))
	if c.MaxCalls != 4 || c.ServiceTier != "fast" || !slices.Equal(c.Regions, []string{"us"}) || !c.Compacts {
		t.Errorf("%+v", c)
	}
	if c := mustDecode(t, with(`"inference_geo":null,"speed":null,"service_tier":"auto"`)); !slices.Equal(c.Regions, []string{"", "us"}) || c.ServiceTier != "standard" {
		t.Errorf("%+v", c)
	}
	if c := mustDecode(t, `{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}`); !c.NoOutput || c.MaxOutput != 0 {
		t.Errorf("%+v", c)
	}
	if err := Decode(c, dialect.Target{Endpoint: dialect.Chat, Features: "a,context-1m-2025-08-07"}, []byte(user(`"x"`))); err != nil || c.Window != longWindow {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestImages(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0\x08\x06\x00\x00\x00"
	data := base64.StdEncoding.EncodeToString([]byte(png))
	c := mustDecode(t, user(fmt.Sprintf(`[{"type":"image","source":{"type":"base64","media_type":"image/png","data":%q}},{"type":"image","source":{"url":"https://x/y","type":"url"},"transformations":{"oversized_image":"error"}}]`, data)))
	want := []dialect.Image{{Width: 640, Height: 480, Bytes: len(data)}, {Link: true, Detail: dialect.DetailOriginal}}
	if !slices.Equal(c.Images, want) || c.TextBytes >= int64(len(data)) {
		t.Errorf("%+v, %d bytes of text", c.Images, c.TextBytes)
	}
}

// TestCountTokensTakesEverything: it is free, so nothing is refused for its cost.
func TestCountTokensTakesEverything(t *testing.T) {
	var c dialect.Call
	body := `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"code_execution_20250825"}],"mcp_servers":[{"type":"url"}],"container":"c"}`
	if err := Decode(&c, dialect.Target{Endpoint: dialect.CountTokens}, []byte(body)); err != nil {
		t.Error(err)
	}
	if got := AppendUpstream(nil, &c, dialect.Change{MaxOutput: 9}); string(got) != body {
		t.Errorf("sent %s", got)
	}
}

func TestDecodeBounds(t *testing.T) {
	block := `{"type":"text","text":"x"}`
	for name, body := range map[string]string{
		"deep":   user(`[{"type":"tool_use","input":` + strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200) + `}]`),
		"blocks": user(`[` + strings.Repeat(block+",", MaxBlocks) + block + `]`),
		"tools":  with(`"tools":[` + strings.Repeat(`{"name":"a"},`, MaxTools) + `{"name":"a"}]`),
		"images": user(`[` + strings.Repeat(`{"type":"image","source":{"type":"url","url":"https://x"}},`, MaxImages+1) + block + `]`),
	} {
		if _, err := decode(body); err == nil {
			t.Errorf("%s: no limit", name)
		}
	}
}

// TestPlainDecodingHardlyAllocates: the spans of a body are kept, its contents not.
func TestPlainDecodingHardlyAllocates(t *testing.T) {
	var c dialect.Call
	body := []byte(agentBody)
	allocs := testing.AllocsPerRun(200, func() {
		if err := Decode(&c, dialect.Target{Endpoint: dialect.Chat}, body); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 12 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{agentBody, user(`[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]`), with(`"tools":[{"type":"web_search_20250305","max_uses":3}]`)} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, count bool) {
		var c dialect.Call
		e := dialect.Chat
		if count {
			e = dialect.CountTokens
		}
		if err := Decode(&c, dialect.Target{Endpoint: e}, body); err != nil {
			return
		}
		if got := AppendUpstream(nil, &c, dialect.Change{Model: c.Model, MaxOutput: c.MaxOutput}); string(got) != string(body) {
			t.Fatalf("%q became %q", body, got)
		}
		for _, x := range c.Texts {
			if x.Start < 0 || x.Start > x.End || x.End > len(body) {
				t.Fatalf("a text at %v of %d bytes", x.Span, len(body))
			}
		}
		_, _ = AppendCanonical(nil, &c)
	})
}

func TestNoBodyBreaksTheDecoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(agentBody)
		for range rapid.IntRange(1, 4).Draw(t, "mutations") {
			body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("\"\\{}[],:0n \xc3")).Draw(t, "byte")
		}
		var c dialect.Call
		if err := Decode(&c, dialect.Target{Endpoint: dialect.Chat}, body); err != nil && err.Message == "" {
			t.Fatalf("%+v", err)
		}
	})
}
