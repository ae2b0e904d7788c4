package converse

import (
	"errors"
	"fmt"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// errNoAnswer says that a body of status 200 is no answer.
var errNoAnswer = errors.New("converse: not an answer")

// ReadAnswer implements conversation.Provider. An answer has neither an id nor a
// model's name.
func (Dialect) ReadAnswer(body []byte) (*conversation.Answer, error) {
	var tree jsontree.Reader
	top := tree.ReadAnswer(body, jsontree.Dots)
	message := top.Get("output").Get("message")
	a := &conversation.Answer{Stop: stopOf(top.Get("stopReason").String())}
	message.Get("content").Each(func(_ int, b jsontree.Node) {
		if p, ok := answered(b, a); ok {
			a.Parts = append(a.Parts, p)
		}
	})
	switch {
	case tree.Err != nil:
		return nil, fmt.Errorf("%w: %w", errNoAnswer, tree.Err)
	case !message.Has():
		return nil, errNoAnswer
	}
	return a, nil
}

// answered reads a block of an answer. Those that only this dialect has are left out
// and named.
func answered(b jsontree.Node, a *conversation.Answer) (p conversation.Part, ok bool) {
	if text := b.Get("text"); text.Has() {
		return conversation.Part{Kind: conversation.Text, Text: text.String()}, true
	}
	if use := b.Get("toolUse"); use.Has() {
		call := conversation.Call{ID: use.Get("toolUseId").String(), Name: use.Get("name").String(), Arguments: use.Get("input").Object()}
		if call.Arguments == nil {
			call.Arguments = []byte("{}")
		}
		return conversation.Part{Kind: conversation.ToolUse, Call: call}, true
	}
	if thought := b.Get("reasoningContent"); thought.Has() {
		if redacted := thought.Get("redactedContent"); redacted.Has() {
			return conversation.Part{Kind: conversation.Thought, Seal: sealRedacted + redacted.String()}, true
		}
		text := thought.Get("reasoningText")
		seal := conversation.SealIn(text.Get("signature").String(), own)
		return conversation.Part{Kind: conversation.Thought, Text: text.Get("text").String(), Seal: seal}, true
	}
	if cited := b.Get("citationsContent"); cited.Has() {
		a.Left = append(a.Left, cited.Get("citations").At())
		p.Kind = conversation.Text
		cited.Get("content").Each(func(_ int, c jsontree.Node) { p.Text += c.Get("text").String() })
		return p, true
	}
	a.Left = append(a.Left, b.At())
	return p, false
}

func stopOf(reason string) conversation.Stop {
	switch reason {
	case "end_turn":
		return conversation.StopEnd
	case "tool_use":
		return conversation.StopTools
	case "max_tokens", "model_context_window_exceeded":
		return conversation.StopLength
	case "stop_sequence":
		return conversation.StopSequence
	case "guardrail_intervened", "content_filtered", "refusal":
		return conversation.StopFiltered
	}
	return conversation.StopUnknown // malformed_model_output and malformed_tool_use among them
}
