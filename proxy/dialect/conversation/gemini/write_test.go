package gemini

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/gemini"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s", file, got)
	}
}

// indented is JSON for a person to read.
func indented(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return append(b.Bytes(), '\n')
}

func text(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }

func use(id, name, arguments string) conversation.Part {
	return conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: id, Name: name, Arguments: []byte(arguments)}}
}

func result(id string, parts ...conversation.Part) conversation.Part {
	return conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: id, Parts: parts}}
}

func user(parts ...conversation.Part) conversation.Turn {
	return conversation.Turn{Role: conversation.User, Parts: parts}
}

func model(parts ...conversation.Part) conversation.Turn {
	return conversation.Turn{Role: conversation.Assistant, Parts: parts}
}

func number(digits string) conversation.Number { return conversation.Number{Digits: digits} }

// written are requests, as other dialects are read to them.
var written = map[string]func() *request{
	"plain": func() *request { return &request{Turns: []conversation.Turn{user(text("hello"))}} },
	"options": func() *request {
		return &request{
			System: []conversation.Part{text("be brief"), text("be kind")}, Turns: []conversation.Turn{user(text("hello"))},
			MaxOutput: number("100"), Temperature: number("0.70"), TopP: number("1"), TopK: number("40"), Seed: number("7"),
			PresencePenalty: number("0.5"), FrequencyPenalty: number("-0.5"), Stop: []string{"END", "\n"},
			Format:    conversation.Format{Kind: conversation.JSONSchema, Name: "n", Schema: []byte(`{"type":"object"}`)},
			Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "low", Shown: true},
			Tier:      conversation.Word{Text: "flex"}, Parallel: conversation.Switch{Set: true, On: true},
		}
	},
	"tools": func() *request {
		return &request{
			Tools: []conversation.Tool{
				{Name: "weather", Description: "of a city", Schema: []byte(`{"type":"object","properties":{"city":{"type":"string"}}}`)},
				{Name: "time"},
			},
			Choice: conversation.Choice{Kind: conversation.Named, Name: "weather"},
			Turns: []conversation.Turn{
				user(text("what is it like?")),
				model(text("I look."), use(sealedID("call_r_0", "c2ln"), "weather", `{"city":"Bern"}`), use("call_r_1", "time", `{}`)),
				user(result(sealedID("call_r_0", "c2ln"), text(`{"sky":"blue"}`))),
				user(result("call_r_1", text("noon"), text("or so")), text("go on")),
			},
		}
	},
	"another model's calls": func() *request {
		failed := result("toolu_1", text("no such city"))
		failed.Result.Failed = true
		return &request{
			Choice: conversation.Choice{Kind: conversation.Required},
			Tools:  []conversation.Tool{{Name: "f", Strict: conversation.Switch{Set: true, On: true}}},
			Turns: []conversation.Turn{
				user(text("hi")), model(use("toolu_1", "f", `{}`), use("toolu_2", "f", `{"a":1}`)),
				user(failed, result("toolu_2", text("seen"), conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA"}})),
				model(conversation.Part{Kind: conversation.Refusal, Text: "I will not."}), user(text("why?")),
			},
		}
	},
	"media": func() *request {
		return &request{Turns: []conversation.Turn{user(
			conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/webp", Data: "AAAA", Detail: "auto"}},
			conversation.Part{Kind: conversation.Image, Media: conversation.Media{URL: "https://example.com/a.JPG?x=1"}},
			conversation.Part{Kind: conversation.Image, Media: conversation.Media{URL: "https://example.com/a"}},
			conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: "AAAA"}},
			conversation.Part{Kind: conversation.Document, Media: conversation.Media{Plain: "some text"}},
			conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", URL: "https://example.com/b"}},
			conversation.Part{Kind: conversation.Audio, Media: conversation.Media{Type: "audio/wav", Data: "AAAA"}},
		)}}
	},
	"thoughts": func() *request {
		return &request{Turns: []conversation.Turn{user(text("hi")), model(
			conversation.Part{Kind: conversation.Thought, Text: "hm", Seal: "gemini:c2ln"}, text("yes"),
			conversation.Part{Kind: conversation.Thought, Seal: "gemini:c2lnMg=="},
		), user(text("and?"))}}
	},
}

func TestAppendRequest(t *testing.T) {
	for name, q := range written {
		t.Run(name, func(t *testing.T) {
			r := q()
			body, e := Dialect{}.AppendRequest([]byte("+"), r)
			if e != nil || body[0] != '+' || len(r.Left) > 0 {
				t.Fatalf("%v %s, left %q", e, body, r.Left)
			}
			var c dialect.Call
			if e := wire.Decode(&c, target(false), body[1:]); e != nil {
				t.Fatal(e)
			}
			golden(t, "request-"+strings.ReplaceAll(name, "'", ""), indented(t, body[1:]))
		})
	}
}

