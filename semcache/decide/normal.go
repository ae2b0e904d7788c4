package decide

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes bounds what is read of one text. Longer ones are cut at a character;
// the tier asks for none above 2,000 characters.
const MaxBytes = 16 << 10

// Normalize is the normal form of a prompt: two prompts with equal normal forms
// ask the same, and a stored answer to one answers the other with no further
// judgement.
//
// It is NFKC, with superscripts and fractions set apart first (NFKC alone makes
// 2² of 22); runs of white space become one space, except in texts with code in
// them; greetings, thanks and please are dropped from both ends, and so is
// closing punctuation. Case is kept, but for the first letter of a sentence's
// first word: "US" and "us" differ, "How" and "how" do not.
//
// Normalize(Normalize(s)) == Normalize(s).
func Normalize(text string) string {
	s := fold(cut(text))
	// Each step may uncover work for another: "Please: hello, x" loses one word a
	// round. Bounded, because each round that changes something shortens the text.
	for range 8 {
		t := lowerFirst(stripPolite(s))
		if t == s {
			return s
		}
		s = t
	}
	return s
}

func cut(text string) string {
	if len(text) <= MaxBytes {
		return text
	}
	end := MaxBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// fold makes NFKC of a text, typographic quotes and dashes plain, and white space single.
func fold(text string) string {
	s := strings.ToValidUTF8(text, "\uFFFD")
	if !ascii(s) {
		s = norm.NFKC.String(apart.Replace(s))
		s = plain.Replace(s)
		s = strings.Map(visible, s)
		// Dropping what is invisible can bring together what composes.
		s = norm.NFKC.String(s)
	}
	if hasCode(s) {
		return strings.TrimSpace(s)
	}
	return strings.Join(strings.Fields(s), " ")
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// apart keeps apart what NFKC would run together with the digits before it.
var apart = func() *strings.Replacer {
	pairs := make([]string, 0, 64)
	for i, r := range []rune("⁰¹²³⁴⁵⁶⁷⁸⁹") {
		pairs = append(pairs, string(r), "^"+string(rune('0'+i)))
	}
	for i, r := range []rune("₀₁₂₃₄₅₆₇₈₉") {
		pairs = append(pairs, string(r), "_"+string(rune('0'+i)))
	}
	for f, s := range map[string]string{"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⅕": " 1/5", "⅛": " 1/8"} {
		pairs = append(pairs, f, s)
	}
	return strings.NewReplacer(pairs...)
}()

var plain = strings.NewReplacer("‘", "'", "’", "'", "ʼ", "'", "“", `"`, "”", `"`, "„", `"`, "–", "-", "—", " - ", "−", "-", "…", "...", "\u00a0", " ")

// visible drops what shows nothing: format characters, such as zero-width spaces
// and direction marks, by which equal-looking texts differ.
func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// hasCode says whether white space may carry meaning: a code fence or span, or a
// line that is indented.
func hasCode(s string) bool {
	return strings.Contains(s, "`") || strings.Contains(s, "\n ") || strings.Contains(s, "\n\t")
}

// politeStart and politeEnd are dropped from the ends of a text, longest first.
// Each is in lower case; what follows a start must be a space or punctuation.
// "Can you" alone is kept: it asks what "can you please" does not always ask.
var (
	politeStart = []string{
		"good morning", "good afternoon", "good evening", "hi there", "hello there", "hey there", "hi", "hello", "hey", "greetings",
		"could you please", "can you please", "would you please", "will you please", "could you kindly", "can you kindly", "would you kindly",
		"please could you", "please can you", "please would you", "please", "pls", "plz", "kindly",
		"quick question", "quick one", "sorry if this is basic", "sorry if this is a dumb question", "excuse me", "just wondering",
	}
	politeEnd = []string{
		"thank you very much in advance", "thank you so much", "thank you very much", "thank you in advance", "thanks in advance", "thanks so much",
		"thanks a lot", "many thanks", "thank you", "thanks", "thx", "please", "pls", "plz", "cheers",
	}
)

func stripPolite(s string) string {
	for {
		t := strings.TrimSpace(s)
		t = strings.TrimLeft(t, ",;:!. ")
		if strings.HasPrefix(s, ".") || strings.HasPrefix(s, ":") { // .NET, :wq
			t = strings.TrimSpace(s)
		}
		for _, p := range politeStart {
			if rest, ok := cutStart(t, p); ok {
				t = rest
				break
			}
		}
		t = trimEnd(t)
		for _, p := range politeEnd {
			if rest, ok := cutEnd(t, p); ok {
				t = trimEnd(rest)
				break
			}
		}
		if t == s {
			return s
		}
		if t == "" { // nothing but politeness: it is what was said
			return strings.TrimSpace(s)
		}
		s = t
	}
}

// trimEnd drops closing punctuation. A question mark stays where only it makes a
// question of a sentence.
func trimEnd(s string) string {
	t := strings.TrimRight(s, " \t\n?!.,;")
	if t == "" {
		return s
	}
	if strings.Contains(s[len(t):], "?") && !asks(t) {
		return t + "?"
	}
	return t
}

// asks says whether a text begins as a question or request does.
func asks(s string) bool {
	end := strings.IndexAny(s, " '")
	if end < 0 {
		end = len(s)
	}
	return lookup(strings.ToLower(s[:end])).has(flagAsks)
}

func cutStart(s, polite string) (rest string, ok bool) {
	if len(s) <= len(polite) || !strings.EqualFold(s[:len(polite)], polite) {
		return s, false
	}
	rest = s[len(polite):]
	if !strings.ContainsRune(" ,;:!.-", rune(rest[0])) {
		return s, false
	}
	rest = strings.TrimLeft(rest, " ,;:!.-")
	return rest, rest != ""
}

func cutEnd(s, polite string) (rest string, ok bool) {
	if len(s) <= len(polite) || !strings.EqualFold(s[len(s)-len(polite):], polite) {
		return s, false
	}
	rest = s[:len(s)-len(polite)]
	if !strings.ContainsRune(" ,;:!.?-", rune(rest[len(rest)-1])) {
		return s, false
	}
	rest = strings.TrimRight(rest, " ,;:-")
	return rest, rest != ""
}

// lowerFirst makes the first letter small if it is all that is large in a word
// that is not one letter long.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if !unicode.IsUpper(first) {
		return s
	}
	for i, r := range s[size:] {
		if !unicode.IsLetter(r) {
			if i == 0 && r != ' ' {
				return s
			}
			break
		}
		if unicode.IsUpper(r) {
			return s
		}
	}
	if size == len(s) || (len(s) > size && s[size] == ' ' && first == 'I') {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}
