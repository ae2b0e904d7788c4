package labelled

import (
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format, in string
		want       []Pair
	}{
		{"qqp", "1\ta b\tc\n0\td\te\n", []Pair{{A: "a b", B: "c", Same: true}, {A: "d", B: "e"}}},
		{"mock", `[{"origin":"a","similar":"b"}]`, []Pair{{A: "a", B: "b", Same: true}}},
		{"kmemo", `{"pairs":[{"a":"x","b":"y","shouldMatch":true,"category":"k"}]}`, []Pair{{"x", "y", true, "k"}}},
	} {
		got, err := Read(strings.NewReader(c.in), c.format)
		if err != nil || len(got) != len(c.want) {
			t.Fatalf("%s: %v, %v", c.format, got, err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %+v, want %+v", c.format, got[i], c.want[i])
			}
		}
	}
	for _, bad := range [][2]string{{"qqp", "2\ta\tb\n"}, {"qqp", "1\ta\n"}, {"mock", "{"}, {"kmemo", "["}, {"csv", ""}} {
		if _, err := Read(strings.NewReader(bad[1]), bad[0]); err == nil {
			t.Errorf("%s: %q was taken", bad[0], bad[1])
		}
	}
}

func TestClassesFollowFromPairs(t *testing.T) {
	c := NewClasses([]Pair{{A: "a", B: "b", Same: true}, {A: "b", B: "c", Same: true}, {A: "c", B: "x"}, {A: "x", B: "y", Same: true}, {A: "p", B: "q"}})
	id := func(s string) int {
		i, ok := c.ID(s)
		if !ok {
			t.Fatalf("no %q", s)
		}
		return i
	}
	for _, w := range []struct {
		a, b string
		want Judgement
	}{{"a", "c", Right}, {"a", "y", Wrong}, {"y", "b", Wrong}, {"p", "q", Wrong}, {"a", "p", Unlabelled}, {"x", "y", Right}} {
		if got := c.Judge(id(w.a), id(w.b)); got != w.want {
			t.Errorf("%s, %s: %d, want %d", w.a, w.b, got, w.want)
		}
	}
}

func TestGeneratedPairsAreTheSameForOneSeed(t *testing.T) {
	a, b, c := Generated(1, 20), Generated(1, 20), Generated(2, 20)
	other := false
	for i := range a {
		if a[i] != b[i] {
			t.Fatal("one seed gave two lists")
		}
		if a[i].A == a[i].B && a[i].Category != "pass:case" {
			t.Errorf("%s: %q twice", a[i].Category, a[i].A)
		}
		other = other || a[i] != c[i]
	}
	if !other {
		t.Error("two seeds gave one list")
	}
}
