package chat

import (
	"cmp"
	"errors"
	"strconv"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
	"purser/proxy/dialect/sse"
)

// reader implements conversation.Reader.
type reader struct {
	scan  sse.Scanner
	begun bool
	over  bool // the choice has finished, or failed
	open  conversation.PartKind
	tool  int64  // index of the tool call that is open, or was the last
	id    string // of the answer
	call  string // id of that tool call
	calls int    // how many there were
	event conversation.Event
}

// Reset implements conversation.Reader.
func (r *reader) Reset() {
	r.scan.Reset()
	*r = reader{scan: r.scan, tool: -1}
}

// Feed implements conversation.Reader.
func (r *reader) Feed(chunk []byte, emit func(*conversation.Event)) error {
	return r.scan.Each(chunk, func(e sse.Event) error { return r.take(e, emit) })
}

// Finish implements conversation.Reader.
func (r *reader) Finish(emit func(*conversation.Event)) error {
	if e, ok := r.scan.Rest(); ok {
		return r.take(e, emit)
	}
	return nil
}

func (r *reader) tell(emit func(*conversation.Event), e conversation.Event) {
	r.event = e
	emit(&r.event)
}

var errStream = errors.New("chat: an event of the stream cannot be read")

func (r *reader) take(e sse.Event, emit func(*conversation.Event)) error {
	if e.Lines == 0 || string(e.Data) == "[DONE]" || r.over {
		return nil
	}
	var tree jsontree.Reader
	top := tree.ReadAnswer(e.Data, jsontree.Brackets)
	if tree.Err != nil {
		return errStream
	}
	if failed := top.Get("error"); failed.Has() || string(e.Type) == "error" {
		if !failed.Has() {
			failed = top
		}
		r.over = true
		u := failure(failed)
		r.tell(emit, conversation.Event{Kind: conversation.Fail, Failed: &u})
		return nil
	}
	if !r.begun {
		r.begun, r.id = true, top.Get("id").String()
		r.tell(emit, conversation.Event{Kind: conversation.Begin, ID: r.id, Model: top.Get("model").String()})
	}
	var err error
	top.Get("choices").Each(func(_ int, c jsontree.Node) {
		if err == nil && c.Get("index").Int() == 0 {
			err = r.choice(c, emit)
		}
	})
	if err == nil && tree.Err != nil {
		err = errStream
	}
	return err
}

func (r *reader) choice(c jsontree.Node, emit func(*conversation.Event)) error {
	d := c.Get("delta")
	r.more(conversation.Thought, thought(d).String(), emit)
	r.more(conversation.Text, d.Get("content").String(), emit)
	r.more(conversation.Refusal, d.Get("refusal").String(), emit)
	var err error
	d.Get("tool_calls").Each(func(i int, t jsontree.Node) {
		if err == nil {
			err = r.use(i, t, emit)
		}
	})
	if err != nil {
		return err
	}
	if reason := c.Get("finish_reason").String(); reason != "" {
		r.close(emit)
		r.over = true
		stop := stopOf(reason, nil)
		if stop == conversation.StopEnd && r.calls > 0 {
			stop = conversation.StopTools
		}
		r.tell(emit, conversation.Event{Kind: conversation.Finish, Stop: stop})
	}
	return nil
}

// more tells a piece of a text, which begins a part if another is open.
func (r *reader) more(kind conversation.PartKind, text string, emit func(*conversation.Event)) {
	if text == "" {
		return
	}
	if r.open != kind {
		r.close(emit)
		r.open = kind
		r.tell(emit, conversation.Event{Kind: conversation.PartBegin, Part: conversation.Part{Kind: kind}})
	}
	r.tell(emit, conversation.Event{Kind: conversation.PartMore, Text: text})
}

func (r *reader) close(emit func(*conversation.Event)) {
	if r.open != 0 {
		r.open = 0
		r.tell(emit, conversation.Event{Kind: conversation.PartEnd})
	}
}

// use tells a piece of a tool's call. One that comes back to an earlier call
// cannot be told: the parts of an answer come one after the other. Some providers
// give every call the same index: another id with a name is another call.
func (r *reader) use(i int, t jsontree.Node, emit func(*conversation.Event)) error {
	index := int64(i)
	if n := t.Get("index"); n.Has() { // some providers leave it out of calls that come whole
		index = n.Int()
	}
	f := t.Get("function")
	id, name := t.Get("id").String(), f.Get("name").String()
	another := index == r.tool && id != "" && id != r.call && name != ""
	switch {
	case index == r.tool && r.open == conversation.ToolUse && !another:
	case index > r.tool || another:
		r.close(emit)
		r.open, r.tool, r.call = conversation.ToolUse, index, id
		call := conversation.Call{ID: idOf(id, r.id, r.calls), Name: name}
		r.calls++
		r.tell(emit, conversation.Event{Kind: conversation.PartBegin, Part: conversation.Part{Kind: conversation.ToolUse, Call: call}})
	default:
		return errors.New("chat: a piece of a tool call that is closed")
	}
	if text := f.Get("arguments").String(); text != "" {
		r.tell(emit, conversation.Event{Kind: conversation.PartMore, Text: text})
	}
	return nil
}

// idOf is the id of a call, made up from the answer's and its place where the
// provider gives none.
func idOf(given, answer string, n int) string {
	return cmp.Or(given, "call_"+answer+"_"+strconv.Itoa(n))
}
