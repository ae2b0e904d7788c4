package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// fullResponse has every field of openai 7.57's ResponseCreateParams that is
// served, and items as agents send them.
const fullResponse = `{"model":"gpt-5","instructions":"Be brief.","input":[
 {"role":"user","content":"hällo"},
 {"type":"message","role":"developer","content":[{"type":"input_text","text":"a\nb"}]},
 {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yes","annotations":[]},{"type":"refusal","refusal":"no"}]},
 {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"so"}],"encrypted_content":"gAAAAAB"},
 {"type":"function_call","call_id":"call_1","name":"look","arguments":"{\"x\":1}"},
 {"type":"function_call_output","call_id":"call_1","output":"found"},
 {"type":"custom_tool_call","call_id":"call_2","name":"say","input":"hi"},
 {"type":"custom_tool_call_output","call_id":"call_2","output":[{"type":"input_text","text":"said"}]}],
 "tools":[{"type":"function","name":"look","parameters":{"type":"object"}},{"type":"custom","name":"say"},
  {"type":"namespace","name":"crm","description":"d","tools":[{"type":"function","name":"get"}]}],
 "tool_choice":"auto","text":{"format":{"type":"text"}},"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"],
 "max_output_tokens":700,"max_tool_calls":null,"parallel_tool_calls":true,"store":false,"stream":true,"stream_options":{"include_obfuscation":false},
 "service_tier":"flex","truncation":"disabled","temperature":1,"top_p":1,"top_logprobs":0,"metadata":{"team":"search"},"user":"u",
 "prompt_cache_key":"k","safety_identifier":"s","prompt_cache_retention":"24h","background":false,"previous_response_id":null}`

func TestDecodeResponse(t *testing.T) {
	c := mustDecode(t, dialect.Responses, fullResponse)
	if c.Model != "gpt-5" || !c.Stream || c.MaxOutput != 700 || c.Store || c.ServiceTier != "flex" || c.N != 1 || c.User != "u" ||
		c.Messages != 9 || c.Tools != 4 || c.ToolCalls != 2 || c.HiddenContext != "" || len(c.References) != 0 || len(c.Paid) != 0 {
		t.Errorf("%+v", c)
	}
	if c.TokenInputs != int64(len("gAAAAAB")) {
		t.Errorf("sealed text counts as %d tokens", c.TokenInputs)
	}
	for _, text := range []string{"Be brief.", "hällo", "a\nb", "yes", "no", "so", "look", `{"x":1}`, "found", "hi", "said"} {
		if !strings.Contains(allText(c), text) {
			t.Errorf("%q is not counted", text)
		}
	}
	if !reflect.DeepEqual(c.Metadata, []dialect.Field{{Name: "team", Value: "search"}}) {
		t.Errorf("metadata %v", c.Metadata)
	}
	c = mustDecode(t, dialect.Responses, `{"model":"m","input":"x"}`)
	if !c.Store || c.MaxOutput != 0 || c.Messages != 1 || c.TextBytes != 1 {
		t.Errorf("defaults: %+v", c)
	}
}

// allText is what a call's spans stand for, one after another.
func allText(c *dialect.Call) string {
	var b strings.Builder
	for _, x := range c.Texts {
		span := string(c.Raw[x.Start:x.End])
		if x.Kind == dialect.EscapedText {
			if err := json.Unmarshal([]byte(`"`+span+`"`), &span); err != nil {
				panic(err)
			}
		}
		b.WriteString(span + "\x00")
	}
	return b.String()
}

// asking is a Responses body with further members.
func asking(members string) string { return `{"model":"m","input":"x",` + members + `}` }

// item is a Responses body with one item of input.
func item(members string) string { return `{"model":"m","input":[{` + members + `}]}` }

