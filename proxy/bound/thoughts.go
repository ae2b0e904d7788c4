package bound

import (
	"strings"

	"purser/proxy/dialect"
)

// thinker is how much a family of models may reason for one answer, after
// Google's "Thinking" guide: the largest budget it takes. A budget in a request is
// what the model aims at, no limit, except that 0 turns thinking off in the models
// that can do without.
type thinker struct {
	model string // prefix of the name
	most  int64  // tokens
	off   bool   // a budget of 0 is kept
}

var thinkers = []thinker{
	{"gemini-2.5-pro", 32_768, false},
	{"gemini-2.5-flash", 24_576, true}, // and Flash-Lite
	{"gemini-2.0-flash-thinking", mostThoughts, false},
	{"gemini-2.0-", 0, true},
	{"gemini-1.", 0, true},
}

// mostThoughts is for models whose guide names levels and no budgets: the largest
// answer of any of them.
const mostThoughts = 65_536

// thoughts bounds the reasoning that may be billed beside each answer.
func thoughts(c *dialect.Call, model string) int64 {
	if !c.Thinks {
		return 0
	}
	for i := range thinkers {
		if t := &thinkers[i]; strings.HasPrefix(model, t.model) {
			if c.NoThinking && t.off {
				return 0
			}
			return t.most
		}
	}
	return mostThoughts
}
