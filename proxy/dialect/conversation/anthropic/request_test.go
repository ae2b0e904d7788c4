package anthropic

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with the file, which -update writes.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, append(slices.Clip(got), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSuffix(string(want), "\n") != string(got) {
		t.Errorf("%s differs:\n%s", file, got)
	}
}

// words are those of Messages. Budgets are drawn apart, since the cap has to agree.
var words = conversationtest.Words{
	ImageURLs: true, Documents: true, MixedResults: true, FailedResults: true, Thoughts: true, Seals: "anthropic",
	LateSystem: true, Cache: true, TopK: true, MaxTemperature: 1, Stop: true, Strict: true, Parallel: true,
	JSONSchema: true, User: true, Efforts: []string{"low", "medium", "high", "xhigh", "max"}, Tiers: []string{"auto", "default"},
}

func TestARequestComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := conversationtest.Requests(words).Draw(t, "request")
		want.Format.Name, want.Format.Strict = "", conversation.Switch{} // a schema has no name here, and is always kept to
		if rapid.Bool().Draw(t, "budget") {
			want.MaxOutput.Digits = "40000"
			want.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: rapid.Int64Range(1024, 32_000).Draw(t, "tokens"), Shown: rapid.Bool().Draw(t, "shown"), At: "reasoning"}
		}
		body, e := Dialect{}.AppendRequest(nil, want)
		if e != nil {
			t.Fatal(e)
		}
		switch left := strings.Join(want.Left, " "); left {
		case "":
		case "reasoning": // a budget where the API takes none
			want.Reasoning = conversation.Reasoning{}
		default:
			t.Fatalf("left out: %s", left)
		}
		var c dialect.Call
		if e := wire.Decode(&c, dialect.Target{Endpoint: dialect.Chat}, body); e != nil {
			t.Fatalf("the dialect's decoder refuses %s: %v", body, e)
		}
		got, e := Dialect{}.ReadRequest(body, dialect.Target{})
		if e != nil {
			t.Fatalf("%s: %v", body, e)
		}
		if d := conversationtest.Difference(want, got); d != "" {
			t.Fatalf("%s\n%s", d, body)
		}
	})
}

// everyField is a request with each field that can be translated.
const everyField = `{
	"model": "m", "max_tokens": 4096, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["x", "y"],
	"system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "global"}}],
	"metadata": {"user_id": "u", "session": "s"}, "service_tier": "standard_only", "speed": "standard", "mcp_servers": [], "container": null,
	"diagnostics": {"previous_message_id": "msg_0"}, "cache_control": {"type": "ephemeral", "ttl": "1h"},
	"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
	"thinking": {"type": "adaptive", "display": "summarized"},
	"output_config": {"effort": "xhigh", "format": {"type": "json_schema", "schema": {"type": "object"}}},
	"tools": [
		{"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true, "cache_control": {"type": "ephemeral", "ttl": "5m"}},
		{"type": "custom", "name": "g", "input_schema": {"type": "object"}, "eager_input_streaming": true, "defer_loading": false, "allowed_callers": ["direct"], "input_examples": []}],
	"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
	"messages": [
		{"role": "system", "content": "s2"},
		{"role": "user", "content": [
			{"type": "text", "text": "look", "citations": null},
			{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}, "transformations": {"oversized_image": "downsize"}},
			{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
			{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}, "title": "a", "citations": {"enabled": false}},
			{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
			{"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}]},
		{"role": "assistant", "content": [
			{"type": "thinking", "thinking": "hm", "signature": "c2ln"},
			{"type": "thinking", "thinking": "", "signature": "gemini:c2ln"},
			{"type": "redacted_thinking", "data": "ZGF0YQ"},
			{"type": "text", "text": "see [1]", "citations": [{"type": "char_location"}]},
			{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
			{"type": "tool_use", "id": "c2", "name": "g", "input": {}}]},
		{"role": "system", "content": "late"},
		{"role": "user", "content": [
			{"type": "tool_result", "tool_use_id": "c1", "content": "r"},
			{"type": "tool_result", "tool_use_id": "c2", "is_error": true, "content": [
				{"type": "text", "text": "t"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "CCCC"}}]},
			{"type": "tool_result", "tool_use_id": "c3"}]}
	]}`

