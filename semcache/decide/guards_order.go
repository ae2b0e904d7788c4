package decide

// reach is how many content words beside a directing word count as its sides.
const reach = 2

// guardDirection looks for a relation whose sides are exchanged: from A to B, A
// than B, A before B; and, where both texts have the same words, for two names in
// the other order around a verb.
func guardDirection(v *Verdict, al *alignment) {
	if exchanged(al) || reversed(al) {
		v.veto(GuardDirection, 2)
		return
	}
	if n := al.inversions(); n > 0 {
		v.doubt(GuardDirection, n)
	}
}

// exchanged says whether both texts have one directing word with two words on
// opposite sides of it that are on the other sides in the other text.
func exchanged(al *alignment) bool {
	for i := range al.a.Words {
		w := &al.a.Words[i]
		if j := int(al.toB[i]); w.flags.has(flagDirects) && j >= 0 && al.a.count(w.Stem) == al.b.count(w.Stem) && crossed(al, i, j) {
			return true
		}
	}
	return false
}

// crossed says whether a word left of i in a is right of j in b, and one right of i is left of j.
func crossed(al *alignment, i, j int) bool {
	leftToRight, rightToLeft := false, false
	for k, n := i-1, 0; k >= 0 && n < reach; k-- {
		if al.a.Words[k].carries() {
			n++
			if m := int(al.toB[k]); m > j && within(al.b, j, m) {
				leftToRight = true
			}
		}
	}
	for k, n := i+1, 0; k < len(al.a.Words) && n < reach; k++ {
		if al.a.Words[k].carries() {
			n++
			if m := int(al.toB[k]); m >= 0 && m < j && within(al.b, m, j) {
				rightToLeft = true
			}
		}
	}
	return leftToRight && rightToLeft
}

// carries says whether a word can be a side of a relation: content, a unit or currency, a number.
func (w *Word) carries() bool { return !w.flags.has(flagStop) }

// within says whether at most reach words that carry something lie from one word to another, the far one included.
func within(t *Text, from, to int) bool {
	n := 0
	for k := from + 1; k < to; k++ {
		if t.Words[k].carries() {
			n++
		}
	}
	return n < reach
}

// reversed says whether two texts of the same content words name two things in the
// other order, with a word between them that is no link of equals, in both.
func reversed(al *alignment) bool {
	if _, n := loneContent(al.a, al.toB); n > 0 {
		return false
	}
	if _, n := loneContent(al.b, al.toA); n > 0 {
		return false
	}
	for i := range al.a.Words {
		if !al.movable(al.a, i) || al.toB[i] < 0 || !al.movable(al.b, int(al.toB[i])) {
			continue
		}
		for k := i + 1; k < len(al.a.Words); k++ {
			if !al.movable(al.a, k) || al.toB[k] < 0 || al.toB[k] >= al.toB[i] || !al.movable(al.b, int(al.toB[k])) {
				continue
			}
			if al.a.Words[i].Stem != al.a.Words[k].Stem && acts(al.a, i, k) && acts(al.b, int(al.toB[k]), int(al.toB[i])) {
				return true
			}
		}
	}
	return false
}

// movable says whether a word is a name or a rare word that no preposition leads: what a
// preposition leads may stand anywhere.
func (al *alignment) movable(t *Text, i int) bool {
	w := &t.Words[i]
	if w.Kind != Plain && w.Kind != Code || !w.Content() || !(w.Proper || w.IDF > 0.8) {
		return false
	}
	for k := i - 1; k >= 0 && k >= i-2; k-- {
		if t.Words[k].flags.has(flagPreposition) {
			return false
		}
	}
	return true
}

// acts says whether a content word stands between two words, and no link of equals
// stands there or before them.
func acts(t *Text, from, to int) bool {
	for k := range to {
		if t.Words[k].flags.has(flagSymmetric) {
			return false
		}
	}
	for k := from + 1; k < to; k++ {
		if t.Words[k].Content() && !t.Words[k].Proper {
			return true
		}
	}
	return false
}

// inversions counts the neighbouring matched content words of a whose matches in b
// stand in the other order.
func (al *alignment) inversions() int {
	n, last := 0, int16(-1)
	for i := range al.a.Words {
		if al.toB[i] < 0 || !al.a.Words[i].Content() {
			continue
		}
		if al.toB[i] < last {
			n++
		}
		last = al.toB[i]
	}
	return n
}
