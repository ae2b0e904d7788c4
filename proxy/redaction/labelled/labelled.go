// Package labelled generates texts of which it is known what is in them: secrets and
// personal data with right checksums, and what only looks like them. Tests of
// redaction measure recall and precision on them.
//
// It shares no code with the recognizers: its check digits are computed the other way
// round, from the number to the digit. Everything comes from a seed.
package labelled

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Span is a value in a text: Text[Start:End].
type Span struct {
	Start, End int
	Entity     string // SECRET for all secrets
	Rule       string // of a secret: the rule that its form was made for
}

// Text is one text and all that is to be found in it.
type Text struct {
	Text  string
	Spans []Span
}

// maker makes the values of an entity, and the sentences they stand in.
type maker struct {
	entity    string
	make      func(*rand.Rand) string
	sentences []string // with %s for the value; they say what it is
	bare      []string // that do not say it
}

// bareShare is one in how many sentences does not say what its value is.
const bareShare = 12

// Generate makes n texts. Each has filler, some of what only looks like a value, and
// in two of three one to three values.
func Generate(seed uint64, n int) []Text {
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	makers := append(personal(), secretMaker(), secretMaker(), secretMaker())
	var texts []Text
	for i := range n {
		b := &builder{r: r}
		b.filler()
		if i%3 != 2 {
			for k := range 1 + r.IntN(3) {
				b.value(&makers[(i+k*7)%len(makers)])
				b.decoy()
			}
		} else {
			for range 2 + r.IntN(4) {
				b.decoy()
			}
		}
		b.filler()
		texts = append(texts, Text{b.text.String(), b.spans})
	}
	return texts
}

// Prompt makes a text of about so many bytes, as prompts are, with a value in one of
// so many sentences; 0 for none.
func Prompt(seed uint64, bytes, every int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	makers := append(personal(), secretMaker())
	b := &builder{r: r}
	for i := 1; b.text.Len() < bytes; i++ {
		b.filler()
		if every > 0 && i%every == 0 {
			b.value(&makers[r.IntN(len(makers))])
		}
	}
	return b.text.String()
}

type builder struct {
	r     *rand.Rand
	text  strings.Builder
	spans []Span
}

func (b *builder) filler() {
	b.text.WriteString(pick(b.r, fillers))
	b.text.WriteString(pick(b.r, []string{" ", " ", "\n", "\n\n"}))
}

func (b *builder) decoy() {
	b.text.WriteString(decoys[b.r.IntN(len(decoys))](b.r))
	b.text.WriteString(pick(b.r, []string{" ", "\n"}))
}

func (b *builder) value(m *maker) {
	sentence := pick(b.r, m.sentences)
	if len(m.bare) > 0 && b.r.IntN(bareShare) == 0 {
		sentence = pick(b.r, m.bare)
	}
	value, rule := m.make(b.r), ""
	if m.entity == "SECRET" {
		rule, value, sentence = secretOf(b.r)
	}
	before, after, ok := strings.Cut(sentence, "%s")
	if !ok {
		panic(fmt.Sprintf("labelled: %q has no place for a value", sentence))
	}
	b.text.WriteString(before)
	start := b.text.Len()
	b.text.WriteString(value)
	b.spans = append(b.spans, Span{start, b.text.Len(), m.entity, rule})
	b.text.WriteString(after)
	b.text.WriteString(pick(b.r, []string{" ", "\n"}))
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

const (
	digits = "0123456789"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	hex    = "0123456789abcdef"
)

// draw makes a word of n characters of a set.
func draw(r *rand.Rand, set string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = set[r.IntN(len(set))]
	}
	return string(b)
}

// grouped puts a separator between groups of a number.
func grouped(s, separator string, sizes ...int) string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(parts, separator)
}

// withCheck tries check digits, or letters, until one is right.
func withCheck(number, set string, right func(string) bool) (string, bool) {
	for _, c := range set {
		if s := number + string(c); right(s) {
			return s, true
		}
	}
	return "", false
}

// checked draws numbers until one has a check digit that is right.
func checked(r *rand.Rand, number func() string, set string, right func(string) bool) string {
	for {
		if s, ok := withCheck(number(), set, right); ok {
			return s
		}
	}
}
