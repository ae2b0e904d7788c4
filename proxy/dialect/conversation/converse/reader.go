package converse

import (
	"encoding/base64"
	"fmt"

	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/converse"
	"purser/proxy/dialect/eventstream"
	"purser/proxy/dialect/jsontree"
)

// Reader reads a stream of events. The zero Reader is ready.
type Reader struct {
	scan eventstream.Scanner
	tree jsontree.Reader
	emit func(*conversation.Event)

	begun, over bool
	open        bool
	index       int64 // of the block that is open
	kind        conversation.PartKind
	told        bool // the block has had a piece
	signature   string
	redacted    []byte
}

// Reset implements conversation.Reader.
func (r *Reader) Reset() {
	r.scan.Reset()
	*r = Reader{scan: r.scan}
}

// Feed implements conversation.Reader.
func (r *Reader) Feed(chunk []byte, emit func(*conversation.Event)) error {
	r.emit = emit
	r.scan.Feed(chunk)
	for {
		e, ok, err := r.scan.Next()
		if err != nil || !ok {
			return err
		}
		if err := r.event(e); err != nil {
			return err
		}
	}
}

// Finish implements conversation.Reader. What is left is no whole frame.
func (r *Reader) Finish(func(*conversation.Event)) error { return nil }

func (r *Reader) event(e eventstream.Event) error {
	if r.over {
		return nil
	}
	if failed, ok := wire.Failed(e); ok {
		r.over = true
		r.emit(&conversation.Event{Kind: conversation.Fail, Failed: &failed})
		return nil
	}
	top := r.tree.ReadAnswer(e.Payload, jsontree.Dots)
	err := r.take(e.Type, top)
	if r.tree.Err != nil {
		return fmt.Errorf("converse: reading a stream: %w", r.tree.Err)
	}
	return err
}

// take reads an event of one type. Others than these say nothing of the answer.
func (r *Reader) take(kind string, top jsontree.Node) error {
	switch kind {
	case "messageStart":
		if r.begun {
			return outOfOrder(kind)
		}
		r.begun = true
		r.emit(&conversation.Event{Kind: conversation.Begin})
	case "contentBlockStart":
		if !r.begun || r.open {
			return outOfOrder(kind)
		}
		if use := top.Get("start").Get("toolUse"); use.Has() {
			r.index = top.Get("contentBlockIndex").Int()
			r.begin(conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: use.Get("toolUseId").String(), Name: use.Get("name").String()}})
		}
	case "contentBlockDelta":
		if index := top.Get("contentBlockIndex").Int(); !r.begun || r.open && index != r.index {
			return outOfOrder(kind)
		} else if !r.open {
			r.index = index
		}
		return r.delta(top.Get("delta"))
	case "contentBlockStop":
		if r.open && top.Get("contentBlockIndex").Int() != r.index {
			return outOfOrder(kind)
		}
		r.end()
	case "messageStop":
		if !r.begun || r.open {
			return outOfOrder(kind)
		}
		r.over = true
		r.emit(&conversation.Event{Kind: conversation.Finish, Stop: stopOf(top.Get("stopReason").String())})
	}
	return nil
}

func outOfOrder(kind string) error {
	return fmt.Errorf("converse: a stream has %s out of its order", kind)
}

func (r *Reader) begin(p conversation.Part) {
	if r.tree.Err != nil {
		return
	}
	r.open, r.kind, r.told, r.signature, r.redacted = true, p.Kind, false, "", nil
	r.emit(&conversation.Event{Kind: conversation.PartBegin, Part: p})
}

// more gives a piece of a block, which begins the block where nothing else has.
func (r *Reader) more(kind conversation.PartKind, text string) error {
	if text == "" || r.tree.Err != nil {
		return nil
	}
	if !r.open {
		r.begin(conversation.Part{Kind: kind})
	}
	if r.kind != kind {
		return outOfOrder("a delta")
	}
	r.told = true
	r.emit(&conversation.Event{Kind: conversation.PartMore, Text: text})
	return nil
}

func (r *Reader) delta(d jsontree.Node) error {
	if text := d.Get("text"); text.Has() {
		return r.more(conversation.Text, text.String())
	}
	if use := d.Get("toolUse"); use.Has() {
		if r.kind != conversation.ToolUse || !r.open { // its name is in its start
			return outOfOrder("a delta of a tool use")
		}
		return r.more(conversation.ToolUse, use.Get("input").String())
	}
	if thought := d.Get("reasoningContent"); thought.Has() {
		return r.thought(thought)
	}
	return nil
}

// thought reads a piece of reasoning: its text, or what seals it.
func (r *Reader) thought(d jsontree.Node) error {
	signature, redacted := d.Get("signature").String(), d.Get("redactedContent").String()
	if err := r.more(conversation.Thought, d.Get("text").String()); err != nil {
		return err
	}
	if signature == "" && redacted == "" || r.tree.Err != nil {
		return nil
	}
	if !r.open {
		r.begin(conversation.Part{Kind: conversation.Thought})
	}
	if r.kind != conversation.Thought {
		return outOfOrder("a signature")
	}
	content, err := base64.StdEncoding.DecodeString(redacted)
	if err != nil {
		return fmt.Errorf("converse: reading redacted reasoning: %w", err)
	}
	r.signature, r.redacted = r.signature+signature, append(r.redacted, content...)
	if len(r.signature)+len(r.redacted) > eventstream.MaxFrame {
		return eventstream.ErrTooLarge
	}
	return nil
}

// end closes the block, if there was anything in it.
func (r *Reader) end() {
	if !r.open {
		return
	}
	r.open = false
	if r.kind == conversation.ToolUse && !r.told {
		r.emit(&conversation.Event{Kind: conversation.PartMore, Text: "{}"})
	}
	seal := conversation.SealIn(r.signature, own)
	if len(r.redacted) > 0 {
		seal = sealRedacted + base64.StdEncoding.EncodeToString(r.redacted)
	}
	if seal != "" {
		r.emit(&conversation.Event{Kind: conversation.PartSeal, Text: seal})
	}
	r.emit(&conversation.Event{Kind: conversation.PartEnd})
}
