package anthropic

import (
	"errors"
	"fmt"
	"strings"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// errNoAnswer says that a body of status 200 is no message.
var errNoAnswer = errors.New("anthropic: not a message")

// ReadAnswer implements conversation.Provider.
func (Dialect) ReadAnswer(body []byte) (*conversation.Answer, error) {
	var tree jsontree.Reader
	top := tree.ReadAnswer(body, jsontree.Dots)
	if kind := top.Get("type").String(); tree.Err == nil && kind != "message" {
		return nil, fmt.Errorf("%w but of type %q", errNoAnswer, kind)
	}
	a := &conversation.Answer{ID: top.Get("id").String(), Model: top.Get("model").String(), Sequence: top.Get("stop_sequence").String()}
	top.Get("content").Each(func(_ int, b jsontree.Node) {
		if p, ok := answered(b, a); ok {
			a.Parts = append(a.Parts, p)
		}
	})
	a.Stop = stopOf(top.Get("stop_reason").String())
	if why := explanation(top); why != "" {
		a.Parts = append(a.Parts, conversation.Part{Kind: conversation.Refusal, Text: why})
	}
	if tree.Err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, tree.Err)
	}
	return a, nil
}

// answered reads a block of an answer. Those that only this dialect has are left
// out and named.
func answered(b jsontree.Node, a *conversation.Answer) (p conversation.Part, ok bool) {
	switch b.Get("type").String() {
	case "text":
		if b.Get("citations").Len() > 0 {
			a.Left = append(a.Left, b.Get("citations").At())
		}
		return conversation.Part{Kind: conversation.Text, Text: b.Get("text").String()}, true
	case "thinking":
		return conversation.Part{Kind: conversation.Thought, Text: b.Get("thinking").String(), Seal: sealOf(b.Get("signature").String())}, true
	case "redacted_thinking":
		return conversation.Part{Kind: conversation.Thought, Seal: sealRedacted + b.Get("data").String()}, true
	case "tool_use":
		call := conversation.Call{ID: b.Get("id").String(), Name: b.Get("name").String(), Arguments: b.Get("input").Object()}
		if call.Arguments == nil {
			call.Arguments = []byte("{}")
		}
		return conversation.Part{Kind: conversation.ToolUse, Call: call}, true
	}
	a.Left = append(a.Left, b.At())
	return conversation.Part{}, false
}

// explanation is why the model declined, where the answer, or the delta of a
// stream, says so.
func explanation(n jsontree.Node) string {
	return n.Get("stop_details").Get("explanation").String()
}

func stopOf(reason string) conversation.Stop {
	switch reason {
	case "end_turn":
		return conversation.StopEnd
	case "max_tokens", "model_context_window_exceeded":
		return conversation.StopLength
	case "stop_sequence":
		return conversation.StopSequence
	case "tool_use":
		return conversation.StopTools
	case "pause_turn":
		return conversation.StopPaused
	case "refusal":
		return conversation.StopFiltered
	}
	return conversation.StopUnknown
}

// reasonOf is the stop reason; refused says that the answer has a refusal in it,
// which some dialects do not say in theirs.
func reasonOf(s conversation.Stop, refused bool) string {
	switch s {
	case conversation.StopLength:
		return "max_tokens"
	case conversation.StopSequence:
		return "stop_sequence"
	case conversation.StopTools:
		return "tool_use"
	case conversation.StopPaused:
		return "pause_turn"
	case conversation.StopFiltered:
		return "refusal"
	case conversation.StopEnd, conversation.StopUnknown:
	}
	if refused {
		return "refusal"
	}
	return "end_turn"
}

// AppendAnswer implements conversation.Client.
func (Dialect) AppendAnswer(dst []byte, a *conversation.Answer, s *conversation.Setting, r *dialect.Report) []byte {
	w := jsontree.Writer{Buf: dst}
	refused, calls, broken, stop := false, false, false, a.Stop
	w.Object(func() {
		head(&w, a.ID, a.Model, s)
		w.Key("content").Array(func() {
			for i := range a.Parts {
				p := &a.Parts[i]
				refused = refused || p.Kind == conversation.Refusal
				if usable(p) {
					block(&w, p)
					calls = calls || p.Kind == conversation.ToolUse
				} else {
					broken = true
				}
			}
		})
		if stop == conversation.StopTools && broken && !calls {
			stop = conversation.StopEnd
		}
		ending(&w, stop, a.Sequence, refused)
		usage(&w, r)
	})
	return w.Buf
}

// usable says whether a part can be told whole. Half a call is not one to run: one
// whose arguments are cut off, or that the model has broken, is left out, and no call
// is waited for where there is no other.
func usable(p *conversation.Part) bool {
	if p.Kind != conversation.ToolUse {
		return true
	}
	_, ok := conversation.Arguments(string(p.Call.Arguments))
	return ok
}

// head writes the members that a message begins with.
func head(w *jsontree.Writer, id, model string, s *conversation.Setting) {
	if id == "" {
		id = s.ID
	}
	if model == "" {
		model = s.Call.Model
	}
	w.Field("id", id)
	w.Field("type", "message")
	w.Field("role", "assistant")
	w.Field("model", model)
}

func ending(w *jsontree.Writer, s conversation.Stop, sequence string, refused bool) {
	w.Field("stop_reason", reasonOf(s, refused))
	if w.Key("stop_sequence"); sequence == "" {
		w.Null()
	} else {
		w.String(sequence)
	}
}

// block writes a part as a block of content.
func block(w *jsontree.Writer, p *conversation.Part) {
	w.Object(func() {
		switch p.Kind {
		case conversation.ToolUse:
			w.Field("type", "tool_use")
			w.Field("id", p.Call.ID)
			w.Field("name", p.Call.Name)
			if w.Key("input"); len(p.Call.Arguments) == 0 {
				w.Raw([]byte("{}"))
			} else {
				w.Raw(p.Call.Arguments)
			}
		case conversation.Thought:
			if data, ok := strings.CutPrefix(p.Seal, sealRedacted); ok {
				w.Field("type", "redacted_thinking")
				w.Field("data", data)
				return
			}
			w.Field("type", "thinking")
			w.Field("thinking", p.Text)
			w.Field("signature", signature(p.Seal))
		default:
			w.Field("type", "text")
			w.Field("text", p.Text)
		}
	})
}

// usage writes the usage, in which the counts of input are disjoint.
func usage(w *jsontree.Writer, r *dialect.Report) {
	t := conversation.TokensIn(r)
	w.Key("usage").Object(func() {
		counts(w, t)
		w.Key("output_tokens_details").Object(func() { w.Key("thinking_tokens").Int(t.Reasoning) })
	})
}

func counts(w *jsontree.Writer, t conversation.Tokens) {
	w.Key("input_tokens").Int(t.Input - t.CacheRead - t.Written())
	w.Key("cache_creation_input_tokens").Int(t.Written())
	w.Key("cache_read_input_tokens").Int(t.CacheRead)
	w.Key("cache_creation").Object(func() {
		w.Key("ephemeral_5m_input_tokens").Int(t.Write5m)
		w.Key("ephemeral_1h_input_tokens").Int(t.Write1h)
	})
	w.Key("output_tokens").Int(t.Output)
}

// failure is how an error of an upstream is told in a stream.
func failure(dst []byte, e *dialect.UpstreamError) []byte {
	told := dialect.NewError(dialect.CodeUpstream, "", "%s", e.Message)
	if told.Status = conversation.StatusOf(e); told.Status == 503 {
		told.Code = dialect.CodeOverloaded
	}
	return wire.AppendError(dst, told)
}
