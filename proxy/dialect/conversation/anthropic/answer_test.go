package anthropic

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// talk is an answer with a part of every kind.
func talk() *conversation.Answer {
	return &conversation.Answer{
		ID: "id-1", Model: "served", Stop: conversation.StopTools,
		Parts: []conversation.Part{
			thought("let me see", "gemini:c2ln"), thought("", "anthropic:redacted:ZGF0YQ"), text("Looking \"it\" up."),
			use("c1", "f", `{"a":1}`), use("c2", "g", `{}`),
		},
	}
}

func report() *dialect.Report {
	r := &dialect.Report{State: dialect.UsageReported, Done: true}
	r.Usage[price.InputText], r.Usage[price.CacheRead] = 10, 20
	r.Usage[price.CacheWrite5m], r.Usage[price.CacheWrite1h] = 5, 6
	r.Usage[price.OutputText], r.Usage[price.OutputReasoning] = 7, 3
	return r
}

func set() *conversation.Setting {
	return &conversation.Setting{Call: &dialect.Call{Model: "asked"}, ID: "req_1", Unix: 1_700_000_000}
}

// asRequest is the answer in a form that conversationtest compares.
func asRequest(a *conversation.Answer) *conversation.Request {
	return &conversation.Request{Model: a.Model, Turns: []conversation.Turn{{Parts: a.Parts}}, Stop: []string{a.ID, a.Sequence, string('0' + rune(a.Stop))}}
}

func TestAnswers(t *testing.T) {
	body := Dialect{}.AppendAnswer(nil, talk(), set(), report())
	golden(t, "answer.json", body)
	a, err := Dialect{}.ReadAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	if d := conversationtest.Difference(asRequest(talk()), asRequest(a)); d != "" {
		t.Error(d)
	}
	// The gateway's own reading of the usage is what was reported.
	var r dialect.Report
	wire.ReadAnswer(&r, body)
	if want := report().Usage; r.State != dialect.UsageReported || r.Usage[price.InputText] != 10 || r.Usage[price.CacheRead] != want[price.CacheRead] ||
		r.Usage[price.CacheWrite5m] != 5 || r.Usage[price.CacheWrite1h] != 6 || r.Usage[price.OutputText] != 7 || r.Usage[price.OutputReasoning] != 3 || !r.Complete() {
		t.Errorf("%+v", r)
	}
}

// TestAnAnswerWithoutNamesOrUsage takes them from the call, and counts what it saw.
func TestAnAnswerWithoutNamesOrUsage(t *testing.T) {
	body := Dialect{}.AppendAnswer(nil, &conversation.Answer{Parts: []conversation.Part{text("hello")}}, set(), &dialect.Report{OutputBytes: 5, Deltas: 1})
	want := `{"id":"req_1","type":"message","role":"assistant","model":"asked","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},` +
		`"output_tokens":2,"output_tokens_details":{"thinking_tokens":0}}}`
	if string(body) != want {
		t.Errorf("%s", body)
	}
}

func TestAnyAnswerComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Custom(func(t *rapid.T) conversation.Part {
			s := rapid.String().Draw(t, "text")
			return rapid.SampledFrom([]conversation.Part{text(s), thought(s, ""), thought(s, "anthropic:c2ln"), thought(s, "gemini:c2ln"), use(s, "f", `{"a":[1]}`)}).Draw(t, "part")
		})
		stops := []conversation.Stop{conversation.StopEnd, conversation.StopLength, conversation.StopSequence, conversation.StopTools, conversation.StopFiltered, conversation.StopPaused}
		want := &conversation.Answer{ID: "i", Model: "m", Parts: rapid.SliceOfN(part, 0, 5).Draw(t, "parts"), Stop: rapid.SampledFrom(stops).Draw(t, "stop")}
		if want.Stop == conversation.StopSequence {
			want.Sequence = rapid.String().Draw(t, "sequence")
		}
		got, err := Dialect{}.ReadAnswer(Dialect{}.AppendAnswer(nil, want, set(), report()))
		if err != nil {
			t.Fatal(err)
		}
		if d := conversationtest.Difference(asRequest(want), asRequest(got)); d != "" {
			t.Fatal(d)
		}
	})
}

