package chat

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// AppendRequest implements conversation.Provider. The cap is written as
// max_completion_tokens; the gateway renames it for upstreams that know the other
// name.
func (Dialect) AppendRequest(dst []byte, q *conversation.Request) ([]byte, *dialect.Error) {
	q.LeaveNumber(q.TopK)
	w := writing{Writer: jsontree.Writer{Buf: dst}, q: q}
	w.Object(func() {
		w.Field("model", q.Model)
		w.Key("messages").Array(w.messages)
		w.tools()
		w.format()
		w.options()
		if q.Stream {
			w.Key("stream").Bool(true)
		}
	})
	if w.err != nil {
		return nil, w.err
	}
	return w.Buf, nil
}

// writing is a request being written. err is the first thing that cannot be said.
type writing struct {
	jsontree.Writer
	q   *conversation.Request
	err *dialect.Error
}

func (w *writing) refuse(at, why string) {
	if w.err == nil {
		w.err = jsontree.Untranslatable(at, why)
	}
}

func (w *writing) options() {
	q := w.q
	w.Number("max_completion_tokens", q.MaxOutput.Digits)
	w.Number("temperature", q.Temperature.Digits)
	w.Number("top_p", q.TopP.Digits)
	w.Number("seed", q.Seed.Digits)
	w.Number("presence_penalty", q.PresencePenalty.Digits)
	w.Number("frequency_penalty", q.FrequencyPenalty.Digits)
	if len(q.Stop) > 0 {
		w.Key("stop").Array(func() {
			for _, s := range q.Stop {
				w.String(s)
			}
		})
	}
	w.Optional("reasoning_effort", effort(&q.Reasoning))
	w.Optional("verbosity", q.Verbosity.Text)
	w.Optional("service_tier", q.Tier.Text)
	if len(q.User.Text) > maxUser {
		q.Leave(q.User.At)
	} else {
		w.Optional("user", q.User.Text)
	}
}

// maxUser is the longest name of an end user that OpenAI takes.
const maxUser = 64

// The budgets of reasoning up to which an effort is meant. A budget is a limit and
// an effort a wish: this is no more than a likeness.
const (
	lowBudget    = 2_048
	mediumBudget = 8_192
)

func effort(r *conversation.Reasoning) string {
	switch r.Kind {
	case conversation.ReasoningOff:
		return "none"
	case conversation.ReasoningEffort:
		if r.Effort == "max" {
			return "xhigh"
		}
		return r.Effort
	case conversation.ReasoningBudget:
		switch {
		case r.Budget <= lowBudget:
			return "low"
		case r.Budget <= mediumBudget:
			return "medium"
		}
		return "high"
	}
	return ""
}

func (w *writing) tools() {
	q := w.q
	if len(q.Tools) > 0 {
		w.Key("tools").Array(func() {
			for i := range q.Tools {
				w.tool(&q.Tools[i])
			}
		})
	}
	switch c := &q.Choice; c.Kind {
	case conversation.Auto:
		w.Field("tool_choice", "auto")
	case conversation.None:
		w.Field("tool_choice", "none")
	case conversation.Required:
		w.Field("tool_choice", "required")
	case conversation.Named:
		w.Key("tool_choice").Object(func() {
			w.Field("type", "function")
			w.Key("function").Object(func() { w.Field("name", c.Name) })
		})
	}
	if q.Parallel.Set && len(q.Tools) > 0 {
		w.Key("parallel_tool_calls").Bool(q.Parallel.On)
	}
}

func (w *writing) tool(t *conversation.Tool) {
	w.uncached(t.Cache, t.At)
	w.Object(func() {
		w.Field("type", "function")
		w.Key("function").Object(func() {
			w.Field("name", t.Name)
			w.Optional("description", t.Description)
			if t.Schema != nil {
				w.Key("parameters").Raw(t.Schema)
			}
			if t.Strict.Set {
				w.Key("strict").Bool(t.Strict.On)
			}
		})
	})
}

