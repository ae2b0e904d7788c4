package conversationtest

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"purser/proxy/dialect/conversation"

	"pgregory.net/rapid"
)

// Words are what a dialect has words for, beyond texts, tools, their results and
// the limits that every dialect has.
type Words struct {
	ImageURLs, Documents, Audio bool
	MixedResults                bool // results of tools with images
	FailedResults               bool
	Thoughts                    bool
	Seals                       string // the dialect whose seals it takes, "" for none
	LateSystem                  bool   // system turns after the first
	Cache                       bool
	TopK, Seed, Penalties       bool
	MaxTemperature              int // 1 or 2
	Stop, Strict, Parallel      bool
	JSONObject, JSONSchema      bool
	Efforts                     []string
	Budgets                     bool
	Verbosity                   bool
	User                        bool
	Tiers                       []string
}

// Requests draws requests that a dialect with these words can write. Turns
// alternate, and each result answers a call of the turn before.
func Requests(w Words) *rapid.Generator[*conversation.Request] {
	return rapid.Custom(func(t *rapid.T) *conversation.Request {
		d := drawing{T: t, w: w}
		q := &conversation.Request{Model: "the-model", Stream: d.yes("stream"), MaxOutput: number(rapid.IntRange(1, 1<<20).Draw(t, "cap"))}
		for range rapid.IntRange(0, 2).Draw(t, "systems") {
			q.System = append(q.System, conversation.Part{Kind: conversation.Text, Text: d.text(), Cache: d.cache()})
		}
		d.tools(q)
		d.turns(q)
		d.options(q)
		return q
	})
}

type drawing struct {
	*rapid.T
	w     Words
	calls int
}

func (d *drawing) yes(what string) bool { return rapid.Bool().Draw(d.T, what) }

func (d *drawing) text() string {
	return rapid.OneOf(
		rapid.StringN(1, 40, 120),
		rapid.SampledFrom([]string{"a \"quoted\" \\ line\nand another", "日本語 ✓ 🙂", "\u2028", "{\"not\":\"json\"}", "</tag>"}),
	).Draw(d.T, "text")
}

func (d *drawing) cache() conversation.Lifetime {
	if !d.w.Cache {
		return conversation.NotCached
	}
	return rapid.SampledFrom([]conversation.Lifetime{conversation.NotCached, conversation.NotCached, conversation.Briefly, conversation.Hour}).Draw(d.T, "cache")
}

func number(n int) conversation.Number { return conversation.Number{Digits: strconv.Itoa(n)} }

func (d *drawing) fraction(most int) conversation.Number {
	hundredths := rapid.IntRange(0, 100*most).Draw(d.T, "hundredths")
	return conversation.Number{Digits: fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100)}
}

func (d *drawing) sw() conversation.Switch {
	return conversation.Switch{Set: true, On: d.yes("on")}
}

func (d *drawing) tools(q *conversation.Request) {
	for i := range rapid.IntRange(0, 3).Draw(d.T, "tools") {
		tool := conversation.Tool{Name: fmt.Sprintf("tool_%d", i), Description: d.text(), Schema: d.schema(), Cache: d.cache()}
		if d.w.Strict && d.yes("strict") {
			tool.Strict = d.sw()
		}
		q.Tools = append(q.Tools, tool)
	}
	if len(q.Tools) == 0 {
		return
	}
	q.Choice.Kind = rapid.SampledFrom([]conversation.ChoiceKind{
		conversation.Unset, conversation.Auto, conversation.None, conversation.Required, conversation.Named,
	}).Draw(d.T, "choice")
	if q.Choice.Kind == conversation.Named {
		q.Choice.Name = q.Tools[0].Name
	}
	if d.w.Parallel && q.Choice.Kind != conversation.Unset && q.Choice.Kind != conversation.None && d.yes("parallel") {
		q.Parallel = d.sw()
	}
}

func (d *drawing) schema() []byte {
	return []byte(rapid.SampledFrom([]string{
		`{"type":"object","properties":{"city":{"type":"string","description":"where"}},"required":["city"],"additionalProperties":false}`,
		`{"type":"object","properties":{}}`,
		`{"type":"object","properties":{"n":{"type":"integer"},"l":{"type":"array","items":{"type":"number"}},"e":{"type":"string","enum":["a","b"]}}}`,
	}).Draw(d.T, "schema"))
}

func (d *drawing) turns(q *conversation.Request) {
	var open []conversation.Call
	for i := range rapid.IntRange(1, 6).Draw(d.T, "turns") {
		if i%2 == 0 {
			q.Turns = append(q.Turns, d.user(open))
			open = nil
			if d.w.LateSystem && d.yes("late") {
				q.Turns = append(q.Turns, conversation.Turn{Role: conversation.System, Parts: []conversation.Part{{Kind: conversation.Text, Text: d.text()}}})
			}
			continue
		}
		turn := d.assistant(q)
		for _, p := range turn.Parts {
			if p.Kind == conversation.ToolUse {
				open = append(open, p.Call)
			}
		}
		q.Turns = append(q.Turns, turn)
	}
	if len(open) > 0 { // a conversation ends with the user's side
		q.Turns = append(q.Turns, d.user(open))
	}
}

