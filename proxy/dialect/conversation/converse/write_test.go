package converse

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/converse"

	"pgregory.net/rapid"
)

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

func says(parts ...conversation.Part) []conversation.Turn {
	return []conversation.Turn{{Role: conversation.User, Parts: parts}}
}

// everything has whatever there is a word for.
func everything() *conversation.Request {
	schema := []byte(`{"type":"object"}`)
	cached, last := text("s"), result("c2", true, text("t"), media(conversation.Image, conversation.Media{Type: "image/png", Data: "Q0ND"}))
	cached.Cache, last.Cache = conversation.Briefly, conversation.Hour
	return &conversation.Request{
		Model: "anthropic.claude-opus-4-6-v1:0", Stream: true, MaxOutput: num("4096"), Temperature: num("0.5"), TopP: num("0.75"), TopK: num("5"), Stop: []string{"x", "y"},
		System:    []conversation.Part{cached, text("s2")},
		Tier:      conversation.Word{Text: "flex"},
		Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "high"},
		Format:    conversation.Format{Kind: conversation.JSONSchema, Name: "answer", Description: "what to say", Schema: schema, Strict: conversation.Switch{Set: true, On: true}},
		Tools: []conversation.Tool{
			{Name: "f", Description: "d", Schema: schema, Strict: conversation.Switch{Set: true, On: true}, Cache: conversation.Briefly},
			{Name: "g", Schema: schema},
		},
		Choice: conversation.Choice{Kind: conversation.Named, Name: "f"}, Parallel: conversation.Switch{Set: true, On: true},
		Turns: []conversation.Turn{
			{Role: conversation.User, Parts: []conversation.Part{
				text("look"),
				media(conversation.Image, conversation.Media{Type: "image/png", Data: "QUFB"}),
				media(conversation.Document, conversation.Media{Type: "application/pdf", Data: "QkJC", Name: "a.pdf"}),
				media(conversation.Document, conversation.Media{Type: "text/plain", Plain: "plain"}),
			}},
			{Role: conversation.Assistant, Parts: []conversation.Part{
				thought("hm", "converse:c2ln"), thought("", "converse:redacted:ZGF0YQ=="), text("Looking."), use("c1", "f", `{"a":1}`), use("c2", "g", `{}`),
			}},
			{Role: conversation.User, Parts: []conversation.Part{result("c1", false, text("r"))}},
			{Role: conversation.User, Parts: []conversation.Part{text(" "), last}},
			{Role: conversation.System, Parts: []conversation.Part{text("late")}},
		},
	}
}

// TestWriteRequest compares with the body that AWS's SDK for Go sends for the same
// call.
func TestWriteRequest(t *testing.T) {
	q := everything()
	body, e := Dialect{}.AppendRequest(nil, q)
	if e != nil || len(q.Left) > 0 {
		t.Fatal(e, q.Left)
	}
	theirs, err := os.ReadFile("../../converse/testdata/sdk-request.json")
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(theirs, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n%s", body, theirs)
	}
}

var words = conversationtest.Words{
	Documents: true, MixedResults: true, FailedResults: true, Thoughts: true, Seals: own, LateSystem: true, Cache: true,
	MaxTemperature: 1, Stop: true, Strict: true, JSONSchema: true, Efforts: []string{"minimal", "low", "medium", "high", "xhigh", "max"}, Budgets: true,
	Tiers: []string{"auto", "default", "flex", "priority"},
}

