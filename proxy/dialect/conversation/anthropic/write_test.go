package anthropic

import (
	"strings"
	"testing"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
)

func says(parts ...conversation.Part) []conversation.Turn {
	return []conversation.Turn{{Role: conversation.User, Parts: parts}}
}

func TestWriteRequest(t *testing.T) {
	q := everything()
	q.Turns[1].Parts[1].At = "there"
	body, e := Dialect{}.AppendRequest(nil, q)
	if e != nil {
		t.Fatal(e)
	}
	golden(t, "request.json", body)
	if got := strings.Join(q.Left, " "); got != "there" { // the thought of another dialect
		t.Errorf("left out: %s", got)
	}
}

// TestOrderOfTurns: results come first, turns are joined, and nothing empty is
// written.
func TestOrderOfTurns(t *testing.T) {
	q := &conversation.Request{Model: "m", MaxOutput: num("1"), System: []conversation.Part{text("")}, Turns: []conversation.Turn{
		{Role: conversation.User, Parts: []conversation.Part{text("a")}},
		{Role: conversation.Assistant, Name: "ann", At: "messages.1", Parts: []conversation.Part{text(""), use("functions.f:0", "f", "")}},
		{Role: conversation.User, Parts: []conversation.Part{text("b")}},
		{Role: conversation.Assistant, Parts: []conversation.Part{thought("t", "")}},
		{Role: conversation.User, Parts: []conversation.Part{result("functions.f:0", false, text("r"))}},
	}}
	body, e := Dialect{}.AppendRequest(nil, q)
	if e != nil {
		t.Fatal(e)
	}
	want := `{"model":"m","max_tokens":1,"system":[],"messages":[` +
		`{"role":"user","content":[{"type":"text","text":"a"}]},` +
		`{"role":"assistant","content":[{"type":"tool_use","id":"functions_f_0","name":"f","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_f_0","content":[{"type":"text","text":"r"}]},{"type":"text","text":"b"}]}]}`
	if string(body) != want {
		t.Errorf("%s", body)
	}
	if got := strings.Join(q.Left, " "); got != "messages.1.name " { // and the thought, whose place is not known
		t.Errorf("left out: %q", got)
	}
}

