package bound

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// The classes of a rune that the splitting patterns tell apart, as flags.
const (
	upper  = 1 << iota // Lu Lt Lm Lo M: what may begin a word of o200k
	lower              // Ll Lm Lo M: what may end one
	letter             // L
	number             // N
	space              // \s
	line               // CR and LF
)

// classes holds the class of each rune of the basic plane, made at first use.
var classes = sync.OnceValue(func() *[1 << 16]uint8 {
	t := new([1 << 16]uint8)
	for r := range t {
		t[r] = classify(rune(r))
	}
	return t
})

func classify(r rune) (c uint8) {
	if unicode.In(r, unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M) {
		c |= upper
	}
	if unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.M) {
		c |= lower
	}
	if unicode.IsLetter(r) {
		c |= letter
	}
	if unicode.Is(unicode.N, r) {
		c |= number
	}
	if unicode.IsSpace(r) {
		c |= space
	}
	if r == '\r' || r == '\n' {
		c |= line
	}
	return c
}

// splitter finds the pieces that a tokenizer merges apart from each other. It
// does by hand what the tokenizer's regular expression does: the comments give
// the alternative that each branch stands for.
type splitter struct {
	text  []byte
	class *[1 << 16]uint8
}

// at gives the class and size of the rune at i; size is zero at the end.
func (s *splitter) at(i int) (class uint8, size int) {
	if i >= len(s.text) {
		return 0, 0
	}
	b := s.text[i]
	if b < utf8.RuneSelf {
		return s.class[b], 1
	}
	r, n := utf8.DecodeRune(s.text[i:])
	if r < 1<<16 {
		return s.class[r], n
	}
	return classify(r), n
}

// run gives the end of the run of runes from i on that have a flag of mask.
func (s *splitter) run(i int, mask uint8) int {
	for {
		c, n := s.at(i)
		if n == 0 || c&mask == 0 {
			return i
		}
		i += n
	}
}

// symbols gives the end of [^\s\p{L}\p{N}]* from i on.
func (s *splitter) symbols(i int) int {
	for {
		c, n := s.at(i)
		if n == 0 || c&(space|letter|number) != 0 {
			return i
		}
		i += n
	}
}

// contraction gives the end of (?i:'s|'t|'re|'ve|'m|'ll|'d)? at i.
func (s *splitter) contraction(i int) int {
	if i+1 >= len(s.text) || s.text[i] != '\'' {
		return i
	}
	switch a := s.text[i+1] | 0x20; a {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v', 'l':
		if i+2 >= len(s.text) {
			return i
		}
		if b := s.text[i+2] | 0x20; b == 'e' && a != 'l' || b == 'l' && a == 'l' {
			return i + 3
		}
	}
	return i
}

// numbers gives the end of \p{N}{1,3} at i.
func (s *splitter) numbers(i int) int {
	for range 3 {
		c, n := s.at(i)
		if c&number == 0 {
			break
		}
		i += n
	}
	return i
}

// spaces gives the end of \s*[\r\n]+|\s+(?!\S)|\s+ at i, where a space is.
func (s *splitter) spaces(i int) int {
	afterLine, last := 0, i
	end := i
	for {
		c, n := s.at(end)
		if n == 0 || c&space == 0 {
			break
		}
		last = end
		end += n
		if c&line != 0 {
			afterLine = end
		}
	}
	switch {
	case afterLine > 0:
		return afterLine
	case end == len(s.text) || last == i:
		return end
	}
	return last
}

// o200k gives the end of the piece of o200k_base that begins at i.
func (s *splitter) o200k(i int) int {
	c, n := s.at(i)
	// [^\r\n\p{L}\p{N}]?[upper]*[lower]+(contraction)? with the prefix, without
	// it, then [^\r\n\p{L}\p{N}]?[upper]+[lower]*(contraction)? likewise.
	prefix := c&(line|letter|number) == 0
	if prefix {
		if end := s.lowerWord(i + n); end > 0 {
			return s.contraction(end)
		}
	}
	if c&(upper|lower) != 0 {
		if end := s.lowerWord(i); end > 0 {
			return s.contraction(end)
		}
	}
	if prefix {
		if end := s.upperWord(i + n); end > 0 {
			return s.contraction(end)
		}
	}
	if c&upper != 0 {
		if end := s.upperWord(i); end > 0 {
			return s.contraction(end)
		}
	}
	if c&number != 0 {
		return s.numbers(i)
	}
	if end := s.punctuation(i, true); end > 0 {
		return end
	}
	return s.spaces(i)
}

// lowerWord gives the end of [upper]*[lower]+ at i, or 0.
func (s *splitter) lowerWord(i int) int {
	afterBoth := 0 // after the last rune of the run that is lower too
	for {
		c, n := s.at(i)
		if n == 0 || c&upper == 0 {
			if c&lower != 0 {
				return s.run(i, lower)
			}
			return afterBoth
		}
		i += n
		if c&lower != 0 {
			afterBoth = i
		}
	}
}

// upperWord gives the end of [upper]+[lower]* at i, or 0.
func (s *splitter) upperWord(i int) int {
	end := s.run(i, upper)
	if end == i {
		return 0
	}
	return s.run(end, lower)
}

// punctuation gives the end of " ?[^\s\p{L}\p{N}]+[\r\n]*" at i, with slashes
// among the line ends if slash is true, or 0.
func (s *splitter) punctuation(i int, slash bool) int {
	if i < len(s.text) && s.text[i] == ' ' {
		i++
	}
	end := s.symbols(i)
	if end == i {
		return 0
	}
	for end < len(s.text) && (s.text[end] == '\r' || s.text[end] == '\n' || slash && s.text[end] == '/') {
		end++
	}
	return end
}

// cl100k gives the end of the piece of cl100k_base that begins at i.
func (s *splitter) cl100k(i int) int {
	if end := s.contraction(i); end > i {
		return end
	}
	// [^\r\n\p{L}\p{N}]?\p{L}+
	c, n := s.at(i)
	if c&letter != 0 {
		return s.run(i, letter)
	}
	if c&(line|number) == 0 {
		if end := s.run(i+n, letter); end > i+n {
			return end
		}
	}
	if c&number != 0 {
		return s.numbers(i)
	}
	if end := s.punctuation(i, false); end > 0 {
		return end
	}
	return s.spaces(i)
}
