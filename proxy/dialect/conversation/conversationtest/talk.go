package conversationtest

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/price"
)

// Talk is an answer with a part of every kind that a stream can have but a refusal.
func Talk() *conversation.Answer {
	return &conversation.Answer{
		ID: "id-1", Model: "served", Stop: conversation.StopTools,
		Parts: []conversation.Part{
			{Kind: conversation.Thought, Text: "let me see"},
			{Kind: conversation.Text, Text: "Looking \"it\" up."},
			{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c1", Name: "f", Arguments: []byte(`{"a":1}`)}},
			{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c2", Name: "g", Arguments: []byte(`{}`)}},
		},
	}
}

// Failure is a stream that fails in the middle of a text.
func Failure() []conversation.Event {
	return []conversation.Event{
		{Kind: conversation.Begin, ID: "id-1", Model: "served"},
		{Kind: conversation.PartBegin, Part: conversation.Part{Kind: conversation.Text}},
		{Kind: conversation.PartMore, Text: "half"},
		{Kind: conversation.Fail, Failed: &dialect.UpstreamError{Type: "overloaded_error", Message: "overloaded"}},
	}
}

// Usage is a report of 35 tokens in, 20 of them read from a cache and 5 written to
// one, and 10 out, 3 of them reasoning.
func Usage() *dialect.Report {
	r := &dialect.Report{State: dialect.UsageReported, Done: true}
	r.Usage[price.InputText], r.Usage[price.CacheRead], r.Usage[price.CacheWrite5m] = 10, 20, 5
	r.Usage[price.OutputText], r.Usage[price.OutputReasoning] = 7, 3
	return r
}
