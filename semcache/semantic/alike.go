package semantic

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"purser/semcache/decide"
)

// likeness says whether two answers say the same.
type likeness uint8

const (
	unsure likeness = iota
	alike
	unlike
)

const (
	// shortAnswer is how many words an answer has that is a fact more than a text: its
	// words have to be the same, or the numbers and the sense.
	shortAnswer = 12
	// sameFrom and otherBelow are the similarities of longer answers from which they say
	// the same, and below which they do not. Between them nothing is known.
	sameFrom, otherBelow = 0.85, 0.5
	// comparedBytes is how much of an answer is embedded.
	comparedBytes = 4000
)

// alike compares a fresh answer with a stored one. It is an estimate: what it is unsure
// of is counted, and is no label.
func (t *Tier) alike(ctx context.Context, fresh, stored string) likeness {
	a, b := decideNormal(fresh), decideNormal(stored)
	if strings.EqualFold(bare(a), bare(b)) || sameJSON(fresh, stored) {
		return alike
	}
	wordsA, wordsB := len(strings.Fields(a)), len(strings.Fields(b))
	if wordsA <= shortAnswer && wordsB <= shortAnswer {
		v := decide.Examine(decide.Prepare(fresh), decide.Prepare(stored))
		if v.Vetoed() {
			return unlike
		}
	}
	x, y := t.embed(ctx, cut(fresh), learnWait), t.embed(ctx, cut(stored), learnWait)
	if x == nil || y == nil {
		return unsure
	}
	var dot float32
	for i := range x {
		dot += x[i] * y[i]
	}
	switch {
	case dot >= sameFrom:
		return alike
	case dot < otherBelow:
		return unlike
	}
	return unsure
}

func decideNormal(text string) string { return decide.Normalize(text) }

// bare is a text without what does not change its sense at the ends.
func bare(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) })
}

func cut(s string) string {
	if len(s) <= comparedBytes {
		return s
	}
	n := comparedBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// sameJSON says whether both are JSON objects or arrays of the same values.
func sameJSON(a, b string) bool {
	x, ok := document(a)
	if !ok {
		return false
	}
	y, ok := document(b)
	return ok && reflect.DeepEqual(x, y)
}

func document(s string) (v any, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

// refusals begin answers that give none.
var refusals = []string{
	"i'm sorry, but i can", "i’m sorry, but i can", "i am sorry, but i can", "i'm sorry, i can", "i’m sorry, i can", "sorry, but i can", "sorry, i can", "i can't help", "i can’t help", "i cannot help",
	"i can't assist", "i can’t assist", "i cannot assist", "i can't provide", "i can’t provide", "i cannot provide", "i can't comply", "i can’t comply", "i cannot comply", "i can't do that", "i can’t do that", "i cannot do that",
	"i'm unable to", "i’m unable to", "i am unable to", "i'm not able to", "i’m not able to", "i am not able to", "i won't", "i won’t", "i will not", "i must decline", "i have to decline", "as an ai", "i don't have access", "i don’t have access",
	"i do not have access", "i don't have real-time", "i don’t have real-time", "i do not have real-time", "es tut mir leid, aber", "lo siento, pero", "je suis désolé, mais",
}

// refuses says whether an answer is a refusal, as far as its beginning tells.
func refuses(text string) bool {
	text = strings.ToLower(strings.TrimLeft(text, " \t\n*_#>\"'“"))
	for _, r := range refusals {
		if strings.HasPrefix(text, r) {
			return true
		}
	}
	return false
}