// TestAnyRequestIsRead by the decoder that bounds its cost, with the cap it has.
func TestAnyRequestIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := conversationtest.Requests(words).Draw(t, "request")
		q.Model = rapid.SampledFrom([]string{"the-model", "anthropic.claude-haiku-4-5", "anthropic.claude-opus-5-5"}).Draw(t, "model")
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil {
			forbidden := q.Choice.Kind == conversation.None
			cramped := q.Reasoning.Kind != conversation.ReasoningUnset && len(q.MaxOutput.Digits) <= 4
			blank := strings.Contains(e.Message, "no message")
			if !forbidden && !cramped && !blank {
				t.Fatal(e)
			}
			return
		}
		var c dialect.Call
		if e := wire.Decode(&c, dialect.Target{Endpoint: dialect.Chat, Model: q.Model, Stream: q.Stream}, body); e != nil {
			t.Fatalf("the dialect's decoder refuses %s: %v", body, e)
		}
		if want := q.MaxOutput.Digits; string(body[c.Sites.CapValue.Start:c.Sites.CapValue.End]) != want {
			t.Fatalf("cap %d, want %s", c.MaxOutput, want)
		}
		if tools := len(q.Tools); q.Choice.Kind != conversation.None && c.Tools != tools {
			t.Fatalf("%d tools, want %d", c.Tools, tools)
		}
	})
}

