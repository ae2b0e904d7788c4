package decide

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWords bounds the words of a text that are compared. A text with more is
// marked Long, and is answered by its normal form alone.
const maxWords = 400

// Kind is what sort of token a word is.
type Kind uint8

// The kinds.
const (
	Plain   Kind = iota // letters, perhaps with an apostrophe
	Number              // digits, or a word that has a value
	Code                // an identifier, a path, a flag, an operator
	Version             // 3.11, v2, 22.04
	Address             // a URL or an e-mail address
)

// Word is one token of a text.
type Word struct {
	Text string  // lower case
	Stem string  // one form of its inflections and, where there is one, of its synonyms
	IDF  float32 // how much it says: 0 the commonest, 1 not among the 12,000 commonest
	Kind Kind
	// Proper marks a capital that a sentence's start does not explain.
	Proper bool
	// Known says that the word is among the 12,000 commonest.
	Known bool
	// Quantity is 1 + the index in Text.Quantities of what the word is part of; 0 is none.
	Quantity uint16

	flags flag
}

// Content says whether a word carries a subject.
func (w *Word) Content() bool { return !w.flags.has(flagStop) && w.Quantity == 0 }

// Quantity is a number with its unit, in base units: 1 km is 1000 of length.
type Quantity struct {
	Value   float64
	Ordinal bool

	dim dimension
}

// Text is what is known of a prompt, computed once. It is immutable and safe for
// concurrent use.
type Text struct {
	// Normal is the normal form.
	Normal string
	Words  []Word
	// Quantities are the numbers, in order.
	Quantities []Quantity
	// Quotes are the quoted passages, in lower case.
	Quotes []string
	// Long says that there were more words than are compared.
	Long bool

	script    script
	titled    bool // capitals are everywhere, and tell nothing
	sentences int
	foreign   int // function words of other languages
	english   int // English function words
	asks      question
	content   float32 // the sum of IDF over content words
	grams     []uint32
}

// Prepare computes what the decision needs of a prompt.
func Prepare(text string) *Text {
	t := &Text{Normal: Normalize(text)}
	t.tokens(t.Normal)
	t.quantities()
	t.weigh()
	t.asks = questionOf(t)
	t.grams = gramsOf(t.Normal)
	return t
}

// tokens splits a text at white space, then each part at its punctuation.
func (t *Text) tokens(s string) {
	t.script = scriptOf(s)
	t.Quotes = quotesOf(s)
	t.titled = titled(s)
	start := true // of a sentence
	t.sentences = 1
	for part := range strings.FieldsSeq(s) {
		if len(t.Words) >= maxWords {
			t.Long = true
			return
		}
		core := strings.TrimFunc(part, edge)
		if core == "" {
			if operator(part) || strings.ContainsFunc(part, pictured) {
				t.add(part, Code, false)
			}
			start = start || strings.ContainsAny(part, ".?!:")
			continue
		}
		if start && len(t.Words) > 0 {
			t.sentences++
		}
		begins := start || (strings.HasPrefix(part, "\"") && len(t.Words) == 0)
		start = strings.ContainsAny(part[strings.LastIndex(part, core)+len(core):], ".?!:")
		switch {
		case address(core):
			t.add(core, Address, false)
		case version(core):
			t.add(strings.TrimLeft(core, "vV"), Version, false)
		case identifier(core):
			t.add(trimmedCode(part, core), Code, false)
		default:
			t.split(core, begins)
		}
	}
}

// edge says whether a rune is punctuation at a word's edge. '+' and '#' are not: C++, C#.
func edge(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune("+#%$€£₹¥°_@-/^", r)
}

// split adds the words of a token without spaces: at hyphens and slashes, and
// between digits and letters.
func (t *Text) split(core string, begins bool) {
	for i, piece := range strings.FieldsFunc(core, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("'.,+#%$€£₹¥°µμ^@&", r) && !unicode.Is(unicode.Mn, r)
	}) {
		piece = strings.Trim(piece, "'.,@&^")
		if piece == "" {
			continue
		}
		first, _ := utf8.DecodeRuneInString(piece)
		proper := unicode.IsUpper(first) && (!(begins && i == 0) || upperCount(piece) > 1) && piece != "I" && !strings.HasPrefix(piece, "I'")
		if unicode.IsDigit(first) || strings.ContainsRune("$€£₹¥°%+", first) {
			t.numberParts(piece)
			continue
		}
		t.add(piece, Plain, proper)
	}
}

