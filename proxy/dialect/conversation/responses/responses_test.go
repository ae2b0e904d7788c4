package responses

import (
	"bytes"
	"encoding/json"
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

	sdk "github.com/openai/openai-go/v3/responses"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with the file, which -update writes.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, append(bytes.Clone(got), '\n'), 0o644); err != nil {
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

func TestReadRequest(t *testing.T) {
	q, e := Client{}.ReadRequest([]byte(`{
		"model": "m", "stream": true, "instructions": "be brief", "max_output_tokens": 9, "temperature": 0.5, "top_p": 1,
		"parallel_tool_calls": false, "tool_choice": {"type": "function", "name": "f"}, "service_tier": "flex", "safety_identifier": "u",
		"store": false, "background": false, "truncation": "disabled", "include": ["reasoning.encrypted_content"], "top_logprobs": 0,
		"metadata": {"a": "b"}, "prompt_cache_key": "k", "stream_options": {"include_obfuscation": false}, "previous_response_id": null,
		"reasoning": {"effort": "high", "summary": "auto"},
		"text": {"verbosity": "medium", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
		"tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": false}],
		"input": [
			{"role": "developer", "content": "first"},
			{"type": "message", "role": "user", "content": [
				{"type": "input_text", "text": "look"},
				{"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high", "file_id": null},
				{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}]},
			{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "sealed"},
			{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "ok", "annotations": [], "logprobs": []}]},
			{"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
			{"type": "function_call_output", "call_id": "c1", "output": "r"},
			{"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "r2"}]},
			{"type": "reasoning", "summary": [], "encrypted_content": "anthropic:sig"}
		]}`), dialect.Target{})
	if e != nil {
		t.Fatal(e)
	}
	text := func(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }
	result := func(id, s string) conversation.Part {
		return conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: id, Parts: []conversation.Part{text(s)}}}
	}
	want := &conversation.Request{
		Model: "m", Stream: true, MaxOutput: conversation.Number{Digits: "9"}, Temperature: conversation.Number{Digits: "0.5"}, TopP: conversation.Number{Digits: "1"},
		Parallel: conversation.Switch{Set: true}, Choice: conversation.Choice{Kind: conversation.Named, Name: "f"}, Tier: conversation.Word{Text: "flex"}, User: conversation.Word{Text: "u"},
		System:    []conversation.Part{text("be brief"), text("first")},
		Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "high", Shown: true},
		Verbosity: conversation.Word{Text: "medium"},
		Format:    conversation.Format{Kind: conversation.JSONSchema, Name: "n", Schema: []byte(`{"type":"object"}`), Strict: conversation.Switch{Set: true, On: true}},
		Tools:     []conversation.Tool{{Name: "f", Description: "d", Schema: []byte(`{"type":"object"}`), Strict: conversation.Switch{Set: true}}},
		Turns: []conversation.Turn{
			{Role: conversation.User, Parts: []conversation.Part{
				text("look"),
				{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA", Detail: "high"}},
				{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: "BBBB", Name: "a.pdf"}},
			}},
			{Role: conversation.Assistant, Parts: []conversation.Part{
				{Kind: conversation.Thought, Text: "hm", Seal: "responses:sealed"}, text("ok"),
				{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c1", Name: "f", Arguments: []byte(`{"a":1}`)}},
			}},
			{Role: conversation.User, Parts: []conversation.Part{result("c1", "r"), result("c2", "r2")}},
			{Role: conversation.Assistant, Parts: []conversation.Part{{Kind: conversation.Thought, Seal: "anthropic:sig"}}},
		},
	}
	if d := conversationtest.Difference(want, q); d != "" {
		t.Error(d)
	}
	if got := strings.Join(q.Left, " "); got != "metadata prompt_cache_key" {
		t.Errorf("left out: %s", got)
	}
	if q, e = (Client{}).ReadRequest([]byte(`{"model":"m","input":"hello"}`), dialect.Target{}); e != nil || len(q.Turns) != 1 || q.Turns[0].Parts[0].Text != "hello" {
		t.Errorf("%+v %v", q, e)
	}
}