func text(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }

func result(id string, failed bool, parts ...conversation.Part) conversation.Part {
	return conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: id, Failed: failed, Parts: parts}}
}

func media(kind conversation.PartKind, m conversation.Media) conversation.Part {
	return conversation.Part{Kind: kind, Media: m}
}

func thought(s, seal string) conversation.Part {
	return conversation.Part{Kind: conversation.Thought, Text: s, Seal: seal}
}

func use(id, name, arguments string) conversation.Part {
	return conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: id, Name: name, Arguments: []byte(arguments)}}
}

func num(digits string) conversation.Number { return conversation.Number{Digits: digits} }

// everything is what everyField says.
func everything() *conversation.Request {
	schema := []byte(`{"type": "object"}`)
	cached := text("s")
	cached.Cache = conversation.Briefly
	last := result("c3", false)
	last.Cache = conversation.Hour
	return &conversation.Request{
		Model: "m", Stream: true, MaxOutput: num("4096"), Temperature: num("0.5"), TopP: num("0.9"), TopK: num("5"), Stop: []string{"x", "y"},
		System: []conversation.Part{cached, text("s2")},
		User:   conversation.Word{Text: "u"}, Tier: conversation.Word{Text: "default"},
		Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "xhigh", Shown: true},
		Format:    conversation.Format{Kind: conversation.JSONSchema, Schema: schema},
		Tools: []conversation.Tool{
			{Name: "f", Description: "d", Schema: schema, Strict: conversation.Switch{Set: true, On: true}, Cache: conversation.Briefly},
			{Name: "g", Schema: schema},
		},
		Choice: conversation.Choice{Kind: conversation.Named, Name: "f"}, Parallel: conversation.Switch{Set: true},
		Turns: []conversation.Turn{
			{Role: conversation.User, Parts: []conversation.Part{
				text("look"),
				media(conversation.Image, conversation.Media{Type: "image/png", Data: "AAAA"}),
				media(conversation.Image, conversation.Media{URL: "https://example.com/a.png"}),
				media(conversation.Document, conversation.Media{Type: "application/pdf", Data: "BBBB", Name: "a"}),
				media(conversation.Document, conversation.Media{Type: "text/plain", Plain: "plain"}),
				media(conversation.Document, conversation.Media{URL: "https://example.com/a.pdf"}),
			}},
			{Role: conversation.Assistant, Parts: []conversation.Part{
				thought("hm", "anthropic:c2ln"), thought("", "gemini:c2ln"), thought("", "anthropic:redacted:ZGF0YQ"),
				text("see [1]"), use("c1", "f", `{"a":1}`), use("c2", "g", `{}`),
			}},
			{Role: conversation.System, Parts: []conversation.Part{text("late")}},
			{Role: conversation.User, Parts: []conversation.Part{
				result("c1", false, text("r")),
				result("c2", true, text("t"), media(conversation.Image, conversation.Media{Type: "image/png", Data: "CCCC"})),
				last,
			}},
		},
	}
}

func TestReadRequest(t *testing.T) {
	q, e := Dialect{}.ReadRequest([]byte(everyField), dialect.Target{Features: "context-1m-2025-08-07"})
	if e != nil {
		t.Fatal(e)
	}
	if d := conversationtest.Difference(everything(), q); d != "" {
		t.Error(d)
	}
	want := "messages.2.content.3.citations tools.1.eager_input_streaming metadata.session diagnostics anthropic-beta"
	if got := strings.Join(q.Left, " "); got != want {
		t.Errorf("left out: %s", got)
	}
	if p := q.Turns[3].Parts[1].Result.Parts[1]; p.At != "messages.4.content.1.content.1" || q.MaxOutput.At != "max_tokens" || q.Choice.At != "tool_choice" {
		t.Errorf("places: %q %q %q", p.At, q.MaxOutput.At, q.Choice.At)
	}
}

