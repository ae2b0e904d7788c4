package simprovider

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// form is what an answer is made of.
type form uint8

const (
	formText   form = iota
	formTools       // calls of the tools in generation.calls
	formObject      // a JSON object, by generation.schema if there is one
)

// generation is one call as every dialect sees it: what was asked, and what was
// made of it.
type generation struct {
	model  *Model
	tier   string // as answered
	seed   stream // from the hash of the request
	prompt []segment
	input  int64 // tokens of the prompt
	limit  int64 // output cap of one choice, 0 for none
	n      int
	stream bool
	effort string
	form   form
	calls  []tool // to be called, if formTools
	forced bool   // the request named the one tool to call
	schema gjson.Result

	images          int64       // of input, tokens of pictures that are billed as such
	cached, written int64       // input tokens read from and written to the prompt cache
	writes          price.Meter // of what is written, but for long
	long            int64       // of written, what is kept for an hour
	marks           []mark
	blocks          []int // segments up to the end of each block of Anthropic's

	thinks       bool  // the request asks for thinking
	thinkLimit   int64 // tokens of it, 0 for none
	webSearches  int64 // calls of tools that the provider ran
	fileSearches int64
	compacted    int64 // input tokens of a compaction, 0 for none
	summary      int64 // output tokens of it
	choices      []choice
}

type tool struct {
	name   string
	custom bool // takes free text, not JSON
	schema gjson.Result
}

// choice is one of n answers: hidden reasoning, then parts.
type choice struct {
	reasoning int64
	parts     []part
	limited   bool // ended by the cap
}

// part is text, or the arguments of one tool call. ends are the offsets in text
// where its tokens end. hidden counts tokens that come before and are not shown:
// the frame and the name of a tool call.
type part struct {
	tool   *tool  // nil for text
	id     uint64 // of the tool call
	hidden int64
	text   []byte
	ends   []int
}

// tokens of the choice that are billed.
func (c *choice) tokens() int64 {
	n := c.reasoning
	for i := range c.parts {
		n += c.parts[i].hidden + int64(len(c.parts[i].ends))
	}
	return n
}

// maxAnswer bounds the tokens of all choices of an answer, whatever a plan asks
// for, at some 10 MB of memory.
const maxAnswer = 1 << 20

// callFrame is what a tool call costs beyond its name and arguments.
const callFrame = 3

// generate makes the choices. All of it follows from g.seed.
func (g *generation) generate(cfg *Config, plan *Plan) {
	if g.model.Dimensions > 0 {
		g.choices = g.choices[:0]
		return
	}
	limit := g.limit
	if limit == 0 {
		limit = g.model.MaxOutput
	}
	g.choices = slices.Grow(g.choices[:0], g.n)[:g.n]
	for i := range g.choices {
		c := &g.choices[i]
		*c = choice{parts: c.parts[:0]}
		length := g.seed.between(cfg.OutputMin, cfg.OutputMax)
		if plan.tokens > 0 {
			length = plan.tokens
		}
		room := limit
		if plan.overCap > 0 {
			room = limit * int64(plan.overCap)
			if g.limit > 0 && g.form == formText {
				length = int(room)
			}
		}
		length = min(length, maxAnswer/g.n)
		c.reasoning = min(g.think(cfg), room)
		room -= c.reasoning
		c.fill(g, length, room)
	}
}

// think is how many hidden tokens a reasoning model spends.
func (g *generation) think(cfg *Config) int64 {
	if !g.model.Reasoning && !g.thinks || g.effort == "none" || cfg.ReasoningMax == 0 {
		return 0
	}
	n := int64(g.seed.between(cfg.ReasoningMin, cfg.ReasoningMax))
	switch g.effort {
	case "minimal":
		n /= 8
	case "low":
		n /= 2
	case "high", "xhigh":
		n *= 3
	}
	if g.thinkLimit > 0 {
		n = min(n, g.thinkLimit)
	}
	return n
}

