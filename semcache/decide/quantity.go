package decide

import (
	"slices"
	"strconv"
	"strings"
)

// quantities joins number words, scales and units to quantities: "$5 million",
// "2.5 kg", "twenty-two", "5th".
func (t *Text) quantities() {
	for i := 0; i < len(t.Words); {
		if t.Words[i].Kind != Number || t.Words[i].Quantity != 0 {
			i++
			continue
		}
		i = t.quantity(i)
	}
}

// quantity reads the quantity that begins at a word, and returns where to go on.
func (t *Text) quantity(i int) int {
	w := &t.Words[i]
	value, ok := valueOf(w.Text)
	if !ok {
		return i + 1
	}
	q := Quantity{Value: value, Ordinal: ordinalWord(w.Text)}
	from, end := i, i+1
	if _, isWord := numberWords[w.Text]; isWord && value >= 20 && value < 100 && end < len(t.Words) {
		if u, ok := numberWords[t.Words[end].Text]; ok && u >= 1 && u < 10 { // twenty two
			q.Value += u
			q.Ordinal = ordinalWord(t.Words[end].Text)
			end++
		}
	}
	for end < len(t.Words) {
		s, ok := scales[t.Words[end].Text]
		if !ok {
			break
		}
		q.Value *= s
		end++
	}
	if end < len(t.Words) && t.Words[end].Kind == Plain {
		switch suffix := t.Words[end].Text; suffix {
		case "st", "nd", "rd", "th":
			q.Ordinal = true
			end++
		}
	}
	if i > 0 && t.Words[i-1].Quantity == 0 && money(units[t.Words[i-1].Text].dim) { // a currency before
		q.dim = units[t.Words[i-1].Text].dim
		from = i - 1
	} else if u, n := t.unitAt(end); n > 0 && !q.Ordinal {
		q.dim = u.dim
		q.Value = q.Value*u.factor + u.offset
		end += n
	}
	if len(t.Quantities) < 1<<15 {
		t.Quantities = append(t.Quantities, q)
		for k := from; k < end; k++ {
			t.Words[k].Quantity = uint16(len(t.Quantities))
		}
	}
	return end
}

// unitAt is the unit at a word, and how many words it takes. "degrees" may stand before it.
func (t *Text) unitAt(i int) (unit, int) {
	n := 0
	for i+n < len(t.Words) && n < 1 && (t.Words[i+n].Text == "degrees" || t.Words[i+n].Text == "degree" || t.Words[i+n].Text == "°") {
		n++
	}
	if i+n < len(t.Words) {
		if u, ok := units[t.Words[i+n].Text]; ok && (t.Words[i+n].Text != "a") {
			return u, n + 1
		}
	}
	return unit{factor: 1}, 0
}

func money(d dimension) bool { return d >= dimUSD }

func ordinalWord(s string) bool {
	switch s {
	case "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth":
		return true
	}
	return false
}

// valueOf reads a number: a word, or digits with separators of thousands and one
// decimal point or comma. "3,5" is 3.5, "1,000" is 1000.
func valueOf(s string) (float64, bool) {
	if v, ok := numberWords[s]; ok {
		return v, true
	}
	if i := strings.LastIndexByte(s, ','); i >= 0 {
		if strings.Contains(s, ".") || len(s)-i-1 == 3 || strings.Count(s, ",") > 1 {
			s = strings.ReplaceAll(s, ",", "")
		} else {
			s = s[:i] + "." + s[i+1:]
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// same says whether two quantities are one amount. A number without a unit is the
// number with any unit that leaves its value as it is: "100" and "$100".
func (q Quantity) same(r Quantity) bool {
	return q.Ordinal == r.Ordinal && near(q.Value, r.Value) && (q.dim == r.dim || q.dim == dimNone || r.dim == dimNone)
}

// missing counts the quantities of a that b does not have, each of b's used once,
// and the units that differ at equal plain numbers.
func missing(a, b []Quantity) int {
	used := make([]bool, len(b))
	n := 0
	for _, q := range a {
		found := false
		for k, r := range b {
			if !used[k] && q.same(r) {
				used[k], found = true, true
				break
			}
		}
		// A number that is said twice on one side is said once on the other.
		if !found && !slices.ContainsFunc(b, q.same) {
			n++
		}
	}
	return n
}

func sortUnique(s []uint32) []uint32 {
	slices.Sort(s)
	return slices.Compact(s)
}
