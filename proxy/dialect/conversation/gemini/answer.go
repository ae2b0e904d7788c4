package gemini

import (
	"math"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// AppendAnswer implements conversation.Client.
func (Dialect) AppendAnswer(dst []byte, a *conversation.Answer, s *conversation.Setting, r *dialect.Report) []byte {
	t := telling{}
	parts := t.array(func() {
		for i := range a.Parts {
			t.whole(&a.Parts[i])
		}
		t.flush()
	})
	if string(parts) == "[]" {
		parts = nil
	}
	head := head{id: first(a.ID, r.ID, s.ID), model: first(a.Model, r.Model, s.Call.Model)}
	return head.append(dst, parts, t.reason(a.Stop), r)
}

// first is the first of several texts that there is.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// head is what each answer of a stream says of the whole.
type head struct{ id, model string }

// append writes one GenerateContentResponse. parts is an array, nil for none;
// finish is "" before the last, which alone has the usage.
func (h *head) append(dst, parts []byte, finish string, r *dialect.Report) []byte {
	w := jsontree.Writer{Buf: dst}
	w.Object(func() {
		w.Key("candidates").Array(func() {
			w.Object(func() {
				w.Key("content").Object(func() {
					if parts != nil {
						w.Key("parts").Raw(parts)
					}
					w.Field("role", "model")
				})
				w.Optional("finishReason", finish)
				w.Key("index").Int(0)
			})
		})
		if finish != "" {
			writeUsage(&w, r)
		}
		w.Optional("modelVersion", h.model)
		w.Optional("responseId", h.id)
	})
	return w.Buf
}

// writeUsage writes the usage as Google counts: what was cached is a part of the
// prompt, thoughts come beside the candidates.
func writeUsage(w *jsontree.Writer, r *dialect.Report) {
	if r.State != dialect.UsageReported {
		return
	}
	t := conversation.TokensOf(&r.Usage)
	count := func(name string, n int64) {
		w.Key(name).Int(min(max(n, 0), math.MaxInt32)) // as wide as Google's
	}
	w.Key("usageMetadata").Object(func() {
		count("promptTokenCount", t.Input)
		if t.CacheRead > 0 {
			count("cachedContentTokenCount", t.CacheRead)
		}
		count("candidatesTokenCount", t.Output-t.Reasoning)
		if t.Reasoning > 0 {
			count("thoughtsTokenCount", t.Reasoning)
		}
		count("totalTokenCount", min(t.Input, math.MaxInt32)+min(t.Output, math.MaxInt32))
	})
}

// telling writes the parts of an answer. The seal of a thought waits for the part
// that follows, whose signature it becomes.
type telling struct {
	w        jsontree.Writer
	pending  string // seal
	refused  bool   // there is a refusal
	unusable bool   // there is a call whose arguments are no object
}

// array gives what do writes as an array. It is valid until the next one.
func (t *telling) array(do func()) []byte {
	t.w = jsontree.Writer{Buf: t.w.Buf[:0]}
	t.w.Array(do)
	return t.w.Buf
}

func (t *telling) whole(p *conversation.Part) {
	switch p.Kind {
	case conversation.Text, conversation.Thought, conversation.Refusal:
		t.text(p.Kind, p.Text)
	case conversation.ToolUse:
		t.call(&p.Call)
	case conversation.Image, conversation.Document, conversation.Audio, conversation.ToolResult: // in no answer
	}
	if p.Seal != "" {
		t.seal(p.Seal)
	}
}

func (t *telling) text(k conversation.PartKind, text string) {
	if text == "" {
		return
	}
	thought := k == conversation.Thought
	if thought {
		t.flush()
	}
	t.refused = t.refused || k == conversation.Refusal
	t.w.Object(func() {
		t.w.Field("text", text)
		if thought {
			t.w.Key("thought").Bool(true)
		}
		t.signature()
	})
}

func (t *telling) signature() {
	if t.pending != "" {
		t.w.Field("thoughtSignature", signatureOf(t.pending))
		t.pending = ""
	}
}

func (t *telling) seal(seal string) {
	t.flush()
	t.pending = seal
}

// flush writes a seal that no part has come for as a part of its own.
func (t *telling) flush() {
	if t.pending != "" {
		t.w.Object(func() {
			t.w.Field("text", "")
			t.w.Key("thought").Bool(true)
			t.signature()
		})
	}
}

// call writes a call of a function, unless its arguments are cut off or broken: half
// a call is not one to run.
func (t *telling) call(c *conversation.Call) {
	arguments, ok := conversation.Arguments(string(c.Arguments))
	if !ok {
		t.unusable = true
		return
	}
	t.w.Object(func() {
		t.w.Key("functionCall").Object(func() {
			t.w.Optional("id", c.ID)
			t.w.Field("name", c.Name)
			t.w.Key("args").Raw(arguments)
		})
		t.signature()
	})
}

// reason is the finishReason.
func (t *telling) reason(s conversation.Stop) string {
	switch {
	case s == conversation.StopLength:
		return "MAX_TOKENS"
	case t.unusable:
		return "MALFORMED_FUNCTION_CALL"
	case s == conversation.StopFiltered || t.refused:
		return "SAFETY"
	case s == conversation.StopEnd || s == conversation.StopSequence || s == conversation.StopTools:
		return "STOP"
	}
	return "OTHER"
}

// appendFailure writes an error that ends a stream, as Google does.
func appendFailure(dst []byte, e *dialect.UpstreamError) []byte {
	if e == nil {
		e = &dialect.UpstreamError{}
	}
	code := conversation.StatusOf(e)
	w := jsontree.Writer{Buf: dst}
	w.Object(func() {
		w.Key("error").Object(func() {
			w.Key("code").Int(int64(code))
			w.Field("message", first(e.Message, "The upstream broke off its answer."))
			w.Field("status", statuses[code])
		})
	})
	return w.Buf
}

// statuses are Google's names of the states that conversation.StatusOf tells apart.
var statuses = map[int]string{
	400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}
