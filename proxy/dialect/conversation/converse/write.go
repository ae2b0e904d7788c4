package converse

import (
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/claude"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// AppendRequest implements conversation.Provider.
func (Dialect) AppendRequest(dst []byte, q *conversation.Request) ([]byte, *dialect.Error) {
	w := writing{q: q, out: jsontree.Writer{Buf: dst}, named: map[string]bool{}}
	q.LeaveWord(q.Verbosity)
	w.out.Object(w.request)
	return w.out.Buf, w.err
}

// writing is the state of one request being written. err is the first problem.
type writing struct {
	q     *conversation.Request
	out   jsontree.Writer
	err   *dialect.Error
	named map[string]bool // names of documents
}

func (w *writing) refuse(at, why string) {
	if w.err == nil {
		w.err = jsontree.Untranslatable(at, why)
	}
}

func (w *writing) request() {
	q, out := w.q, &w.out
	if len(q.System) > 0 {
		out.Key("system").Array(func() { w.parts(conversation.System, q.System) })
	}
	turns, err := q.Arranged(w.keeps)
	if w.err == nil {
		w.err = err
	}
	out.Key("messages").Array(func() {
		for i := range turns {
			out.Object(func() {
				out.Field("role", roles[turns[i].Role])
				out.Key("content").Array(func() { w.parts(turns[i].Role, turns[i].Parts) })
			})
		}
	})
	plan := w.plan()
	w.inference(plan.Cap)
	w.tools()
	w.output(plan.Effort)
	w.ofTheModel(&plan)
	w.bookkeeping()
}

var roles = map[conversation.Role]string{
	conversation.User: "user", conversation.Assistant: "assistant", conversation.System: "system",
}

// plan decides how reasoning is written. Other models than Claude are told an effort.
func (w *writing) plan() claude.Plan {
	why := w.q.Reasoning
	if claude.Named(w.q.Model) {
		plan, err := claude.PlanOf(w.q, own)
		if w.err == nil {
			w.err = err
		}
		if !w.q.MaxOutput.Set() && !plan.Budgeted() {
			plan.Cap = "" // none is required here
		}
		return plan
	}
	plan := claude.Plan{Cap: w.q.MaxOutput.Digits}
	switch why.Kind {
	case conversation.ReasoningUnset, conversation.ReasoningByModel: // it decides by itself
	case conversation.ReasoningOff:
		w.refuse(why.At, "only Claude is known to be told so there")
	case conversation.ReasoningEffort:
		if !claude.Effort(why.Effort) {
			w.refuse(why.At, "no such effort is known")
		}
		plan.Effort = claude.Level(why.Effort)
	case conversation.ReasoningBudget:
		plan.Effort = claude.EffortOf(why.Budget)
	}
	return plan
}

func (w *writing) inference(limit string) {
	q, out := w.q, &w.out
	if t, err := strconv.ParseFloat(q.Temperature.Digits, 64); q.Temperature.Set() && (err != nil || t > 1) {
		w.refuse(q.Temperature.At, "temperatures go from 0 to 1 there")
	}
	if q.Seed.Set() {
		w.refuse(q.Seed.At, "")
	}
	for _, penalty := range [...]conversation.Number{q.PresencePenalty, q.FrequencyPenalty} {
		if p, err := strconv.ParseFloat(penalty.Digits, 64); penalty.Set() && (err != nil || p != 0) {
			w.refuse(penalty.At, "")
		}
	}
	if limit == "" && !q.Temperature.Set() && !q.TopP.Set() && len(q.Stop) == 0 {
		return
	}
	out.Key("inferenceConfig").Object(func() {
		out.Number("maxTokens", limit)
		out.Number("temperature", q.Temperature.Digits)
		out.Number("topP", q.TopP.Digits)
		if len(q.Stop) > 0 {
			out.Key("stopSequences").Array(func() {
				for _, s := range q.Stop {
					out.String(s)
				}
			})
		}
	})
}

// tools writes the tools and which of them may be used.
func (w *writing) tools() {
	q, out := w.q, &w.out
	if q.Parallel.Set && !q.Parallel.On && len(q.Tools) > 0 {
		q.Leave(q.Parallel.At) // there is no such switch; agents set it as a matter of course
	}
	if len(q.Tools) == 0 || w.withoutTools() {
		return
	}
	out.Key("toolConfig").Object(func() {
		out.Key("tools").Array(func() {
			for i := range q.Tools {
				w.tool(&q.Tools[i])
			}
		})
		switch q.Choice.Kind {
		case conversation.Auto:
			out.Key("toolChoice").Object(func() { out.Key("auto").Object(func() {}) })
		case conversation.Required:
			out.Key("toolChoice").Object(func() { out.Key("any").Object(func() {}) })
		case conversation.Named:
			out.Key("toolChoice").Object(func() {
				out.Key("tool").Object(func() { out.Field("name", q.Choice.Name) })
			})
		case conversation.Unset, conversation.None:
		}
	})
}

// withoutTools says that no tool may be used, so that none is written. Where the
// conversation has calls of some already, the API wants them to be defined, and has
// no word against their use.
func (w *writing) withoutTools() bool {
	if w.q.Choice.Kind != conversation.None {
		return false
	}
	for i := range w.q.Turns {
		for _, p := range w.q.Turns[i].Parts {
			if p.Kind == conversation.ToolUse || p.Kind == conversation.ToolResult {
				w.refuse(w.q.Choice.At, "the use of tools that the conversation has calls of cannot be forbidden there")
			}
		}
	}
	return true
}

func (w *writing) tool(t *conversation.Tool) {
	w.out.Object(func() {
		w.out.Key("toolSpec").Object(func() {
			w.out.Field("name", t.Name)
			w.out.Optional("description", t.Description)
			w.out.Key("inputSchema").Object(func() {
				w.out.Key("json")
				if t.Schema == nil {
					w.out.Raw([]byte(`{"type":"object","properties":{}}`))
				} else {
					w.object(t.Schema, t.At)
				}
			})
			if t.Strict.Set {
				w.out.Key("strict").Bool(t.Strict.On)
			}
		})
	})
	w.cache(t.Cache)
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

// output writes the effort and the form of the answer, whose schema is a text.
func (w *writing) output(effort string) {
	f, out := &w.q.Format, &w.out
	if f.Kind == conversation.JSONObject {
		w.refuse(f.At, "JSON is written by a schema there")
	}
	if effort == "" && f.Kind != conversation.JSONSchema {
		return
	}
	out.Key("outputConfig").Object(func() {
		out.Optional("effort", effort)
		if f.Kind != conversation.JSONSchema {
			return
		}
		out.Key("textFormat").Object(func() {
			out.Field("type", "json_schema")
			out.Key("structure").Object(func() {
				out.Key("jsonSchema").Object(func() {
					out.Field("schema", string(f.Schema))
					out.Optional("name", f.Name)
					out.Optional("description", f.Description)
				})
			})
		})
		if f.Strict.Set && !f.Strict.On {
			w.q.Leave(f.Strict.At)
		}
	})
}

// ofTheModel writes what one family of models alone is told.
func (w *writing) ofTheModel(plan *claude.Plan) {
	q, out := w.q, &w.out
	topK := q.TopK.Digits
	if !claude.Named(q.Model) { // others are not known to take it there
		q.LeaveNumber(q.TopK)
		topK = ""
	}
	if !plan.Thinks() && topK == "" {
		return
	}
	out.Key("additionalModelRequestFields").Object(func() {
		if plan.Thinks() {
			plan.WriteThinking(out.Key("thinking"))
		}
		out.Number("top_k", topK)
	})
}

func (w *writing) bookkeeping() {
	q := w.q
	switch q.Tier.Text {
	case "", "auto":
	case "default", "flex", "priority":
		w.out.Key("serviceTier").Object(func() { w.out.Field("type", q.Tier.Text) })
	default:
		w.refuse(q.Tier.At, "its tiers are 'default', 'flex' and 'priority'")
	}
	if q.User.Text != "" {
		q.Leave(q.User.At)
	}
}
