package measure

import (
	"fmt"
	"strings"
	"testing"

	"purser/proxy/compress"
)

func TestSharesAddUp(t *testing.T) {
	var file strings.Builder
	for i := range 40 {
		fmt.Fprintf(&file, `line %d of a file that is read twice\n`, i)
	}
	pretty := `{\n    \"a\": [\n        1,\n        2\n    ],\n    \"b\": \"\\u00e9\"\n}`
	body := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + file.String() + `"},{"role":"user","content":"` + file.String() + `"},{"role":"tool","tool_call_id":"x","content":"` + pretty + `"}]}`)
	out, err := Of(body, compress.Chat, compress.Settings{Level: compress.Aggressive}, Model{Tokenizer: "o200k"})
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, p := range out.Passes {
		sum += p.Tokens
		if p.Tokens <= 0 || p.Texts == 0 {
			t.Errorf("%+v", p)
		}
	}
	if out.Before-out.After != sum || len(out.Passes) != 2 || out.Guessed || !strings.Contains(string(out.Body), "[purser: 40 lines") {
		t.Errorf("%+v", out)
	}
	if _, err := Of([]byte(`{"messages":`), compress.Chat, compress.Settings{}, Model{}); err == nil {
		t.Error("half a body is read")
	}
}

func TestDialects(t *testing.T) {
	for body, want := range map[string]compress.Dialect{
		`{"contents":[]}`: compress.Gemini, `{"input":"x"}`: compress.Responses, `{"system":"x","messages":[]}`: compress.Messages,
		`{"messages":[],"tools":[{"name":"a","input_schema":{}}]}`: compress.Messages, `{"messages":[]}`: compress.Chat, `x`: compress.Chat,
	} {
		if got := DialectOf([]byte(body)); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
}
