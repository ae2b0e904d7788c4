package jsonscan

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// valid says what the cursor makes of a whole document.
func valid(doc []byte, lone bool) error {
	c := Cursor{Doc: doc, LoneSurrogates: lone}
	if err := c.Skip(); err != nil {
		return err
	}
	return c.End()
}

func TestAccepts(t *testing.T) {
	for _, doc := range []string{
		`null`, ` true`, `false `, `0`, `-0`, `1.5e+10`, `""`, `"\u00e9\ud83d\ude00"`, `[]`, `{}`, "\t[ 1 , 2 ]\r\n",
		`{"a":{"b":[1,{"c":null}]},"a":2}`, `"` + strings.Repeat("x", 1000) + `"`, `"é漢🙂"`,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
	} {
		if err := valid([]byte(doc), false); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, doc := range []string{
		``, ` `, `nul`, `nulll`, `True`, `01`, `1.`, `.5`, `+1`, `1e`, `1e+`, `-`, `--1`, `0x1`, `NaN`, `Infinity`,
		`"`, `"\`, `"\x"`, `"\u12"`, `"\u12G4"`, "\"\x01\"", "\"\n\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"",
		`"\ud83d"`, `"\ude00"`, `"\ud83dx"`, `"\ud83d\ud83d"`, `[1,]`, `[,1]`, `[1 2]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{'a':1}`,
		`{"a":1 "b":2}`, `[1}`, `{"a":1]`, `1 2`, `{} {}`, `[`, `{`, `{"a":`, "\xef\xbb\xbf{}", `//x`, `"abcdefg` + "\x1f" + `"`,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1),
	} {
		err := valid([]byte(doc), false)
		if err == nil {
			t.Errorf("%q is accepted", doc)
			continue
		}
		if _, ok := errors.AsType[*SyntaxError](err); !ok {
			t.Errorf("%q: %T", doc, err)
		}
	}
}

func TestLoneSurrogatesOnRequest(t *testing.T) {
	for _, doc := range []string{`"\ud83d"`, `"\ude00x"`, `"\ud83d\ud83d\ude00"`} {
		if valid([]byte(doc), true) != nil || valid([]byte(doc), false) == nil {
			t.Errorf("%s", doc)
		}
		var want string
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(err)
		}
		c := Cursor{Doc: []byte(doc), LoneSurrogates: true}
		s, err := c.String()
		if err != nil || c.Text(s) != want || s.Len != len(want) {
			t.Errorf("%s: %q of %d bytes, want %q: %v", doc, c.Text(s), s.Len, want, err)
		}
	}
}

// TestAgreesWithEncodingJSON mutates documents and compares the verdicts.
func TestAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(anyValue(3).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 2).Draw(t, "mutations") {
			i := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			doc[i] = rapid.SampledFrom([]byte("\"\\{}[],:0e-.x\x00 \n\xc3\xa9u")).Draw(t, "byte")
		}
		checkVerdict(t, doc)
	})
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

func checkVerdict(t failer, doc []byte) {
	t.Helper()
	// encoding/json takes broken UTF-8; the cursor does not.
	want := json.Valid(doc) && utf8.Valid(doc)
	if got := valid(doc, true); (got == nil) != want && !deep(doc) {
		t.Fatalf("%q: %v, want valid %v", doc, got, want)
	}
	if valid(doc, false) == nil && !want {
		t.Fatalf("%q is accepted strictly", doc)
	}
}

func deep(doc []byte) bool {
	return strings.Count(string(doc), "[")+strings.Count(string(doc), "{") > MaxDepth
}

func anyValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Float64().Draw(t, "number")
		case 3:
			return rapid.String().Draw(t, "string")
		case 4:
			return rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "array")
		}
		return rapid.MapOfN(rapid.String(), anyValue(depth-1), 0, 4).Draw(t, "object")
	})
}

func TestStringsReadAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for name, doc := range map[string][]byte{
			"ours": AppendString(nil, text), "theirs": marshal(t, text), "hex": hexEscaped(text),
		} {
			var want string
			if err := json.Unmarshal(doc, &want); err != nil {
				t.Fatalf("%s: %q: %v", name, doc, err)
			}
			c := Cursor{Doc: doc}
			s, err := c.String()
			if err != nil {
				t.Fatalf("%s: %q: %v", name, doc, err)
			}
			if got := c.Text(s); got != want || s.Len != len(want) || string(c.Name(s)) != want {
				t.Fatalf("%s: %q read as %q of %d, want %q", name, doc, got, s.Len, want)
			}
		}
	})
}

func marshal(t *rapid.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hexEscaped writes every UTF-16 unit of text as an escape.
func hexEscaped(text string) []byte {
	b := []byte{'"'}
	for _, r := range text {
		units := []rune{r}
		if r > 0xffff {
			units = []rune{0xd800 + (r-0x10000)>>10, 0xdc00 + (r-0x10000)&0x3ff}
		}
		for _, u := range units {
			b = append(b, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], "0123456789ABCDEF"[u>>4&15], hexDigits[u&15])
		}
	}
	return append(b, '"')
}

