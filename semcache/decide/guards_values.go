package decide

import "strings"

// guardNumber compares amounts. What is on one side only is a veto: the top five are
// not the top ten, and not the top.
func guardNumber(v *Verdict, al *alignment) {
	a, b := missing(al.a.Quantities, al.b.Quantities), missing(al.b.Quantities, al.a.Quantities)
	if a+b > 0 {
		v.veto(GuardNumber, a+b)
		return
	}
	// Units without amounts: "feet in a mile", "metres in a mile".
	ua, ub := loneUnits(al.a, al.toB), loneUnits(al.b, al.toA)
	if ua != dimNone && ua == ub {
		v.veto(GuardNumber, 2)
	}
}

// loneUnits is the dimension of a unit that stands without an amount and that the other side does not have.
func loneUnits(t *Text, to []int16) dimension {
	for i := range t.Words {
		w := &t.Words[i]
		if to[i] < 0 && w.Quantity == 0 && w.Kind == Plain && len(w.Text) > 1 && !w.flags.has(flagStop) {
			if u, ok := units[w.Text]; ok && u.dim != dimNone {
				return u.dim
			}
		}
	}
	return dimNone
}

// generalTime are words for the present that a question means when it has none of them.
var generalTime = map[string]bool{"now": true, "current": true, "currently": true, "nowadays": true, "recent": true, "recently": true, "latest": true, "newest": true, "already": true, "ago": true, "later": true, "soon": true}

// guardTime compares dates and the words for times that depend on when they are said.
func guardTime(v *Verdict, al *alignment) {
	a, generalA := loneTimes(al.a, al.toB)
	b, generalB := loneTimes(al.b, al.toA)
	switch {
	case a+b > 0:
		v.veto(GuardTime, a+b+generalA+generalB)
	case generalA+generalB > 0:
		v.doubt(GuardTime, generalA+generalB)
	}
}

// loneTimes counts a side's times that the other does not have. Last, next and
// previous are times before a span of time: the last week, but not the last item. A
// time in talk about oneself (for my exam tomorrow) is a general one.
func loneTimes(t *Text, to []int16) (exact, general int) {
	for i := range t.Words {
		w := &t.Words[i]
		if to[i] >= 0 || !w.flags.has(flagTime|flagDate) {
			continue
		}
		switch w.Text {
		case "last", "next", "previous", "past", "future":
			if i+1 == len(t.Words) || units[t.Words[i+1].Text].dim != dimTime && !t.Words[i+1].flags.has(flagDate) && t.Words[i+1].Text != "night" {
				continue
			}
		}
		if generalTime[w.Text] || i >= 2 && (t.Words[i-2].flags.has(flagSelf) || t.Words[i-1].flags.has(flagSelf)) {
			general++
		} else {
			exact++
		}
	}
	return exact, general
}

// guardNegation compares how often each side denies, even and odd.
func guardNegation(v *Verdict, al *alignment) {
	a, b := negations(al.a), negations(al.b)
	if (a+b)%2 == 0 {
		if a != b {
			v.doubt(GuardNegation, abs(a-b))
		}
		return
	}
	v.veto(GuardNegation, abs(a-b))
}

// negations counts words that deny. A question that begins with one asks the same
// without it (isn't it, don't you); "or not" and "not only" deny nothing.
func negations(t *Text) int {
	n := 0
	for i := range t.Words {
		w := &t.Words[i]
		if i == 0 && strings.HasPrefix(t.Normal, "no,") {
			continue // an answer: what follows says what is so
		}
		if i > 0 && w.Text == "not" && t.Words[i-1].Text == "or" || i+1 < len(t.Words) && w.Text == "not" && t.Words[i+1].Text == "only" {
			continue
		}
		if w.flags.has(flagNegates) && !(i == 0 && len(t.Words) > 1 && t.asks == askOther && w.Text != "no" && w.Text != "not" && w.Text != "never" && w.Text != "dont") {
			n++
		}
	}
	return n
}

// guardOpposite looks for a word that one side has in place of its opposite: more
// of the one here, and more of the other there.
func guardOpposite(v *Verdict, al *alignment) {
	n := 0
	for i := range al.a.Words {
		x := &al.a.Words[i]
		for j := range al.b.Words {
			y := &al.b.Words[j]
			if x.Stem != y.Stem && opposite(x, y) && al.samePlace(i, j) && al.a.count(x.Stem) > al.b.count(x.Stem) && al.b.count(y.Stem) > al.a.count(y.Stem) {
				n++
			}
		}
	}
	if n > 0 {
		v.veto(GuardOpposite, n)
	}
}

// shortText is how many words a text may have for all of them to be about one thing.
const shortText = 16

// samePlace says whether two words stand in the same surroundings: in short texts
// they do; in longer ones, a word within two of the one is matched within two of the other.
func (al *alignment) samePlace(i, j int) bool {
	if max(len(al.a.Words), len(al.b.Words)) <= shortText {
		return true
	}
	for k := max(0, i-2); k <= i+2 && k < len(al.a.Words); k++ {
		if m := int(al.toB[k]); k != i && m >= 0 && m != j && abs(m-j) <= 2 && !al.a.Words[k].flags.has(flagStop) {
			return true
		}
	}
	return false
}

func (t *Text) count(stem string) int {
	n := 0
	for i := range t.Words {
		if t.Words[i].Stem == stem {
			n++
		}
	}
	return n
}

// guardForm compares the form of the answer that is asked for: an essay is no table.
func guardForm(v *Verdict, al *alignment) {
	a, b := loneForms(al.a, al.toB), loneForms(al.b, al.toA)
	switch {
	case a > 0 && b > 0:
		v.veto(GuardForm, a+b)
	case a+b > 0:
		v.doubt(GuardForm, a+b)
	}
}

func loneForms(t *Text, to []int16) int {
	n := 0
	for i := range t.Words {
		if to[i] < 0 && t.Words[i].flags.has(flagForm) {
			n++
		}
	}
	return n
}

// guardQuestion compares what kind of answer is asked for.
func guardQuestion(v *Verdict, al *alignment) {
	a, b := al.a.asks, al.b.asks
	switch {
	case a == b || a == askOther || b == askOther:
	case a.closed() && b.closed():
		v.veto(GuardQuestion, 1)
	case a.closed() || b.closed() || a == askWhether || b == askWhether:
		v.doubt(GuardQuestion, 1)
	}
}

// guardLength compares how much is said.
func guardLength(v *Verdict, al *alignment) {
	a, b := contentWords(al.a), contentWords(al.b)
	short, long := min(a, b), max(a, b)
	switch {
	case al.a.Long || al.b.Long, long > 3*short && long-short >= 8:
		v.veto(GuardLength, 1)
	case long > 2*short && long-short >= 3:
		v.doubt(GuardLength, 1)
	}
}

func contentWords(t *Text) int {
	n := 0
	for i := range t.Words {
		if t.Words[i].Content() {
			n++
		}
	}
	return n
}

// guardLanguage refuses what the lists and the model were not made for: undecided means no.
func guardLanguage(v *Verdict, al *alignment) {
	if !al.a.English() || !al.b.English() || len(al.a.Words) == 0 || len(al.b.Words) == 0 {
		v.veto(GuardLanguage, 1)
	}
}