// fill makes the parts, as many tokens as there is room for.
func (c *choice) fill(g *generation, length int, room int64) {
	switch g.form {
	case formText:
		p := c.addPart()
		p.words(&g.seed, int(min(int64(length), room)))
		c.limited = int64(length) > room
	case formObject:
		p := c.addPart()
		p.cutUp(appendInstance(p.text, g.schema, &g.seed, 0, g.schema))
		c.limited = p.truncate(room)
	case formTools:
		for i := range g.calls {
			t := &g.calls[i]
			hidden := callFrame + pieces(len(t.name))
			if room < hidden {
				c.limited = true
				return
			}
			room -= hidden
			p := c.addPart()
			p.tool, p.id, p.hidden = t, g.seed.next(), hidden
			if t.custom {
				p.words(&g.seed, length)
			} else {
				p.cutUp(appendInstance(p.text, t.schema, &g.seed, 0, t.schema))
			}
			if c.limited = p.truncate(room); c.limited {
				return
			}
			room -= int64(len(p.ends))
		}
	}
}

func (c *choice) addPart() *part {
	if len(c.parts) < cap(c.parts) {
		c.parts = c.parts[:len(c.parts)+1]
	} else {
		c.parts = append(c.parts, part{})
	}
	p := &c.parts[len(c.parts)-1]
	*p = part{text: p.text[:0], ends: p.ends[:0]}
	return p
}

// words fills the part with n words of the vocabulary, each one token. The
// first has no space before it, and is one token all the same.
func (p *part) words(s *stream, n int) {
	for i := range n {
		w := word(s.next())
		if i == 0 {
			w = "Answer"
		}
		p.text = append(p.text, w...)
		p.ends = append(p.ends, len(p.text))
	}
}

// pieces is how many tokens a text of JSON or a name of that many bytes counts.
func pieces(size int) int64 { return int64(size+3) / 4 }

// cutUp makes tokens of about four bytes of text, never within a rune.
func (p *part) cutUp(text []byte) {
	p.text = text
	for at := 0; at < len(text); {
		at = min(at+4, len(text))
		for at < len(text) && !utf8.RuneStart(text[at]) {
			at++
		}
		p.ends = append(p.ends, at)
	}
}

// truncate keeps what there is room for, and says whether that was less.
func (p *part) truncate(room int64) bool {
	if int64(len(p.ends)) <= room {
		return false
	}
	p.ends = p.ends[:room]
	if room == 0 {
		p.text = p.text[:0]
	} else {
		p.text = p.text[:p.ends[room-1]]
	}
	return true
}

// output is what the choices cost: tokens shown, and reasoning.
func (g *generation) output() (shown, reasoning int64) {
	for i := range g.choices {
		reasoning += g.choices[i].reasoning
		shown += g.choices[i].tokens() - g.choices[i].reasoning
	}
	return shown, reasoning
}

// usage is what the call is billed for, by meter. shown and reasoning are the
// output tokens up to where generation stopped.
func (g *generation) usage(shown, reasoning int64) price.Usage {
	var u price.Usage
	u[price.ImageIn] = min(g.images, g.input-g.cached-g.written)
	u[price.InputText] = g.input - g.cached - g.written - u[price.ImageIn]
	u[price.CacheRead] = g.cached
	u[g.writes], u[price.CacheWrite1h] = g.written-g.long, g.long
	u[price.InputText] += g.compacted
	u[price.OutputText] = shown + g.summary
	u[price.WebSearch], u[price.FileSearch] = g.webSearches, g.fileSearches
	u[price.OutputReasoning] = reasoning
	u[price.Requests] = 1
	return u
}

// wanted picks the tools to call: those the text names, else the first if it
// speaks of tools at all or a call is required.
func wanted(tools []tool, text string, required, parallel bool) []tool {
	const most = 8 // calls in one answer
	var out []tool
	for _, t := range tools {
		if t.name != "" && strings.Contains(text, t.name) && len(out) < most {
			out = append(out, t)
		}
	}
	if len(out) == 0 && len(tools) > 0 && (required || strings.Contains(text, "tool")) {
		out = tools[:1]
	}
	if !parallel && len(out) > 1 {
		out = out[:1]
	}
	return out
}
