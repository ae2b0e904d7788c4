package redaction

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Finding is a value found in a text: text[Start:End].
type Finding struct {
	Start, End int
	Entity     string
	Rule       string // for a secret
	Action     Action // what becomes of it; Report where every spec that finds it is in shadow
	KeepLast   int
	Spec       string // that decided
	Shadow     bool   // no spec that is enforced finds it
	rank       int
}

// Name is what a person is told of the finding: its rule, else its entity.
func (f *Finding) Name() string {
	if f.Rule != "" {
		return f.Entity + " (" + f.Rule + ")"
	}
	return f.Entity
}

// maxFindings bounds those of one text: what is beyond is refused by the caller.
const maxFindings = 10_000

// Limits of the bytes that expressions are run over in one text. Prompts need a
// fraction of their length, long tables of numbers ten times that; what needs more is
// made to.
const (
	leastWork  = 4 << 20
	workFactor = 32
	mostWork   = 256 << 20
)

// Scanner searches texts by a plan. It belongs to one goroutine at a time.
type Scanner struct {
	plan  *Plan
	hits  []span // windows by recognizer
	found []Finding

	// Where context words end, by recognizer of numbers: all, and what is left of them.
	words, context [][]int
	region         region // at hand; here, so that asking recognizers about it allocates nothing
	full           bool
	work           int // bytes that expressions may still be run over
}

// span is a window for a recognizer, and which of its patterns are run there.
type span struct {
	rec, start, end int
	which           which
}

type which uint8

const (
	exacts which = 1 << iota
	nameds
	all = exacts | nameds
)

func (p *pattern) among(w which) bool {
	if p.context {
		return w&nameds != 0
	}
	return w&exacts != 0
}

// NewScanner makes a scanner for a plan.
func (p *Plan) NewScanner() *Scanner {
	return &Scanner{plan: p, words: make([][]int, len(p.numbers)), context: make([][]int, len(p.numbers))}
}

// Scan finds what the plan's specs look for, in order, without overlaps. The result
// is the scanner's until its next call. full says that there was more than is kept, or
// more to do than is done for one text.
func (s *Scanner) Scan(text []byte) (found []Finding, full bool) {
	s.hits, s.found, s.full = s.hits[:0], s.found[:0], false
	s.work = min(leastWork+workFactor*len(text), mostWork)
	if len(text) == 0 || s.plan == nil {
		return nil, false
	}
	s.byKeyword(text)
	copy(s.context, s.words)
	s.byNumber(text)
	for _, rec := range s.plan.always {
		s.hits = append(s.hits, span{rec, 0, len(text), all})
	}
	s.run(text)
	s.found = settle(s.found)
	return s.found, s.full
}

// byKeyword notes where recognizers have to run for their keywords, and runs those
// whose matches begin with one.
func (s *Scanner) byKeyword(text []byte) {
	set := s.plan.set
	for i := range s.words {
		s.words[i] = s.words[i][:0]
	}
	set.keywords.each(text, func(word, end int) {
		for _, i := range s.plan.byContext[word] {
			s.words[i] = append(s.words[i], end)
		}
		for _, n := range set.byWord[word] {
			if !s.plan.want[n] {
				continue
			}
			r, start := set.recs[n], end-len(set.keywords.words[word])
			switch {
			case r.narrow != nil:
				from, to := r.narrow(text, start, end)
				s.hits = append(s.hits, span{n, from, to, all})
			case r.where == atStart && r.reach < unbounded:
				s.searchAt(text, n, start)
			case r.where == atStart:
				if r.begins(text[start:]) {
					s.hits = append(s.hits, span{n, start, len(text), all})
				}
			case r.where == around:
				s.hits = append(s.hits, span{n, max(0, start-r.reach), end + min(r.reach, len(text)-end), all})
			default:
				s.hits = append(s.hits, span{n, 0, len(text), all})
			}
		}
	})
}

