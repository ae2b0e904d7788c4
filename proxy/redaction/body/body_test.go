package body

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"purser/proxy/redaction"
)

func plan(t *testing.T, d redaction.Direction, specs ...redaction.Spec) (*redaction.Set, *redaction.Plan) {
	t.Helper()
	set, err := redaction.Compile(specs, redaction.Options{HashKey: []byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	return set, set.Plan(nil, d)
}

// request redacts a request with one spec.
func request(t *testing.T, spec redaction.Spec, doc string) (string, *redaction.Values, error) {
	t.Helper()
	if spec.ID == "" {
		spec.ID = "s"
	}
	set, p := plan(t, redaction.Input, spec)
	v := redaction.NewValues("")
	out, err := NewRequest(p, set.Hasher("t"), v, nil).Request([]byte(doc))
	return string(out), v, err
}

func TestABodyWithoutAFindingIsGivenBackAsItIs(t *testing.T) {
	doc := []byte("{ \"model\":\"gpt-4o\",\n\"messages\": [{\"role\":\"user\",\"content\":\"caf\\u00e9 \\/ 12\"}]}")
	_, p := plan(t, redaction.Input, redaction.Spec{ID: "s"})
	out, err := NewRequest(p, redaction.Hasher{}, redaction.NewValues(""), nil).Request(doc)
	if err != nil || &out[0] != &doc[0] || len(out) != len(doc) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestRequests(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"chat":                           {`{"model":"a@b.de","messages":[{"role":"user","name":"a@b.de","content":"I am a@b.de\n"}]}`, `{"model":"a@b.de","messages":[{"role":"user","name":"a@b.de","content":"I am [EMAIL]\n"}]}`},
		"parts":                          {`{"messages":[{"content":[{"type":"text","text":"x a@b.de"},{"type":"image_url","image_url":{"url":"https://a@b.de/x"}}]}]}`, `{"messages":[{"content":[{"type":"text","text":"x [EMAIL]"},{"type":"image_url","image_url":{"url":"https://a@b.de/x"}}]}]}`},
		"what is escaped keeps its form": {`{"messages":[{"content":"\u00e9\ud83d\ude00\/ a\u0040b.de \ud83d"}]}`, `{"messages":[{"content":"\u00e9\ud83d\ude00\/ [EMAIL] \ud83d"}]}`},
		"arguments are JSON in a string": {`{"messages":[{"tool_calls":[{"id":"a@b.de","function":{"name":"f","arguments":"{\"id\":\"a@b.de\",\"n\":\"\\na@b.de\"}"}}]}]}`, `{"messages":[{"tool_calls":[{"id":"a@b.de","function":{"name":"f","arguments":"{\"id\":\"[EMAIL]\",\"n\":\"\\n[EMAIL]\"}"}}]}]}`},
		"the input of a tool is data":    {`{"messages":[{"content":[{"type":"tool_use","id":"x","name":"f","input":{"name":"a@b.de","a@b.de":[1]}}]}]}`, `{"messages":[{"content":[{"type":"tool_use","id":"x","name":"f","input":{"name":"[EMAIL]","[EMAIL]":[1]}}]}]}`},
		"a key is context":               {`{"messages":[{"content":[{"type":"tool_use","input":{"ssn":"123456780","other":"123456780"}}]}]}`, `{"messages":[{"content":[{"type":"tool_use","input":{"ssn":"[US_SSN]","other":"123456780"}}]}]}`},
		"numbers of data":                {`{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"card":4111111111111111,"n":12345678}}}]}]}`, `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"card":"[CREDIT_CARD]","n":12345678}}}]}]}`},
		"a document in base64":           {`{"contents":[{"parts":[{"inlineData":{"data":"bWFpbCBhQGIuZGU=","mimeType":"text/plain"}}]}]}`, `{"contents":[{"parts":[{"inlineData":{"data":"bWFpbCBbRU1BSUxd","mimeType":"text/plain"}}]}]}`},
		"a document as a link":           {`{"messages":[{"content":[{"type":"file","file":{"file_data":"data:text/plain;base64,bWFpbCBhQGIuZGU="}}]}]}`, `{"messages":[{"content":[{"type":"file","file":{"file_data":"data:text/plain;base64,bWFpbCBbRU1BSUxd"}}]}]}`},
		"a document in plain text":       {`{"messages":[{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a@b.de"}}]}]}`, `{"messages":[{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"[EMAIL]"}}]}]}`},
		"schemas":                        {`{"tools":[{"function":{"name":"f","description":"of a@b.de","parameters":{"type":"object","properties":{"x":{"enum":["a@b.de"],"description":"as a@b.de","default":"a@b.de"}}}}}]}`, `{"tools":[{"function":{"name":"f","description":"of [EMAIL]","parameters":{"type":"object","properties":{"x":{"enum":["a@b.de"],"description":"as [EMAIL]","default":"[EMAIL]"}}}}}]}`},
		"input of responses":             {`{"input":"a@b.de","instructions":"a@b.de","user":"a@b.de","metadata":{"id":"a@b.de"}}`, `{"input":"[EMAIL]","instructions":"[EMAIL]","user":"[EMAIL]","metadata":{"id":"[EMAIL]"}}`},
		"system":                         {`{"system":[{"type":"text","text":"a@b.de"}],"systemInstruction":{"parts":[{"text":"a@b.de"}]}}`, `{"system":[{"type":"text","text":"[EMAIL]"}],"systemInstruction":{"parts":[{"text":"[EMAIL]"}]}}`},
		"stop sequences, and headers of a tool's server": {`{"stop":["a@b.de"],"stop_sequences":["a@b.de"],"tools":[{"type":"mcp","server_url":"https://a.de","headers":{"X":"a@b.de"}}],"messages":[]}`, `{"stop":["a@b.de"],"stop_sequences":["a@b.de"],"tools":[{"type":"mcp","server_url":"https://a.de","headers":{"X":"a@b.de"}}],"messages":[]}`},
		"a field that is not known":                      {`{"x_new":{"y":["a@b.de"]}}`, `{"x_new":{"y":["[EMAIL]"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := request(t, redaction.Spec{}, c.in)
			if err != nil || got != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
		})
	}
}

func TestMediaIsLeftAlone(t *testing.T) {
	media := strings.Repeat("AKIAQWERTYUIOPASDFGH/4111111111111111+", 20)
	doc := `{"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + media + `"}},
		{"type":"image_url","image_url":{"url":"data:image/png;base64,` + media + `"}},{"type":"thinking","signature":"` + media + `"}]}]}`
	if got, _, err := request(t, redaction.Spec{}, doc); err != nil || got != doc {
		t.Errorf("%v %s", err, got)
	}
}

func TestTokensAreRestored(t *testing.T) {
	spec := redaction.Spec{ID: "s", Action: redaction.Tokenise}
	in := `{"messages":[{"content":"a@b.de, c@d.de and a@b.de; the key is -----BEGIN PRIVATE KEY-----\n` + strings.Repeat("Abc1", 30) + `\n-----END PRIVATE KEY-----"}]}`
	got, v, err := request(t, spec, in)
	if err != nil || got != `{"messages":[{"content":"<EMAIL_1>, <EMAIL_2> and <EMAIL_1>; the key is <SECRET_1>"}]}` {
		t.Fatalf("%v %s", err, got)
	}
	answer := `{"choices":[{"message":{"content":"to <EMAIL_2>: <EMAIL_3> <SECRET_1>","tool_calls":[{"function":{"arguments":"{\"to\":\"\\u003cEMAIL_1\\u003e\",\"key\":\"<SECRET_1>\"}"}}]}}]}`
	out, err := NewAnswer(nil, redaction.Hasher{}, v).Answer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Choices []struct {
			Message struct {
				Content   string
				ToolCalls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
			}
		}
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := a.Choices[0].Message
	var args map[string]string
	if err := json.Unmarshal([]byte(m.ToolCalls[0].Function.Arguments), &args); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Content, "to c@d.de: <EMAIL_3> -----BEGIN PRIVATE KEY-----\nAbc1") || args["to"] != "a@b.de" || !strings.HasSuffix(args["key"], "\n-----END PRIVATE KEY-----") {
		t.Errorf("%q %q", m.Content, args)
	}
}

func TestAPlaceholderThatTheClientWroteStaysItsOwn(t *testing.T) {
	got, v, err := request(t, redaction.Spec{Action: redaction.Tokenise}, `{"messages":[{"content":"keep <EMAIL_1> and \u003cEMAIL_2\u003e; mine is a@b.de"},{"content":"{\"x\":\"\\u003cEMAIL_3>\"}"}]}`)
	if err != nil || !strings.Contains(got, "mine is <EMAIL_4>") {
		t.Fatalf("%v %s", err, got)
	}
	out, err := NewAnswer(nil, redaction.Hasher{}, v).Answer([]byte(`{"content":"<EMAIL_1> <EMAIL_2> <EMAIL_3> <EMAIL_4>"}`))
	if err != nil || string(out) != `{"content":"<EMAIL_1> <EMAIL_2> <EMAIL_3> a@b.de"}` {
		t.Errorf("%v %s", err, out)
	}
}

func TestBlockNamesTheEntityAndNotTheValue(t *testing.T) {
	_, _, err := request(t, redaction.Spec{ID: "no-cards", Overrides: map[string]redaction.Override{"CREDIT_CARD": {Action: redaction.Block}}}, `{"messages":[{"content":"4111 1111 1111 1111"}]}`)
	b, ok := errors.AsType[*Blocked](err)
	if !ok || b.Finding != "CREDIT_CARD" || b.Spec != "no-cards" || strings.Contains(err.Error(), "4111") {
		t.Errorf("%v", err)
	}
}

func TestShadowChangesNothingAndCounts(t *testing.T) {
	set, p := plan(t, redaction.Input, redaction.Spec{ID: "s", Mode: redaction.Shadow, Action: redaction.Block})
	r := NewRequest(p, set.Hasher("t"), redaction.NewValues(""), nil)
	doc := `{"messages":[{"content":"a@b.de c@d.de"}]}`
	out, err := r.Request([]byte(doc))
	if err != nil || string(out) != doc || len(r.Counts) != 1 || r.Counts[0] != (Count{"s", "EMAIL", "", redaction.Report, true, 2}) {
		t.Errorf("%v %s %v", err, out, r.Counts)
	}
}

func TestLogprobsOfARedactedAnswerAreLeftOut(t *testing.T) {
	set, p := plan(t, redaction.Output, redaction.Spec{ID: "s", Direction: redaction.Output})
	doc := `{"choices":[{"logprobs":{"content":[{"token":"a@b.de"}]},"message":{"content":"a@b.de"}}]}`
	out, err := NewAnswer(p, set.Hasher("t"), nil).Answer([]byte(doc))
	if err != nil || string(out) != `{"choices":[{"logprobs":null,"message":{"content":"[EMAIL]"}}]}` {
		t.Errorf("%v %s", err, out)
	}
}

func TestHooksAreHeard(t *testing.T) {
	hook := &redaction.Hook{Name: "ner", Rename: map[string]string{"PER": "PERSON"}}
	set, p := plan(t, redaction.Input, redaction.Spec{ID: "s", Hook: hook})
	ask := func(_ *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error) {
		out := make([][]redaction.Finding, len(texts))
		for i, text := range texts {
			if at := strings.Index(string(text), "Anna"); at >= 0 {
				out[i] = []redaction.Finding{{Start: at, End: at + 4, Entity: "PER"}}
			}
		}
		return out, nil
	}
	doc := `{"messages":[{"content":"it was Anna, a@b.de"}]}`
	out, err := NewRequest(p, set.Hasher("t"), redaction.NewValues(""), ask).Request([]byte(doc))
	if err != nil || string(out) != `{"messages":[{"content":"it was [PERSON], [EMAIL]"}]}` {
		t.Errorf("%v %s", err, out)
	}
	fails := func(*redaction.Hook, [][]byte) ([][]redaction.Finding, error) { return nil, errors.New("down") }
	if _, err := NewRequest(p, set.Hasher("t"), redaction.NewValues(""), fails).Request([]byte(doc)); err == nil {
		t.Error("a hook that fails is passed over")
	}
	hook.FailOpen = true
	if out, err := NewRequest(p, set.Hasher("t"), redaction.NewValues(""), fails).Request([]byte(doc)); err != nil || !strings.Contains(string(out), "Anna, [EMAIL]") {
		t.Errorf("%v %s", err, out)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"messages":[{"content":"a\u0040b.de {\"x\":1}"}],"input":{"k":"4111111111111111"}}`))
	f.Add([]byte(`{"a":"{\"b\":\"{\\\"c\\\":\\\"a@b.de\\\"}\"}","data":"YUBiLmRl","media_type":"text/plain"}`))
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Action: redaction.Tokenise}}, redaction.Options{})
	if err != nil {
		f.Fatal(err)
	}
	p := set.Plan(nil, redaction.Input)
	f.Fuzz(func(t *testing.T, doc []byte) {
		v := redaction.NewValues("")
		out, err := NewRequest(p, set.Hasher("t"), v, nil).Request(doc)
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q became %q", doc, out)
		}
		again, err := NewAnswer(nil, redaction.Hasher{}, v).Answer(out)
		if err != nil || !json.Valid(again) {
			t.Fatalf("%q became %q: %v", out, again, err)
		}
	})
}
