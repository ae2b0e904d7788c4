package sheet

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNoTextIsAFormula(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "'=1": "'=1", "{\"a\":\"=1\"}": "{\"a\":\"=1\"}", "\uFFFD=1": "\uFFFD=1",
		"=HYPERLINK(\"http://evil\")": "'=HYPERLINK(\"http://evil\")", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"\uFF1D1": "'\uFF1D1", "\uFF0B1": "'\uFF0B1", "\uFF0D1": "'\uFF0D1", "\uFF201": "'\uFF201",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("=1")
	f.Add("\xff=1")
	f.Fuzz(func(t *testing.T, in string) {
		got := Text(in)
		if got != in && got != "'"+in {
			t.Fatalf("%q is another text: %q", in, got)
		}
		if first, _ := utf8.DecodeRuneInString(got); got != "" && strings.ContainsRune(formula, first) {
			t.Fatalf("%q begins a formula", got)
		}
	})
}