func TestResponseRefusals(t *testing.T) {
	const message = `"role":"user","content":"x"`
	for body, want := range map[string]string{
		`{"input":"x"}`:                                                              "missing_required_parameter model",
		`{"model":"m","input":7}`:                                                    "invalid_type input",
		`{"model":"m","input":[7]}`:                                                  "invalid_type input[0]",
		`{"model":"m","input":"x","input":"y"}`:                                      "ambiguous_field input",
		`{"model":"m","Input":"x"}`:                                                  "ambiguous_field input",
		asking(`"max_output_tokens":0`):                                              "invalid_value max_output_tokens",
		asking(`"max_output_tokens":1.5`):                                            "invalid_type max_output_tokens",
		asking(`"Max_Output_Tokens":1`):                                              "ambiguous_field max_output_tokens",
		asking(`"max_output_tokens":1,"max_output_tokens":2`):                        "ambiguous_field max_output_tokens",
		asking(`"max_tool_calls":-1`):                                                "invalid_value max_tool_calls",
		asking(`"background":true`):                                                  "unsupported_parameter background",
		asking(`"context_management":[{"type":"compaction"}]`):                       "unsupported_parameter context_management",
		asking(`"store":"yes"`):                                                      "invalid_type store",
		asking(`"stream":1`):                                                         "invalid_type stream",
		asking(`"previous_response_id":7`):                                           "invalid_type previous_response_id",
		asking(`"prompt":{"id":"pmpt_1"}`):                                           "cost_not_bounded prompt",
		asking(`"conversation":{"id":"a","id":"b"}`):                                 "ambiguous_field conversation.id",
		asking(`"conversation":{}`):                                                  "missing_required_parameter conversation.id",
		asking(`"tools":{}`):                                                         "invalid_type tools",
		asking(`"tools":[{}]`):                                                       "missing_required_parameter tools[0].type",
		asking(`"tools":[{"type":"function","type":"web_search"}]`):                  "ambiguous_field tools[0].type",
		asking(`"tools":[{"type":"function","Type":"web_search"}]`):                  "ambiguous_field type",
		asking(`"tools":[{"type":"image_generation"}]`):                              "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"function"},{"type":"mcp","server_label":"x"}]`):    "unsupported_parameter tools[1].type",
		asking(`"tools":[{"type":"shell","environment":{"type":"container_auto"}}]`): "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"shell"}]`):                                         "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"tool_search"}]`):                                   "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"web_search_preview"}]`):                            "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"shell","environment":{"type":"local"},"execution":"client"}]`):    "ambiguous_field tools[0]",
		asking(`"tools":[{"type":"shell","environment":{"type":"container_auto","type":"local"}}]`): "ambiguous_field tools[0].environment.type",
		asking(`"tools":[{"type":"anything"}]`):                                                     "unsupported_parameter tools[0].type",
		asking(`"tools":[{"type":"namespace","tools":[{"type":"mcp"}]}]`):                           "unsupported_parameter tools[0].tools[0].type",
		item(`"type":"magic"`):                                                         "unsupported_content input[0].type",
		item(`"type":"message","content":"x"`):                                         "missing_required_parameter input[0].role",
		item(`"role":"king","content":"x"`):                                            "invalid_value input[0].role",
		item(message + `,"Role":"user"`):                                               "ambiguous_field role",
		item(message + `,"content":"y"`):                                               "ambiguous_field input[0].content",
		item(`"type":null,"type":"message",` + message):                                "ambiguous_field input[0].type",
		item(`"type":"item_reference"`):                                                "missing_required_parameter input[0].id",
		item(`"role":"user","content":[7]`):                                            "invalid_type input[0].content[0]",
		item(`"role":"user","content":[{"text":"x"}]`):                                 "missing_required_parameter input[0].content[0].type",
		item(`"role":"user","content":[{"type":"input_audio"}]`):                       "unsupported_content input[0].content[0].type",
		item(`"role":"user","content":[{"type":"input_image","image_url":"ftp://x"}]`): "invalid_value input[0].content[0].image_url",
		item(`"role":"user","content":[{"type":"input_image","detail":"huge"}]`):       "invalid_value input[0].content[0].detail",
		item(`"type":"additional_tools","role":"developer","tools":[{"type":"mcp"}]`):  "unsupported_parameter input[0].tools[0].type",
		`{"model":"m","input":"x"`:                                                     "invalid_json ",
	} {
		var c dialect.Call
		err := Decode(&c, dialect.Responses, []byte(body))
		if err == nil || string(err.Code)+" "+err.Param != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	for _, e := range []dialect.Endpoint{dialect.Compact, dialect.CountTokens} {
		var c dialect.Call
		if err := Decode(&c, e, []byte(asking(`"stream":true`))); err == nil || err.Param != "stream" {
			t.Errorf("endpoint %d streams: %v", e, err)
		}
	}
}

