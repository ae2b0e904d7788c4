package openai

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"purser/proxy/dialect"

	"pgregory.net/rapid"
)

func mustDecode(t testing.TB, e dialect.Endpoint, body string) *dialect.Call {
	t.Helper()
	c := new(dialect.Call)
	if err := Decode(c, e, []byte(body)); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return c
}

const fullBody = `{
  "model": "gpt-4o",
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "name": "ann", "content": [
      {"type": "text", "text": "What is \"this\"?"},
      {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
    ]},
    {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
      {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"x\":1}"}}
    ]},
    {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
  ],
  "n": 2, "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false},
  "max_completion_tokens": 77, "service_tier": "flex", "user": "u-1", "store": false,
  "metadata": {"team": "red", "count": 3},
  "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
  "temperature": 0.2, "modalities": ["text"], "response_format": {"type": "json_object"}
}`

func TestDecodeChat(t *testing.T) {
	c := mustDecode(t, dialect.Chat, fullBody)
	got := fmt.Sprintf("%s stream=%v usage=%v max=%d n=%d messages=%d names=%d tools=%d calls=%d tier=%s user=%s store=%v metadata=%v hidden=%q",
		c.Model, c.Stream, c.IncludeUsage, c.MaxOutput, c.N, c.Messages, c.Names, c.Tools, c.ToolCalls, c.ServiceTier, c.User, c.Store, c.Metadata, c.HiddenContext)
	want := `gpt-4o stream=true usage=true max=77 n=2 messages=4 names=1 tools=1 calls=1 tier=flex user=u-1 store=false metadata=[{team red}] hidden=""`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(c.Images) != 1 || c.Images[0] != (dialect.Image{Detail: dialect.DetailLow, Link: true}) {
		t.Errorf("images %+v", c.Images)
	}
	for _, text := range []string{"Be brief.", `What is \"this\"?`, "ann", `{\"x\":1}`, "look", "seen", `{"type": "json_object"}`} {
		found := false
		for _, x := range c.Texts {
			found = found || string(c.Raw[x.Start:x.End]) == text
		}
		if !found {
			t.Errorf("%s is not counted into the prompt", text)
		}
	}
}

