package bound

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Step is one bound of the escalation.
type Step uint8

// The steps, from cheapest to tightest.
const (
	Bytes Step = iota + 1
	Vocabulary
	Exact
)

// Model is what a bound needs to know of the model.
type Model struct {
	Name          string // the provider's name of it, for the image formulas
	Tokenizer     string // "o200k", "cl100k", or "" if unknown
	ContextWindow int64  // in tokens, 0 if unknown; no prompt is larger

	// LearnedPermille is how many tokens such a model was seen to make for
	// every thousand of o200k, at the worst. It is the hook for models whose
	// Tokenizer is unknown: above zero, the tighter steps can be taken and
	// their results are marked as learned.
	LearnedPermille int64
}

// Result is one bound.
type Result struct {
	Tokens  int64
	Window  bool // the context window decided it: no further step is tighter
	Learned bool // rests on experience, not on proof
}

// What a provider adds to the text, in tokens. OpenAI's cookbook counts 4 for a
// message with its role, 1 for a name, 3 for the answer's beginning, and for
// functions 7 for each, 3 for each property and value, and 12 for all; images
// and calls are wrapped in a few. These are above all of them.
const (
	perCall     = 16
	perMessage  = 8
	perName     = 2
	perText     = 4 // a text part, joined to others of its message
	perImage    = 16
	perTool     = 24
	perToolCall = 8
	perMember   = 4 // of a schema rendered in the provider's own way
	allTools    = 32
	perInput    = 2 // an embedding's input
)

// Input bounds the call's input tokens by step s. It is false when the step
// cannot be taken: the tokenizer is unknown, or there is content that only a
// context window bounds and the model has none.
func Input(c *dialect.Call, m Model, s Step) (Result, bool) {
	images, known := imageTokens(c.Images, m.Name)
	if c.HiddenContext != "" || c.Files > 0 || !known {
		return Result{Tokens: m.ContextWindow, Window: true}, m.ContextWindow > 0
	}
	r := Result{}
	if s == Bytes {
		r.Tokens = c.TextBytes + c.ToolBytes
	} else {
		name, scale := m.Tokenizer, int64(1000)
		if name == "" && m.LearnedPermille > 0 {
			name, scale, r.Learned = o200k, m.LearnedPermille, true
		}
		t := load(name)
		if t == nil {
			return Result{}, false
		}
		// Scaling up never makes more of it than the bytes.
		r.Tokens = min((t.texts(c, s == Exact)*scale+999)/1000, c.TextBytes+c.ToolBytes)
	}
	r.Tokens += images + overhead(c)
	if m.ContextWindow > 0 && r.Tokens >= m.ContextWindow {
		return Result{Tokens: m.ContextWindow, Window: true}, true
	}
	return r, true
}

// overhead is what the provider adds to the text, at most.
func overhead(c *dialect.Call) int64 {
	if c.Endpoint == dialect.Embeddings {
		return c.TokenInputs + perInput*int64(c.Messages)
	}
	n := c.TokenInputs + perCall + perMessage*int64(c.Messages) + perName*int64(c.Names) +
		perText*int64(len(c.Texts)) + perImage*int64(len(c.Images)) +
		perTool*int64(c.Tools) + perToolCall*int64(c.ToolCalls) + perMember*c.RawMembers + c.Added
	if c.ToolBytes > 0 {
		n += allTools
	}
	return n
}

// Output bounds the tokens the call can be billed as output when each of its
// answers is capped at limit tokens. Predicted output that is rejected is
// billed beside the answer, and where the call says so reasoning too.
func Output(c *dialect.Call, m Model, limit int64) int64 {
	if !c.Endpoint.Generates() {
		return 0
	}
	return c.N * (limit + c.PredictionBytes + thoughts(c, m.Name))
}

// Warm builds a tokenizer's vocabulary ahead of its first use, which otherwise
// waits for it (a few hundred milliseconds). It is false for an unknown one.
func Warm(tokenizer string) bool { return load(tokenizer) != nil }

// texts counts the tokens of all texts of the call.
func (t *tokenizer) texts(c *dialect.Call, exact bool) int64 {
	var n int64
	work := &effort{left: mergeWork}
	if !exact {
		work = nil
	}
	longest := 0
	for _, x := range c.Texts {
		if x.Kind == dialect.EscapedText {
			longest = max(longest, x.End-x.Start)
		}
	}
	var unescaped []byte
	if longest > 0 {
		unescaped = make([]byte, 0, longest)
	}
	for _, x := range c.Texts {
		text := c.Raw[x.Start:x.End]
		if x.Kind == dialect.EscapedText {
			unescaped = jsonscan.AppendText(unescaped[:0], text)
			text = unescaped
		}
		n += t.count(text, work)
	}
	return n
}