func TestHiddenInput(t *testing.T) {
	for body, want := range map[string]string{
		asking(`"previous_response_id":"resp_1"`):                                                                 "previous_response_id resp_1",
		asking(`"conversation":"conv_1"`):                                                                         "conversation conv_1",
		asking(`"conversation":{"id":"conv_1"}`):                                                                  "conversation.id conv_1",
		asking(`"prompt":{"id":"pmpt_1"},"tools":[]`):                                                             "prompt",
		item(`"type":"item_reference","id":"msg_1"`):                                                              "input[0].id msg_1",
		item(`"id":"msg_1"`):                                                                                      "input[0].id msg_1",
		item(`"type":null,"id":"msg_1"`):                                                                          "input[0].id msg_1",
		item(`"type":"reasoning","id":"rs_1","summary":[]`):                                                       "input[0].id rs_1",
		item(`"type":"reasoning","id":"rs_1","encrypted_content":null`):                                           "input[0].id rs_1",
		item(`"type":"web_search_call","id":"ws_1","status":"completed"`):                                         "input[0]",
		item(`"type":"image_generation_call","id":"ig_1","result":"AAAA"`):                                        "input[0]",
		item(`"role":"user","content":[{"type":"input_file","file_id":"f"}]`):                                     "input[0].content[0]",
		item(`"role":"user","content":[{"type":"input_file","file_url":"https://x/y.pdf"}]`):                      "input[0].content[0]",
		item(`"role":"user","content":[{"type":"input_image","file_id":"f"}]`):                                    "input[0].content[0]",
		item(`"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_data":"x"}]`):      "input[0].output[0]",
		item(`"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","file_id":"f"}`): "input[0].output[0]",
		asking(`"tools":[{"type":"computer"}]`):                                                                   "tools[0]",
		asking(`"tools":[{"type":"shell","environment":{"type":"local"}}]`):                                       "tools[0]",
		asking(`"tools":[{"type":"tool_search","execution":"client"}]`):                                           "tools[0]",
		asking(`"tools":[{"type":"function","name":"f"}]`):                                                        "",
	} {
		c := mustDecode(t, dialect.Responses, body)
		got := c.HiddenContext
		for _, r := range c.References {
			got += " " + r.ID
			if r.Param != c.HiddenContext {
				t.Errorf("%s: the reference stands at %s", body, r.Param)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestImagesOfAResponse(t *testing.T) {
	c := mustDecode(t, dialect.Responses, item(`"role":"user","content":[{"type":"input_image","detail":"low","image_url":"https://x/y.png"},`+
		`{"type":"input_image","image_url":"data:image/png;base64,AAAA"},{"type":"input_image","image_url":null}]`))
	want := []dialect.Image{{Detail: dialect.DetailLow, Link: true}, {Bytes: 4}}
	if !reflect.DeepEqual(c.Images, want) {
		t.Errorf("%+v", c.Images)
	}
	c = mustDecode(t, dialect.Responses, item(`"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAA"}`))
	if !reflect.DeepEqual(c.Images, want[1:]) {
		t.Errorf("a screenshot: %+v", c.Images)
	}
}

func TestPaidTools(t *testing.T) {
	c := mustDecode(t, dialect.Responses, asking(`"max_tool_calls":3,"tools":[{"type":"web_search"},{"type":"function","name":"f"},{"type":"file_search","vector_store_ids":["vs"]},{"type":"code_interpreter","container":{"type":"auto"}}]`))
	want := []dialect.PaidTool{{Meter: price.WebSearch, Param: "tools[0].type"}, {Meter: price.FileSearch, Param: "tools[2].type"}, {Meter: price.CodeExec, Param: "tools[3].type"}}
	if !reflect.DeepEqual(c.Paid, want) || c.MaxCalls != 3 || c.HiddenContext != "tools[0]" {
		t.Errorf("%+v", c)
	}
	if c = mustDecode(t, dialect.Responses, asking(`"max_tool_calls":0`)); !c.NoCalls {
		t.Error("a limit of none is not seen")
	}
	if ok, _ := Cacheable(mustDecode(t, dialect.Responses, asking(`"store":false,"tools":[{"type":"web_search"}]`))); ok {
		t.Error("what is looked up would be kept")
	}
	if ok, why := Cacheable(mustDecode(t, dialect.Responses, asking(`"store":false`))); !ok {
		t.Error(why)
	}
	if ok, _ := Cacheable(mustDecode(t, dialect.Responses, `{"model":"m","input":"x"}`)); ok {
		t.Error("what the provider keeps by itself would be kept here too")
	}
}

// TestEveryTextOfAnItemCounts: whatever the kind of an item and whatever its
// members, their texts are counted, or the item is named as hiding some.
func TestEveryTextOfAnItemCounts(t *testing.T) {
	kinds := []string{"function_call", "computer_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
		"apply_patch_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "program", "program_output",
		"tool_search_call", "configuration_update", "compaction_trigger", "function_call_output", "custom_tool_call_output", "message"}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zü"\\]{3,20}`).Draw(t, "text")
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		holder := rapid.SampledFrom([]string{`"x":%s`, `"x":{"y":[%s]}`, `"summary":[{"type":"summary_text","text":%s}]`, `"output":%s`, `"content":%s`,
			`"content":[{"type":"input_text","text":%s}]`, `"output":[{"type":"input_text","text":%s}]`, `"action":{"command":[%s]}`}).Draw(t, "holder")
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		members := []string{fmt.Sprintf(holder, quoted), `"type":"` + kind + `"`, `"role":"user"`}
		body := item(strings.Join(rapid.Permutation(members).Draw(t, "order"), ","))
		var c dialect.Call
		if err := Decode(&c, dialect.Responses, []byte(body)); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if c.HiddenContext == "" && !strings.Contains(allText(&c), text+"\x00") {
			t.Fatalf("%s: %q is not counted in %q", body, text, allText(&c))
		}
	})
}

func TestDecodeCompletions(t *testing.T) {
	for body, want := range map[string][4]int64{ // answers, text bytes, tokens, cap
		`{"model":"m","prompt":"héllo"}`:                           {1, 6, 0, 0},
		`{"model":"m","prompt":["a","bc"],"n":3,"max_tokens":9}`:   {6, 3, 0, 9},
		`{"model":"m","prompt":[1,2,3],"echo":true,"logprobs":2}`:  {1, 0, 3, 0},
		`{"model":"m","n":2,"prompt":[[1,2],[3]],"suffix":"s"}`:    {4, 0, 3, 0},
		`{"model":"m","prompt":null,"stream":true,"best_of":null}`: {1, 0, 0, 0},
	} {
		c := mustDecode(t, dialect.Completions, body)
		if got := [4]int64{c.N, c.TextBytes, c.TokenInputs, c.MaxOutput}; got != want || c.UsualOutput != 16 {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"model":"m"}`:                                  "missing_required_parameter prompt",
		`{"prompt":"x"}`:                                 "missing_required_parameter model",
		`{"model":"m","prompt":"x","best_of":2}`:         "unsupported_parameter best_of",
		`{"model":"m","prompt":"x","Best_Of":2}`:         "ambiguous_field best_of",
		`{"model":"m","prompt":"x","n":0}`:               "invalid_value n",
		`{"model":"m","prompt":"x","max_tokens":0}`:      "invalid_value max_tokens",
		`{"model":"m","prompt":[]}`:                      "invalid_value prompt",
		`{"model":"m","prompt":{}}`:                      "invalid_type prompt",
		`{"model":"m","prompt":["a",1]}`:                 "invalid_type prompt[1]",
		`{"model":"m","prompt":"x","prompt":"y"}`:        "ambiguous_field prompt",
		`{"model":"m","prompt":"x","stream_options":{}}`: "invalid_value stream_options",
	} {
		var c dialect.Call
		err := Decode(&c, dialect.Completions, []byte(body))
		if err == nil || string(err.Code)+" "+err.Param != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	for body, want := range map[string]string{`{"input":"x"}`: "omni-moderation-latest", `{"model":"text-moderation-stable","input":["x"]}`: "text-moderation-stable"} {
		if c := mustDecode(t, dialect.Moderations, body); c.Model != want {
			t.Errorf("%s: %s", body, c.Model)
		}
	}
}

// FuzzDecodeResponse: no body makes the decoder fail otherwise than by an error,
// and what it takes is JSON with its spans in place.
func FuzzDecodeResponse(f *testing.F) {
	kinds := [...]dialect.Endpoint{dialect.Responses, dialect.Compact, dialect.CountTokens, dialect.Completions, dialect.Moderations}
	f.Add([]byte(fullResponse), uint8(0))
	f.Add([]byte(asking(`"tools":[{"type":"shell","environment":{"type":"local"}},{"type":"web_search"}],"max_tool_calls":null`)), uint8(0))
	f.Add([]byte(item(`"id":"msg_1"`)), uint8(2))
	f.Add([]byte(`{"model":"m","prompt":[[1],[2]],"n":2,"stream":true}`), uint8(3))
	f.Add([]byte(`{"input":"x"}`), uint8(4))
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		e := kinds[int(kind)%len(kinds)]
		var c dialect.Call
		if err := Decode(&c, e, body); err != nil {
			if err.Code == "" || err.Message == "" || err.Status != 400 {
				t.Fatalf("%+v", err)
			}
			return
		}
		if !json.Valid(body) || c.Model == "" || c.N < 1 {
			t.Fatalf("%q gave %+v", body, c)
		}
		for _, x := range c.Texts {
			if x.Start >= x.End || x.End > len(body) {
				t.Fatalf("span %+v of %d bytes", x, len(body))
			}
		}
		out := AppendUpstream(nil, &c, dialect.Change{Model: "up", MaxOutput: 7, MaxCalls: 3, IncludeUsage: true})
		if !json.Valid(out) {
			t.Fatalf("%q rewritten to %q", body, out)
		}
		_, _ = AppendCanonical(nil, &c)
	})
}