func TestStops(t *testing.T) {
	for reason, want := range map[string]conversation.Stop{
		"end_turn": conversation.StopEnd, "max_tokens": conversation.StopLength, "model_context_window_exceeded": conversation.StopLength,
		"stop_sequence": conversation.StopSequence, "tool_use": conversation.StopTools, "pause_turn": conversation.StopPaused,
		"refusal": conversation.StopFiltered, "compaction": conversation.StopUnknown,
	} {
		a, err := Dialect{}.ReadAnswer([]byte(`{"type":"message","content":[],"stop_reason":"` + reason + `"}`))
		if err != nil || a.Stop != want {
			t.Errorf("%s: %+v, %v", reason, a, err)
		}
	}
	a, err := Dialect{}.ReadAnswer([]byte(`{"type":"message","content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","category":null,"explanation":"I may not."}}`))
	if err != nil || len(a.Parts) != 1 || a.Parts[0].Kind != conversation.Refusal || a.Parts[0].Text != "I may not." {
		t.Errorf("%+v, %v", a, err)
	}
	// A refusal is told by its reason, whatever the other dialect ends it with.
	body := Dialect{}.AppendAnswer(nil, &conversation.Answer{Parts: a.Parts, Stop: conversation.StopEnd}, set(), report())
	if !strings.Contains(string(body), `"content":[{"type":"text","text":"I may not."}],"stop_reason":"refusal"`) {
		t.Errorf("%s", body)
	}
}

// TestOnlyItsOwn: blocks that only this dialect has are named, and left out.
func TestOnlyItsOwn(t *testing.T) {
	a, err := Dialect{}.ReadAnswer([]byte(`{"type":"message","content":[{"type":"server_tool_use","id":"s"},{"type":"text","text":"x","citations":[{}]}]}`))
	if err != nil || len(a.Parts) != 1 || !slices.Equal(a.Left, []string{"content.0", "content.1.citations"}) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{``, `[]`, `{}`, `{"type":"error","error":{"type":"api_error","message":"no"}}`, `{"type":"message","content":7}`, `{"type":"message"} x`} {
		if a, err := (Dialect{}).ReadAnswer([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for body, want := range map[string]dialect.UpstreamError{
		`{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`: {Type: "rate_limit_error", Message: "slow"},
		`nonsense`: {Message: "nonsense"},
	} {
		if got := (Dialect{}).ReadError([]byte(body)); got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
	if got := (Dialect{}).ReadError([]byte(strings.Repeat("x", 10_000))); len(got.Message) != maxError {
		t.Errorf("%d bytes of an error", len(got.Message))
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(Dialect{}.AppendAnswer(nil, talk(), set(), report()))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := Dialect{}.ReadAnswer(body)
		if (a == nil) == (err == nil) {
			t.Fatal(a, err)
		}
		if err != nil {
			return
		}
		if _, err := (Dialect{}).ReadAnswer(Dialect{}.AppendAnswer(nil, a, set(), report())); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCallsThatCannotBeRun: a call whose arguments are cut off or broken is not told,
// and not waited for.
func TestCallsThatCannotBeRun(t *testing.T) {
	call := func(arguments string) conversation.Part {
		return conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c", Name: "f", Arguments: []byte(arguments)}}
	}
	for _, x := range []struct {
		stop  conversation.Stop
		parts []conversation.Part
		calls int
		want  string
	}{
		{conversation.StopLength, []conversation.Part{call(`{"a":`)}, 0, `"stop_reason":"max_tokens"`},
		{conversation.StopTools, []conversation.Part{call(`{"a":`)}, 0, `"stop_reason":"end_turn"`},
		{conversation.StopTools, []conversation.Part{call(`{"a":`), call(`{}`)}, 1, `"stop_reason":"tool_use"`},
	} {
		body := Dialect{}.AppendAnswer(nil, &conversation.Answer{Parts: x.parts, Stop: x.stop}, &conversation.Setting{Call: &dialect.Call{}}, conversationtest.Usage())
		if !json.Valid(body) || !strings.Contains(string(body), x.want) || strings.Count(string(body), `"tool_use","id"`) != x.calls {
			t.Errorf("%s", body)
		}
	}
}

func TestLongIDsOfCalls(t *testing.T) {
	long := "call_r_0-gemini-" + strings.Repeat("s", 4000)
	q := &conversation.Request{Turns: []conversation.Turn{
		{Role: conversation.Assistant, Parts: []conversation.Part{{Kind: conversation.ToolUse, Call: conversation.Call{ID: long, Name: "f"}}}},
		{Role: conversation.User, Parts: []conversation.Part{{Kind: conversation.ToolResult, Result: conversation.Result{ID: long}}}},
	}}
	body, e := Dialect{}.AppendRequest(nil, q)
	id := conversation.ShortID(long, maxCallID)
	if e != nil || len(body) > 500 || strings.Count(string(body), `id":"`+id+`"`) != 2 {
		t.Errorf("%v %s", e, body)
	}
}
