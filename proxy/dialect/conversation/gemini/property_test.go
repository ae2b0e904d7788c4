package gemini

import (
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/gemini"

	"pgregory.net/rapid"
)

// words are what Gemini has words for. It has none for links whose type is not
// said, for strictness of a single function, or for a call at a time.
var words = conversationtest.Words{
	Documents: true, Audio: true, MixedResults: true, FailedResults: true,
	Thoughts: true, Seals: "gemini",
	TopK: true, Seed: true, Penalties: true, MaxTemperature: 2, Stop: true,
	JSONObject: true, JSONSchema: true,
	Efforts: []string{"minimal", "low", "medium", "high"}, Budgets: true,
	Tiers: []string{"default", "flex", "priority"},
}

func target(stream bool) dialect.Target {
	t := dialect.Target{Endpoint: dialect.Chat, Operation: wire.Generate, Model: "the-model"}
	if stream {
		t.Operation, t.Stream, t.Query = wire.Stream, true, "alt=sse"
	}
	return t
}

// TestRequestsComeBack: what is written means the same when it is read, and the
// decoder that bounds its cost takes it.
func TestRequestsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := conversationtest.Requests(words).Draw(t, "request")
		body, refused := Dialect{}.AppendRequest(nil, q)
		if refused != nil {
			t.Fatalf("refused: %v", refused)
		}
		var call dialect.Call
		if e := wire.Decode(&call, target(q.Stream), body); e != nil {
			t.Fatalf("not decoded: %v\n%s", e, body)
		}
		if len(q.Left) > 0 {
			t.Fatalf("left out: %v", q.Left)
		}
		back, refused := Dialect{}.ReadRequest(body, target(q.Stream))
		if refused != nil {
			t.Fatalf("not read: %v\n%s", refused, body)
		}
		// Newer models get a signature on a call that has none.
		for i := range back.Turns {
			for j := range back.Turns[i].Parts {
				if p := &back.Turns[i].Parts[j]; p.Kind == conversation.ToolUse && p.Seal == ours+noSignature {
					p.Seal = ""
				}
			}
		}
		if d := conversationtest.Difference(q, back); d != "" {
			t.Fatalf("%s\n%s", d, body)
		}
	})
}