func TestInt(t *testing.T) {
	for doc, want := range map[string]int64{"0": 0, "-0": 0, "7": 7, "-12": -12, "999999999999999999": 999999999999999999} {
		c := Cursor{Doc: []byte(doc)}
		if n, ok, err := c.Int(); n != want || !ok || err != nil {
			t.Errorf("%s: %d %v %v", doc, n, ok, err)
		}
	}
	for _, doc := range []string{"1.0", "1e3", "1E0", "1000000000000000000", "-99999999999999999999"} {
		c := Cursor{Doc: []byte(doc)}
		if _, ok, err := c.Int(); ok || err != nil || c.Pos != len(doc) {
			t.Errorf("%s: %v %v at %d", doc, ok, err, c.Pos)
		}
	}
}

func TestMembersAreCounted(t *testing.T) {
	c := Cursor{Doc: []byte(`{"a":[1,2,{"b":{}}],"c":""}`)}
	if err := c.Skip(); err != nil || c.Members != 6 {
		t.Errorf("%d members, %v", c.Members, err)
	}
}

func TestErrorsNameTheByteAndQuoteNothing(t *testing.T) {
	err := valid([]byte(`{"secret":"value" "x"}`), false)
	if err == nil || err.Error() != "expected a comma or the end at byte 18" {
		t.Errorf("%v", err)
	}
}

// Every place in a word of eight ends a plain run where it should.
func TestPlainRun(t *testing.T) {
	for length := range 40 {
		text := []byte(strings.Repeat("a", length))
		if got := plainRun(text); got != length {
			t.Fatalf("%d of %d", got, length)
		}
		for at := range text {
			for b := range 256 {
				text[at] = byte(b)
				want := length
				if b < 0x20 || b >= 0x80 || b == '"' || b == '\\' {
					want = at
				}
				if got := plainRun(text); got != want {
					t.Fatalf("byte %#x at %d of %d: %d", b, at, length, got)
				}
			}
			text[at] = 'a'
		}
	}
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u00e9\n",null,true]}`, `"\ud83d\ude00"`, `[[[]]]`, "\"\xff\"", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkVerdict(t, doc) })
}

func BenchmarkSkip(b *testing.B) {
	doc := []byte(`{"messages":[` + strings.Repeat(`{"role":"user","content":"Some text of a usual length, with \"quotes\" and\nlines."},`, 50) + `null]}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := valid(doc, false); err != nil {
			b.Fatal(err)
		}
	}
}

func TestValue(t *testing.T) {
	c := Cursor{Doc: []byte(`  [1, {"a":"]"}]  x`)}
	if start, end, err := c.Value(); start != 2 || end != 16 || err != nil || c.Members != 3 {
		t.Errorf("%d to %d with %d members, %v", start, end, c.Members, err)
	}
	if _, _, err := c.Value(); err == nil {
		t.Error("x is a value")
	}
}

func TestTakeNull(t *testing.T) {
	for doc, want := range map[string]int{`null`: 4, " null ": 5, `nul`: 0, `0`: 0, ``: 0, ` "null"`: 1} {
		c := Cursor{Doc: []byte(doc)}
		if got := c.TakeNull(); got != (want > 3) || c.Pos != want {
			t.Errorf("%q: %t at %d", doc, got, c.Pos)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for doc, want := range map[string]string{
		``: "nothing", `null`: "null", `true`: "a boolean", `-1`: "a number", `""`: "a string", `{}`: "an object", `[]`: "an array",
	} {
		c := Cursor{Doc: []byte(doc)}
		if got := c.Kind().String(); got != want {
			t.Errorf("%q is %s, want %s", doc, got, want)
		}
	}
}

func TestEach(t *testing.T) {
	read := func(doc string) (seen string, err error) {
		c := Cursor{Doc: []byte(doc)}
		err = c.EachMember(func(key Str) error {
			seen += c.Text(key)
			return c.EachElement(func(i int) error {
				seen += strconv.Itoa(i)
				return c.Skip()
			})
		})
		if err == nil {
			err = c.End()
		}
		return seen, err
	}
	if seen, err := read(`{ "a": [7, {}, "x"], "b" : [ ] }`); err != nil || seen != "a012b" {
		t.Errorf("%q, %v", seen, err)
	}
	for _, bad := range []string{``, `[]`, `7`, `{"a":{}}`, `{"a":[1`, `{"a":[1,]}`, `{"a":[]`, `{"a":[]}x`} {
		if seen, err := read(bad); err == nil {
			t.Errorf("%s gives %q", bad, seen)
		}
	}
}
