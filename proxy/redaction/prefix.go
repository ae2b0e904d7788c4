package redaction

import (
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// where says how far around a keyword a recognizer has to be run.
type where uint8

const (
	anywhere where = iota // a match need not have a keyword in it
	around                // every match has one in it
	atStart               // every match begins with one
)

// beginning is a text that a match begins with.
type beginning struct {
	text string // in lower case where case does not count
	fold bool
}

// begins says whether text begins so.
func (b *beginning) begins(text []byte) bool {
	if len(text) < len(b.text) {
		return false
	}
	if !b.fold {
		return string(text[:len(b.text)]) == b.text
	}
	for i := range len(b.text) {
		c := text[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != b.text[i] {
			return false
		}
	}
	return true
}

// maxBeginnings bounds the beginnings that are written out.
const maxBeginnings = 512

// place finds where a recognizer with such keywords has to run for an expression,
// and if that is at their start, with what its matches begin.
func place(expr string, words []string) (where, []beginning) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || len(words) == 0 {
		return anywhere, nil
	}
	re = re.Simplify()
	if all, _, ok := beginnings(re); ok && startsWithWord(all, words) {
		return atStart, all
	}
	if contains(re, words) {
		return around, nil
	}
	return anywhere, nil
}

func startsWithWord(all []beginning, words []string) bool {
	for _, b := range all {
		found := false
		for _, w := range words {
			found = found || strings.HasPrefix(strings.ToLower(b.text), w)
		}
		if !found {
			return false
		}
	}
	return len(all) > 0
}

// beginnings writes out with what a match can begin. whole says that these are all of
// the matches, so that what follows can be added; ok, that they could be written out.
func beginnings(re *syntax.Regexp) (all []beginning, whole, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []beginning{{}}, true, true
	case syntax.OpLiteral:
		return literal(re)
	case syntax.OpCharClass:
		return class(re)
	case syntax.OpCapture:
		return beginnings(re.Sub[0])
	case syntax.OpQuest:
		all, whole, ok = beginnings(re.Sub[0])
		return append(all, beginning{}), whole, ok
	case syntax.OpAlternate:
		whole = true
		for _, s := range re.Sub {
			a, w, fine := beginnings(s)
			if !fine || len(all)+len(a) > maxBeginnings {
				return nil, false, false
			}
			all, whole = append(all, a...), whole && w
		}
		return all, whole, true
	case syntax.OpConcat:
		return sequence(re.Sub)
	case syntax.OpPlus, syntax.OpRepeat:
		if re.Op == syntax.OpRepeat && re.Min == 0 {
			break
		}
		all, _, ok = beginnings(re.Sub[0])
		return all, false, ok
	}
	return []beginning{{}}, false, true
}

func literal(re *syntax.Regexp) ([]beginning, bool, bool) {
	b := beginning{fold: re.Flags&syntax.FoldCase != 0}
	for _, r := range re.Rune {
		if r >= utf8.RuneSelf {
			return []beginning{b}, false, true
		}
		if b.fold {
			r = unicode.ToLower(r)
		}
		b.text += string(r)
	}
	return []beginning{b}, true, true
}

// maxClass bounds the characters of a class that are written out.
const maxClass = 8

func class(re *syntax.Regexp) (all []beginning, whole, ok bool) {
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if len(all) == maxClass || r >= utf8.RuneSelf {
				return []beginning{{}}, false, true
			}
			all = append(all, beginning{text: string(r)})
		}
	}
	return all, true, true
}

// sequence is the beginnings of expressions one after the other.
func sequence(subs []*syntax.Regexp) (all []beginning, whole, ok bool) {
	all = []beginning{{}}
	for _, s := range subs {
		next, w, fine := beginnings(s)
		if !fine {
			return nil, false, false
		}
		if len(all)*len(next) > maxBeginnings {
			return all, false, true
		}
		var longer []beginning
		for _, a := range all {
			for _, n := range next {
				longer = append(longer, join(a, n))
			}
		}
		if all = longer; !w {
			return all, false, true
		}
	}
	return all, true, true
}

// join puts two beginnings together. Where case counts in one of them alone, it does
// not count in both: what is found so is still tried by the expression.
func join(a, b beginning) beginning {
	if a.text == "" {
		return b
	}
	if b.text == "" {
		return a
	}
	if a.fold != b.fold {
		return beginning{text: strings.ToLower(a.text + b.text), fold: true}
	}
	return beginning{text: a.text + b.text, fold: a.fold}
}

// contains says whether every match has one of the words in it.
func contains(re *syntax.Regexp, words []string) bool {
	switch re.Op {
	case syntax.OpLiteral:
		text := strings.ToLower(string(re.Rune))
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return contains(re.Sub[0], words)
	case syntax.OpRepeat:
		return re.Min > 0 && contains(re.Sub[0], words)
	case syntax.OpConcat:
		for i, s := range re.Sub {
			if contains(s, words) {
				return true
			}
			// A word may go over several parts, as where a parser puts what
			// alternatives have in common before them.
			if all, _, ok := sequence(re.Sub[i:]); ok && startsWithWord(all, words) {
				return true
			}
		}
		return false
	case syntax.OpAlternate:
		for _, s := range re.Sub {
			if !contains(s, words) {
				return false
			}
		}
		return len(re.Sub) > 0
	}
	return false
}