// TestWhatConverseCannotSayIsNamed has what other dialects have words for.
func TestWhatConverseCannotSayIsNamed(t *testing.T) {
	at := func(digits string) conversation.Number { return conversation.Number{Digits: digits, At: "there"} }
	part := func(p conversation.Part) []conversation.Turn {
		p.At = "there"
		return says(text("x"), p)
	}
	tools := []conversation.Tool{{Name: "f"}}
	for name, q := range map[string]*conversation.Request{
		"hot":              {Temperature: at("1.5")},
		"seed":             {Seed: at("7")},
		"penalty":          {FrequencyPenalty: at("1")},
		"JSON of any kind": {Format: conversation.Format{Kind: conversation.JSONObject, At: "there"}},
		"tier":             {Tier: conversation.Word{Text: "scale", At: "there"}},
		"not to think":     {Model: "amazon.nova-pro-v1:0", Reasoning: conversation.Reasoning{Kind: conversation.ReasoningOff, At: "there"}},
		"no such effort":   {Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "enormous", At: "there"}},
		"no room to think": {Model: "anthropic.claude-haiku-4-5", MaxOutput: num("1000"), Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "low", At: "there"}},
		"tools forbidden":  {Tools: tools, Choice: conversation.Choice{Kind: conversation.None, At: "there"}, Turns: says(result("c", false))},
		"sound":            {Turns: part(media(conversation.Audio, conversation.Media{Type: "audio/wav", Data: "AAAA"}))},
		"bitmap":           {Turns: part(media(conversation.Image, conversation.Media{Type: "image/bmp", Data: "AAAA"}))},
		"linked picture":   {Turns: part(media(conversation.Image, conversation.Media{URL: "https://example.com/a.png"}))},
		"linked document":  {Turns: part(media(conversation.Document, conversation.Media{URL: "https://example.com/a.pdf"}))},
		"archive":          {Turns: part(media(conversation.Document, conversation.Media{Type: "application/zip", Data: "AAAA"}))},
		"picture shown": {Turns: append(says(text("x")), conversation.Turn{Role: conversation.Assistant, Parts: []conversation.Part{
			{Kind: conversation.Image, Media: conversation.Media{Type: "image/png", Data: "AAAA"}, At: "there"}}})},
	} {
		if q.Turns == nil {
			q.Turns = says(text("x"))
		}
		if _, e := (Dialect{}).AppendRequest(nil, q); e == nil || e.Param != "there" || e.Code != dialect.CodeUnsupported {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for name, q := range map[string]*conversation.Request{
		"arguments": {Turns: says(conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{Arguments: []byte(`{},"x":{}`)}, At: "there"})},
		"schema":    {Turns: says(text("x")), Tools: []conversation.Tool{{Name: "f", Schema: []byte(`7`), At: "there"}}},
	} {
		if _, e := (Dialect{}).AppendRequest(nil, q); e == nil || e.Param != "there" || e.Code != dialect.CodeInvalidValue {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, e := (Dialect{}).AppendRequest(nil, &conversation.Request{Turns: says(text("\n"))}); e == nil {
		t.Error("a conversation without a word is taken")
	}
}

func TestHintsLeftOut(t *testing.T) {
	foreign, picture := thought("t", "anthropic:s"), media(conversation.Image, conversation.Media{Type: "image/png", Data: "AAAA", Detail: "high"})
	foreign.At, picture.At = "messages.0.content.0", "messages.0.content.1"
	q := &conversation.Request{
		Turns: says(foreign, picture), User: conversation.Word{Text: "u", At: "metadata.user_id"},
		Format: conversation.Format{Kind: conversation.JSONSchema, Schema: []byte("{}"), Strict: conversation.Switch{Set: true, At: "strict"}},
		Tools:  []conversation.Tool{{Name: "f"}}, Parallel: conversation.Switch{Set: true, At: "parallel"},
		Model: "amazon.nova-pro-v1:0", TopK: conversation.Number{Digits: "7", At: "top_k"}, Verbosity: conversation.Word{Text: "low", At: "verbosity"},
	}
	if _, e := (Dialect{}).AppendRequest(nil, q); e != nil {
		t.Fatal(e)
	}
	if got := strings.Join(q.Left, " "); got != "verbosity messages.0.content.0 messages.0.content.1.detail parallel strict top_k metadata.user_id" {
		t.Errorf("left out: %s", got)
	}
}

// TestThinking has the table of docs/translation-converse.md.
func TestThinking(t *testing.T) {
	const old, late, other = "anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-opus-5-5", "openai.gpt-oss-120b-1:0"
	effort := func(level string) conversation.Reasoning {
		return conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: level}
	}
	for _, x := range []struct {
		model string
		why   conversation.Reasoning
		want  string
	}{
		{old, conversation.Reasoning{}, ``},
		{old, effort("medium"), `,"inferenceConfig":{"maxTokens":16384},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":8192,"display":"omitted"}}`},
		{late, effort("medium"), `,"outputConfig":{"effort":"medium"},"additionalModelRequestFields":{"thinking":{"type":"adaptive"}}`},
		{late, conversation.Reasoning{Kind: conversation.ReasoningOff}, `,"additionalModelRequestFields":{"thinking":{"type":"disabled"}}`},
		{late, conversation.Reasoning{Kind: conversation.ReasoningByModel, Shown: true}, `,"additionalModelRequestFields":{"thinking":{"type":"adaptive","display":"summarized"}}`},
		{other, effort("minimal"), `,"outputConfig":{"effort":"low"}`},
		{other, conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 8_192}, `,"outputConfig":{"effort":"medium"}`},
		{other, conversation.Reasoning{Kind: conversation.ReasoningByModel}, ``},
	} {
		body, e := Dialect{}.AppendRequest(nil, &conversation.Request{Model: x.model, Reasoning: x.why, Turns: says(text("x"))})
		want := `{"messages":[{"role":"user","content":[{"text":"x"}]}]` + x.want + `}`
		if e != nil || string(body) != want {
			t.Errorf("%+v: %v\n%s\n%s", x, e, body, want)
		}
	}
}

func TestToolsThatMayNotBeUsedAreNotWritten(t *testing.T) {
	q := &conversation.Request{Turns: says(text("x")), Tools: []conversation.Tool{{Name: "f"}}, Choice: conversation.Choice{Kind: conversation.None}}
	body, e := Dialect{}.AppendRequest(nil, q)
	if e != nil || strings.Contains(string(body), "toolConfig") {
		t.Errorf("%s, %v", body, e)
	}
}

func TestDocumentNames(t *testing.T) {
	w := writing{named: map[string]bool{}}
	for _, x := range [][2]string{
		{"", "document"}, {"", "document (2)"}, {"report_2026.pdf", "report-2026-pdf"}, {"  two   words\t", "two words-"}, {"größe [1]", "gr--e [1]"},
		{strings.Repeat("x", 500), strings.Repeat("x", 192)}, {strings.Repeat("x", 500), strings.Repeat("x", 192) + " (2)"},
	} {
		if got := w.documentName(x[0]); got != x[1] {
			t.Errorf("%q: %q", x[0], got)
		}
	}
}
