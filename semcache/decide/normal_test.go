package decide_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"purser/semcache/decide"
)

func TestNormalForms(t *testing.T) {
	for _, group := range [][]string{
		{"How do I bake bread?", "how do I bake bread", "  How do   I bake bread ?", "Please, how do I bake bread? Thanks!", "Hello! How do I bake bread? Thank you very much in advance.", "Ｈow do I bake bread?"},
		{"what is 2^2", "What is 2²?"},
		{"tell me why", "Could you please tell me why?"},
		{"list the US states", "List the US states."},
	} {
		want := decide.Normalize(group[0])
		for _, s := range group[1:] {
			if got := decide.Normalize(s); got != want {
				t.Errorf("%q is %q, and %q is %q", group[0], want, s, got)
			}
		}
	}
	for _, pair := range [][2]string{
		{"what is 2²", "what is 22"}, {"list the US states", "list the us states"}, {"what is 1½", "what is 11/2"}, {"you can swim?", "you can swim."},
		{"can you swim", "swim"}, {"run `a  b`", "run `a b`"}, {"a₂", "a2"}, {"hi", "hello"},
	} {
		if a, b := decide.Normalize(pair[0]), decide.Normalize(pair[1]); a == b {
			t.Errorf("%q and %q are both %q", pair[0], pair[1], a)
		}
	}
}

func TestNormalFormOfANormalFormIsItself(t *testing.T) {
	word := rapid.SampledFrom([]string{"please", "Hello", "Thanks", "thank you", ",", "?", ".", "how", "do", "I", "US", "½", "²", "\u200b", " ", "\n  x", "`a  b`", "é", "e\u0301", "Ａ", "No", "…", "—", "hi", "!", "Could you please", "İ", "ﬀ"})
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "words"), rapid.SampledFrom([]string{" ", ""}).Draw(t, "between"))
		n := decide.Normalize(s)
		if again := decide.Normalize(n); again != n {
			t.Fatalf("%q: %q, then %q", s, n, again)
		}
	})
}

func TestTextsComeBackFromTheirStoredForm(t *testing.T) {
	golden := "\x01how do I bake 2 loaves in Norway"
	x := decide.Prepare("How do I bake 2 loaves in Norway?")
	if got := string(x.Append(nil)); got != golden {
		t.Fatalf("the stored form is %q", got)
	}
	y, err := decide.Decode([]byte(golden))
	if err != nil || len(y.Words) != len(x.Words) || len(y.Quantities) != 1 {
		t.Fatalf("came back as %+v, %v", y, err)
	}
	for _, bad := range []string{"", "\x02x", "\x01Please, x?", "\x01\xff", "\x01 a"} {
		if _, err := decide.Decode([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{"How do I bake 2 loaves?", "$5k vs 3,5 kg", "http://a.b/c?d", "\"x\" is 'y'", "v1.2.3 == fooBar()", "½²", "", "....", "😀", "a\u0301\u0301"} {
		f.Add(s, "how")
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		n := decide.Normalize(s)
		if !utf8.ValidString(n) || decide.Normalize(n) != n {
			t.Fatalf("normal form %q of %q", n, s)
		}
		x, y := decide.Prepare(s), decide.Prepare(other)
		back, err := decide.Decode(x.Append(nil))
		if err != nil || back.Normal != x.Normal || len(back.Words) != len(x.Words) {
			t.Fatalf("%q does not come back: %v", s, err)
		}
		v, w := decide.Examine(x, y), decide.Examine(y, x)
		if v.Vetoed() != w.Vetoed() {
			t.Fatalf("the order decides: %s, %s", v.Vetoes, w.Vetoes)
		}
		if self := decide.Examine(x, x); self.Vetoes&^(1<<decide.GuardLanguage|1<<decide.GuardLength) != 0 {
			t.Fatalf("%q is vetoed beside itself: %s", s, self.Vetoes)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x01how do I bake"))
	f.Add(decide.History{Good: 1}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := decide.Decode(b); err == nil && string(x.Append(nil)) != string(b) {
			t.Fatalf("%q became %q", b, x.Append(nil))
		}
		if h, err := decide.DecodeHistory(b); err == nil && string(h.Append(nil)) != string(b) {
			t.Fatalf("%x became %x", b, h.Append(nil))
		}
		if p, err := decide.DecodeParams(b); err == nil && string(p.Append(nil)) != string(b) {
			t.Fatal("parameters change")
		}
	})
}