// numberParts adds a token that begins as a number does: currency sign, digits and
// what is glued to them are words of their own: $5k, 100g, 10th, 3pm.
func (t *Text) numberParts(s string) {
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		end := size
		if unicode.IsDigit(r) {
			for end < len(s) && (s[end] >= '0' && s[end] <= '9' || (s[end] == '.' || s[end] == ',') && end+1 < len(s) && s[end+1] >= '0' && s[end+1] <= '9') {
				end++
			}
			t.add(s[:end], Number, false)
		} else {
			for end < len(s) && (s[end] < '0' || s[end] > '9') && !strings.ContainsRune(".,", rune(s[end])) {
				end++
			}
			if w := strings.Trim(s[:end], "'.,+"); w != "" {
				t.add(w, Plain, upperCount(w) > 1)
			}
		}
		s = strings.TrimLeft(s[end:], ".,'")
	}
}

func (t *Text) add(raw string, kind Kind, proper bool) {
	w := Word{Text: strings.ToLower(raw), Kind: kind, Proper: proper && !t.titled}
	if kind == Plain {
		w.Text = strings.TrimSuffix(w.Text, "'s")
		w.Text = strings.ReplaceAll(w.Text, "'", "")
		if full, ok := shortForm[w.Text]; ok {
			w.Text = full
		}
		if _, ok := numberWords[w.Text]; ok {
			w.Kind = Number
		}
	}
	if w.Text == "" {
		return
	}
	if kind == Plain && w.Proper && len(raw) > 1 && strings.ToUpper(raw) == raw && lookup(w.Text).has(flagStop) {
		w.Text = raw // IT and WHO are no function words
	}
	e := lexicon[w.Text]
	w.flags = e.flags
	w.Stem = w.Text
	if kind == Plain {
		w.Stem = rootOf(w.Text)
		w.IDF, w.Known = rarity(w.Text)
		if !w.Known { // a rare form of a known word is not a rare word
			if idf, ok := rarity(w.Stem); ok {
				w.IDF, w.Known = idf, true
			} else if idf, ok := rarity(w.Stem + "e"); ok {
				w.IDF, w.Known = idf, true
			}
		}
	} else {
		w.IDF = 1
	}
	if w.flags.has(flagDate) && (w.Text == "may" || w.Text == "sun" || w.Text == "mar" || w.Text == "march" || w.Text == "sat" || w.Text == "wed" || w.Text == "second") && !w.Proper {
		w.flags &^= flagDate
	}
	t.Words = append(t.Words, w)
}

// weigh sums what the content words say, and counts function words by language.
func (t *Text) weigh() {
	for i := range t.Words {
		w := &t.Words[i]
		if w.Content() {
			t.content += w.IDF
		}
		// Words that are of English and of another language count for English.
		if w.flags.has(flagStop | flagAsks) {
			t.english++
		} else if w.flags.has(flagForeign) {
			t.foreign++
		}
	}
}

func upperCount(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsUpper(r) {
			n++
		}
	}
	return n
}

// titled says whether most words of a text begin with a capital, as in a headline.
func titled(s string) bool {
	capital, all := 0, 0
	for part := range strings.FieldsSeq(s) {
		r, _ := utf8.DecodeRuneInString(strings.TrimLeft(part, "\"'("))
		if unicode.IsLetter(r) {
			all++
			if unicode.IsUpper(r) {
				capital++
			}
		}
	}
	return all >= 4 && capital*10 > all*7
}

func address(s string) bool {
	return strings.Contains(s, "://") || strings.HasPrefix(strings.ToLower(s), "www.") ||
		(strings.Contains(s, "@") && strings.Contains(s[strings.Index(s, "@"):], ".") && !strings.HasPrefix(s, "@"))
}

