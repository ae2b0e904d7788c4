package gemini

import (
	"strings"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

func isObject(n jsontree.Node) bool { return n.Kind() == jsonscan.Object }

type namedNumber struct {
	name  string
	value *conversation.Number
}

// numbers are the numbers of a generationConfig, which read and write alike.
func numbers(q *conversation.Request) []namedNumber {
	return []namedNumber{
		{"maxOutputTokens", &q.MaxOutput}, {"temperature", &q.Temperature}, {"topP", &q.TopP}, {"topK", &q.TopK},
		{"seed", &q.Seed}, {"presencePenalty", &q.PresencePenalty}, {"frequencyPenalty", &q.FrequencyPenalty},
	}
}

// config reads the generationConfig.
func (r *reading) config(n jsontree.Node) {
	q := r.q
	for _, f := range numbers(q) {
		if m := get(n, f.name); m.Has() {
			*f.value = conversation.Number{Digits: m.Number(), At: m.At()}
		}
	}
	if count := get(n, "candidateCount"); count.Has() && count.Int() != 1 {
		count.Refuse("", "other dialects give one answer")
	}
	if stop := get(n, "stopSequences"); stop.Has() {
		q.StopAt = stop.At()
		stop.Each(func(_ int, e jsontree.Node) { q.Stop = append(q.Stop, e.String()) })
	}
	if logprobs := get(n, "responseLogprobs"); logprobs.Bool() {
		logprobs.Refuse("", "")
	}
	get(n, "responseModalities").Each(func(_ int, e jsontree.Node) {
		if e.String() != "TEXT" {
			e.Refuse("", "the answer can only be text")
		}
	})
	r.format(n)
	r.thinking(get(n, "thinkingConfig"))
	r.leave(n, "mediaResolution")
	n.Rest()
}

// formatName is what a schema is called in dialects that want a name for it.
const formatName = "answer"

func (r *reading) format(n jsontree.Node) {
	f := &r.q.Format
	kind := get(n, "responseMimeType")
	schema := r.schemaOf(n, "responseSchema", "responseJsonSchema")
	switch kind.String() {
	case "", "text/plain":
		if schema != nil {
			kind.Invalid("has to be application/json for an answer with a schema.")
		}
		return
	case "application/json":
	default:
		kind.Refuse("", "text and JSON are the forms there are")
	}
	f.Kind, f.At = conversation.JSONObject, kind.At()
	if schema != nil {
		f.Kind, f.Name, f.Schema = conversation.JSONSchema, formatName, schema
	}
}

func (r *reading) thinking(n jsontree.Node) {
	t := &r.q.Reasoning
	if !n.Has() {
		return
	}
	t.At = n.At()
	t.Shown = get(n, "includeThoughts").Bool()
	budget, level := get(n, "thinkingBudget"), get(n, "thinkingLevel")
	switch name := strings.ToLower(level.String()); name {
	case "", "thinking_level_unspecified":
	case "minimal", "low", "medium", "high":
		t.Kind, t.Effort = conversation.ReasoningEffort, name
	default:
		level.Invalid("is none of MINIMAL, LOW, MEDIUM and HIGH.")
	}
	if budget.Has() {
		if t.Kind != conversation.ReasoningUnset {
			budget.Invalid("is given beside '%s'. Send one of them.", level.At())
		}
		switch b := budget.Int(); {
		case b == 0:
			t.Kind = conversation.ReasoningOff
		case b == -1:
			t.Kind = conversation.ReasoningByModel
		case b > 0:
			t.Kind, t.Budget = conversation.ReasoningBudget, b
		default:
			budget.Invalid("has to be -1, 0, or a number of tokens.")
		}
	}
	n.Rest()
}
