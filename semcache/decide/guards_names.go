package decide

// guardEntity compares names: words with a capital that a sentence's start does not
// explain, and that the other side does not have. A name of one side only that
// stands beside one that both have says more of it (Mattis, James Mattis): a doubt.
func guardEntity(v *Verdict, al *alignment) {
	a, partsA := loneNames(al.a, al.toB)
	b, partsB := loneNames(al.b, al.toA)
	switch {
	case a+b > 0, partsA > 0 && partsB > 0:
		v.veto(GuardEntity, a+b+partsA+partsB)
	case partsA+partsB > 0:
		v.doubt(GuardEntity, partsA+partsB)
	}
}

// loneNames counts a side's names that the other does not have: parts are those that
// stand beside one that it has.
func loneNames(t *Text, to []int16) (names, parts int) {
	for i := range t.Words {
		w := &t.Words[i]
		if to[i] >= 0 || !w.Proper || w.Kind != Plain || !w.Content() || w.flags.has(flagGeneric|flagDate|flagTime|flagAsks) {
			continue
		}
		if i > 0 && t.Words[i-1].Proper && to[i-1] >= 0 || i+1 < len(t.Words) && t.Words[i+1].Proper && to[i+1] >= 0 {
			parts++
		} else {
			names++
		}
	}
	return names, parts
}

// guardCode compares identifiers, versions, addresses and operators, as they are.
func guardCode(v *Verdict, al *alignment) {
	a, b := loneCode(al.a, al.toB), loneCode(al.b, al.toA)
	if a+b > 0 {
		v.veto(GuardCode, a+b)
	}
}

func loneCode(t *Text, to []int16) int {
	n := 0
	for i := range t.Words {
		if k := t.Words[i].Kind; to[i] < 0 && (k == Code || k == Version || k == Address) {
			n++
		}
	}
	return n
}

// guardQuote compares quoted passages. A passage whose words are all on the other
// side is there, quoted or not.
func guardQuote(v *Verdict, al *alignment) {
	if len(al.a.Quotes) == 0 || len(al.b.Quotes) == 0 {
		return
	}
	n := 0
	for _, q := range al.a.Quotes {
		for _, r := range al.b.Quotes {
			if q == r {
				n++
				break
			}
		}
	}
	if lone := max(len(al.a.Quotes), len(al.b.Quotes)) - n; lone > 0 {
		v.veto(GuardQuote, lone)
	}
}

// rareWord is the rarity from which a word names a thing more often than it has a synonym.
const rareWord = 0.92

// guardSubstitution looks for the same frame with one word exchanged for another: the
// neighbours of both are matched with each other. It sees names without capitals,
// and weighs how rare the words are. Whether the two are synonyms it cannot know:
// where both are rare it vetoes, else it doubts.
func guardSubstitution(v *Verdict, al *alignment) {
	i, n := loneContent(al.a, al.toB)
	j, m := loneContent(al.b, al.toA)
	if n != 1 || m != 1 || !sameFrame(al, i, j) {
		return
	}
	x, y := &al.a.Words[i], &al.b.Words[j]
	if min(x.IDF, y.IDF) >= rareWord {
		v.veto(GuardSubstitution, 2)
		return
	}
	v.doubt(GuardSubstitution, 2)
}

// loneContent is the last content word that the other side lacks, and how many there are.
func loneContent(t *Text, to []int16) (at, n int) {
	at = -1
	for i := range t.Words {
		if to[i] < 0 && t.Words[i].Content() {
			at = i
			n++
		}
	}
	return at, n
}

// sameFrame says whether the words before two words are each other's match, or both
// begin their text, and the same of the words after.
func sameFrame(al *alignment, i, j int) bool {
	before := i == 0 && j == 0 || i > 0 && j > 0 && al.toB[i-1] == int16(j-1)
	last := i == len(al.a.Words)-1 && j == len(al.b.Words)-1
	after := last || i+1 < len(al.a.Words) && j+1 < len(al.b.Words) && al.toB[i+1] == int16(j+1)
	return before && after
}

// guardScope looks for a clause that narrows one side: everything the shorter side
// says is in the longer, and the longer has content of its own behind a word that
// narrows (only, without, in, for, on). Talk about oneself narrows nothing.
func guardScope(v *Verdict, al *alignment) {
	_, a := loneContent(al.a, al.toB)
	_, b := loneContent(al.b, al.toA)
	if a > 0 && b > 0 || a+b == 0 {
		return
	}
	t, to := al.a, al.toB
	if b > 0 {
		t, to = al.b, al.toA
	}
	n, narrows := 0, false
	self := false
	for i := range t.Words {
		w := &t.Words[i]
		if w.flags.has(flagSelf) && to[i] < 0 {
			self = true
		}
		if w.Text == "only" && to[i] < 0 {
			narrows, n = true, n+1
		}
		if to[i] >= 0 || !w.Content() || w.flags.has(flagGeneric) {
			continue
		}
		n++
		for k := i - 1; k >= 0 && k >= i-3; k-- {
			if t.Words[k].flags.has(flagScope) {
				narrows = true
			}
		}
	}
	switch {
	case n == 0:
	case narrows && !self:
		v.veto(GuardScope, n)
	default:
		v.doubt(GuardScope, n)
	}
}