// TestDefaults: a call decoded into again has nothing left of the one before.
func TestDefaults(t *testing.T) {
	c := mustDecode(t, dialect.Chat, fullBody)
	if err := Decode(c, dialect.Chat, []byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"n":null,"max_tokens":null,"stream":null,"user":null,"metadata":null,"tools":null,"modalities":null,"audio":null,"prediction":null,"service_tier":null}`)); err != nil {
		t.Fatal(err)
	}
	if c.N != 1 || c.MaxOutput != 0 || c.Stream || c.IncludeUsage || c.Tools != 0 || len(c.Images) != 0 || len(c.Metadata) != 0 ||
		c.TextBytes != 2 || len(c.Texts) != 1 || c.PredictionBytes != 0 || !c.Sites.StreamOptions.Empty() {
		t.Errorf("%+v", c)
	}
}

// TestABodyCutAnywhereIsRefused, also before the value of any field.
func TestABodyCutAnywhereIsRefused(t *testing.T) {
	c := new(dialect.Call)
	for _, body := range []string{fullBody, `{"prediction":{"type":"content","content":"x"},"metadata":null,"stream_options":null}`} {
		for n := range body {
			if err := Decode(c, dialect.Chat, []byte(body[:n])); err == nil || err.Code != dialect.CodeInvalidJSON && err.Code != dialect.CodeInvalidType {
				t.Fatalf("%s: %v", body[:n], err)
			}
		}
	}
}

func user(content string) string {
	return `{"model":"m","messages":[{"role":"user","content":` + content + `}]}`
}

func with(members string) string {
	return `{"model":"m","messages":[{"role":"user","content":"x"}],` + members + `}`
}

func TestDecodeRefuses(t *testing.T) {
	many := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	for _, x := range []struct {
		body  string
		code  dialect.Code
		param string
	}{
		{``, dialect.CodeInvalidJSON, ""},
		{`{`, dialect.CodeInvalidJSON, ""},
		{`{}x`, dialect.CodeInvalidJSON, ""},
		{"{\"model\":\"\xff\"}", dialect.CodeInvalidJSON, ""},
		{user(`"x"`) + "garbage", dialect.CodeInvalidJSON, ""},
		{with(`"x":` + strings.Repeat("[", 200)), dialect.CodeInvalidJSON, ""},
		{`[]`, dialect.CodeInvalidType, "body"},
		{`"x"`, dialect.CodeInvalidType, "body"},
		{`{}`, dialect.CodeMissingField, "model"},
		{`{"model":"m"}`, dialect.CodeMissingField, "messages"},
		{`{"messages":[{"role":"user","content":"x"}]}`, dialect.CodeMissingField, "model"},
		{with(`"model":"other"`), dialect.CodeAmbiguous, "model"},
		{with(`"mod\u0065l":"other"`), dialect.CodeAmbiguous, "model"},
		{with(`"Model":"other"`), dialect.CodeAmbiguous, "model"},
		{with(`"meſſages":[]`), dialect.CodeAmbiguous, "messages"},
		{with(`"maX_toKens":1`), dialect.CodeAmbiguous, "max_tokens"},
		{with(`"max_to\u212aens":1`), dialect.CodeAmbiguous, "max_tokens"},
		{with(`"N":9`), dialect.CodeAmbiguous, "n"},
		{with(`"n":1,"n":2`), dialect.CodeAmbiguous, "n"},
		{with(`"max_tokens":1,"max_completion_tokens":2`), dialect.CodeAmbiguous, "max_completion_tokens"},
		{with(`"max_tokens":1,"max_tokens":1`), dialect.CodeAmbiguous, "max_tokens"},
		{with(`"stream":true,"stream":false`), dialect.CodeAmbiguous, "stream"},
		{with(`"stream":true,"stream_options":{"include_usage":true,"include_usage":false}`), dialect.CodeAmbiguous, "stream_options.include_usage"},
		{with(`"stream":true,"stream_options":{"Include_usage":true}`), dialect.CodeAmbiguous, "include_usage"},
		{`{"model":7,"messages":[]}`, dialect.CodeInvalidType, "model"},
		{`{"model":null,"messages":[]}`, dialect.CodeInvalidType, "model"},
		{`{"model":"","messages":[]}`, dialect.CodeInvalidValue, "model"},
		{`{"model":"` + strings.Repeat("m", MaxModel+1) + `"}`, dialect.CodeLimit, "model"},
		{with(`"n":0`), dialect.CodeInvalidValue, "n"},
		{with(`"n":-1`), dialect.CodeInvalidValue, "n"},
		{with(`"n":129`), dialect.CodeInvalidValue, "n"},
		{with(`"n":"2"`), dialect.CodeInvalidType, "n"},
		{with(`"n":1.5`), dialect.CodeInvalidType, "n"},
		{with(`"n":1e2`), dialect.CodeInvalidType, "n"},
		{with(`"max_tokens":0`), dialect.CodeInvalidValue, "max_tokens"},
		{with(`"max_tokens":-5`), dialect.CodeInvalidValue, "max_tokens"},
		{with(`"max_tokens":99999999999999999999999`), dialect.CodeInvalidType, "max_tokens"},
		{with(`"max_tokens":999999999999`), dialect.CodeInvalidValue, "max_tokens"},
		{with(`"max_completion_tokens":"5"`), dialect.CodeInvalidType, "max_completion_tokens"},
		{with(`"best_of":5`), dialect.CodeUnsupported, "best_of"},
		{with(`"web_search_options":{}`), dialect.CodeUnsupported, "web_search_options"},
		{with(`"audio":{"voice":"x"}`), dialect.CodeUnsupported, "audio"},
		{with(`"modalities":["text","audio"]`), dialect.CodeUnsupported, "modalities"},
		{with(`"modalities":[1]`), dialect.CodeInvalidType, "modalities"},
		{with(`"stream":"yes"`), dialect.CodeInvalidType, "stream"},
		{with(`"stream_options":{}`), dialect.CodeInvalidValue, "stream_options"},
		{with(`"stream":true,"stream_options":7`), dialect.CodeInvalidType, "stream_options"},
		{with(`"tools":{}`), dialect.CodeInvalidType, "tools"},
		{with(`"tools":[1]`), dialect.CodeInvalidType, "tools"},
		{with(`"tools":[{}]`), dialect.CodeMissingField, "tools[0].type"},
		{with(`"tools":[{"type":"function"},{"type":"web_search"}]`), dialect.CodeUnsupported, "tools[1].type"},
		{with(`"tools":[{"type":"function","type":"web_search"}]`), dialect.CodeAmbiguous, "tools[0].type"},
		{with(`"tools":[{"type":"function","Type":"web_search"}]`), dialect.CodeAmbiguous, "type"},
		{with(`"tools":[` + many(MaxTools+1, `{"type":"function"}`) + `]`), dialect.CodeLimit, "tools"},
		{with(`"user":7`), dialect.CodeInvalidType, "user"},
		{with(`"user":"` + strings.Repeat("u", MaxUser+1) + `"`), dialect.CodeLimit, "user"},
		{with(`"metadata":[]`), dialect.CodeInvalidType, "metadata"},
		{with(`"metadata":{` + many(MaxMetadata+1, `"a":"b"`) + `}`), dialect.CodeLimit, "metadata"},
		{`{"model":"m","messages":{}}`, dialect.CodeInvalidType, "messages"},
		{`{"model":"m","messages":[]}`, dialect.CodeInvalidValue, "messages"},
		{`{"model":"m","messages":["x"]}`, dialect.CodeInvalidType, "messages[0]"},
		{`{"model":"m","messages":[{"role":"user"},{"content":"x"}]}`, dialect.CodeMissingField, "messages[1].role"},
		{`{"model":"m","messages":[{"role":"king"}]}`, dialect.CodeInvalidValue, "messages[0].role"},
		{`{"model":"m","messages":[{"role":1}]}`, dialect.CodeInvalidType, "messages[0].role"},
		{`{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}`, dialect.CodeAmbiguous, "messages[0].content"},
		{`{"model":"m","messages":[{"role":"user","Content":[]}]}`, dialect.CodeAmbiguous, "content"},
		{`{"model":"m","messages":[{"role":"assistant","tool_calls":{}}]}`, dialect.CodeInvalidType, "messages[0].tool_calls"},
		{`{"model":"m","messages":[` + many(MaxMessages+1, `{"role":"user"}`) + `]}`, dialect.CodeLimit, "messages"},
		{user(`7`), dialect.CodeInvalidType, "messages[0].content"},
		{user(`["x"]`), dialect.CodeInvalidType, "messages[0].content[0]"},
		{user(`[{}]`), dialect.CodeMissingField, "messages[0].content[0].type"},
		{user(`[{"type":"text"}]`), dialect.CodeMissingField, "messages[0].content[0].text"},
		{user(`[{"type":"text","text":7}]`), dialect.CodeInvalidType, "messages[0].content[0].text"},
		{user(`[{"type":"video_url"}]`), dialect.CodeUnsupportedPart, "messages[0].content[0].type"},
		{user(`[{"type":"text","text":"a"},{"type":"input_audio","input_audio":{"data":"","format":"wav"}}]`), dialect.CodeUnsupportedPart, "messages[0].content[1]"},
		{user(`[{"type":"image_url"}]`), dialect.CodeMissingField, "messages[0].content[0].image_url"},
		{user(`[{"type":"image_url","image_url":"https://x"}]`), dialect.CodeInvalidType, "messages[0].content[0].image_url"},
		{user(`[{"type":"image_url","image_url":{}}]`), dialect.CodeMissingField, "messages[0].content[0].image_url.url"},
		{user(`[{"type":"image_url","image_url":{"url":7}}]`), dialect.CodeInvalidType, "messages[0].content[0].image_url.url"},
		{user(`[{"type":"image_url","image_url":{"url":"ftp://x"}}]`), dialect.CodeInvalidValue, "messages[0].content[0].image_url.url"},
		{user(`[{"type":"image_url","image_url":{"url":"data:image/png,xx"}}]`), dialect.CodeInvalidValue, "messages[0].content[0].image_url.url"},
		{user(`[{"type":"image_url","image_url":{"url":"https://a","url":"https://b"}}]`), dialect.CodeAmbiguous, "messages[0].content[0].image_url.url"},
		{user(`[{"type":"image_url","image_url":{"url":"https://a","detail":"ultra"}}]`), dialect.CodeInvalidValue, "messages[0].content[0].image_url.detail"},
		{user(`[{"type":"image_url","image_url":{"url":"https://a","detail":"low","Detail":"high"}}]`), dialect.CodeAmbiguous, "detail"},
	} {
		var c dialect.Call
		err := Decode(&c, dialect.Chat, []byte(x.body))
		if err == nil || err.Code != x.code || err.Param != x.param || err.Status != 400 || err.Message == "" {
			t.Errorf("%.120s:\n got %+v\nwant %s of %q", x.body, err, x.code, x.param)
		}
	}
}

func TestHiddenContext(t *testing.T) {
	for body, want := range map[string]string{
		user(`[{"type":"file","file":{"file_id":"file-1"}}]`):                        "messages[0].content[0].file",
		user(`[{"type":"file","file":{"file_data":"data:...","filename":"a.pdf"}}]`): "messages[0].content[0].file",
		`{"model":"m","messages":[{"role":"assistant","audio":{"id":"a"}}]}`:         "messages[0].audio",
		with(`"previous_response_id":"r"`):                                           "previous_response_id",
		with(`"conversation":null`):                                                  "",
	} {
		if c := mustDecode(t, dialect.Chat, body); c.HiddenContext != want {
			t.Errorf("%s: %q, want %q", body, c.HiddenContext, want)
		}
	}
}

func TestImagesInTheRequest(t *testing.T) {
	gif := "data:image/gif;base64," + base64.StdEncoding.EncodeToString([]byte("GIF89a\x40\x01\xf0\x00\x00\x00"))
	slashed := "data:image\\/gif;base64," + strings.ReplaceAll(strings.TrimPrefix(gif, "data:image/gif;base64,"), "/", `\/`)
	for url, want := range map[string]dialect.Image{
		gif:                                {Width: 320, Height: 240, Bytes: len(gif) - len("data:image/gif;base64,")},
		slashed:                            {Width: 320, Height: 240, Bytes: len(gif) - len("data:image/gif;base64,")},
		"data:image/png;base64,AAAA":       {Bytes: 4},
		"data:image/png;charset=x;base64,": {},
		"HTTPS://EXAMPLE.COM/x":            {Link: true},
	} {
		c := mustDecode(t, dialect.Chat, user(`[{"type":"image_url","image_url":{"url":"`+url+`"}}]`))
		if len(c.Images) != 1 || c.Images[0] != want {
			t.Errorf("%s: %+v, want %+v", url, c.Images, want)
		}
	}
}

// TestTextIsCountedWhole: whatever strings a message holds, the bytes counted
// are at least theirs.
func TestTextIsCountedWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, name, extra := rapid.String().Draw(t, "text"), rapid.String().Draw(t, "name"), rapid.String().Draw(t, "extra")
		body, err := json.Marshal(map[string]any{"model": "m", "messages": []any{map[string]any{
			"role": "assistant", "name": name, "reasoning_content": extra, "content": []any{map[string]any{"type": "text", "text": text}},
		}}, "some_extension": extra})
		if err != nil {
			t.Fatal(err)
		}
		var c dialect.Call
		if refusal := Decode(&c, dialect.Chat, body); refusal != nil {
			t.Fatal(refusal)
		}
		if least := int64(len(text) + len(name) + 2*len(extra)); c.TextBytes+c.ToolBytes < least {
			t.Fatalf("%d and %d bytes counted of %d", c.TextBytes, c.ToolBytes, least)
		}
	})
}

func TestDecodeEmbeddings(t *testing.T) {
	for body, want := range map[string][3]int64{ // inputs, text bytes, tokens
		`{"model":"e","input":"héllo"}`:                                         {1, 6, 0},
		`{"model":"e","input":["a","bc"],"dimensions":8,"encoding_format":"x"}`: {2, 3, 0},
		`{"model":"e","input":[1,2,3],"user":"u"}`:                              {1, 0, 3},
		`{"model":"e","input":[[1,2],[3]]}`:                                     {2, 0, 3},
	} {
		c := mustDecode(t, dialect.Embeddings, body)
		if got := [3]int64{int64(c.Messages), c.TextBytes, c.TokenInputs}; got != want || c.Model != "e" {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	for body, want := range map[string]string{
		`{"model":"e"}`:                         "missing_required_parameter input",
		`{"input":"x"}`:                         "missing_required_parameter model",
		`{"model":"e","input":7}`:               "invalid_type input",
		`{"model":"e","input":null}`:            "invalid_type input",
		`{"model":"e","input":[]}`:              "invalid_value input",
		`{"model":"e","input":[[]]}`:            "invalid_value input[0]",
		`{"model":"e","input":["a",1]}`:         "invalid_type input[1]",
		`{"model":"e","input":[1.5]}`:           "invalid_value input",
		`{"model":"e","input":[["a"]]}`:         "invalid_type input",
		`{"model":"e","input":[{}]}`:            "invalid_type input[0]",
		`{"model":"e","input":"a","input":"b"}`: "ambiguous_field input",
		`{"model":"e","Input":"a"}`:             "ambiguous_field input",
		`{"model":"e","input":["a",]}`:          "invalid_json ",
		`{"model":"e","input":[` + strings.Repeat(`"",`, MaxInputs) + `""]}`: "limit_exceeded input",
	} {
		var c dialect.Call
		err := Decode(&c, dialect.Embeddings, []byte(body))
		if err == nil || string(err.Code)+" "+err.Param != want {
			t.Errorf("%.80s: %v, want %s", body, err, want)
		}
	}
}

// FuzzDecode: no body makes the decoder fail otherwise than by an error, and
// what it takes is JSON with its spans in place.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(fullBody), false)
	f.Add([]byte(`{"model":"e","input":[[1,2],[3]]}`), true)
	f.Add([]byte(user(`[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AAQ"}}]`)), false)
	f.Fuzz(func(t *testing.T, body []byte, embed bool) {
		e := dialect.Chat
		if embed {
			e = dialect.Embeddings
		}
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
		out := AppendUpstream(nil, &c, dialect.Change{Model: "up", MaxOutput: 7, IncludeUsage: true})
		if !json.Valid(out) {
			t.Fatalf("%q rewritten to %q", body, out)
		}
		_, _ = AppendCanonical(nil, &c)
	})
}
