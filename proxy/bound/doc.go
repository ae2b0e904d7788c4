// Package bound gives upper bounds for the input tokens of a call, from cheap
// and loose to dear and tight.
package bound

import "purser/proxy/dialect"

// Step is one bound of the escalation.
type Step uint8

// The steps, from cheapest to tightest.
const (
	Bytes      Step = iota + 1 // one token a byte
	Vocabulary                 // one token a piece that is in the vocabulary
	Exact                      // the tokenizer itself
)

// Model is what a bound needs to know of the model.
type Model struct {
	Name          string // for the image formula
	Tokenizer     string // "o200k", "cl100k", "" unknown
	ContextWindow int64  // tokens, 0 unknown
}

// Result is one bound.
type Result struct {
	Tokens int64
	Window bool // the context window decided it: no tighter step will help
}

// Input bounds the call's input tokens. It is false when this step cannot be
// taken: no tokenizer, or content that only a context window could bound and
// the model has none.
func Input(c *dialect.Call, m Model, s Step) (Result, bool) { panic("not built") }

// Output bounds the tokens a call may be billed as output when each of its
// answers is capped at limit tokens.
func Output(c *dialect.Call, limit int64) int64 { panic("not built") }

// Warm loads a tokenizer ahead of its first use.
func Warm(tokenizer string) bool { panic("not built") }