// uncached leaves a cache hint out: providers of this dialect cache by themselves.
func (w *writing) uncached(l conversation.Lifetime, at string) {
	if l != conversation.NotCached {
		w.q.Leave(at + ".cache_control")
	}
}

func (w *writing) format() {
	f := &w.q.Format
	switch f.Kind {
	case conversation.JSONObject:
		w.Key("response_format").Object(func() { w.Field("type", "json_object") })
	case conversation.JSONSchema:
		w.Key("response_format").Object(func() {
			w.Field("type", "json_schema")
			w.Key("json_schema").Object(func() {
				name := f.Name
				if name == "" {
					name = "answer" // the dialect asks for one
				}
				w.Field("name", name)
				w.Optional("description", f.Description)
				w.Key("schema").Raw(f.Schema)
				if f.Strict.Set {
					w.Key("strict").Bool(f.Strict.On)
				}
			})
		})
	}
}

func (w *writing) messages() {
	if len(w.q.System) > 0 {
		w.message("system", "", w.q.System)
	}
	for turns := w.q.Turns; len(turns) > 0; {
		n := sides(turns)
		switch turns[0].Role {
		case conversation.System:
			w.message("system", turns[0].Name, turns[0].Parts)
		case conversation.Assistant:
			w.assistant(turns[:n])
		default:
			w.user(turns[:n])
		}
		turns = turns[n:]
	}
}

func (w *writing) message(role, name string, parts []conversation.Part) {
	w.Object(func() {
		w.Field("role", role)
		w.Optional("name", name)
		w.content(parts, role == "system")
	})
}

// content writes a string where there is one text or none, else a list of parts.
func (w *writing) content(parts []conversation.Part, textOnly bool) {
	if len(parts) == 0 {
		w.Field("content", "")
		return
	}
	if len(parts) == 1 && parts[0].Kind == conversation.Text {
		w.uncached(parts[0].Cache, parts[0].At)
		w.Field("content", parts[0].Text)
		return
	}
	w.Key("content").Array(func() {
		for i := range parts {
			if p := &parts[i]; textOnly && p.Kind != conversation.Text {
				w.refuse(p.At, "only text can stand there")
			} else {
				w.part(p)
			}
		}
	})
}

func (w *writing) part(p *conversation.Part) {
	w.uncached(p.Cache, p.At)
	w.Object(func() {
		switch p.Kind {
		case conversation.Text:
			w.Field("type", "text")
			w.Field("text", p.Text)
		case conversation.Image:
			w.Field("type", "image_url")
			w.Key("image_url").Object(func() {
				w.Field("url", p.Media.DataURL())
				w.Optional("detail", p.Media.Detail)
			})
		case conversation.Audio:
			w.audio(p)
		case conversation.Document:
			w.document(p)
		default:
			w.refuse(p.At, "")
		}
	})
}

func (w *writing) audio(p *conversation.Part) {
	format := strings.TrimPrefix(p.Media.Type, "audio/")
	switch format {
	case "mpeg":
		format = "mp3"
	case "x-wav", "wave":
		format = "wav"
	}
	w.Field("type", "input_audio")
	w.Key("input_audio").Object(func() {
		w.Field("data", p.Media.Data)
		w.Field("format", format)
	})
}

func (w *writing) document(p *conversation.Part) {
	switch {
	case p.Media.Plain != "":
		w.Field("type", "text")
		w.Field("text", p.Media.Plain)
	case p.Media.Data == "":
		w.refuse(p.At, "a document has to be in the request, not linked")
	default:
		name := p.Media.Name
		if name == "" {
			name = "document.pdf" // the dialect asks for one
		}
		w.Field("type", "file")
		w.Key("file").Object(func() {
			w.Field("filename", name)
			w.Field("file_data", p.Media.DataURL())
		})
	}
}
