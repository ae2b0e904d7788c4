package decide

import "strings"

// how says by what two words were matched.
type how uint8

const (
	unmatched how = iota
	byStem
	byJoin    // log in, login
	byAcronym // WHO, World Health Organization
	byTypo    // one of the two is no known word, and a slip away
	byRoot    // invest, investment
)

// alignment says which word of one text answers which of the other. An index is
// -1 where there is none; where several words answer one, it is the first of them.
type alignment struct {
	a, b       *Text
	toB, toA   []int16
	howA, howB []how
}

func align(a, b *Text) *alignment {
	al := &alignment{a: a, b: b,
		toB: none(len(a.Words)), toA: none(len(b.Words)),
		howA: make([]how, len(a.Words)), howB: make([]how, len(b.Words))}
	al.stems()
	al.joins(false)
	al.joins(true)
	al.acronyms(false)
	al.acronyms(true)
	al.near(byTypo, slip)
	al.near(byRoot, root)
	return al
}

func none(n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

func (al *alignment) match(i, j int, by how) {
	al.toB[i], al.toA[j] = int16(j), int16(i)
	al.howA[i], al.howB[j] = by, by
}

// stems matches equal stems, each with the one nearest in place; then words that
// are said more often on one side than on the other with any of the same stem.
func (al *alignment) stems() {
	for i := range al.a.Words {
		best := -1
		for j := range al.b.Words {
			if al.toA[j] < 0 && al.a.Words[i].Stem == al.b.Words[j].Stem && (best < 0 || abs(i-j) < abs(i-best)) {
				best = j
			}
		}
		if best >= 0 {
			al.match(i, best, byStem)
		}
	}
	again := func(x, y *Text, to []int16, h []how) {
		for i := range x.Words {
			if to[i] >= 0 {
				continue
			}
			for j := range y.Words {
				if x.Words[i].Stem == y.Words[j].Stem {
					to[i], h[i] = int16(j), byStem
					break
				}
			}
		}
	}
	again(al.a, al.b, al.toB, al.howA)
	again(al.b, al.a, al.toA, al.howB)
}

// joins matches two words in a row of one side with one of the other.
func (al *alignment) joins(swap bool) {
	x, y, to, back, hx, hy := al.sides(swap)
	for i := 0; i+1 < len(x.Words); i++ {
		if to[i] >= 0 && to[i+1] >= 0 {
			continue
		}
		p, q := x.Words[i].Text, x.Words[i+1].Text
		for j := range y.Words {
			w := y.Words[j].Text
			if back[j] < 0 && len(w) == len(p)+len(q) && strings.HasPrefix(w, p) && strings.HasSuffix(w, q) {
				to[i], to[i+1], back[j] = int16(j), int16(j), int16(i)
				hx[i], hx[i+1], hy[j] = byJoin, byJoin, byJoin
			}
		}
	}
}

// acronyms matches a word of 2 to 6 letters with a run of words that begin with them.
func (al *alignment) acronyms(swap bool) {
	x, y, to, back, hx, hy := al.sides(swap)
	for i := range x.Words {
		w := &x.Words[i]
		n := len(w.Text)
		if to[i] >= 0 || n < 2 || n > 6 || w.Kind != Plain || !(w.Proper || !w.Known) {
			continue
		}
		for j := 0; j+n <= len(y.Words); j++ {
			if spells(strings.ToLower(w.Text), y.Words[j:j+n]) {
				to[i], hx[i] = int16(j), byAcronym
				for k := j; k < j+n; k++ {
					if back[k] < 0 {
						back[k], hy[k] = int16(i), byAcronym
					}
				}
				break
			}
		}
	}
}

// spells says whether words begin with the letters. Function words may be among them,
// but not first or last: WHO is no abbreviation of "was he".
func spells(letters string, words []Word) bool {
	if !words[0].Content() || !words[len(words)-1].Content() {
		return false
	}
	for k := range words {
		if words[k].Text[0] != letters[k] {
			return false
		}
	}
	return true
}

func (al *alignment) sides(swap bool) (x, y *Text, to, back []int16, hx, hy []how) {
	if swap {
		return al.b, al.a, al.toA, al.toB, al.howB, al.howA
	}
	return al.a, al.b, al.toB, al.toA, al.howA, al.howB
}

// near matches what is left, word by word, where a rule says that two are one.
func (al *alignment) near(by how, one func(x, y *Word) bool) {
	for i := range al.a.Words {
		if al.toB[i] >= 0 || al.a.Words[i].Kind != Plain || al.a.Words[i].Quantity != 0 {
			continue
		}
		for j := range al.b.Words {
			if al.toA[j] < 0 && al.b.Words[j].Kind == Plain && al.b.Words[j].Quantity == 0 && one(&al.a.Words[i], &al.b.Words[j]) {
				al.match(i, j, by)
				break
			}
		}
	}
}

// slip says whether two words are one, of which at least one is misspelt: the first
// letter is the same, not both are known words, and one edit (two in words of eight
// letters and more) makes one of the other. Known words an edit apart are two words:
// Iran, Iraq.
func slip(x, y *Word) bool {
	if x.Known && y.Known || len(x.Text) < 4 || len(y.Text) < 4 || x.Text[0] != y.Text[0] {
		return false
	}
	limit := 1
	if min(len(x.Text), len(y.Text)) >= 8 {
		limit = 2
	}
	return edits(x.Text, y.Text, limit) <= limit
}

// root says whether two words are of one root: they share five letters or more, and
// two thirds of the longer. Opposites are not.
func root(x, y *Word) bool {
	if x.Proper && y.Proper || opposite(x, y) {
		return false
	}
	n := common(x.Text, y.Text)
	return n >= 5 && n*3 >= max(len(x.Text), len(y.Text))*2 || n >= 4 && n*4 >= max(len(x.Text), len(y.Text))*3
}

func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// edits is the optimal string alignment distance (insert, delete, replace, swap of
// neighbours), or limit+1 where it is more than limit. Bytes are compared.
func edits(a, b string, limit int) int {
	if abs(len(a)-len(b)) > limit || len(a) > 63 || len(b) > 63 {
		return limit + 1
	}
	var rows [3][64]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