// TestThinkingByModel: models before the third generation know budgets alone.
func TestThinkingByModel(t *testing.T) {
	for _, x := range []struct {
		model, kind string
		r           conversation.Reasoning
		want, left  string
	}{
		{"gemini-2.5-flash", "effort", conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "medium"}, `{"thinkingBudget":8192}`, ""},
		{"models/Gemini-2.0-pro", "effort", conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "max", At: "r"}, `{"thinkingBudget":24576}`, "r"},
		{"gemini-3-pro", "effort", conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "minimal"}, `{"thinkingLevel":"MINIMAL"}`, ""},
		{"mine", "effort", conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "xhigh", At: "r"}, `{"thinkingLevel":"HIGH"}`, "r"},
		{"mine", "off", conversation.Reasoning{Kind: conversation.ReasoningOff}, `{"thinkingBudget":0}`, ""},
		{"mine", "any", conversation.Reasoning{Kind: conversation.ReasoningByModel, Shown: true}, `{"thinkingBudget":-1,"includeThoughts":true}`, ""},
		{"mine", "budget", conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 5}, `{"thinkingBudget":5}`, ""},
		{"mine", "shown", conversation.Reasoning{Shown: true}, `{"includeThoughts":true}`, ""},
	} {
		q := written["plain"]()
		q.Model, q.Reasoning = x.model, x.r
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil || !strings.Contains(string(body), `"thinkingConfig":`+x.want) || strings.Join(q.Left, " ") != x.left {
			t.Errorf("%+v: %v %s, left %q", x, e, body, q.Left)
		}
	}
}

// TestSignaturesByModel: only newer models insist on one, and only on a turn's first
// call.
func TestSignaturesByModel(t *testing.T) {
	for model, want := range map[string]int{"gemini-2.5-pro": 0, "gemini-3-pro": 1, "mine": 1} {
		q := written["another model's calls"]()
		q.Model = model
		q.Turns[2].Parts[1].Result.Parts = nil // media are for newer models
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil || bytes.Count(body, []byte(noSignature)) != want {
			t.Errorf("%s: %v %s", model, e, body)
		}
	}
}

// TestChoices: who may call which functions.
func TestChoices(t *testing.T) {
	strict := conversation.Switch{Set: true, On: true}
	for _, x := range []struct {
		choice conversation.Choice
		strict conversation.Switch
		want   string
	}{
		{conversation.Choice{}, conversation.Switch{}, ""},
		{conversation.Choice{}, strict, `{"mode":"VALIDATED"}`},
		{conversation.Choice{Kind: conversation.Auto}, conversation.Switch{Set: true}, `{"mode":"AUTO"}`},
		{conversation.Choice{Kind: conversation.Auto}, strict, `{"mode":"VALIDATED"}`},
		{conversation.Choice{Kind: conversation.None}, strict, `{"mode":"NONE"}`},
		{conversation.Choice{Kind: conversation.Required}, strict, `{"mode":"ANY"}`},
		{conversation.Choice{Kind: conversation.Named, Name: "f"}, conversation.Switch{}, `{"mode":"ANY","allowedFunctionNames":["f"]}`},
	} {
		q := written["plain"]()
		q.Tools, q.Choice = []conversation.Tool{{Name: "f", Strict: x.strict}}, x.choice
		body, e := Dialect{}.AppendRequest(nil, q)
		_, got, _ := strings.Cut(string(body), `"functionCallingConfig":`)
		if got, _, _ = strings.Cut(got, "},"); got != strings.TrimSuffix(x.want, "}")+strings.Repeat("}", min(len(x.want), 1)) || e != nil {
			t.Errorf("%+v: %v %s", x, e, got)
		}
	}
}

// TestResponses: what a function gave is read as it was given.
func TestResponses(t *testing.T) {
	for given, want := range map[string]string{
		"plain": `{"output":"plain"}`, "": `{"output":""}`, `[1]`: `{"output":"[1]"}`, `{"a":1}`: `{"a":1}`,
		`{}`: `{"output":"{}"}`, `{"output":"a"}`: `{"output":"{\"output\":\"a\"}"}`, `{"error":1,"b":2}`: `{"output":"{\"error\":1,\"b\":2}"}`,
	} {
		q := &request{Turns: []conversation.Turn{model(use("a", "f", "{}")), user(result("a", text(given)))}}
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil || !strings.Contains(string(body), `"response":`+want+`}`) {
			t.Errorf("%s: %v %s", given, e, body)
		}
	}
}

