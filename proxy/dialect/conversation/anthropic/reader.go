package anthropic

import (
	"fmt"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
	"purser/proxy/dialect/sse"
)

// Reader reads a stream of events. The zero Reader is ready.
type Reader struct {
	scan sse.Scanner
	tree jsontree.Reader
	emit func(*conversation.Event)

	begun, over bool
	open        bool
	index       int64                 // of the block that is open, or was last
	kind        conversation.PartKind // of the block; 0 for one that is passed over
	told        bool                  // the block has had a piece
	input       string                // of a tool use, where its start has it
	seal        string

	stop     conversation.Stop
	sequence string
	refusal  string
}

// Reset implements conversation.Reader.
func (r *Reader) Reset() {
	r.scan.Reset()
	*r = Reader{scan: r.scan}
}

// Feed implements conversation.Reader.
func (r *Reader) Feed(chunk []byte, emit func(*conversation.Event)) error {
	r.emit = emit
	return r.scan.Each(chunk, r.event)
}

// Finish implements conversation.Reader.
func (r *Reader) Finish(emit func(*conversation.Event)) error {
	r.emit = emit
	if e, ok := r.scan.Rest(); ok {
		return r.event(e)
	}
	return nil
}

func (r *Reader) event(e sse.Event) error {
	if e.Lines == 0 || r.over {
		return nil
	}
	top := r.tree.ReadAnswer(e.Data, jsontree.Dots)
	kind := top.Get("type").String()
	err := r.take(kind, top)
	if r.tree.Err != nil {
		return fmt.Errorf("anthropic: reading a stream: %w", r.tree.Err)
	}
	return err
}

// take reads an event of one type. Others than these say nothing of the answer.
func (r *Reader) take(kind string, top jsontree.Node) error {
	switch kind {
	case "message_start":
		if r.begun {
			return outOfOrder(kind)
		}
		r.begun = true
		message := top.Get("message")
		r.emit(&conversation.Event{Kind: conversation.Begin, ID: message.Get("id").String(), Model: message.Get("model").String()})
	case "content_block_start":
		if !r.begun || r.open {
			return outOfOrder(kind)
		}
		r.start(top)
	case "content_block_delta":
		if !r.open || top.Get("index").Int() != r.index {
			return outOfOrder(kind)
		}
		return r.delta(top.Get("delta"))
	case "content_block_stop":
		if !r.open || top.Get("index").Int() != r.index {
			return outOfOrder(kind)
		}
		r.end()
	case "message_delta":
		r.messageDelta(top.Get("delta"))
	case "message_stop":
		if !r.begun || r.open {
			return outOfOrder(kind)
		}
		r.finish()
	case "error":
		r.over = true
		failed := Dialect{}.ReadError(top.Raw())
		r.emit(&conversation.Event{Kind: conversation.Fail, Failed: &failed})
	}
	return nil
}

func outOfOrder(kind string) error {
	return fmt.Errorf("anthropic: a stream has %s out of its order", kind)
}

// start opens a block. What the block has in it already comes as its first piece.
func (r *Reader) start(top jsontree.Node) {
	r.open, r.index, r.told, r.input, r.seal = true, top.Get("index").Int(), false, "", ""
	b := top.Get("content_block")
	part, text := conversation.Part{}, ""
	switch b.Get("type").String() {
	case "text":
		part.Kind, text = conversation.Text, b.Get("text").String()
	case "thinking":
		part.Kind, text, r.seal = conversation.Thought, b.Get("thinking").String(), b.Get("signature").String()
	case "redacted_thinking":
		part.Kind, r.seal = conversation.Thought, sealRedacted+b.Get("data").String()
	case "tool_use":
		part.Kind, part.Call = conversation.ToolUse, conversation.Call{ID: b.Get("id").String(), Name: b.Get("name").String()}
		r.input = string(b.Get("input").Object())
	}
	r.kind = part.Kind
	if r.kind == 0 || r.tree.Err != nil {
		return
	}
	r.emit(&conversation.Event{Kind: conversation.PartBegin, Part: part})
	r.more(text)
}

func (r *Reader) more(text string) {
	if text != "" && r.kind != 0 {
		r.told = true
		r.emit(&conversation.Event{Kind: conversation.PartMore, Text: text})
	}
}

func (r *Reader) delta(d jsontree.Node) error {
	switch d.Get("type").String() {
	case "text_delta":
		r.more(d.Get("text").String())
	case "thinking_delta":
		r.more(d.Get("thinking").String())
	case "input_json_delta":
		r.more(d.Get("partial_json").String())
	case "signature_delta":
		r.seal += d.Get("signature").String()
		if len(r.seal) > sse.MaxEvent {
			return sse.ErrTooLarge
		}
	}
	return nil
}

// end closes the block. A tool use without a piece has the input of its start.
func (r *Reader) end() {
	r.open = false
	if r.kind == 0 {
		return
	}
	if r.kind == conversation.ToolUse && !r.told {
		if r.input == "" {
			r.input = "{}"
		}
		r.more(r.input)
	}
	if r.kind == conversation.Thought && r.seal != "" {
		r.emit(&conversation.Event{Kind: conversation.PartSeal, Text: sealOf(r.seal)})
	}
	r.emit(&conversation.Event{Kind: conversation.PartEnd})
}

func (r *Reader) messageDelta(d jsontree.Node) {
	if reason := d.Get("stop_reason"); reason.Has() {
		r.stop = stopOf(reason.String())
	}
	if s := d.Get("stop_sequence"); s.Has() {
		r.sequence = s.String()
	}
	if why := explanation(d); why != "" {
		r.refusal = why
	}
}

func (r *Reader) finish() {
	r.over = true
	if r.refusal != "" {
		r.emit(&conversation.Event{Kind: conversation.PartBegin, Part: conversation.Part{Kind: conversation.Refusal}})
		r.emit(&conversation.Event{Kind: conversation.PartMore, Text: r.refusal})
		r.emit(&conversation.Event{Kind: conversation.PartEnd})
	}
	r.emit(&conversation.Event{Kind: conversation.Finish, Stop: r.stop, Sequence: r.sequence})
}