// TestUntranslatableIsNamed has every field of the dialect that no other has: it is
// refused by its place.
func TestUntranslatableIsNamed(t *testing.T) {
	for body, param := range map[string]string{
		`"container": "c"`:                                         "container",
		`"mcp_servers": [{"name": "m"}]`:                           "mcp_servers",
		`"fallbacks": "default"`:                                   "fallbacks",
		`"context_management": {"edits": [{"type": "compact_1"}]}`: "context_management",
		`"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}]}`: "context_management",
		`"compaction": {}`:                      "compaction",
		`"thread": "t"`:                         "thread",
		`"inference_geo": "us"`:                 "inference_geo",
		`"speed": "fast"`:                       "speed",
		`"max_tokens": 0`:                       "max_tokens",
		`"some_extension": 1`:                   "some_extension",
		`"thinking": {"type": "between_tools"}`: "thinking.type",
		`"thinking": {"type": "enabled", "budget_tokens": 1, "x": 1}`: "thinking.x",
		`"output_config": {"task_budget": {}}`:                        "output_config.task_budget",
		`"output_config": {"effort": "enormous"}`:                     "output_config.effort",
		`"output_config": {"format": {"type": "grammar"}}`:            "output_config.format.type",
		`"output_config": {"format": {"type": "json_schema"}}`:        "output_config.format.schema",
		`"output_config": {"format": {"type": "json_schema", "schema": {}}}, "output_format": {"type": "json_schema", "schema": {}}`:                 "output_format",
		`"tools": [{"type": "web_search_20250305", "name": "web_search"}]`:                                                                           "tools.0.type",
		`"tools": [{"type": "bash_20250124", "name": "bash"}]`:                                                                                       "tools.0.type",
		`"tools": [{"name": "f", "defer_loading": true}]`:                                                                                            "tools.0.defer_loading",
		`"tools": [{"name": "f", "allowed_callers": ["code_execution_20260120"]}]`:                                                                   "tools.0.allowed_callers",
		`"tools": [{"name": "f", "input_examples": [{}]}]`:                                                                                           "tools.0.input_examples",
		`"tool_choice": {"type": "sometimes"}`:                                                                                                       "tool_choice.type",
		`"system": [{"type": "image"}]`:                                                                                                              "system.0.type",
		`"messages": [{"role": "narrator", "content": "x"}]`:                                                                                         "messages.0.role",
		`"messages": [{"role": "system", "content": [], "clear_at": "never"}]`:                                                                       "messages.0.clear_at",
		`"messages": [{"role": "system", "content": [{"type": "tool_addition"}]}]`:                                                                   "messages.0.content.0.type",
		`"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]`:                                                              "messages.0.content.0.type",
		`"messages": [{"role": "assistant", "content": [{"type": "compaction"}]}]`:                                                                   "messages.0.content.0.type",
		`"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]`:                                                                  "messages.0.content.0.type",
		`"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]`:                                 "messages.0.content.0.source.type",
		`"messages": [{"role": "user", "content": [{"type": "image", "transformations": {"oversized_image": "error"}, "source": {"type": "url"}}]}]`: "messages.0.content.0.transformations.oversized_image",
		`"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": []}}]}]`:                            "messages.0.content.0.source.type",
		`"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}, "context": "c"}]}]`:                               "messages.0.content.0.context",
		`"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}, "citations": {"enabled": true}}]}]`:               "messages.0.content.0.citations",
		`"messages": [{"role": "assistant", "content": [{"type": "tool_use", "caller": {"type": "code_execution_20260120"}}]}]`:                      "messages.0.content.0.caller",
		`"messages": [{"role": "user", "content": [{"type": "tool_result", "toolset_name": "t"}]}]`:                                                  "messages.0.content.0.toolset_name",
		`"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "search_result"}]}]}]`:                               "messages.0.content.0.content.0.type",
		`"model": "twice"`: "model",
	} {
		_, e := Dialect{}.ReadRequest([]byte(`{"model": "m", `+body+`}`), dialect.Target{})
		if e == nil || e.Param != param {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(everyField))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, e := Dialect{}.ReadRequest(body, dialect.Target{})
		if (q == nil) == (e == nil) {
			t.Fatal(q, e)
		}
		if e != nil {
			return
		}
		// What is written of it is JSON that its decoder reads, or it is refused.
		written, e := Dialect{}.AppendRequest(nil, q)
		if e != nil {
			return
		}
		if _, e := (Dialect{}).ReadRequest(written, dialect.Target{}); e != nil {
			t.Fatalf("%s: %v", written, e)
		}
	})
}