func (d *drawing) user(open []conversation.Call) conversation.Turn {
	turn := conversation.Turn{Role: conversation.User}
	for _, c := range open {
		r := conversation.Result{ID: c.ID, Name: c.Name, Parts: []conversation.Part{{Kind: conversation.Text, Text: d.text()}}}
		if d.w.MixedResults && d.yes("mixed") {
			r.Parts = append(r.Parts, d.image(false))
		}
		r.Failed = d.w.FailedResults && d.yes("failed")
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.ToolResult, Result: r, Cache: d.cache()})
	}
	if len(open) > 0 && d.yes("results alone") {
		return turn
	}
	turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.Text, Text: d.text(), Cache: d.cache()})
	if d.yes("image") {
		turn.Parts = append(turn.Parts, d.image(true))
	}
	if d.w.Documents && d.yes("document") {
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.Document, Media: conversation.Media{Type: "application/pdf", Data: d.base64()}})
	}
	if d.w.Audio && d.yes("audio") {
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.Audio, Media: conversation.Media{Type: "audio/wav", Data: d.base64()}})
	}
	return turn
}

func (d *drawing) image(linked bool) conversation.Part {
	m := conversation.Media{Type: "image/png", Data: d.base64()}
	if linked && d.w.ImageURLs && d.yes("linked") {
		m = conversation.Media{URL: "https://example.com/a.png?b=c&d"}
	}
	return conversation.Part{Kind: conversation.Image, Media: m, Cache: d.cache()}
}

func (d *drawing) base64() string {
	return base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 1, 32).Draw(d.T, "bytes"))
}

func (d *drawing) assistant(q *conversation.Request) conversation.Turn {
	turn := conversation.Turn{Role: conversation.Assistant}
	if d.w.Thoughts && d.yes("thought") {
		p := conversation.Part{Kind: conversation.Thought, Text: d.text()}
		if d.w.Seals != "" {
			p.Seal = d.w.Seals + ":" + d.base64()
		}
		turn.Parts = append(turn.Parts, p)
	}
	calls := 0
	if len(q.Tools) > 0 {
		calls = rapid.IntRange(0, 2).Draw(d.T, "calls")
	}
	if calls == 0 || d.yes("text too") {
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.Text, Text: d.text(), Cache: d.cache()})
	}
	for range calls {
		d.calls++
		arguments := rapid.SampledFrom([]string{`{}`, `{"city":"Zürich \"ZH\""}`, `{"n":1,"l":[1.5,2],"e":"a"}`}).Draw(d.T, "arguments")
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{
			ID: fmt.Sprintf("call_%d", d.calls), Name: q.Tools[0].Name, Arguments: []byte(arguments),
		}})
	}
	return turn
}

func (d *drawing) options(q *conversation.Request) {
	if d.yes("temperature") {
		q.Temperature = d.fraction(max(d.w.MaxTemperature, 1))
	}
	if d.yes("top_p") {
		q.TopP = d.fraction(1)
	}
	if d.w.TopK && d.yes("top_k") {
		q.TopK = number(rapid.IntRange(1, 100).Draw(d.T, "k"))
	}
	if d.w.Seed && d.yes("seed") {
		q.Seed = number(rapid.IntRange(0, 1<<30).Draw(d.T, "s"))
	}
	if d.w.Penalties && d.yes("penalties") {
		q.PresencePenalty, q.FrequencyPenalty = d.fraction(1), d.fraction(1)
	}
	if d.w.Stop && d.yes("stop") {
		q.Stop = rapid.SliceOfN(rapid.StringN(1, 8, 24), 1, 4).Draw(d.T, "sequences")
	}
	d.format(q)
	d.reasoning(q)
	if d.w.Verbosity && d.yes("verbosity") {
		q.Verbosity.Text = rapid.SampledFrom([]string{"low", "medium", "high"}).Draw(d.T, "v")
	}
	if d.w.User && d.yes("user") {
		q.User.Text = "user-1"
	}
	if len(d.w.Tiers) > 0 && d.yes("tier") {
		q.Tier.Text = rapid.SampledFrom(d.w.Tiers).Draw(d.T, "t")
	}
}

func (d *drawing) format(q *conversation.Request) {
	switch {
	case d.w.JSONSchema && d.yes("schema"):
		q.Format = conversation.Format{Kind: conversation.JSONSchema, Name: "answer", Schema: d.schema()}
		if d.w.Strict && d.yes("strict") {
			q.Format.Strict = d.sw()
		}
	case d.w.JSONObject && d.yes("object"):
		q.Format.Kind = conversation.JSONObject
	}
}

func (d *drawing) reasoning(q *conversation.Request) {
	switch {
	case len(d.w.Efforts) > 0 && d.yes("effort"):
		q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningEffort, Effort: rapid.SampledFrom(d.w.Efforts).Draw(d.T, "e")}
	case d.w.Budgets && d.yes("budget"):
		q.Reasoning = conversation.Reasoning{Kind: conversation.ReasoningBudget, Budget: rapid.Int64Range(1024, 32_000).Draw(d.T, "b")}
	}
}
