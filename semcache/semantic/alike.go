package semantic

import (
	"context"
	"math"
	"unicode/utf8"

	"purser/semcache/decide"
)

// comparedBytes is how much of an answer is embedded to be compared.
const comparedBytes = 4000

// agree compares a stored answer with one that was made anew.
func (t *Tier) agree(ctx context.Context, stored, fresh string) decide.Label {
	similarity := math.NaN()
	x, y := t.embed(ctx, cut(stored), learnWait), t.embed(ctx, cut(fresh), learnWait)
	if x != nil && y != nil {
		similarity = cosine(x, y)
	}
	return decide.Agree(stored, fresh, similarity)
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
