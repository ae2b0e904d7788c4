package gemini

import (
	"slices"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// AppendRequest implements conversation.Provider.
func (Dialect) AppendRequest(dst []byte, q *conversation.Request) ([]byte, *dialect.Error) {
	if err := q.NameResults(); err != nil {
		return nil, err
	}
	q.LeaveWord(q.Verbosity)
	w := writing{Writer: jsontree.Writer{Buf: dst}, q: q}
	turns := w.turns()
	w.Object(func() {
		w.system()
		w.Key("contents").Array(func() {
			for i := range turns {
				w.content(&turns[i])
			}
		})
		w.tools()
		w.toolConfig()
		w.Key("generationConfig").Object(w.config)
		w.tier()
	})
	if q.User.Text != "" {
		q.Leave(q.User.At)
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.Buf, nil
}

// writing is a request being written. err is the first thing without a word.
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

// turns are the turns that say something in this dialect, alternating.
func (w *writing) turns() []conversation.Turn {
	var out []conversation.Turn
	if err := w.q.LeaveNames(); w.err == nil {
		w.err = err
	}
	for _, t := range w.q.Turns {
		t.Name, t.Parts = "", w.kept(t.Parts)
		if len(t.Parts) == 0 {
			continue
		}
		if t.Role == conversation.System {
			w.q.Leave(t.At + ".role")
			t.Role, t.Parts = conversation.User, marked(t.Parts)
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		at := ""
		if len(w.q.System) > 0 {
			at = w.q.System[0].At
		}
		w.refuse(at, "Gemini wants a message beside its instructions")
	}
	return conversation.Joined(out)
}

// marked are the texts of the system in the middle of a conversation, where Gemini
// knows the user and the model alone: in the user's turn, and told from what the user
// says by their marks. Agents send them with every call.
func marked(texts []conversation.Part) []conversation.Part {
	mark := func(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }
	return append(append([]conversation.Part{mark("<system>")}, texts...), mark("</system>"))
}

// kept are parts without the thoughts of others, without hints, and without empty
// texts, which the API refuses.
func (w *writing) kept(parts []conversation.Part) []conversation.Part {
	out := make([]conversation.Part, 0, len(parts))
	for _, p := range parts {
		w.uncached(p.Cache, p.At)
		if p.Kind == conversation.Thought && ownSignature(p.Seal) == "" {
			w.q.Leave(p.At)
			continue
		}
		if (p.Kind == conversation.Text || p.Kind == conversation.Refusal) && p.Text == "" && ownSignature(p.Seal) == "" {
			continue
		}
		out = append(out, p)
	}
	return out
}

// uncached leaves out what asks for a cache: Gemini has its own way of caching, and
// does it unasked.
func (w *writing) uncached(l conversation.Lifetime, at string) {
	if l != conversation.NotCached {
		w.q.Leave(at)
	}
}

func (w *writing) system() {
	said := w.kept(w.q.System)
	if len(said) == 0 {
		return
	}
	w.Key("systemInstruction").Object(func() {
		w.Key("parts").Array(func() {
			for i := range said {
				p := &said[i]
				if p.Kind != conversation.Text {
					w.refuse(p.At, "instructions are text")
				}
				w.Object(func() { w.Field("text", p.Text) })
			}
		})
	})
}

func (w *writing) tools() {
	if len(w.q.Tools) == 0 {
		return
	}
	w.Key("tools").Array(func() {
		w.Object(func() {
			w.Key("functionDeclarations").Array(func() {
				for i := range w.q.Tools {
					w.tool(&w.q.Tools[i])
				}
			})
		})
	})
}

func (w *writing) tool(t *conversation.Tool) {
	w.uncached(t.Cache, t.At)
	w.Object(func() {
		w.Field("name", t.Name)
		w.Optional("description", t.Description)
		if t.Schema != nil {
			w.Key("parametersJsonSchema").Raw(t.Schema)
		}
	})
}

// toolConfig says which functions may be called. Where one of them is strict, all
// are: the mode that checks arguments against schemas is one for all, and ANY does
// so anyway.
func (w *writing) toolConfig() {
	q := w.q
	if q.Parallel.Set && !q.Parallel.On && len(q.Tools) > 0 {
		w.q.Leave(q.Parallel.At) // there is no such switch; agents set it as a matter of course
	}
	strict := slices.ContainsFunc(q.Tools, func(t conversation.Tool) bool { return t.Strict.On })
	mode := ""
	switch q.Choice.Kind {
	case conversation.Unset:
		if strict {
			mode = "VALIDATED"
		}
	case conversation.Auto:
		mode = "AUTO"
		if strict {
			mode = "VALIDATED"
		}
	case conversation.None:
		mode = "NONE"
	case conversation.Required, conversation.Named:
		mode = "ANY"
	}
	if mode == "" {
		return
	}
	w.Key("toolConfig").Object(func() {
		w.Key("functionCallingConfig").Object(func() {
			w.Field("mode", mode)
			if q.Choice.Kind == conversation.Named {
				w.Key("allowedFunctionNames").Array(func() { w.String(q.Choice.Name) })
			}
		})
	})
}

// maxStops is Google's limit of stop sequences.
const maxStops = 5

func (w *writing) config() {
	q := w.q
	for _, f := range numbers(q) {
		w.Number(f.name, f.value.Digits)
	}
	if len(q.Stop) > maxStops {
		w.refuse(q.StopAt, "Gemini takes at most five sequences")
	}
	if len(q.Stop) > 0 {
		w.Key("stopSequences").Array(func() {
			for _, s := range q.Stop {
				w.String(s)
			}
		})
	}
	w.format()
	w.thinking()
	// Other answers than of text could not be told, and would cost more.
	w.Key("responseModalities").Array(func() { w.String("TEXT") })
}

// format asks for JSON. Gemini holds every answer to its schema, strict or not; a
// schema has no name there.
func (w *writing) format() {
	f := &w.q.Format
	if f.Kind == conversation.Prose {
		return
	}
	w.Field("responseMimeType", "application/json")
	if f.Kind != conversation.JSONSchema {
		return
	}
	if f.Description != "" {
		w.q.Leave(f.At + ".description")
	}
	w.Key("responseJsonSchema").Raw(f.Schema)
}

// budgets are what Google itself makes of an effort for models that think by a
// budget.
var budgets = map[string]int64{"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}

// maxBudget is the largest that each model takes which knows no levels.
const maxBudget = 24576

var levels = map[string]string{"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}

func (w *writing) thinking() {
	t := &w.q.Reasoning
	if t.Kind == conversation.ReasoningUnset && !t.Shown {
		return
	}
	w.Key("thinkingConfig").Object(func() {
		switch t.Kind {
		case conversation.ReasoningUnset:
		case conversation.ReasoningOff:
			w.Key("thinkingBudget").Int(0)
		case conversation.ReasoningByModel:
			w.Key("thinkingBudget").Int(-1)
		case conversation.ReasoningBudget:
			budget := t.Budget
			if older(w.q.Model) {
				budget = min(budget, maxBudget) // it is a limit: less is within it
			}
			w.Key("thinkingBudget").Int(budget)
		case conversation.ReasoningEffort:
			w.effort(t)
		}
		if t.Shown {
			w.Key("includeThoughts").Bool(true)
		}
	})
}

// effort writes how hard to think. Efforts beyond high are the highest there is,
// which is said.
func (w *writing) effort(t *conversation.Reasoning) {
	effort := t.Effort
	if effort == "xhigh" || effort == "max" {
		w.q.Leave(t.At)
		effort = "high"
	}
	switch {
	case levels[effort] == "":
		w.refuse(t.At, "Gemini has no such effort")
	case older(w.q.Model):
		w.Key("thinkingBudget").Int(budgets[effort])
	default:
		w.Field("thinkingLevel", levels[effort])
	}
}

func (w *writing) tier() {
	switch t := w.q.Tier; t.Text {
	case "", "auto":
	case "default":
		w.Field("serviceTier", "standard")
	case "flex", "priority":
		w.Field("serviceTier", t.Text)
	default:
		w.refuse(t.At, "Gemini has no such tier")
	}
}
