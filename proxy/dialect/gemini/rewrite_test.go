package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"

	"pgregory.net/rapid"
)

func TestAppendUpstream(t *testing.T) {
	for _, x := range []struct{ operation, body, want string }{
		{Generate, `{` + hello + `}`, `{` + hello + `,"generationConfig":{"maxOutputTokens":9}}`},
		{Generate, ` {` + hello + ` } `, ` {` + hello + ` ,"generationConfig":{"maxOutputTokens":9}} `},
		{Generate, with(`"generationConfig":{}`), with(`"generationConfig":{"maxOutputTokens":9}`)},
		{Generate, with(`"generation_config": { "top_p":1 }`), with(`"generation_config": {"maxOutputTokens":9, "top_p":1 }`)},
		{Generate, with(`"generationConfig":null`), with(`"generationConfig":{"maxOutputTokens":9}`)},
		{Generate, with(`"generationConfig":{"maxOutputTokens":null}`), with(`"generationConfig":{"maxOutputTokens":9}`)},
		{Generate, with(`"generationConfig":{"max_output_tokens": 50 }`), with(`"generationConfig":{"max_output_tokens": 9 }`)},
		{Generate, with(`"generationConfig":{"maxOutputTokens":9}`), with(`"generationConfig":{"maxOutputTokens":9}`)},
		{Generate, with(`"model":"models/gemini-2.5-flash","generationConfig":{}`), with(`"model":"models/up\"stream","generationConfig":{"maxOutputTokens":9}`)},
		{Stream, with(`"generationConfig":{},"model":"gemini-2.5-flash"`), with(`"generationConfig":{"maxOutputTokens":9},"model":"up\"stream"`)},
		{EmbedBatch, `{"requests":[{"model":"models/gemini-2.5-flash","content":{"parts":[]}},{"content":{"parts":[]},"model":"gemini-2.5-flash"}]}`, `{"requests":[{"model":"models/up\"stream","content":{"parts":[]}},{"content":{"parts":[]},"model":"up\"stream"}]}`},
		{Count, `{"generateContentRequest":{"model":"models/gemini-2.5-flash"}}`, `{"generateContentRequest":{"model":"models/up\"stream"}}`},
		{Embed, `{"content":{"parts":[]}}`, `{"content":{"parts":[]}}`},
	} {
		c := mustDecode(t, x.operation, x.body)
		if got := string(AppendUpstream([]byte("+"), c, dialect.Change{Model: `up"stream`, MaxOutput: 9, CapField: "max_tokens", IncludeUsage: true})); got != "+"+x.want {
			t.Errorf("%s\n got %s\nwant +%s", x.body, got, x.want)
		}
		if got := string(AppendUpstream(nil, c, dialect.Change{})); got != x.body {
			t.Errorf("without a change %s\nbecame %s", x.body, got)
		}
	}
}