// searchAt looks for a match of a recognizer's that begins at one place.
func (s *Scanner) searchAt(text []byte, n, at int) {
	rec := s.plan.set.recs[n]
	to := at + min(rec.reach+utf8.UTFMax, len(text)-at)
	for i := range rec.patterns {
		p := &rec.patterns[i]
		if !p.begins(text[at:]) {
			continue
		}
		re, from := p.first, at
		if at > 0 {
			re, from = p.after, at-1
		}
		m := s.match(re, text, from, to)
		if m == nil {
			continue
		}
		m[0] = at
		if start, end := p.value(m); rec.holds(text, p, m, start, end, s.plan.output) {
			s.add(text, n, start, end)
		}
	}
}

// match runs an expression over text[from:to], within the work that is left.
func (s *Scanner) match(re *regexp.Regexp, text []byte, from, to int) []int {
	if s.work <= 0 {
		s.full = true
		return nil
	}
	m := re.FindSubmatchIndex(text[from:to])
	if m == nil {
		s.work -= to - from
		return nil
	}
	s.work -= m[1]
	for k := range m {
		if m[k] >= 0 {
			m[k] += from
		}
	}
	return m
}

// byNumber notes the same for regions of digits.
func (s *Scanner) byNumber(text []byte) {
	if len(s.plan.numbers) == 0 {
		return
	}
	for at := 0; ; {
		var ok bool
		if s.region, ok = nextRegion(text, at); !ok {
			return
		}
		r := &s.region
		at = r.end
		for i, rec := range s.plan.numbers {
			x := s.plan.set.recs[rec]
			w := which(0)
			if x.numbers(r) {
				w = exacts
			}
			if x.names && (w != 0 && x.loose == nil || x.loose != nil && x.loose(r)) && s.named(i, r.start-contextBefore, r.end+contextAfter) {
				w |= nameds
			}
			if w != 0 {
				margin := max(x.around, regionMargin)
				s.hits = append(s.hits, span{rec, max(0, r.start-margin), min(len(text), r.end+margin), w})
			}
		}
	}
}

// named says whether a context word of one of the plan's recognizers of numbers ends
// within a window. Windows only go forward.
func (s *Scanner) named(i, from, to int) bool {
	at := s.context[i]
	for len(at) > 0 && at[0] < from {
		at = at[1:]
	}
	s.context[i] = at
	return len(at) > 0 && at[0] <= to+maxWord
}

// Bytes that a match may have beyond its region, such as a plus and a bracket, or
// the letters at the ends of an insurance number.
const regionMargin = 5

// run searches the windows. Those of one recognizer that touch are one.
func (s *Scanner) run(text []byte) {
	slices.SortFunc(s.hits, func(a, b span) int { return cmp.Or(a.rec-b.rec, a.start-b.start) })
	for i := 0; i < len(s.hits); {
		w := s.hits[i]
		for i++; i < len(s.hits) && s.hits[i].rec == w.rec && s.hits[i].start <= w.end; i++ {
			w.end = max(w.end, s.hits[i].end)
			w.which |= s.hits[i].which
		}
		s.search(text, w)
	}
}

// search runs a recognizer over a window. One byte more on both sides shows
// assertions what stands there.
func (s *Scanner) search(text []byte, w span) {
	rec := s.plan.set.recs[w.rec]
	from, to := max(0, w.start-1), min(len(text), w.end+1)
	for i := range rec.patterns {
		p := &rec.patterns[i]
		if !p.among(w.which) {
			continue
		}
		for at := from; at < to; {
			m := s.match(p.re, text, at, to)
			if m == nil {
				break
			}
			start, end := p.value(m)
			if at = m[1]; at == m[0] {
				at++
			}
			if rec.trim != nil {
				end -= rec.trim(text[start:end])
			}
			if end > start && rec.holds(text, p, m, start, end, s.plan.output) {
				s.add(text, w.rec, start, end)
				continue
			}
			// What is not valid may hide what is, further on in the same match.
			at = max(min(at, nextWord(text, m[0])), m[0]+1)
		}
	}
}

