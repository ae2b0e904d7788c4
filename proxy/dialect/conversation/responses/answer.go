package responses

import (
	"cmp"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// AppendAnswer implements conversation.Client.
func (Client) AppendAnswer(dst []byte, a *conversation.Answer, s *conversation.Setting, r *dialect.Report) []byte {
	w := jsontree.Writer{Buf: dst}
	appendResponse(&w, a, s, statusOf(a.Stop), r, nil)
	return w.Buf
}

// The states of a response.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

func statusOf(s conversation.Stop) string {
	switch s {
	case conversation.StopLength, conversation.StopFiltered:
		return incomplete
	}
	return completed
}

// whyIncomplete are the reasons of incomplete_details.
var whyIncomplete = map[conversation.Stop]string{
	conversation.StopLength: "max_output_tokens", conversation.StopFiltered: "content_filter",
}

// appendResponse writes a response object as it is in a state. r is nil before its
// usage is known.
func appendResponse(w *jsontree.Writer, a *conversation.Answer, s *conversation.Setting, status string, r *dialect.Report, u *dialect.UpstreamError) {
	id := idOf(a, s)
	w.Object(func() {
		w.Field("id", id)
		w.Field("object", "response")
		w.Key("created_at").Int(s.Unix)
		w.Field("status", status)
		w.Key("background").Bool(false)
		if u != nil {
			w.Key("error").Object(func() {
				w.Field("code", cmp.Or(u.Code, "server_error"))
				w.Field("message", u.Message)
			})
		} else {
			w.Key("error").Null()
		}
		if status == incomplete {
			w.Key("incomplete_details").Object(func() { w.Field("reason", whyIncomplete[a.Stop]) })
		} else {
			w.Key("incomplete_details").Null()
		}
		w.Key("instructions").Null()
		if s.Call.MaxOutput > 0 {
			w.Key("max_output_tokens").Int(s.Call.MaxOutput)
		} else {
			w.Key("max_output_tokens").Null()
		}
		w.Field("model", cmp.Or(a.Model, s.Call.Model))
		w.Key("output").Array(func() {
			for i := range a.Parts {
				appendItem(w, s, &a.Parts[i], id, i, completed)
			}
		})
		w.Key("parallel_tool_calls").Bool(true)
		w.Key("previous_response_id").Null()
		w.Key("store").Bool(false)
		w.Field("tool_choice", "auto")
		w.Key("tools").Array(func() {})
		w.Field("truncation", "disabled")
		if r != nil {
			appendUsage(w.Key("usage"), r)
		} else {
			w.Key("usage").Null()
		}
		w.Key("metadata").Object(func() {})
	})
}

// idOf is the response's id.
func idOf(a *conversation.Answer, s *conversation.Setting) string {
	return "resp_" + cmp.Or(a.ID, s.ID)
}

// itemID names a part of a response: its kind, the response, and its place in it.
func itemID(kind conversation.PartKind, response string, i int) string {
	prefix := "msg"
	switch kind {
	case conversation.ToolUse:
		prefix = "fc"
	case conversation.Thought:
		prefix = "rs"
	}
	return prefix + "_" + response + "_" + strconv.Itoa(i)
}

// appendItem writes an item of the output: each part of an answer is one.
func appendItem(w *jsontree.Writer, s *conversation.Setting, p *conversation.Part, response string, i int, status string) {
	w.Object(func() {
		w.Field("id", itemID(p.Kind, response, i))
		switch p.Kind {
		case conversation.ToolUse:
			w.Field("type", "function_call")
			w.Field("status", status)
			w.Field("call_id", p.Call.ID)
			group, name := s.Ungrouped(p.Call.Name)
			w.Optional("namespace", group)
			w.Field("name", name)
			w.Field("arguments", string(p.Call.Arguments))
		case conversation.Thought:
			w.Field("type", "reasoning")
			w.Key("summary").Array(func() {
				if p.Text != "" {
					appendSummary(w, p.Text)
				}
			})
			if p.Seal != "" {
				w.Field("encrypted_content", conversation.SealFor(p.Seal, own))
			}
		default:
			w.Field("type", "message")
			w.Field("status", status)
			w.Field("role", "assistant")
			w.Key("content").Array(func() {
				if status == completed {
					appendContent(w, p.Kind, p.Text)
				}
			})
		}
	})
}

func appendSummary(w *jsontree.Writer, text string) {
	w.Object(func() {
		w.Field("type", "summary_text")
		w.Field("text", text)
	})
}

// appendContent writes a part of a message.
func appendContent(w *jsontree.Writer, kind conversation.PartKind, text string) {
	w.Object(func() {
		if kind == conversation.Refusal {
			w.Field("type", "refusal")
			w.Field("refusal", text)
			return
		}
		w.Field("type", "output_text")
		w.Key("annotations").Array(func() {})
		w.Key("logprobs").Array(func() {})
		w.Field("text", text)
	})
}

// appendUsage writes what the answer consumed, with OpenAI's inclusion.
func appendUsage(w *jsontree.Writer, r *dialect.Report) {
	t := conversation.TokensIn(r)
	w.Object(func() {
		w.Key("input_tokens").Int(t.Input)
		w.Key("input_tokens_details").Object(func() {
			w.Key("cached_tokens").Int(t.CacheRead)
			if t.Written() > 0 {
				w.Key("cache_write_tokens").Int(t.Written())
			}
		})
		w.Key("output_tokens").Int(t.Output)
		w.Key("output_tokens_details").Object(func() { w.Key("reasoning_tokens").Int(t.Reasoning) })
		w.Key("total_tokens").Int(t.Input + t.Output)
	})
}
