package redaction

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"purser/proxy/redaction/rules"
)

// Ranks say which of several recognizers that find the same value names it.
const (
	rankLoose    = 10 // shapes that much else has
	rankAddress  = 20
	rankPhone    = 25
	rankNamed    = 30 // loose shapes with a checksum
	rankNational = 40
	rankCard     = 50
	rankSecret   = 60
	rankHook     = 15
	rankCustom   = 70
)

// EntitySecret is the entity of all rules for secrets.
const EntitySecret = "SECRET"

// recognizer finds one kind of value.
type recognizer struct {
	entity   string
	rule     string // of a secret, "" else
	spec     string // whose own it is, "" for all
	rank     int
	patterns []pattern
	keywords []string                                         // in lower case: one of them is in each match, or near; none means no prefilter
	loose    func(*region) bool                               // the same for patterns that need a word nearby; nil: as numbers
	numbers  func(*region) bool                               // runs on regions of digits for which it holds; nil for others
	around   int                                              // bytes beyond a region that its matches can reach
	narrow   func(text []byte, start, end int) (from, to int) // the window around a keyword; nil: by the reach of matches
	words    []string                                         // context, in lower case
	within   int                                              // bytes before a value in which alone context counts; 0: as usual
	veto     []string                                         // words right before a value that speak against it
	entropy  float64                                          // bits a byte at least
	allow    []rules.Allow                                    // what is none after all
	trim     func(v []byte) int                               // bytes to cut off the end of a value; nil for none
	accept   func(v []byte) bool                              // for all patterns; nil for any

	names bool  // there is a pattern that needs a word nearby
	where where // it has to be run around its keywords
	reach int   // bytes of the longest match
}

// ready reads off the expressions where the recognizer has to be run.
func (r *recognizer) ready() error {
	r.where = atStart
	for i := range r.patterns {
		p := &r.patterns[i]
		expr := p.re.String()
		r.names = r.names || p.context
		r.reach = max(r.reach, longest(expr))
		w, heads := place(expr, r.keywords)
		r.where, p.heads = min(r.where, w), heads
	}
	if r.where != atStart || r.narrow != nil {
		return nil
	}
	for i := range r.patterns {
		p, err := &r.patterns[i], error(nil)
		if p.first, err = regexp.Compile(`\A(?:` + p.re.String() + `)`); err == nil {
			p.after, err = regexp.Compile(`\A[\s\S](?:` + p.re.String() + `)`)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(), err)
		}
	}
	return nil
}

// pattern is one form of the values of a recognizer.
type pattern struct {
	re      *regexp.Regexp
	group   int  // that is the value; 0: the first that is not empty, else the match
	context bool // one of the recognizer's words must be near
	valid   func(value []byte) bool

	// Of an expression whose matches begin with a keyword: with what, and the
	// expression at the start of a text, and after one byte of it.
	heads        []beginning
	first, after *regexp.Regexp
}

// begins says whether text begins as a match of the pattern's can.
func (p *pattern) begins(text []byte) bool {
	return slices.ContainsFunc(p.heads, func(b beginning) bool { return b.begins(text) })
}

func (r *recognizer) begins(text []byte) bool {
	return slices.ContainsFunc(r.patterns, func(p pattern) bool { return p.begins(text) })
}

func (r *recognizer) name() string {
	if r.rule != "" {
		return r.rule
	}
	return r.entity
}

// secret makes a recognizer of a rule.
func secret(r rules.Rule) *recognizer {
	return &recognizer{
		entity: EntitySecret, rule: r.ID, rank: rankSecret, keywords: r.Keywords, entropy: r.Entropy, allow: r.Allow,
		patterns: []pattern{{re: r.Regex, group: r.Group}},
	}
}

// value is the part of a match that is the value.
func (p *pattern) value(m []int) (start, end int) {
	if p.group > 0 {
		return m[2*p.group], m[2*p.group+1]
	}
	for i := 2; i < len(m); i += 2 {
		if m[i+1] > m[i] {
			return m[i], m[i+1]
		}
	}
	return m[0], m[1]
}

// Context is looked for in so many bytes before a value, and after it on its line.
const (
	contextBefore = 60
	contextAfter  = 16
)

// near says whether one of the recognizer's words stands near text[start:end]. What
// comes after does not count in an answer, of which a stream has not said it yet.
func (r *recognizer) near(text []byte, start, end int, output bool) bool {
	before := contextBefore
	if r.within > 0 {
		before = r.within
	}
	if anyWord(sentence(text[max(0, start-before):start]), r.words) {
		return true
	}
	after := text[end:min(len(text), end+contextAfter)]
	if i := bytes.IndexByte(after, '\n'); i >= 0 {
		after = after[:i]
	}
	return r.within == 0 && !output && anyWord(after, r.words)
}

// sentence is what of a window belongs to the sentence at its end.
func sentence(window []byte) []byte {
	for i := len(window) - 2; i >= 0; i-- {
		if c := window[i]; (c == '.' || c == '!' || c == '?') && (window[i+1] == ' ' || window[i+1] == '\n') && (i == 0 || !abbreviates(window[:i])) {
			return window[i+1:]
		}
	}
	return window
}

// abbreviates says whether a dot after w ends a short word, such as no. or tel.
func abbreviates(w []byte) bool {
	n := 0
	for n < len(w) && alnum[w[len(w)-1-n]] && !digit[w[len(w)-1-n]] {
		n++
	}
	return n > 0 && n <= 4
}

// anyWord says whether one of the words is in a window, as a word.
func anyWord(window []byte, words []string) bool {
	var buf [contextBefore]byte
	w := appendLower(buf[:0], window)
	for _, word := range words {
		for from := 0; ; {
			i := bytes.Index(w[from:], []byte(word))
			if i < 0 {
				break
			}
			i += from
			if (i == 0 || !wordByte(w[i-1])) && (i+len(word) == len(w) || !wordByte(w[i+len(word)])) {
				return true
			}
			from = i + 1
		}
	}
	return false
}

func wordByte(b byte) bool { return alnum[b] || b >= 0x80 }

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func lowered(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// entropy is Shannon's, in bits for each byte.
func entropy(v []byte) float64 {
	var count [256]int
	for _, b := range v {
		count[b]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(v))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// allowed says whether a list of the rule covers a finding.
func (r *recognizer) allowed(text []byte, m []int, start, end int) bool {
	for i := range r.allow {
		a := &r.allow[i]
		target := text[start:end]
		switch a.Target {
		case rules.Match:
			target = text[m[0]:m[1]]
		case rules.Line:
			target = line(text, m[0], m[1])
		}
		if a.Allows(text[start:end], target) {
			return true
		}
	}
	return false
}

func line(text []byte, start, end int) []byte {
	from := bytes.LastIndexByte(text[:start], '\n') + 1
	if i := bytes.IndexByte(text[end:], '\n'); i >= 0 {
		return text[from : end+i]
	}
	return text[from:]
}
