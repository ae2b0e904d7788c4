package chat

import (
	"cmp"
	"errors"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// ReadAnswer implements conversation.Provider.
func (Dialect) ReadAnswer(body []byte) (*conversation.Answer, error) {
	var r jsontree.Reader
	top := r.ReadAnswer(body, jsontree.Brackets)
	a := &conversation.Answer{ID: top.Get("id").String(), Model: top.Get("model").String()}
	rd := reading{q: &conversation.Request{}, answer: true}
	top.Get("choices").Each(func(i int, c jsontree.Node) {
		if i > 0 {
			a.Left = append(a.Left, c.At())
			return
		}
		m := c.Get("message")
		m.Ignore("role")
		a.Parts = rd.assistant(m)
		calls := 0
		for i := range a.Parts {
			if p := &a.Parts[i]; p.Kind == conversation.ToolUse {
				p.Call.ID = idOf(p.Call.ID, a.ID, calls)
				calls++
			}
		}
		a.Stop = stopOf(c.Get("finish_reason").String(), a.Parts)
		a.Left = append(append(a.Left, rd.q.Left...), m.Untaken()...)
	})
	switch {
	case r.Err != nil:
		return nil, r.Err
	case top.Get("error").Has() || top.Get("choices").Len() == 0:
		return nil, errors.New("chat: an answer without a choice")
	}
	return a, nil
}

// stopOf reads a finish reason. Some providers say "stop" where they want a tool run.
func stopOf(reason string, parts []conversation.Part) conversation.Stop {
	switch reason {
	case "stop":
		for i := range parts {
			if parts[i].Kind == conversation.ToolUse {
				return conversation.StopTools
			}
		}
		return conversation.StopEnd
	case "length":
		return conversation.StopLength
	case "tool_calls", "function_call":
		return conversation.StopTools
	case "content_filter":
		return conversation.StopFiltered
	}
	return conversation.StopUnknown
}

var reasons = [...]string{
	conversation.StopUnknown: "stop", conversation.StopEnd: "stop", conversation.StopLength: "length", conversation.StopSequence: "stop",
	conversation.StopTools: "tool_calls", conversation.StopFiltered: "content_filter", conversation.StopPaused: "stop",
}

// ReadError implements conversation.Provider.
func (Dialect) ReadError(body []byte) dialect.UpstreamError {
	var r jsontree.Reader
	top := r.ReadAnswer(body, jsontree.Brackets)
	return failure(top.Get("error"))
}

// failure reads an error object. Some providers give its code as a number, some an
// error that is a text.
func failure(e jsontree.Node) dialect.UpstreamError {
	if e.Kind() == jsonscan.String {
		return dialect.UpstreamError{Message: e.String()}
	}
	code := e.Get("code")
	text := string(code.Raw())
	if code.Kind() == jsonscan.String {
		text = code.String()
	}
	return dialect.UpstreamError{Type: e.Get("type").String(), Code: text, Param: e.Get("param").String(), Message: e.Get("message").String()}
}

// AppendAnswer implements conversation.Client.
func (Dialect) AppendAnswer(dst []byte, a *conversation.Answer, s *conversation.Setting, r *dialect.Report) []byte {
	w := jsontree.Writer{Buf: dst}
	w.Object(func() {
		w.Field("id", cmp.Or(a.ID, s.ID))
		w.Field("object", "chat.completion")
		w.Key("created").Int(s.Unix)
		w.Field("model", cmp.Or(a.Model, s.Call.Model))
		w.Key("choices").Array(func() {
			w.Object(func() {
				w.Key("index").Int(0)
				w.Key("message").Object(func() { appendMessage(&w, a.Parts) })
				w.Key("logprobs").Null()
				w.Field("finish_reason", reasons[a.Stop])
			})
		})
		appendUsage(w.Key("usage"), r)
	})
	return w.Buf
}

func appendMessage(w *jsontree.Writer, parts []conversation.Part) {
	var text, thought, refusal string
	var calls []conversation.Call
	said := false
	for i := range parts {
		switch p := &parts[i]; p.Kind {
		case conversation.Text:
			text, said = text+p.Text, true
		case conversation.Thought:
			thought += p.Text
		case conversation.Refusal:
			refusal += p.Text
		case conversation.ToolUse:
			calls = append(calls, p.Call)
		}
	}
	w.Field("role", "assistant")
	if said {
		w.Field("content", text)
	} else {
		w.Key("content").Null()
	}
	if refusal != "" {
		w.Field("refusal", refusal)
	} else {
		w.Key("refusal").Null()
	}
	w.Optional("reasoning_content", thought)
	if len(calls) > 0 {
		w.Key("tool_calls").Array(func() {
			for i := range calls {
				w.Object(func() {
					w.Field("id", calls[i].ID)
					w.Field("type", "function")
					w.Key("function").Object(func() {
						w.Field("name", calls[i].Name)
						w.Field("arguments", string(calls[i].Arguments))
					})
				})
			}
		})
	}
}

// appendUsage writes what the answer consumed, with OpenAI's inclusion: cached
// tokens within the prompt, reasoning within the completion.
func appendUsage(w *jsontree.Writer, r *dialect.Report) {
	t := conversation.TokensIn(r)
	w.Object(func() {
		w.Key("prompt_tokens").Int(t.Input)
		w.Key("completion_tokens").Int(t.Output)
		w.Key("total_tokens").Int(t.Input + t.Output)
		w.Key("prompt_tokens_details").Object(func() {
			w.Key("cached_tokens").Int(t.CacheRead)
			if t.Written() > 0 {
				w.Key("cache_write_tokens").Int(t.Written())
			}
		})
		w.Key("completion_tokens_details").Object(func() { w.Key("reasoning_tokens").Int(t.Reasoning) })
	})
}