func TestHintsAreLeftOut(t *testing.T) {
	at := func(p conversation.Part, at string) conversation.Part { p.At = at; return p }
	cached := func(p conversation.Part, at string) conversation.Part {
		p.At, p.Cache = at, conversation.Briefly
		return p
	}
	q := &request{
		System: []conversation.Part{cached(text("s"), "system")},
		Tools:  []conversation.Tool{{Name: "f", Cache: conversation.Hour, At: "tool"}}, Parallel: conversation.Switch{Set: true, At: "parallel"},
		Turns: []conversation.Turn{
			user(cached(text("a"), "text"), conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA", Detail: "low"}, At: "image"}),
			model(at(conversation.Part{Kind: conversation.Thought, Text: "hm", Seal: "anthropic:x"}, "foreign"), at(conversation.Part{Kind: conversation.Thought, Text: "hm"}, "unsealed"), text("b")),
			model(at(conversation.Part{Kind: conversation.Thought, Text: "alone"}, "alone")),
			user(conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: "AAAA", Name: "a.pdf"}, At: "document"}),
		},
		Format: conversation.Format{Kind: conversation.JSONSchema, Schema: []byte("{}"), Description: "d", At: "format"},
		User:   conversation.Word{Text: "u", At: "user"},
	}
	body, e := Dialect{}.AppendRequest(nil, q)
	if want := []string{"text", "foreign", "unsealed", "alone", "system", "image", "document", "tool", "parallel", "format.description", "user"}; e != nil || !reflect.DeepEqual(q.Left, want) {
		t.Errorf("%v %q", e, q.Left)
	}
	if strings.Contains(string(body), "hm") || strings.Count(string(body), `"role"`) != 3 {
		t.Errorf("%s", body)
	}
}

// TestWriteRefuses: what Gemini has no word for, by its place in the client's body.
func TestWriteRefuses(t *testing.T) {
	for at, change := range map[string]func(q *request){
		"": func(q *request) { q.Turns = nil },
		"system": func(q *request) {
			q.Turns, q.System = nil, []conversation.Part{{Kind: conversation.Text, Text: "x", At: "system"}}
		},
		"m.name": func(q *request) {
			q.Turns = []conversation.Turn{user(text("x")), user(text("y"))}
			q.Turns[0].Name, q.Turns[1].Name, q.Turns[1].At = "ann", "bob", "m"
		},
		"instructions": func(q *request) { q.System = []conversation.Part{{Kind: conversation.Image, At: "instructions"}} },
		"stop":         func(q *request) { q.Stop, q.StopAt = make([]string, 6), "stop" },
		"effort": func(q *request) {
			q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "odd", At: "effort"}
		},
		"tier":      func(q *request) { q.Tier = conversation.Word{Text: "scale", At: "tier"} },
		"arguments": func(q *request) { p := use("a", "f", "[]"); p.At = "arguments"; q.Turns = append(q.Turns, model(p)) },
		"orphan":    func(q *request) { p := result("a", text("x")); p.At = "orphan"; q.Turns = append(q.Turns, user(p)) },
		"stored": func(q *request) {
			q.Turns[0].Parts[0] = conversation.Part{Kind: conversation.Image, Media: conversation.Media{URL: "gs://b/x"}, At: "stored"}
		},
		"untyped": func(q *request) {
			q.Turns[0].Parts[0] = conversation.Part{Kind: conversation.Image, Media: conversation.Media{Data: "AAAA"}, At: "untyped"}
		},
	} {
		q := written["plain"]()
		change(q)
		if body, e := (Dialect{}).AppendRequest(nil, q); e == nil || e.Param != at || body != nil {
			t.Errorf("%s: %+v %s", at, e, body)
		}
	}
}

// TestWhatAgentsSend: texts of the system in the middle, names, empty texts, results
// with pictures, and budgets above the largest.
func TestWhatAgentsSend(t *testing.T) {
	picture := conversation.Part{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA"}}
	ask := func(name string) *request {
		q := &request{
			Model: name, System: []conversation.Part{text("")}, Reasoning: conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 31_999},
			Turns: []conversation.Turn{
				user(text("x"), text("")), {Role: conversation.System, At: "messages.1", Parts: []conversation.Part{text("now")}},
				model(use("a", "f", "{}"), use("b", "g", "{}")), user(result("a", picture), result("b", text("ok")), text("go on")),
			},
		}
		q.Turns[0].Name, q.Turns[0].At = "ann", "messages.0"
		return q
	}
	for name, want := range map[string]string{
		"gemini-2.5-flash": `{"contents":[{"role":"user","parts":[{"text":"x"},{"text":"<system>"},{"text":"now"},{"text":"</system>"}]},` +
			`{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}}},{"functionCall":{"id":"b","name":"g","args":{}}}]},` +
			`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{}}},{"functionResponse":{"id":"b","name":"g","response":{"output":"ok"}}},{"text":"go on"},` +
			`{"text":"The result of f has this:"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],` +
			`"generationConfig":{"thinkingConfig":{"thinkingBudget":24576},"responseModalities":["TEXT"]}}`,
		"gemini-3-pro": `{"contents":[{"role":"user","parts":[{"text":"x"},{"text":"<system>"},{"text":"now"},{"text":"</system>"}]},` +
			`{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"g","args":{}}}]},` +
			`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}},{"functionResponse":{"id":"b","name":"g","response":{"output":"ok"}}},{"text":"go on"}]}],` +
			`"generationConfig":{"thinkingConfig":{"thinkingBudget":31999},"responseModalities":["TEXT"]}}`,
	} {
		q := ask(name)
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil || string(body) != want || strings.Join(q.Left, " ") != "messages.0.name messages.1.role" {
			t.Errorf("%v, left out %v\n%s\n%s", e, q.Left, body, want)
		}
	}
}