// TestUntranslatableIsNamed has what only OpenAI can do: it is refused by its place.
func TestUntranslatableIsNamed(t *testing.T) {
	for body, param := range map[string]string{
		`"background": true`:                                             "background",
		`"previous_response_id": "resp_1"`:                               "previous_response_id",
		`"conversation": "conv_1"`:                                       "conversation",
		`"prompt": {"id": "p"}`:                                          "prompt",
		`"truncation": "auto"`:                                           "truncation",
		`"top_logprobs": 2`:                                              "top_logprobs",
		`"include": ["web_search_call.results"]`:                         "include[0]",
		`"context_management": [{}]`:                                     "context_management",
		`"moderation": {}`:                                               "moderation",
		`"text": {"format": {"type": "grammar"}}`:                        "text.format.type",
		`"reasoning": {"effort": "enormous"}`:                            "reasoning.effort",
		`"reasoning": {"context": "all_turns"}`:                          "reasoning.context",
		`"tools": [{"type": "web_search"}]`:                              "tools[0].type",
		`"tools": [{"type": "web_search", "external_web_access": true}]`: "tools[0].type",
		`"tools": [{"type": "namespace", "tools": []}]`:                  "tools[0].name",
		`"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "p"}]}]`:                                         "tools[0].tools[0].type",
		`"tools": [{"type": "function", "name": "n__f"}, {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]`: "tools[1].tools[0]",
		`"tools": [{"type": "custom", "name": "p"}]`:                                                                                        "tools[0].type",
		`"tool_choice": {"type": "allowed_tools"}`:                                                                                          "tool_choice.type",
		`"tool_choice": "web"`:                                                                         "tool_choice",
		`"input": [{"type": "item_reference", "id": "msg_1"}]`:                                         "input[0].type",
		`"input": [{"type": "custom_tool_call"}]`:                                                      "input[0].type",
		`"input": [{"role": "critic", "content": "x"}]`:                                                "input[0].role",
		`"input": [{"role": "user", "content": [{"type": "input_audio"}]}]`:                            "input[0].content[0].type",
		`"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]`:            "input[0].content[0].file_id",
		`"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]`:     "input[0].content[0].image_url",
		`"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "not json"}]`:   "input[0].arguments",
		`"input": [{"type": "function_call_output", "call_id": "c", "output": "r", "namespace": "n"}]`: "input[0].namespace",
	} {
		_, e := Client{}.ReadRequest([]byte(`{"model": "m", `+body+`}`), dialect.Target{})
		if e == nil || e.Param != param {
			t.Errorf("%s: %+v", body, e)
		}
	}
}

func setting() *conversation.Setting {
	return &conversation.Setting{Call: &dialect.Call{Model: "asked", MaxOutput: 100}, ID: "req", Unix: 1_700_000_000}
}

func TestAnswers(t *testing.T) {
	sealed := conversationtest.Talk()
	sealed.Parts[0].Seal = "anthropic:sig"
	cut := &conversation.Answer{Parts: []conversation.Part{{Kind: conversation.Refusal, Text: "I can"}}, Stop: conversation.StopLength}
	for file, a := range map[string]*conversation.Answer{"answer.json": sealed, "answer_cut.json": cut} {
		body := Client{}.AppendAnswer(nil, a, setting(), conversationtest.Usage())
		golden(t, file, body)
		var r dialect.Report
		openai.ResponsesFormat{}.ReadAnswer(&r, dialect.Responses, body)
		if r.State != dialect.UsageReported || r.Usage.TotalInput() != 35 || r.Usage.TotalOutput() != 10 || r.Usage[price.CacheRead] != 20 || r.Usage[price.OutputReasoning] != 3 {
			t.Errorf("%s: %+v", file, r)
		}
		var read sdk.Response
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatal(err)
		}
		if len(read.Output) != len(a.Parts) || read.Usage.TotalTokens != 45 {
			t.Errorf("%s: the SDK reads %+v", file, read)
		}
	}
}