func TestPath(t *testing.T) {
	for _, x := range []struct{ operation, model, want string }{
		{Generate, "gemini-2.5-flash", "/models/gemini-2.5-flash:generateContent"},
		{Stream, "a/b c?d", "/models/a%2Fb%20c%3Fd:streamGenerateContent?alt=sse"},
		{Count, "m:thinking", "/models/m:thinking:countTokens"},
		{EmbedBatch, "e", "/models/e:batchEmbedContents"},
	} {
		c := dialect.Call{Operation: x.operation, Stream: x.operation == Stream}
		if got := (Format{}).Path(&c, x.model); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}

// anyBody draws a valid body of generateContent.
func anyBody(t *rapid.T) []byte {
	text := rapid.StringMatching(`[a-zé\\"\n]{0,12}`)
	config := map[string]any{}
	name := func(camel, snake string) string {
		if rapid.Bool().Draw(t, "snake") {
			return snake
		}
		return camel
	}
	if rapid.Bool().Draw(t, "cap") {
		config[name("maxOutputTokens", "max_output_tokens")] = rapid.SampledFrom([]any{1, 77, 9000, nil}).Draw(t, "tokens")
	}
	if rapid.Bool().Draw(t, "sampling") {
		config["temperature"], config[name("topP", "top_p")] = 0.5, 1e-1
	}
	var contents []any
	for range rapid.IntRange(1, 3).Draw(t, "contents") {
		contents = append(contents, map[string]any{"role": "user", "parts": []any{
			map[string]any{"text": text.Draw(t, "text")}, map[string]any{"functionCall": map[string]any{"name": "f", "args": map[string]any{text.Draw(t, "key"): 1}}},
		}})
	}
	body := map[string]any{"contents": contents}
	switch rapid.IntRange(0, 3).Draw(t, "config") {
	case 0:
		body["generationConfig"] = nil
	case 1, 2:
		body[name("generationConfig", "generation_config")] = config
	}
	if rapid.Bool().Draw(t, "model") {
		body["model"] = "models/gemini-2.5-flash"
	}
	if rapid.Bool().Draw(t, "more") {
		body[name("systemInstruction", "system_instruction")] = map[string]any{"parts": map[string]any{"text": text.Draw(t, "system")}}
		body["novel"] = []any{text.Draw(t, "novel"), nil, true}
	}
	raw, err := json.MarshalIndent(body, rapid.SampledFrom([]string{"", " "}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "\t"}).Draw(t, "indent"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestOnlyWhatIsSetChanges: beside encoding/json, the body that goes upstream is
// the client's but for the cap and the model's name.
func TestOnlyWhatIsSetChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := anyBody(t)
		var c dialect.Call
		if e := Decode(&c, target(Generate), body); e != nil {
			t.Fatalf("%v in %s", e, body)
		}
		out := AppendUpstream(nil, &c, dialect.Change{Model: "other", MaxOutput: 500})
		var was, is map[string]any
		if err := json.Unmarshal(body, &was); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		config := func(m map[string]any) map[string]any {
			for _, name := range []string{"generationConfig", "generation_config"} {
				if v, ok := m[name]; ok {
					delete(m, name)
					if v, ok := v.(map[string]any); ok {
						return v
					}
				}
			}
			return map[string]any{}
		}
		a, b := config(was), config(is)
		if caps := fmt.Sprint(b["maxOutputTokens"], b["max_output_tokens"]); strings.Count(caps, "500") != 1 {
			t.Fatalf("caps %s in %s", caps, out)
		}
		for _, m := range []map[string]any{a, b} {
			delete(m, "maxOutputTokens")
			delete(m, "max_output_tokens")
		}
		if was["model"] != nil {
			was["model"] = "models/other"
		}
		if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(was, is) {
			t.Fatalf("%s\nbecame %s", body, out)
		}
		if same := AppendUpstream(nil, &c, dialect.Change{Model: c.Model, MaxOutput: c.MaxOutput}); !bytes.Equal(same, body) {
			t.Fatalf("%s\nbecame %s", body, same)
		}
	})
}

func TestCanonicalForm(t *testing.T) {
	form := func(operation, body string) string {
		got, err := AppendCanonical(nil, mustDecode(t, operation, body))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	base := form(Generate, `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":1}}`)
	if base != `gemini.1 generateContent {"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":1}}` {
		t.Errorf("%s", base)
	}
	for _, same := range []string{
		`{ "generationConfig":{"temperature":1.0},"contents":[{"parts":[{"text":"\u0078"}]}],"store":false,"labels":{"a":"b"}}`,
	} {
		for _, operation := range []string{Generate, Stream} {
			if got := form(operation, same); got != base {
				t.Errorf("differs: %s", got)
			}
		}
	}
	if got := form(Count, `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":1}}`); got == base {
		t.Error("a count is taken for an answer")
	}
	if _, err := AppendCanonical(nil, mustDecode(t, Generate, with(`"x":{"a":1,"a":2}`))); err == nil {
		t.Error("a key given twice has a canonical form")
	}
	for body, want := range map[string]bool{
		`{` + hello + `}`:                             true,
		with(`"store":true`):                          false,
		with(`"cachedContent":"c"`):                   false,
		parts(`{"fileData":{"fileUri":"https://x"}}`): false,
		parts(`{"inlineData":{"mimeType":"image/png","data":"` + pngBase64 + `"}}`): true,
	} {
		if ok, why := Cacheable(mustDecode(t, Generate, body)); ok != want || ok == (why != "") {
			t.Errorf("%s: %v, %q", body, ok, why)
		}
	}
	if ok, _ := Cacheable(mustDecode(t, Count, `{}`)); ok {
		t.Error("a count is stored")
	}
}
