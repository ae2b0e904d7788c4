package anthropic

import (
	"strconv"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/claude"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// AppendRequest implements conversation.Provider.
func (Dialect) AppendRequest(dst []byte, q *conversation.Request) ([]byte, *dialect.Error) {
	w := writing{q: q, out: jsontree.Writer{Buf: dst}}
	q.LeaveWord(q.Verbosity)
	w.out.Object(w.request)
	return w.out.Buf, w.err
}

// writing is the state of one request being written. err is the first problem.
type writing struct {
	q   *conversation.Request
	out jsontree.Writer
	err *dialect.Error
}

func (w *writing) refuse(at, why string) {
	if w.err == nil {
		w.err = jsontree.Untranslatable(at, why)
	}
}

func (w *writing) request() {
	q, out := w.q, &w.out
	plan, err := claude.PlanOf(q, own)
	if w.err == nil {
		w.err = err
	}
	out.Field("model", q.Model)
	out.Number("max_tokens", plan.Cap)
	if q.Stream {
		out.Key("stream").Bool(true)
	}
	if len(q.System) > 0 {
		out.Key("system").Array(func() { w.parts(conversation.User, q.System) })
	}
	w.turns()
	if len(q.Tools) > 0 {
		out.Key("tools").Array(func() {
			for i := range q.Tools {
				w.tool(&q.Tools[i])
			}
		})
	}
	w.choice()
	w.sampling()
	if plan.Thinks() {
		plan.WriteThinking(out.Key("thinking"))
	}
	w.output(plan.Effort)
	w.bookkeeping()
}

func (w *writing) tool(t *conversation.Tool) {
	w.out.Object(func() {
		w.out.Field("name", t.Name)
		w.out.Optional("description", t.Description)
		w.out.Key("input_schema")
		if t.Schema == nil {
			w.out.Raw([]byte(`{"type":"object","properties":{}}`))
		} else {
			w.object(t.Schema, t.At)
		}
		if t.Strict.Set {
			w.out.Key("strict").Bool(t.Strict.On)
		}
		w.cache(t.Cache)
	})
}

// object writes a JSON object that came as it is. One that is not whole would make
// something else of what is around it.
func (w *writing) object(raw []byte, at string) {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Kind() != jsonscan.Object || cur.Skip() != nil || cur.End() != nil {
		if w.err == nil {
			w.err = dialect.NewError(dialect.CodeInvalidValue, at, "'%s' has to have a JSON object in it.", at)
		}
		return
	}
	w.out.Raw(raw)
}

var choices = map[conversation.ChoiceKind]string{
	conversation.Auto: "auto", conversation.None: "none", conversation.Required: "any", conversation.Named: "tool",
}

// choice writes tool_choice, which has the switch for parallel calls too.
func (w *writing) choice() {
	c, parallel := w.q.Choice, w.q.Parallel
	if parallel.Set && !parallel.On && c.Kind == conversation.Unset {
		c.Kind = conversation.Auto
	}
	moot := len(w.q.Tools) == 0 && (c.Kind == conversation.Auto || c.Kind == conversation.None)
	if c.Kind == conversation.Unset || moot {
		return // and calls in parallel are what is usual
	}
	w.out.Key("tool_choice").Object(func() {
		w.out.Field("type", choices[c.Kind])
		if c.Kind == conversation.Named {
			w.out.Field("name", c.Name)
		}
		if parallel.Set && c.Kind != conversation.None {
			w.out.Key("disable_parallel_tool_use").Bool(!parallel.On)
		}
	})
}

func (w *writing) sampling() {
	q := w.q
	if t, err := strconv.ParseFloat(q.Temperature.Digits, 64); q.Temperature.Set() && (err != nil || t > 1) {
		w.refuse(q.Temperature.At, "temperatures go from 0 to 1 there")
	}
	w.out.Number("temperature", q.Temperature.Digits)
	w.out.Number("top_p", q.TopP.Digits)
	w.out.Number("top_k", q.TopK.Digits)
	if q.Seed.Set() {
		w.refuse(q.Seed.At, "")
	}
	for _, penalty := range [...]conversation.Number{q.PresencePenalty, q.FrequencyPenalty} {
		if p, err := strconv.ParseFloat(penalty.Digits, 64); penalty.Set() && (err != nil || p != 0) {
			w.refuse(penalty.At, "")
		}
	}
	if len(q.Stop) > 0 {
		w.out.Key("stop_sequences").Array(func() {
			for _, s := range q.Stop {
				w.out.String(s)
			}
		})
	}
}

// output writes output_config: the effort, and the form of the answer. A schema is
// always kept to there.
func (w *writing) output(effort string) {
	f := &w.q.Format
	if f.Kind == conversation.JSONObject {
		w.refuse(f.At, "JSON is written by a schema there")
	}
	if effort == "" && f.Kind != conversation.JSONSchema {
		return
	}
	w.out.Key("output_config").Object(func() {
		w.out.Optional("effort", effort)
		if f.Kind != conversation.JSONSchema {
			return
		}
		w.out.Key("format").Object(func() {
			w.out.Field("type", "json_schema")
			w.out.Key("schema")
			w.object(f.Schema, f.At)
		})
		if f.Description != "" {
			w.q.Leave(f.At + ".description")
		}
		if f.Strict.Set && !f.Strict.On {
			w.q.Leave(f.Strict.At)
		}
	})
}

func (w *writing) bookkeeping() {
	q := w.q
	switch q.Tier.Text {
	case "":
	case "auto":
		w.out.Field("service_tier", "auto")
	case "default":
		w.out.Field("service_tier", "standard_only")
	default:
		w.refuse(q.Tier.At, "its tiers are 'auto' and 'default'")
	}
	switch {
	case q.User.Text == "":
	case len(q.User.Text) > wire.MaxUser:
		q.Leave(q.User.At)
	default:
		w.out.Key("metadata").Object(func() { w.out.Field("user_id", q.User.Text) })
	}
}
