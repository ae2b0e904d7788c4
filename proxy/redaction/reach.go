package redaction

import (
	"math"
	"regexp/syntax"
	"unicode/utf8"
)

// maxProgram bounds the steps that an expression of an operator's compiles to.
const maxProgram = 10_000

// unbounded is the length of a match that has no limit.
const unbounded = math.MaxInt32

// programSize is how many steps an expression compiles to, repetitions written out.
func programSize(expr string) int {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// longest bounds the bytes of a match of an expression.
func longest(expr string) int {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return unbounded
	}
	return longestOf(re)
}

func longestOf(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		n := 0
		for _, r := range re.Rune {
			n += widest(re.Flags, r)
		}
		return n
	case syntax.OpCharClass:
		if len(re.Rune) > 0 && re.Rune[len(re.Rune)-1] < utf8.RuneSelf && re.Flags&syntax.FoldCase == 0 {
			return 1
		}
		return utf8.UTFMax
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return longestOf(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return unbounded
	case syntax.OpRepeat:
		if re.Max < 0 {
			return unbounded
		}
		return capped(re.Max, longestOf(re.Sub[0]))
	case syntax.OpConcat:
		n := 0
		for _, s := range re.Sub {
			if n += longestOf(s); n >= unbounded {
				return unbounded
			}
		}
		return n
	case syntax.OpAlternate:
		n := 0
		for _, s := range re.Sub {
			n = max(n, longestOf(s))
		}
		return n
	default: // assertions, and what matches nothing
		return 0
	}
}

// widest is the bytes of a literal's rune: with folding, also those of K and S that
// Unicode has elsewhere.
func widest(f syntax.Flags, r rune) int {
	if f&syntax.FoldCase != 0 {
		return utf8.UTFMax
	}
	return utf8.RuneLen(r)
}

func capped(times, n int) int {
	if n >= unbounded || times > 0 && n > unbounded/times {
		return unbounded
	}
	return times * n
}
