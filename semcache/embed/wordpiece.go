package embed

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unknown is the token of a word that the vocabulary cannot spell.
const unknown int32 = -1

// maxWordRunes is how long a word may be, in characters; longer ones are unknown.
// The tokenizer that the table was distilled with has the same limit.
const maxWordRunes = 100

// tokens writes the tokens of text into ids and gives their number. Its steps are
// BERT's for uncased text: drop what is no character, set spaces around ideographs,
// strip accents, lower the case, split at spaces and around punctuation, and spell
// each word with the longest pieces first.
func (t *table) tokens(ids *[MaxTokens]int32, text string) int {
	if len(text) > MaxTextBytes {
		text = text[:MaxTextBytes]
	}
	w := words{table: t, ids: ids}
	for i := 0; i < len(text) && w.n < MaxTokens; {
		c := text[i]
		if c < utf8.RuneSelf {
			w.ascii(c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		w.rune(r)
		i += size
	}
	w.flush()
	return w.n
}

// words gathers the characters of one word after the other.
type words struct {
	table *table
	ids   *[MaxTokens]int32
	n     int

	word  [maxWordRunes * utf8.UTFMax]byte
	size  int
	runes int // characters of the word, beyond maxWordRunes, too
}

func (w *words) ascii(c byte) {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		w.byte(c)
	case 'A' <= c && c <= 'Z':
		w.byte(c + 'a' - 'A')
	case c == ' ', '\t' <= c && c <= '\r' && c != '\v' && c != '\f':
		w.flush()
	case c < ' ' || c == 0x7f:
		// Controls are dropped without ending the word.
	default:
		w.flush()
		w.byte(c)
		w.flush()
	}
}

func (w *words) byte(c byte) {
	if w.runes++; w.runes <= maxWordRunes {
		w.word[w.size] = c
		w.size++
	}
}

// rune takes a character beyond ASCII.
func (w *words) rune(r rune) {
	switch {
	case unicode.IsSpace(r):
		// U+0085 is a space and a control; as a control it is dropped.
		if !unicode.Is(unicode.Cc, r) {
			w.flush()
		}
		return
	case dropped(r):
		return
	}
	ideograph := isIdeograph(r)
	if ideograph {
		w.flush()
	}
	w.decompose(r)
	if ideograph {
		w.flush()
	}
}

// decompose takes the characters of r's canonical decomposition.
func (w *words) decompose(r rune) {
	if hangulFirst <= r && r <= hangulLast {
		s := r - hangulFirst
		w.plain(jamoL + s/jamoBlock)
		w.plain(jamoV + s%jamoBlock/jamoTs)
		if s%jamoTs != 0 {
			w.plain(jamoT + s%jamoTs)
		}
		return
	}
	var b [utf8.UTFMax]byte
	d := norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).Decomposition()
	if len(d) == 0 {
		w.plain(r)
		return
	}
	for len(d) > 0 {
		r, size := utf8.DecodeRune(d)
		w.plain(r)
		d = d[size:]
	}
}

// Hangul syllables decompose by arithmetic (The Unicode Standard, section 3.12).
const (
	hangulFirst = 0xac00
	hangulLast  = 0xd7a3
	jamoL       = 0x1100
	jamoV       = 0x1161
	jamoT       = 0x11a7
	jamoTs      = 28
	jamoBlock   = 21 * jamoTs
)

// plain takes a character that does not decompose.
func (w *words) plain(r rune) {
	if r < utf8.RuneSelf {
		w.ascii(byte(r))
		return
	}
	if unicode.Is(unicode.Mn, r) {
		return
	}
	r = unicode.ToLower(r)
	if unicode.IsPunct(r) {
		w.flush()
		w.append(r)
		w.flush()
		return
	}
	w.append(r)
}

func (w *words) append(r rune) {
	if w.runes++; w.runes <= maxWordRunes {
		w.size += utf8.EncodeRune(w.word[w.size:], r)
	}
}

// flush ends the word and spells it.
func (w *words) flush() {
	if w.runes == 0 {
		return
	}
	word, long := w.word[:w.size], w.runes > maxWordRunes
	w.size, w.runes = 0, 0
	if w.n == MaxTokens {
		return
	}
	if long || !w.spell(word) {
		w.ids[w.n] = unknown
		w.n++
	}
}

// spell adds the pieces of a word, each the longest that fits. It is false, and
// nothing was added, if there is a rest that no piece begins.
func (w *words) spell(word []byte) bool {
	n := w.n
	for at := 0; at < len(word); {
		id, size := w.table.longestPiece(word[at:], at > 0)
		if id == unknown {
			return false
		}
		if n < MaxTokens {
			w.ids[n] = id
			n++
		}
		at += size
	}
	w.n = n
	return true
}

// maxPiece bounds the length in bytes of a piece; the longest of the vocabulary is shorter.
const maxPiece = 64

// longestPiece is the longest token that word begins with, and its length in bytes.
func (t *table) longestPiece(word []byte, inner bool) (int32, int) {
	var hashes [maxPiece]uint32
	word = word[:min(len(word), t.longest, maxPiece)]
	h := hashWord
	if inner {
		h = hashInner
	}
	for i, c := range word {
		h = hashByte(h, c)
		hashes[i] = h
	}
	for size := len(word); size > 0; size-- {
		if id := t.find(hashes[size-1], word[:size], inner); id != unknown {
			return id, size
		}
	}
	return unknown, 0
}

// dropped says whether r is removed from text: controls, formats, private
// characters, and the replacement character. Unassigned ones stay.
func dropped(r rune) bool {
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// isIdeograph says whether r is of the blocks of ideographs that BERT sets apart.
func isIdeograph(r rune) bool {
	return 0x4e00 <= r && r <= 0x9fff || 0x3400 <= r && r <= 0x4dbf || 0x20000 <= r && r <= 0x2a6df ||
		0x2a700 <= r && r <= 0x2b73f || 0x2b740 <= r && r <= 0x2b81f || 0x2b920 <= r && r <= 0x2ceaf ||
		0xf900 <= r && r <= 0xfaff || 0x2f800 <= r && r <= 0x2fa1f
}