// TestWriter writes streams and reads them again with the SDK's types and with the
// gateway's own meter.
func TestWriter(t *testing.T) {
	for _, x := range []struct {
		file   string
		events []conversation.Event
		last   string
	}{
		{"written.txt", conversationtest.Talk().Events(), "response.completed"},
		{"written_cut.txt", (&conversation.Answer{Parts: []conversation.Part{{Kind: conversation.Refusal, Text: "No."}}, Stop: conversation.StopLength}).Events(), "response.incomplete"},
		{"written_failure.txt", conversationtest.Failure(), "response.failed"},
	} {
		w := Client{}.NewWriter()
		var end func([]byte) []byte
		if x.last != "response.failed" {
			end = func(dst []byte) []byte { return w.End(dst, conversationtest.Usage()) }
		}
		stream := conversationtest.Write(w, setting(), x.events, end)
		golden(t, x.file, stream)
		number, last := int64(0), ""
		for _, line := range strings.Split(string(stream), "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			var e sdk.ResponseStreamEventUnion
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			if e.SequenceNumber != number {
				t.Errorf("%s: event %d has the number %d", x.file, number, e.SequenceNumber)
			}
			number, last = number+1, e.Type
		}
		if last != x.last {
			t.Errorf("%s ends with %s", x.file, last)
		}
		m := openai.ResponsesFormat{}.NewMeter()
		m.Reset(&dialect.Call{Endpoint: dialect.Responses, Stream: true})
		if _, err := m.Feed(stream); err != nil {
			t.Fatal(err)
		}
		if r := m.Report(); end != nil && (!r.Done || r.State != dialect.UsageReported) || end == nil && r.Failed == nil {
			t.Errorf("%s: %+v", x.file, r)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":[{"role":"user","content":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, e := Client{}.ReadRequest(body, dialect.Target{})
		if (q == nil) == (e == nil) {
			t.Fatal(q, e)
		}
	})
}

// TestToolsInNamespaces: a function of a namespace has it before its name, and a call
// of it comes back with both apart. What Codex offers beside is left out.
func TestToolsInNamespaces(t *testing.T) {
	q, e := Client{}.ReadRequest([]byte(`{"model": "m", "tools": [
		{"type": "function", "name": "crm__plain"},
		{"type": "namespace", "name": "crm", "description": "customers", "tools": [
			{"type": "function", "name": "get", "description": "one", "parameters": {"type": "object"}, "strict": false}, {"type": "function", "name": "all__of"}]},
		{"type": "web_search", "external_web_access": false}],
		"input": [{"role": "user", "content": "x"}, {"type": "function_call", "call_id": "c", "namespace": "crm", "name": "get", "arguments": "{}"}]}`), dialect.Target{})
	if e != nil {
		t.Fatal(e)
	}
	var names []string
	for _, tool := range q.Tools {
		names = append(names, tool.Name+" "+tool.Description)
	}
	if got := strings.Join(names, ", "); got != "crm__plain , crm__get customers\n\none, crm__all__of " || q.Turns[1].Parts[0].Call.Name != "crm__get" || strings.Join(q.Left, " ") != "tools[2]" {
		t.Errorf("%q %+v, left out %v", got, q.Turns, q.Left)
	}
	a, set := &conversation.Answer{Stop: conversation.StopTools}, setting()
	set.Groups = q.Groups
	for _, tool := range q.Tools {
		a.Parts = append(a.Parts, conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c", Name: tool.Name, Arguments: []byte("{}")}})
	}
	w := Client{}.NewWriter()
	stream := conversationtest.Write(w, set, a.Events(), func(dst []byte) []byte { return w.End(dst, conversationtest.Usage()) })
	for _, told := range []string{string(Client{}.AppendAnswer(nil, a, set, conversationtest.Usage())), string(stream)} {
		for _, want := range []string{`"call_id":"c","name":"crm__plain"`, `"call_id":"c","namespace":"crm","name":"get"`, `"call_id":"c","namespace":"crm","name":"all__of"`} {
			if !strings.Contains(told, want) {
				t.Errorf("%s is not in %s", want, told)
			}
		}
	}
	if !strings.Contains(string(stream), `"arguments":"{}","name":"get"`) {
		t.Errorf("%s", stream)
	}
}