// version says whether a token is a version: a v before digits, or two dots.
func version(s string) bool {
	d := strings.TrimLeft(s, "vV")
	if d == "" || d[0] < '0' || d[0] > '9' {
		return false
	}
	dots := 0
	for i := range len(d) {
		switch {
		case d[i] == '.':
			dots++
		case d[i] < '0' || d[i] > '9':
			return false
		}
	}
	return dots >= 2 || len(d) < len(s)
}

// identifier says whether a token is code: an underscore, inner capitals after a
// small letter, a dot, colon or parenthesis between letters, a leading -- or /.
func identifier(s string) bool {
	if strings.HasPrefix(s, "--") || strings.HasPrefix(s, "/") && len(s) > 1 || strings.ContainsAny(s, "_()=<>{}[]\\|*&^~`@#") || strings.Contains(s, "::") || strings.Contains(s, "++") {
		return len(s) > 1
	}
	var before rune
	for i, r := range s {
		if unicode.IsUpper(r) && unicode.IsLower(before) && !strings.HasPrefix(s, "Mc") && !strings.HasPrefix(s, "Mac") {
			return true
		}
		if before == '.' && unicode.IsLetter(r) && i > 1 && !initials(s) {
			return true
		}
		before = r
	}
	return false
}

// initials says whether a token is letters with dots: U.S.A, e.g.
func initials(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if utf8.RuneCountInString(part) > 1 {
			return false
		}
	}
	return true
}

// trimmedCode gives code back the punctuation that belongs to it: .NET, foo().
func trimmedCode(part, core string) string {
	if strings.HasSuffix(part, "()") {
		return core + "()"
	}
	return core
}

// pictured says whether a rune is a sign with a meaning of its own, such as an emoji.
func pictured(r rune) bool { return r > 0x2000 && unicode.Is(unicode.So, r) }

func operator(s string) bool {
	s = strings.Trim(s, ",;")
	return len(s) > 0 && len(s) <= 3 && strings.Trim(s, "=!<>+-*/%&|^~:") == "" && s != "-" && s != "--" && s != ":" && s != "/" && s != "&"
}

func quotesOf(s string) []string {
	var out []string
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return out
		}
		n := strings.IndexByte(s[i+1:], '"')
		if n < 0 {
			return out
		}
		if q := strings.ToLower(strings.TrimFunc(s[i+1:i+1+n], edge)); q != "" {
			out = append(out, q)
		}
		s = s[i+n+2:]
	}
}

// script is the writing most letters of a text are of.
type script uint8

const (
	scriptNone script = iota
	scriptLatin
	scriptOther
)

func scriptOf(s string) script {
	latin, other := 0, 0
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && unicode.IsLetter(r), unicode.Is(unicode.Latin, r):
			latin++
		case unicode.IsLetter(r):
			other++
		}
	}
	switch {
	case other*4 > latin && other > 0:
		return scriptOther
	case latin > 0:
		return scriptLatin
	}
	return scriptNone
}

// English says whether the lists and the model apply to a text: it is in Latin
// letters, and no other language's function words outnumber the English ones.
func (t *Text) English() bool {
	return t.script != scriptOther && (t.foreign < 2 || t.foreign <= t.english)
}

// gramsOf gives the hashes (FNV-1a) of a text's character 4-grams, in lower case, sorted, each once.
func gramsOf(s string) []uint32 {
	r := []rune(strings.ToLower(s))
	if len(r) < 4 {
		return nil
	}
	out := make([]uint32, 0, len(r))
	for i := 0; i+4 <= len(r); i++ {
		h := uint32(2166136261)
		for _, c := range r[i : i+4] {
			h = (h ^ uint32(c)) * 16777619
		}
		out = append(out, h)
	}
	return sortUnique(out)
}

// jaccard of two sorted sets, 0 to 1; two empty sets are alike.
func jaccard(a, b []uint32) float64 {
	if len(a) == 0 && len(b) == 0 {
		return 1
	}
	i, j, both := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			both++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-6*math.Max(math.Abs(a), math.Abs(b))
}
