package chat

import (
	"cmp"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// writer implements conversation.Writer.
type writer struct {
	set   *conversation.Setting
	id    string
	model string
	kind  conversation.PartKind
	calls int64 // tool calls begun
	stop  conversation.Stop
}

// Reset implements conversation.Writer.
func (w *writer) Reset(s *conversation.Setting) { *w = writer{set: s} }

// Append implements conversation.Writer.
func (w *writer) Append(dst []byte, e *conversation.Event) []byte {
	switch e.Kind {
	case conversation.Begin:
		w.id, w.model = cmp.Or(e.ID, w.set.ID), cmp.Or(e.Model, w.set.Call.Model)
		return w.delta(dst, func(j *jsontree.Writer) {
			j.Field("role", "assistant")
			j.Field("content", "")
		}, "")
	case conversation.PartBegin:
		w.kind = e.Part.Kind
		if w.kind != conversation.ToolUse {
			return dst
		}
		w.calls++
		return w.call(dst, &e.Part.Call, "")
	case conversation.PartMore:
		return w.more(dst, e.Text)
	case conversation.Finish:
		w.stop = e.Stop
	case conversation.Fail:
		return appendFailure(dst, e.Failed)
	}
	return dst
}

var textFields = [...]string{conversation.Text: "content", conversation.Thought: "reasoning_content", conversation.Refusal: "refusal"}

func (w *writer) more(dst []byte, text string) []byte {
	if w.kind == conversation.ToolUse {
		return w.call(dst, nil, text)
	}
	return w.delta(dst, func(j *jsontree.Writer) { j.Field(textFields[w.kind], text) }, "")
}

func (w *writer) call(dst []byte, begun *conversation.Call, arguments string) []byte {
	return w.delta(dst, func(j *jsontree.Writer) {
		j.Key("tool_calls").Array(func() {
			j.Object(func() {
				j.Key("index").Int(w.calls - 1)
				if begun != nil {
					j.Field("id", begun.ID)
					j.Field("type", "function")
				}
				j.Key("function").Object(func() {
					if begun != nil {
						j.Field("name", begun.Name)
					}
					j.Field("arguments", arguments)
				})
			})
		})
	}, "")
}

// delta appends a chunk with one choice.
func (w *writer) delta(dst []byte, members func(*jsontree.Writer), reason string) []byte {
	return w.chunk(dst, func(j *jsontree.Writer) {
		j.Key("choices").Array(func() {
			j.Object(func() {
				j.Key("index").Int(0)
				j.Key("delta").Object(func() { members(j) })
				if reason != "" {
					j.Field("finish_reason", reason)
				} else {
					j.Key("finish_reason").Null()
				}
			})
		})
		if w.set.Call.IncludeUsage {
			j.Key("usage").Null()
		}
	})
}

func (w *writer) chunk(dst []byte, members func(*jsontree.Writer)) []byte {
	j := jsontree.Writer{Buf: append(dst, "data: "...)}
	j.Object(func() {
		j.Field("id", w.id)
		j.Field("object", "chat.completion.chunk")
		j.Key("created").Int(w.set.Unix)
		j.Field("model", w.model)
		members(&j)
	})
	return append(j.Buf, "\n\n"...)
}

// End implements conversation.Writer.
func (w *writer) End(dst []byte, r *dialect.Report) []byte {
	dst = w.delta(dst, func(*jsontree.Writer) {}, reasons[w.stop])
	if w.set.Call.IncludeUsage {
		dst = w.chunk(dst, func(j *jsontree.Writer) {
			j.Key("choices").Array(func() {})
			appendUsage(j.Key("usage"), r)
		})
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func appendFailure(dst []byte, u *dialect.UpstreamError) []byte {
	j := jsontree.Writer{Buf: append(dst, "data: "...)}
	j.Object(func() {
		j.Key("error").Object(func() {
			j.Field("message", u.Message)
			j.Field("type", cmp.Or(u.Type, "server_error"))
			j.Key("param").Null()
			j.Field("code", cmp.Or(u.Code, "upstream_error"))
		})
	})
	return append(j.Buf, "\n\n"...)
}
