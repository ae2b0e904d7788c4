package redaction

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"sync"
	"unicode/utf8"
)

// maxStates bounds the states that one cache of an automaton keeps; it is emptied
// when they are reached.
const maxStates = 2048

// automaton runs many expressions at once from one place, to see whether a match
// that begins there may go on beyond the text. Assertions count as fulfilled: it may
// hold back what is no match in the end, never the other way round.
type automaton struct {
	insts  []syntax.Inst
	starts []uint32
	caches sync.Pool
}

func newAutomaton(exprs []string) (*automaton, error) {
	a := &automaton{}
	for _, e := range exprs {
		re, err := syntax.Parse(e, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("reading an expression: %w", err)
		}
		prog, err := syntax.Compile(re.Simplify())
		if err != nil {
			return nil, fmt.Errorf("compiling an expression: %w", err)
		}
		base := uint32(len(a.insts))
		for _, in := range prog.Inst {
			in.Out += base
			if in.Op == syntax.InstAlt || in.Op == syntax.InstAltMatch {
				in.Arg += base
			}
			a.insts = append(a.insts, in)
		}
		a.starts = append(a.starts, base+uint32(prog.Start))
	}
	a.caches.New = func() any { return &cache{a: a, seen: make([]bool, len(a.insts))} }
	return a, nil
}

// state is the steps at which a match may be. One without any is dead.
type state struct {
	at   []uint32
	next [utf8.RuneSelf]*state
}

// cache is the part of the automaton that texts have led to. One goroutine has it at
// a time.
type cache struct {
	a      *automaton
	start  *state
	states map[string]*state
	seen   []bool
	list   []uint32
	key    []byte
}

// undecided is the first place at or after from where a match may begin and go on
// beyond the text; its end if there is none.
func (a *automaton) undecided(text []byte, from int) int {
	c := a.caches.Get().(*cache)
	defer a.caches.Put(c)
	if c.start == nil || len(c.states) > maxStates {
		c.states = map[string]*state{}
		for _, s := range a.starts {
			c.add(s)
		}
		c.start = c.intern()
	}
	for p := from; p < len(text); p++ {
		if utf8.RuneStart(text[p]) && c.lives(text[p:]) {
			return p
		}
	}
	return len(text)
}

// lives says whether a match of which text is the beginning may go on.
func (c *cache) lives(text []byte) bool {
	s := c.start
	for i := 0; i < len(text); {
		if len(c.states) > maxStates {
			return true // the next call begins with an empty cache
		}
		if b := text[i]; b < utf8.RuneSelf {
			n := s.next[b]
			if n == nil {
				n = c.step(s, rune(b))
				s.next[b] = n
			}
			s = n
			i++
		} else {
			r, size := utf8.DecodeRune(text[i:])
			s = c.step(s, r)
			i += size
		}
		if len(s.at) == 0 {
			return false
		}
	}
	return true
}

func (c *cache) step(s *state, r rune) *state {
	for _, pc := range s.at {
		in := &c.a.insts[pc]
		switch in.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if in.MatchRune(r) {
				c.add(in.Out)
			}
		}
	}
	return c.intern()
}

// add takes a step, and those that follow without a rune, into the list.
func (c *cache) add(pc uint32) {
	if c.seen[pc] {
		return
	}
	c.seen[pc] = true
	c.list = append(c.list, pc)
	switch in := &c.a.insts[pc]; in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		c.add(in.Out)
		c.add(in.Arg)
	case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		c.add(in.Out)
	}
}

// intern makes a state of the list, and empties that. Of the steps, those count that
// wait for a rune, and the end of a match: what comes after it may be asserted.
func (c *cache) intern() *state {
	at := c.list[:0]
	for _, pc := range c.list {
		c.seen[pc] = false
		switch c.a.insts[pc].Op {
		case syntax.InstAlt, syntax.InstAltMatch, syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth, syntax.InstFail:
		default:
			at = append(at, pc)
		}
	}
	slices.Sort(at)
	c.key = c.key[:0]
	for _, pc := range at {
		c.key = append(c.key, byte(pc), byte(pc>>8), byte(pc>>16), byte(pc>>24))
	}
	s, ok := c.states[string(c.key)]
	if !ok {
		s = &state{at: slices.Clone(at)}
		c.states[string(c.key)] = s
	}
	c.list = c.list[:0]
	return s
}

// MaxHold bounds what is held back of a stream, in bytes: more than a private key of
// 8192 bits takes. A match that is longer is not found in a stream.
const MaxHold = 8 << 10

// Undecided is how far a stream that has said text until now may be given on: up to
// the first place at or after from where a match could begin that is not over.
func (p *Plan) Undecided(text []byte, from int) int {
	if p == nil || p.set.live == nil {
		return len(text)
	}
	return p.set.live.undecided(text, max(from, len(text)-MaxHold))
}
