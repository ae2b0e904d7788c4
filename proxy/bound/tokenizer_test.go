package bound

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	tiktoken "github.com/tiktoken-go/tokenizer"
	"pgregory.net/rapid"
)

var encodings = map[string]tiktoken.Encoding{o200k: tiktoken.O200kBase, cl100k: tiktoken.Cl100kBase}

// checkText compares our counts of one text with the library's.
func checkText(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string) {
	t.Helper()
	// The library loses DEL: its generated pattern matches it nowhere.
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x7f", "")
	for name := range encodings {
		tok := load(name)
		want, err := tok.codec.Count(text)
		if err != nil {
			t.Fatalf("%s: library: %v", name, err)
		}
		exact, vocabulary := tok.count([]byte(text), enough()), tok.count([]byte(text), nil)
		if exact < int64(want) || exact > int64(want) && !hasBlankLine(text) {
			t.Fatalf("%s: exact is %d, the library counts %d in %q", name, exact, want, text)
		}
		if vocabulary < exact || vocabulary > int64(len(text)) {
			t.Fatalf("%s: exact %d <= vocabulary %d <= bytes %d does not hold in %q", name, exact, vocabulary, len(text), text)
		}
	}
}

// hasBlankLine says whether a run of white space has line ends with other space
// between them: there the library's own way of splitting is not the pattern's.
func hasBlankLine(text string) bool {
	ended, spaced := false, false
	for _, r := range text {
		switch {
		case r == '\r' || r == '\n':
			if ended && spaced {
				return true
			}
			ended, spaced = true, false
		case unicode.IsSpace(r):
			spaced = true
		default:
			ended, spaced = false, false
		}
	}
	return false
}

// hardTexts are texts at the edges of the splitting patterns.
var hardTexts = []string{
	"", " ", "  ", "\n", " \n", "\n ", "\r\n\r\n  x", "   x", "x   ", "\n \n", "\r \n\n\t\nx", "\n\u3000\n", "\u3000\n\u3000\n \nx", "\t\tif (a) {\n\t\t\treturn;\n\t\t}\n",
	"Hello, world!", "don't DON'T I'll we'Re 'x 'S 'lL", "'s", "x'", "''s", "a's's",
	"camelCaseHTTPServer", "ABCdefGHI", "ÀÉîõü", "ǅwords", "あA", "Aあ漢字Bc", "\u0301a", "a\u0301\u0301B", "\u0301\u0301", " \u0301A",
	"1234567", "١٢٣٤", "½x", "1a2B3", "日本語のテキスト。改行\nする", "русский ТЕКСТ",
	"https://example.com/a/b//c?x=1", "///\r\n//", "!!!???...", " !\n", "\u00a0x", "\u2003\u2003y", "\u0085z",
	"🙂🙂🏽👨‍👩‍👧‍👦", "<|endoftext|><|im_start|>", "K\u017f 'ſ", "\u200b\ufeff", "ﬀ", "ʰa", "Aʰ",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
}

func TestCountsEqualTheLibrary(t *testing.T) {
	for _, text := range hardTexts {
		checkText(t, text)
	}
	for _, unit := range []string{"a", "A", " ", "\n", "=", "é", "あ", "ab", "🙂", "xQ", "\t"} {
		for _, n := range []int{2, 3, 31, 95, 96, 97, 255, 256, 257, 1000} {
			checkText(t, strings.Repeat(unit, n))
		}
	}
}

// Every rune of the basic plane has the class that the library's pattern gives
// it, alone and between others.
func TestEveryRuneIsClassed(t *testing.T) {
	for r := rune(0); r < 1<<16; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		checkText(t, "a"+string(r)+"B")
		if r < 0x3200 {
			checkText(t, " "+string(r)+"\n")
			checkText(t, "1"+string(r)+"'"+string(r))
		}
	}
}

func TestDelIsCounted(t *testing.T) {
	if n := load(o200k).count([]byte("\x7f"), enough()); n != 1 {
		t.Fatalf("%d tokens", n)
	}
}

func TestCountsEqualTheLibraryOnRandomText(t *testing.T) {
	runes := rapid.OneOf(
		rapid.RuneFrom([]rune("aAbBzZ'sStTrReEvVlLdDmM019 \t\r\n/.-_()\u00a0\u0301")),
		rapid.Rune(),
		rapid.RuneFrom([]rune("あ漢ÀèßǅʰⅣ½٣\u2028\u3000🙂")),
	)
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, string(rapid.SliceOfN(runes, 0, 60).Draw(t, "text")))
	})
}

func TestCountsEqualTheLibraryOnConcatenatedWords(t *testing.T) {
	words := []string{"the", " The", "function", "return", "()", "{\n", "  ", "http", "::", "日本", "naïve", "12", "\r\n", "'re", "X", "ß", "…"}
	rapid.Check(t, func(t *rapid.T) {
		checkText(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 40).Draw(t, "words"), ""))
	})
}

// enough is work for any merging.
func enough() *effort { return &effort{left: 1 << 60} }

// A text made to be slow to merge is bounded where the work ends, and still no
// looser than by the vocabulary.
func TestMergingIsBounded(t *testing.T) {
	tok := load(o200k)
	for _, unit := range []string{strings.Repeat("a", 250) + ".", strings.Repeat("a", 60_000) + "."} {
		text := []byte(strings.Repeat(unit, 4<<20/len(unit)))
		work := effort{left: mergeWork}
		exact, vocabulary := tok.count(text, &work), tok.count(text, nil)
		if work.left < 0 || exact > vocabulary || exact < int64(len(text)/tok.longest) {
			t.Errorf("%d tokens, %d by the vocabulary, work left %d", exact, vocabulary, work.left)
		}
	}
}

func TestEveryTokenIsFound(t *testing.T) {
	for name := range encodings {
		tok := load(name)
		ids := 0
		for id := range uint32(len(tok.starts) - 1) {
			token := tok.token(id)
			if len(token) == 0 {
				continue
			}
			ids++
			if got := tok.rank(token); got != id {
				t.Fatalf("%s: token %d is found as %d", name, id, got)
			}
		}
		if ids < 100_000 {
			t.Fatalf("%s: only %d tokens", name, ids)
		}
	}
}

func FuzzCount(f *testing.F) {
	for _, text := range hardTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 || !utf8.ValidString(text) {
			t.Skip()
		}
		checkText(t, text)
	})
}