// TestWhatMessagesCannotSayIsNamed has what other dialects have words for.
func TestWhatMessagesCannotSayIsNamed(t *testing.T) {
	at := func(digits string) conversation.Number { return conversation.Number{Digits: digits, At: "there"} }
	part := func(p conversation.Part) []conversation.Turn {
		p.At = "there"
		return says(text("x"), p)
	}
	for name, q := range map[string]*conversation.Request{
		"hot":              {Temperature: at("1.01")},
		"seed":             {Seed: at("7")},
		"presence":         {PresencePenalty: at("0.5")},
		"frequency":        {FrequencyPenalty: at("-1")},
		"JSON of any kind": {Format: conversation.Format{Kind: conversation.JSONObject, At: "there"}},
		"cheap tier":       {Tier: conversation.Word{Text: "flex", At: "there"}},
		"small budget":     {Reasoning: conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 512, At: "there"}},
		"no such effort":   {Reasoning: conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: "enormous", At: "there"}},
		"no room to think": {MaxOutput: num("1024"), Reasoning: conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: 2048, At: "there"}},
		"sound":            {Turns: part(media(conversation.Audio, conversation.Media{Type: "audio/wav", Data: "AAAA"}))},
		"bitmap":           {Turns: part(media(conversation.Image, conversation.Media{Type: "image/bmp", Data: "AAAA"}))},
		"spreadsheet":      {Turns: part(media(conversation.Document, conversation.Media{Type: "application/vnd.ms-excel", Data: "AAAA"}))},
		"text not UTF-8":   {Turns: part(media(conversation.Document, conversation.Media{Type: "text/plain", Data: "/w=="}))},
		"picture shown": {Turns: append(says(text("x")), conversation.Turn{Role: conversation.Assistant, Parts: []conversation.Part{
			{Kind: conversation.Image, Media: conversation.Media{URL: "https://example.com"}, At: "there"}}})},
		"names": {Turns: []conversation.Turn{
			{Role: conversation.User, Name: "ann", Parts: []conversation.Part{text("x")}, At: "here"},
			{Role: conversation.User, Name: "bob", Parts: []conversation.Part{text("y")}, At: "there"},
		}},
	} {
		if q.Turns == nil {
			q.Turns = says(text("x"))
		}
		_, e := Dialect{}.AppendRequest(nil, q)
		if e == nil || strings.TrimSuffix(e.Param, ".name") != "there" || e.Code != dialect.CodeUnsupported {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for name, q := range map[string]*conversation.Request{
		"arguments cut":  {Turns: says(conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{Arguments: []byte(`{"a"`)}, At: "there"})},
		"arguments more": {Turns: says(conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{Arguments: []byte(`{},"x":{}`)}, At: "there"})},
		"schema":         {Turns: says(text("x")), Tools: []conversation.Tool{{Name: "f", Schema: []byte(`[]`), At: "there"}}},
	} {
		if _, e := (Dialect{}).AppendRequest(nil, q); e == nil || e.Param != "there" || e.Code != dialect.CodeInvalidValue {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if _, e := (Dialect{}).AppendRequest(nil, &conversation.Request{Turns: says(text(""))}); e == nil {
		t.Error("a conversation without a word is taken")
	}
}

func TestHintsLeftOut(t *testing.T) {
	picture := media(conversation.Image, conversation.Media{URL: "https://example.com", Detail: "low"})
	picture.At = "messages[0].content[0]"
	q := &conversation.Request{
		Turns: says(picture), User: conversation.Word{Text: strings.Repeat("u", wire.MaxUser+1), At: "user"}, PresencePenalty: num("0.0"),
		Format: conversation.Format{
			Kind: conversation.JSONSchema, Schema: []byte("{}"), Description: "d", At: "response_format.json_schema",
			Strict: conversation.Switch{Set: true, At: "response_format.json_schema.strict"},
		},
	}
	if _, e := (Dialect{}).AppendRequest(nil, q); e != nil {
		t.Fatal(e)
	}
	want := "messages[0].content[0].detail response_format.json_schema.description response_format.json_schema.strict user"
	if got := strings.Join(q.Left, " "); got != want {
		t.Errorf("left out: %s", got)
	}
}

func TestChoice(t *testing.T) {
	on, off := conversation.Switch{Set: true, On: true}, conversation.Switch{Set: true}
	tools := []conversation.Tool{{Name: "f"}}
	for _, x := range []struct {
		tools    []conversation.Tool
		kind     conversation.ChoiceKind
		parallel conversation.Switch
		want     string
	}{
		{tools, conversation.Unset, conversation.Switch{}, ``},
		{tools, conversation.Unset, on, ``},
		{tools, conversation.Unset, off, `{"type":"auto","disable_parallel_tool_use":true}`},
		{tools, conversation.Auto, on, `{"type":"auto","disable_parallel_tool_use":false}`},
		{tools, conversation.Required, conversation.Switch{}, `{"type":"any"}`},
		{tools, conversation.Named, off, `{"type":"tool","name":"f","disable_parallel_tool_use":true}`},
		{tools, conversation.None, off, `{"type":"none"}`},
		{nil, conversation.None, off, ``},
		{nil, conversation.Unset, off, ``},
		{nil, conversation.Required, conversation.Switch{}, `{"type":"any"}`}, // refused upstream, as it should be
	} {
		q := &conversation.Request{Turns: says(text("x")), Tools: x.tools, Choice: conversation.Choice{Kind: x.kind}, Parallel: x.parallel}
		if x.kind == conversation.Named {
			q.Choice.Name = "f"
		}
		body, e := Dialect{}.AppendRequest(nil, q)
		_, got, _ := strings.Cut(strings.TrimSuffix(string(body), "}"), `"tool_choice":`)
		if e != nil || got != x.want {
			t.Errorf("%+v: %q, %v", x, got, e)
		}
	}
}

// TestThinking has the table of docs/translation-anthropic.md.
func TestThinking(t *testing.T) {
	effort := func(level string) conversation.Reasoning {
		return conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: level}
	}
	budget := func(n int64) conversation.Reasoning {
		return conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: n, Shown: true}
	}
	const old, both, late = "claude-haiku-4-5-20251001", "claude-opus-4-6", "claude-opus-5-5"
	for _, x := range []struct {
		model, cap string
		why        conversation.Reasoning
		want       string
	}{
		{late, "", conversation.Reasoning{}, `"max_tokens":8192`},
		{late, "usual", conversation.Reasoning{}, `"max_tokens":500`},
		{old, "usual", budget(2_000), `"max_tokens":2500 "thinking":{"type":"enabled","budget_tokens":2000}`},
		{late, "", conversation.Reasoning{Kind: conversation.ReasoningOff}, `"max_tokens":8192 "thinking":{"type":"disabled"}`},
		{late, "", conversation.Reasoning{Kind: conversation.ReasoningByModel, Shown: true}, `"max_tokens":8192 "thinking":{"type":"adaptive","display":"summarized"}`},
		{late, "", effort("minimal"), `"max_tokens":8192 "thinking":{"type":"adaptive"} "output_config":{"effort":"low"}`},
		{both, "100", effort("max"), `"max_tokens":100 "thinking":{"type":"adaptive"} "output_config":{"effort":"max"}`},
		{"of-my-own", "", effort("high"), `"max_tokens":8192 "thinking":{"type":"adaptive"} "output_config":{"effort":"high"}`},
		{late, "", budget(8_193), `"max_tokens":8192 "thinking":{"type":"adaptive","display":"summarized"} "output_config":{"effort":"high"}`},
		{late, "", budget(100_000), `"max_tokens":8192 "thinking":{"type":"adaptive","display":"summarized"} "output_config":{"effort":"max"}`},
		{both, "", budget(2_000), `"max_tokens":10192 "thinking":{"type":"enabled","budget_tokens":2000}`},
		{old, "", effort("medium"), `"max_tokens":16384 "thinking":{"type":"enabled","budget_tokens":8192,"display":"omitted"}`},
		{old, "", effort("minimal"), `"max_tokens":9216 "thinking":{"type":"enabled","budget_tokens":1024,"display":"omitted"}`},
		{old, "", conversation.Reasoning{Kind: conversation.ReasoningByModel}, `"max_tokens":16384 "thinking":{"type":"enabled","budget_tokens":8192,"display":"omitted"}`},
		{old, "10000", budget(9_999), `"max_tokens":10000 "thinking":{"type":"enabled","budget_tokens":9999}`},
		{old, "10000", budget(10_000), `"max_tokens":10000 "thinking":{"type":"enabled","budget_tokens":5000}`},
		{old, "1025", effort("high"), `"max_tokens":1025 "thinking":{"type":"enabled","budget_tokens":1024,"display":"omitted"}`},
	} {
		q := &conversation.Request{Model: x.model, MaxOutput: num(x.cap), Reasoning: x.why, Turns: says(text("x"))}
		if x.cap == "usual" {
			q.MaxOutput.Digits, q.UsualOutput = "", 500
		}
		body, e := Dialect{}.AppendRequest(nil, q)
		if e != nil {
			t.Errorf("%+v: %v", x, e)
			continue
		}
		got := strings.TrimPrefix(string(body), `{"model":"`+x.model+`",`)
		got = strings.Replace(strings.TrimSuffix(got, "}"), `,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]`, "", 1)
		got = strings.NewReplacer(`,"thinking"`, ` "thinking"`, `,"output_config"`, ` "output_config"`).Replace(got)
		if got != x.want {
			t.Errorf("%+v:\n%s\n%s", x, got, x.want)
		}
	}
}

