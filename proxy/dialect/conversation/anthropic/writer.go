package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// Writer writes a stream of events. The zero Writer needs Reset.
type Writer struct {
	set      *conversation.Setting
	index    int64 // of the block that is open, or comes next
	kind     conversation.PartKind
	stop     conversation.Stop
	sequence string
	refused  bool
}

// Reset implements conversation.Writer.
func (w *Writer) Reset(s *conversation.Setting) { *w = Writer{set: s} }

// event writes one event; data writes its members but for the type.
func event(dst []byte, kind string, data func(*jsontree.Writer)) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: "...)
	out := jsontree.Writer{Buf: dst}
	out.Object(func() {
		out.Field("type", kind)
		data(&out)
	})
	return append(out.Buf, "\n\n"...)
}

// Append implements conversation.Writer.
func (w *Writer) Append(dst []byte, e *conversation.Event) []byte {
	switch e.Kind {
	case conversation.Begin:
		return w.begin(dst, e)
	case conversation.PartBegin:
		w.kind = e.Part.Kind
		w.refused = w.refused || w.kind == conversation.Refusal
		return event(dst, "content_block_start", func(out *jsontree.Writer) {
			out.Key("index").Int(w.index)
			part := e.Part
			part.Text, part.Seal, part.Call.Arguments = "", "", nil
			block(out.Key("content_block"), &part)
		})
	case conversation.PartMore:
		return w.more(dst, e.Text)
	case conversation.PartSeal:
		return w.delta(dst, "signature_delta", "signature", signature(e.Text))
	case conversation.PartEnd:
		dst = event(dst, "content_block_stop", func(out *jsontree.Writer) { out.Key("index").Int(w.index) })
		w.index++
	case conversation.Finish:
		w.stop, w.sequence = e.Stop, e.Sequence
	case conversation.Fail:
		dst = append(dst, "event: error\ndata: "...)
		dst = append(failure(dst, e.Failed), "\n\n"...)
	}
	return dst
}

// begin writes message_start. What the call used is not known yet.
func (w *Writer) begin(dst []byte, e *conversation.Event) []byte {
	return event(dst, "message_start", func(out *jsontree.Writer) {
		out.Key("message").Object(func() {
			head(out, e.ID, e.Model, w.set)
			out.Key("content").Array(func() {})
			out.Key("stop_reason").Null()
			out.Key("stop_sequence").Null()
			out.Key("usage").Object(func() { counts(out, conversation.Tokens{}) })
		})
	})
}

func (w *Writer) more(dst []byte, text string) []byte {
	switch w.kind {
	case conversation.Thought:
		return w.delta(dst, "thinking_delta", "thinking", text)
	case conversation.ToolUse:
		return w.delta(dst, "input_json_delta", "partial_json", text)
	}
	return w.delta(dst, "text_delta", "text", text)
}

func (w *Writer) delta(dst []byte, kind, field, text string) []byte {
	return event(dst, "content_block_delta", func(out *jsontree.Writer) {
		out.Key("index").Int(w.index)
		out.Key("delta").Object(func() {
			out.Field("type", kind)
			out.Field(field, text)
		})
	})
}

// End implements conversation.Writer.
func (w *Writer) End(dst []byte, r *dialect.Report) []byte {
	dst = event(dst, "message_delta", func(out *jsontree.Writer) {
		out.Key("delta").Object(func() { ending(out, w.stop, w.sequence, w.refused) })
		usage(out, r)
	})
	return event(dst, "message_stop", func(*jsontree.Writer) {})
}
