package chat

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	"purser/proxy/dialect/openai"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with the file, which -update writes.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
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

// words are those of Chat Completions, but for audio, which the gateway does not let
// through: nothing bounds what it costs.
var words = conversationtest.Words{
	ImageURLs: true, Documents: true, LateSystem: true, Seed: true, Penalties: true, MaxTemperature: 2,
	Stop: true, Strict: true, Parallel: true, JSONObject: true, JSONSchema: true, User: true,
	Efforts: []string{"minimal", "low", "medium", "high", "xhigh"}, Verbosity: true, Tiers: []string{"auto", "default", "flex", "priority"},
}

func TestARequestComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := conversationtest.Requests(words).Draw(t, "request")
		for i := range want.Turns {
			for j := range want.Turns[i].Parts { // the dialect asks for a name
				if p := &want.Turns[i].Parts[j]; p.Kind == conversation.Document {
					p.Media.Name = "a.pdf"
				}
			}
		}
		body, e := Dialect{}.AppendRequest(nil, want)
		if e != nil {
			t.Fatal(e)
		}
		if len(want.Left) > 0 {
			t.Fatalf("left out: %v", want.Left)
		}
		var c dialect.Call
		if e := (openai.Format{}).Decode(&c, dialect.Target{Endpoint: dialect.Chat}, body); e != nil {
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

func TestReadRequest(t *testing.T) {
	q, e := Dialect{}.ReadRequest([]byte(`{
		"model": "m", "max_tokens": 7, "stop": "x", "n": 1, "logprobs": false, "logit_bias": {}, "modalities": ["text"],
		"user": "u", "store": true, "metadata": {"a": "b"}, "stream_options": {"include_usage": true}, "top_logprobs": null,
		"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
		"messages": [
			{"role": "developer", "content": "d", "cache_control": {"type": "ephemeral"}},
			{"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
			{"role": "user", "name": "ann", "content": [
				{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
				{"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
				{"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,CCCC"}}]},
			{"role": "assistant", "reasoning_content": "hm", "content": null, "refusal": "no", "audio": null,
				"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}, "cache_control": {"type": "ephemeral"}}]},
			{"role": "tool", "tool_call_id": "c1", "content": "r"}
		]}`), dialect.Target{})
	if e != nil {
		t.Fatal(e)
	}
	want := &conversation.Request{
		Model: "m", MaxOutput: conversation.Number{Digits: "7"}, Stop: []string{"x"}, User: conversation.Word{Text: "u"},
		System: []conversation.Part{{Kind: conversation.Text, Text: "d", Cache: conversation.Briefly}, {Kind: conversation.Text, Text: "s", Cache: conversation.Briefly}},
		Tools:  []conversation.Tool{{Name: "f", Cache: conversation.Hour}},
		Turns: []conversation.Turn{
			{Role: conversation.User, Name: "ann", Parts: []conversation.Part{
				{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA", Detail: "low"}},
				{Kind: conversation.Audio, Media: conversation.Media{Type: "audio/mp3", Data: "BBBB"}},
				{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: "CCCC", Name: "f.pdf"}},
			}},
			{Role: conversation.Assistant, Parts: []conversation.Part{
				{Kind: conversation.Thought, Text: "hm"}, {Kind: conversation.Refusal, Text: "no"},
				{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c1", Name: "f", Arguments: []byte("{}")}, Cache: conversation.Briefly},
			}},
			{Role: conversation.User, Parts: []conversation.Part{
				{Kind: conversation.ToolResult, Result: conversation.Result{ID: "c1", Parts: []conversation.Part{{Kind: conversation.Text, Text: "r"}}}},
			}},
		},
	}
	if d := conversationtest.Difference(want, q); d != "" {
		t.Error(d)
	}
	if got := strings.Join(q.Left, " "); got != "metadata store" {
		t.Errorf("left out: %s", got)
	}
}

// TestUntranslatableIsNamed has every field of the dialect that no other has: it is
// refused by its place.
func TestUntranslatableIsNamed(t *testing.T) {
	for body, param := range map[string]string{
		`"n": 2`:                                                    "n",
		`"logprobs": true`:                                          "logprobs",
		`"logit_bias": {"50256": -100}`:                             "logit_bias",
		`"modalities": ["text", "audio"]`:                           "modalities[1]",
		`"audio": {"voice": "alloy"}`:                               "audio",
		`"web_search_options": {}`:                                  "web_search_options",
		`"functions": [{"name": "f"}]`:                              "functions",
		`"some_extension": 1`:                                       "some_extension",
		`"reasoning_effort": "enormous"`:                            "reasoning_effort",
		`"response_format": {"type": "grammar"}`:                    "response_format.type",
		`"response_format": {"type": "text", "x": 1}`:               "response_format.x",
		`"tools": [{"type": "custom", "custom": {}}]`:               "tools[0].type",
		`"tool_choice": {"type": "allowed_tools"}`:                  "tool_choice.type",
		`"tool_choice": "sometimes"`:                                "tool_choice",
		`"messages": [{"role": "function"}]`:                        "messages[0].role",
		`"messages": [{"role": "user", "weight": 0.5}]`:             "messages[0].weight",
		`"messages": [{"role": "assistant", "audio": {"id": "a"}}]`: "messages[0].audio",
		`"messages": [{"role": "assistant", "function_call": {}}]`:  "messages[0].function_call",
		`"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]`:                                 "messages[0].content[0].file.file_data",
		`"messages": [{"role": "user", "content": [{"type": "video_url"}]}]`:                                                      "messages[0].content[0].type",
		`"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:nothing"}}]}]`:                "messages[0].content[0].image_url.url",
		`"messages": [{"role": "user", "content": [{"type": "text", "text": "t", "cache_control": {"type": "eternal"}}]}]`:        "messages[0].content[0].cache_control.type",
		`"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "not json"}}]}]`:    "messages[0].tool_calls[0].function.arguments",
		`"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[\"array\"]"}}]}]`: "messages[0].tool_calls[0].function.arguments",
		`"model": "twice"`: "model",
	} {
		_, e := Dialect{}.ReadRequest([]byte(`{"model": "m", `+body+`}`), dialect.Target{})
		if e == nil || e.Param != param {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

// TestWhatChatCannotSayIsNamed has what other dialects have words for.
func TestWhatChatCannotSayIsNamed(t *testing.T) {
	image := conversation.Part{Kind: conversation.Image, Media: conversation.Media{URL: "https://example.com"}, At: "there"}
	for name, q := range map[string]*conversation.Request{
		"image of the system": {System: []conversation.Part{image}},
		"linked document": {Turns: []conversation.Turn{{Role: conversation.User, Parts: []conversation.Part{
			{Kind: conversation.Document, Media: conversation.Media{URL: "https://example.com/a.pdf"}, At: "there"}, {Kind: conversation.Text}}}}},
	} {
		if _, e := (Dialect{}).AppendRequest(nil, q); e == nil || e.Param != "there" || e.Code != dialect.CodeUnsupported {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestHintsLeftOut(t *testing.T) {
	q := &conversation.Request{
		TopK:   conversation.Number{Digits: "64", At: "top_k"},
		System: []conversation.Part{{Kind: conversation.Text, Text: "s", Cache: conversation.Hour, At: "system.0"}},
		Tools:  []conversation.Tool{{Name: "f", Cache: conversation.Briefly, At: "tools.0"}},
		Turns: []conversation.Turn{
			{Role: conversation.Assistant, Parts: []conversation.Part{{Kind: conversation.Thought, Text: "t", Seal: "anthropic:x", At: "messages.0.content.0"}}},
			{Role: conversation.User, Parts: []conversation.Part{{Kind: conversation.ToolResult, Result: conversation.Result{Failed: true}, At: "messages.1.content.0"}}},
		},
	}
	if _, e := (Dialect{}).AppendRequest(nil, q); e != nil {
		t.Fatal(e)
	}
	want := "top_k system.0.cache_control messages.0.content.0 messages.1.content.0.is_error tools.0.cache_control"
	if got := strings.Join(q.Left, " "); got != want {
		t.Errorf("left out: %s", got)
	}
}

// TestWhatAgentsSend: calls and results that are turns of their own, as items of
// Responses are, thoughts that stand alone, results with pictures, ids with signatures
// in them, and long names of users.
func TestWhatAgentsSend(t *testing.T) {
	say := func(r conversation.Role, p ...conversation.Part) conversation.Turn {
		return conversation.Turn{Role: r, Parts: p}
	}
	call := func(id string) conversation.Turn {
		return say(conversation.Assistant, conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: id, Name: "f", Arguments: []byte("{}")}})
	}
	result := func(id string, p ...conversation.Part) conversation.Turn {
		return say(conversation.User, conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: id, Parts: p}})
	}
	text := func(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }
	long := "call_r_0-gemini-" + strings.Repeat("s", 4000)
	q := &conversation.Request{Model: "m", User: conversation.Word{Text: strings.Repeat("u", 65), At: "metadata.user_id"}, Turns: []conversation.Turn{
		say(conversation.User, text("a")), say(conversation.User, text("b")),
		say(conversation.Assistant, conversation.Part{Kind: conversation.Thought, Text: "hm", At: "thought"}), say(conversation.Assistant, text("c")), call("1"), call(long),
		result("1", conversation.Part{Kind: conversation.Image, Media: conversation.Media{URL: "https://example.com/a.png"}}), result(long, text("r")),
		say(conversation.User, text("d")), say(conversation.Assistant, conversation.Part{Kind: conversation.Thought, Text: "hm", At: "alone"}),
	}}
	body, e := Dialect{}.AppendRequest(nil, q)
	id := conversation.ShortID(long, maxCallID)
	want := `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},` +
		`{"role":"assistant","content":"c","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"The result is in the message that follows."},{"role":"tool","tool_call_id":"` + id + `","content":"r"},` +
		`{"role":"user","content":[{"type":"text","text":"The result of the tool call 1 has this:"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]},` +
		`{"role":"user","content":"d"}]}`
	if e != nil || string(body) != want || len(id) > maxCallID {
		t.Errorf("%v\n%s\n%s", e, body, want)
	}
	if got := strings.Join(q.Left, " "); got != "thought alone metadata.user_id" {
		t.Errorf("left out: %s", got)
	}
}

// TestCallsCutOff: an answer that came to its cap within a call is an answer.
func TestCallsCutOff(t *testing.T) {
	a, err := Dialect{}.ReadAnswer([]byte(`{"id":"up","choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":"}}]},"finish_reason":"length"}]}`))
	if err != nil || a.Stop != conversation.StopLength || len(a.Parts) != 1 || string(a.Parts[0].Call.Arguments) != `{"a":` || a.Parts[0].Call.ID != "call_up_0" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestEfforts(t *testing.T) {
	for _, x := range []struct {
		r    conversation.Reasoning
		want string
	}{
		{conversation.Reasoning{}, ""},
		{conversation.Reasoning{Kind: conversation.ReasoningByModel}, ""},
		{conversation.Reasoning{Kind: conversation.ReasoningOff}, "none"},
		{conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "low"}, "low"},
		{conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "max"}, "xhigh"},
		{conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 1024}, "low"},
		{conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 8192}, "medium"},
		{conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 8193}, "high"},
	} {
		if got := effort(&x.r); got != x.want {
			t.Errorf("%+v: %q", x.r, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	set := &conversation.Setting{Call: &dialect.Call{Model: "asked"}, ID: "req", Unix: 1_700_000_000}
	body := Dialect{}.AppendAnswer(nil, conversationtest.Talk(), set, conversationtest.Usage())
	golden(t, "answer.json", body)
	a, err := Dialect{}.ReadAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	q := func(a *conversation.Answer) *conversation.Request {
		return &conversation.Request{Turns: []conversation.Turn{{Parts: a.Parts}}}
	}
	if d := conversationtest.Difference(q(conversationtest.Talk()), q(a)); d != "" || a.Stop != conversation.StopTools || a.ID != "id-1" || a.Model != "served" {
		t.Errorf("%s: %+v", d, a)
	}
	// The gateway's own reading of the usage is what was reported.
	var r dialect.Report
	openai.Format{}.ReadAnswer(&r, dialect.Chat, body)
	if r.State != dialect.UsageReported || r.Usage.TotalInput() != 35 || r.Usage.TotalOutput() != 10 || r.Usage[price.CacheRead] != 20 || r.Usage[price.OutputReasoning] != 3 {
		t.Errorf("%+v", r)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{``, `[]`, `{}`, `{"choices":[]}`, `{"error":{"message":"no"}}`, `{"choices":[{"message":{"content":7}}]}`} {
		if a, err := (Dialect{}).ReadAnswer([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for body, want := range map[string]dialect.UpstreamError{
		`{"error":{"message":"m","type":"t","code":"c","param":"p"}}`: {Message: "m", Type: "t", Code: "c", Param: "p"},
		`{"error":{"message":"m","code":429}}`:                        {Message: "m", Code: "429"},
		`{"error":"m"}`:                                               {Message: "m"},
		`nonsense`:                                                    {},
	} {
		if got := (Dialect{}).ReadError([]byte(body)); got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
}