// nextWord is where the word after the one at i begins, or the one at i if it has not.
func nextWord(text []byte, i int) int {
	for i < len(text) && wordByte(text[i]) {
		i++
	}
	for i < len(text) && !wordByte(text[i]) {
		i++
	}
	return i
}

// holds says whether a match of the recognizer's is one of its values.
func (r *recognizer) holds(text []byte, p *pattern, m []int, start, end int, output bool) bool {
	v := text[start:end]
	switch {
	case r.numbers != nil && !apart(text, start, end):
		return false
	case r.accept != nil && !r.accept(v):
		return false
	case p.valid != nil && !p.valid(v):
		return false
	case r.entropy > 0 && entropy(v) <= r.entropy:
		return false
	case len(r.veto) > 0 && anyWord(text[max(0, start-vetoBefore):start], r.veto):
		return false
	case p.context && !r.near(text, start, end, output):
		return false
	}
	return !r.allowed(text, m, start, end)
}

const vetoBefore = 20

// apart says whether a number stands alone, and is no part of a longer one, of a word
// or of a fraction. Where a search goes on within a word, expressions cannot tell.
func apart(text []byte, start, end int) bool {
	if start > 0 {
		c := text[start-1]
		if alnum[text[start]] && (alnum[c] || c == '_') {
			return false
		}
		if start > 1 && (c == '.' || c == '-' || c == ':') && alnum[text[start-2]] {
			return false
		}
	}
	if end < len(text) {
		c := text[end]
		if alnum[c] || c == '_' {
			return false
		}
		if end+1 < len(text) && (c == '.' || c == '-' || c == ':') && alnum[text[end+1]] && text[end-1] != ':' {
			return false
		}
	}
	return true
}

// add decides what becomes of a value, by the specs that look for it.
func (s *Scanner) add(text []byte, rec, start, end int) {
	x := s.plan.set.recs[rec]
	f := Finding{Start: start, End: end, Entity: x.entity, Rule: x.rule, rank: x.rank}
	if s.plan.decide(&f, rec, text[start:end]) {
		s.keep(f)
	}
}

func (s *Scanner) keep(f Finding) {
	if len(s.found) == maxFindings {
		s.full = true
		return
	}
	s.found = append(s.found, f)
}

// settle puts findings in order. Of those that overlap, what covers all of them is
// kept, with the strongest action of any: what is not to leave does not leave as a
// part of something else. The name is that of the highest rank.
func settle(found []Finding) []Finding {
	if len(found) < 2 {
		return found
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(a.Start-b.Start, b.End-a.End, b.rank-a.rank)
	})
	out := found[:1]
	for _, f := range found[1:] {
		last := &out[len(out)-1]
		if f.Start >= last.End {
			out = append(out, f)
			continue
		}
		merge(last, f)
	}
	return out
}

// merge adds f, which begins within a, to it. What is only reported does not widen
// what is replaced.
func merge(a *Finding, f Finding) {
	aw, fw, report := strength[a.Action], strength[f.Action], strength[Report]
	apart := f.Start != a.Start || f.End != a.End
	switch {
	case apart && aw <= report && fw > report:
		*a = f
		return
	case apart && aw > report && fw <= report:
		return
	}
	a.End = max(a.End, f.End)
	if fw > aw || a.Shadow {
		a.Action, a.KeepLast, a.Spec, a.Shadow = f.Action, f.KeepLast, f.Spec, f.Shadow
	}
	if f.rank > a.rank {
		a.Entity, a.Rule, a.rank = f.Entity, f.Rule, f.rank
	}
}

// covers says whether an exception covers a value.
func (e *exception) covers(entity, rule string, v []byte) bool {
	if e.entity != "" && e.entity != entity && e.entity != rule {
		return false
	}
	if e.re != nil {
		return e.re.Match(v)
	}
	return len(v) == len(e.value) && bytes.EqualFold(v, e.value)
}