func TestReadThinking(t *testing.T) {
	for body, want := range map[string]conversation.Reasoning{
		``:                               {},
		`"thinking":{"type":"adaptive"}`: {Kind: conversation.ReasoningByModel, At: "thinking"},
		`"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}`: {Kind: conversation.ReasoningEffort, Effort: "low", Shown: true, At: "thinking"},
		`"output_config":{"effort":"low"}`:                                       {Kind: conversation.ReasoningEffort, Effort: "low", At: "output_config.effort"},
		`"thinking":{"type":"enabled","budget_tokens":2000}`:                     {Kind: conversation.ReasoningBudget, Budget: 2000, Shown: true, At: "thinking"},
		`"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}`: {Kind: conversation.ReasoningBudget, Budget: 2000, At: "thinking"},
		`"thinking":{"type":"disabled"},"output_config":{"effort":"low"}`:        {Kind: conversation.ReasoningOff, At: "thinking"},
	} {
		q, e := Dialect{}.ReadRequest([]byte(`{`+body+`}`), dialect.Target{})
		if e != nil || q.Reasoning != want {
			t.Errorf("%s: %+v, %v", body, q, e)
		}
		if strings.Contains(body, "disabled") && strings.Join(q.Left, " ") != "output_config.effort" {
			t.Errorf("%s: left out %v", body, q.Left)
		}
	}
}
