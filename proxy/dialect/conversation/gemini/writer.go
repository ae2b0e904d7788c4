package gemini

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
)

// NewWriter implements conversation.Client.
func (Dialect) NewWriter() conversation.Writer { return &writer{} }

// maxArguments bounds what is kept of a call's arguments until it is whole. A call
// with more is not told.
const maxArguments = 8 << 20

// writer writes one stream: events whose data are answers, or an array of these for
// a client that did not ask for events.
type writer struct {
	head  head
	t     telling
	array bool
	begun bool // an element of the array has been written
	open  conversation.Part
	stop  conversation.Stop
}

// Reset implements conversation.Writer.
func (w *writer) Reset(s *conversation.Setting) {
	*w = writer{
		head:  head{id: s.ID, model: s.Call.Model},
		array: s.Call.StreamType != "",
		t:     telling{w: w.t.w},
	}
}

// Append implements conversation.Writer. A call of a function is told when it is
// whole.
func (w *writer) Append(dst []byte, e *conversation.Event) []byte {
	switch e.Kind {
	case conversation.Begin:
		w.head = head{id: first(e.ID, w.head.id), model: first(e.Model, w.head.model)}
	case conversation.PartBegin:
		w.open = e.Part
		w.open.Call.Arguments = nil
	case conversation.PartMore:
		return w.more(dst, e.Text)
	case conversation.PartSeal:
		return w.chunk(dst, func() { w.t.seal(e.Text) })
	case conversation.PartEnd:
		if w.open.Kind == conversation.ToolUse {
			return w.chunk(dst, func() { w.t.call(&w.open.Call) })
		}
	case conversation.Finish:
		w.stop = e.Stop
	case conversation.Fail:
		return w.close(w.element(dst, appendFailure(nil, e.Failed)))
	}
	return dst
}

func (w *writer) more(dst []byte, text string) []byte {
	if w.open.Kind != conversation.ToolUse {
		return w.chunk(dst, func() { w.t.text(w.open.Kind, text) })
	}
	c := &w.open.Call
	if room := maxArguments - len(c.Arguments); len(text) > room {
		text = text[:room] // so that it is no object
	}
	c.Arguments = append(c.Arguments, text...)
	return dst
}

// chunk writes an answer of the parts that do writes, if there are any.
func (w *writer) chunk(dst []byte, do func()) []byte {
	parts := w.t.array(do)
	if string(parts) == "[]" {
		return dst
	}
	return w.element(dst, w.head.append(nil, parts, "", nil))
}

// End implements conversation.Writer. The last answer has an empty text where it has
// no part, as Google's has: its SDKs take a content without parts for a broken one.
func (w *writer) End(dst []byte, r *dialect.Report) []byte {
	parts := w.t.array(w.t.flush)
	if string(parts) == "[]" {
		parts = []byte(`[{"text":""}]`)
	}
	w.head = head{id: first(w.head.id, r.ID), model: first(w.head.model, r.Model)}
	return w.close(w.element(dst, w.head.append(nil, parts, w.t.reason(w.stop), r)))
}

// element writes one answer in the form of the stream.
func (w *writer) element(dst, answer []byte) []byte {
	switch {
	case !w.array:
		dst = append(append(dst, "data: "...), answer...)
		return append(dst, "\r\n\r\n"...)
	case w.begun:
		dst = append(dst, ",\r\n"...)
	default:
		dst = append(dst, '[')
	}
	w.begun = true
	return append(dst, answer...)
}

func (w *writer) close(dst []byte) []byte {
	if w.array {
		dst = append(dst, ']')
	}
	return dst
}
