package decide

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
)

// Shares of the rarity of content words, and the cosine, by which two answers are
// judged. Between them nobody can say.
const (
	answersShare  = 0.55 // both ways, and the cosine above answersCosine: they agree
	answersApart  = 0.20 // the greater share below it: they disagree
	answersCosine = 0.80
	shortAnswer   = 40 // words; within so few, an amount of one side only is another answer
)

// Agree compares the stored answer to a prompt with a fresh one to the same prompt.
// similarity is the cosine of their vectors, NaN where it is not known. Two answers of
// a language model are seldom equal word for word: what is neither clearly the same
// nor clearly another is [Undecided].
func Agree(stored, fresh string, similarity float64) Label {
	if stored == fresh {
		return Agrees
	}
	if a, ok := canonicalJSON(stored); ok {
		b, ok := canonicalJSON(fresh)
		if ok && bytes.Equal(a, b) {
			return Agrees
		}
		return Disagrees
	}
	a, b := Prepare(stored), Prepare(fresh)
	if strings.EqualFold(a.Normal, b.Normal) {
		return Agrees
	}
	if polarity(a)*polarity(b) < 0 {
		return Disagrees
	}
	v := Examine(a, b)
	if v.Vetoes.Has(GuardLanguage) {
		return Undecided
	}
	short := max(len(a.Words), len(b.Words)) <= shortAnswer
	if short && (v.Vetoes.Has(GuardNumber) || v.Vetoes.Has(GuardNegation) || v.Vetoes.Has(GuardOpposite)) {
		return Disagrees
	}
	ab, ba := overlap(v.align.a, v.align.toB), overlap(v.align.b, v.align.toA)
	switch {
	case max(ab, ba) < answersApart:
		return Disagrees
	case v.Vetoes.Has(GuardNumber) || v.Vetoes.Has(GuardOpposite) || v.Vetoes.Has(GuardDirection):
		return Undecided
	case min(ab, ba) >= answersShare && !math.IsNaN(similarity) && similarity >= answersCosine:
		return Agrees
	}
	return Undecided
}

func canonicalJSON(s string) ([]byte, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil, false
	}
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	out, err := json.Marshal(v) // keys in order
	return out, err == nil
}

// polarity is 1 for an answer that begins with yes, -1 with no, else 0.
func polarity(t *Text) int {
	if len(t.Words) == 0 {
		return 0
	}
	switch t.Words[0].Text {
	case "yes", "yeah", "yep", "true", "correct":
		return 1
	case "no", "nope", "false", "incorrect":
		return -1
	}
	return 0
}

func overlap(t *Text, to []int16) float64 {
	both := 0.0
	for i := range t.Words {
		if to[i] >= 0 && t.Words[i].Content() {
			both += float64(t.Words[i].IDF)
		}
	}
	return share(both, float64(t.content))
}
