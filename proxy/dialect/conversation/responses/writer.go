package responses

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// NewWriter implements conversation.Client.
func (Client) NewWriter() conversation.Writer { return new(writer) }

// writer implements conversation.Writer. It keeps the answer, which the last event
// tells once more.
type writer struct {
	set    *conversation.Setting
	answer conversation.Answer
	id     string
	number int64 // of the next event
}

// Reset implements conversation.Writer.
func (w *writer) Reset(s *conversation.Setting) { *w = writer{set: s} }

// part is the one being told, and index its place.
func (w *writer) part() (p *conversation.Part, index int) {
	index = len(w.answer.Parts) - 1
	return &w.answer.Parts[index], index
}

// Append implements conversation.Writer.
func (w *writer) Append(dst []byte, e *conversation.Event) []byte {
	if e.Kind != conversation.Fail {
		w.answer.Add(e)
	}
	switch e.Kind {
	case conversation.Begin:
		w.id = idOf(&w.answer, w.set)
		dst = w.response(dst, "response.created", inProgress, nil, nil)
		return w.response(dst, "response.in_progress", inProgress, nil, nil)
	case conversation.PartBegin:
		return w.begin(dst)
	case conversation.PartMore:
		return w.more(dst, e.Text)
	case conversation.PartEnd:
		return w.end(dst)
	case conversation.Fail:
		return w.response(dst, "response.failed", failed, nil, e.Failed)
	}
	return dst
}

// End implements conversation.Writer.
func (w *writer) End(dst []byte, r *dialect.Report) []byte {
	status := statusOf(w.answer.Stop)
	return w.response(dst, "response."+status, status, r, nil)
}

// event appends one event; members writes what it says beyond its type and number.
func (w *writer) event(dst []byte, kind string, members func(*jsontree.Writer)) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: "...)
	j := jsontree.Writer{Buf: dst}
	j.Object(func() {
		j.Field("type", kind)
		j.Key("sequence_number").Int(w.number)
		members(&j)
	})
	w.number++
	return append(j.Buf, "\n\n"...)
}

// response appends an event that tells the response as it is in a state.
func (w *writer) response(dst []byte, kind, status string, r *dialect.Report, u *dialect.UpstreamError) []byte {
	return w.event(dst, kind, func(j *jsontree.Writer) { appendResponse(j.Key("response"), &w.answer, w.set, status, r, u) })
}

// item appends an event that tells the item of the part as it is in a state.
func (w *writer) item(dst []byte, kind, status string) []byte {
	p, i := w.part()
	return w.event(dst, kind, func(j *jsontree.Writer) {
		j.Key("output_index").Int(int64(i))
		appendItem(j.Key("item"), w.set, p, w.id, i, status)
	})
}

// within appends an event about the inside of the item.
func (w *writer) within(dst []byte, kind string, members func(*jsontree.Writer)) []byte {
	p, i := w.part()
	return w.event(dst, kind, func(j *jsontree.Writer) {
		j.Field("item_id", itemID(p.Kind, w.id, i))
		j.Key("output_index").Int(int64(i))
		switch p.Kind {
		case conversation.ToolUse:
		case conversation.Thought:
			j.Key("summary_index").Int(0)
		default:
			j.Key("content_index").Int(0)
		}
		members(j)
	})
}

// names are how events call what is within an item of a kind.
type names struct{ part, text, field string }

func namesOf(k conversation.PartKind) names {
	switch k {
	case conversation.ToolUse:
		return names{"", "response.function_call_arguments", "arguments"}
	case conversation.Thought:
		return names{"response.reasoning_summary_part", "response.reasoning_summary_text", "text"}
	case conversation.Refusal:
		return names{"response.content_part", "response.refusal", "refusal"}
	}
	return names{"response.content_part", "response.output_text", "text"}
}

func (w *writer) begin(dst []byte) []byte {
	p, _ := w.part()
	dst = w.item(dst, "response.output_item.added", inProgress)
	return w.inner(dst, p.Kind, ".added", "")
}

// inner appends the event that begins or ends the part within an item.
func (w *writer) inner(dst []byte, k conversation.PartKind, event, text string) []byte {
	n := namesOf(k)
	if n.part == "" {
		return dst
	}
	return w.within(dst, n.part+event, func(j *jsontree.Writer) {
		j.Key("part")
		if k == conversation.Thought {
			appendSummary(j, text)
		} else {
			appendContent(j, k, text)
		}
	})
}

func (w *writer) more(dst []byte, text string) []byte {
	p, _ := w.part()
	return w.within(dst, namesOf(p.Kind).text+".delta", func(j *jsontree.Writer) {
		j.Field("delta", text)
		logprobs(j, p.Kind)
	})
}

// logprobs writes the list that clients expect with output text.
func logprobs(j *jsontree.Writer, k conversation.PartKind) {
	if k == conversation.Text {
		j.Key("logprobs").Array(func() {})
	}
}

func (w *writer) end(dst []byte) []byte {
	p, _ := w.part()
	text := p.Text
	if p.Kind == conversation.ToolUse {
		text = string(p.Call.Arguments)
	}
	n := namesOf(p.Kind)
	dst = w.within(dst, n.text+".done", func(j *jsontree.Writer) {
		j.Field(n.field, text)
		if p.Kind == conversation.ToolUse {
			_, name := w.set.Ungrouped(p.Call.Name)
			j.Field("name", name)
		}
		logprobs(j, p.Kind)
	})
	dst = w.inner(dst, p.Kind, ".done", text)
	return w.item(dst, "response.output_item.done", completed)
}
