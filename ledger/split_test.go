package ledger

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSplitIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.StringMatching(`[a|\\]{1,6}`), rapid.StringN(1, 20, MaxDimValue))
		a := rapid.SliceOfN(value, 1, MaxEach).Draw(t, "a")
		b := rapid.SliceOfN(value, 1, MaxEach).Draw(t, "b")
		s := MakeSplit(a...)
		if !slices.Equal(s.Values(), a) {
			t.Fatalf("%q has the values %q, want %q", s, s.Values(), a)
		}
		if !s.validFor(len(a)) || s.validFor(len(a)+1) {
			t.Fatalf("%q is not valid for %d values, or for more", s, len(a))
		}
		if (s == MakeSplit(b...)) != slices.Equal(a, b) {
			t.Fatalf("%q and %q have the same split", a, b)
		}
	})
}

// TestSplitOtherFormsAreInvalid: one account has one key.
func TestSplitOtherFormsAreInvalid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Split(rapid.OneOf(rapid.StringMatching(`[a|\\]{0,8}`), rapid.String()).Draw(t, "split"))
		n := rapid.IntRange(0, 4).Draw(t, "n")
		values := s.Values()
		want := len(values) == n && MakeSplit(values...) == s && !slices.Contains(values, "")
		for _, v := range values {
			want = want && len(v) <= MaxDimValue
		}
		if s.validFor(n) != want {
			t.Fatalf("%q is valid for %d values: %t, want %t", s, n, !want, want)
		}
	})
}

func TestSplitBounds(t *testing.T) {
	if long := MakeSplit(strings.Repeat("x", MaxDimValue+1)); long.validFor(1) {
		t.Error("a value that is too long is valid")
	}
	if full := MakeSplit(strings.Repeat("|", MaxDimValue)); !full.validFor(1) {
		t.Error("a value of the full length is not valid, for its escapes")
	}
	if s := MakeSplit(); s != "" || s.Values() != nil || !s.validFor(0) {
		t.Errorf("no values make %q with %q", s, s.Values())
	}
}

func TestCovers(t *testing.T) {
	d := &Dimensions{Tags: []Tag{{"job", "nightly"}, {"tier", "gold"}}}
	d.Values[DimTeam] = "red"
	d.Values[DimCustomer] = "a|b"
	team, tier := DimRef{Dim: DimTeam}, DimRef{Dim: DimTag, Tag: "tier"}
	customer, org := DimRef{Dim: DimCustomer}, DimRef{Dim: DimOrg}
	for _, c := range []struct {
		why    string
		budget Budget
		split  Split
		covers bool
	}{
		{"no conditions: every request", Budget{}, "", true},
		{"one of the values", Budget{Match: []Condition{{team, []string{"blue", "red"}}}}, "", true},
		{"none of the values", Budget{Match: []Condition{{team, []string{"blue"}}}}, "", false},
		{"every condition", Budget{Match: []Condition{{team, []string{"red"}}, {tier, []string{"gold"}}}}, "", true},
		{"all but one condition", Budget{Match: []Condition{{team, []string{"red"}}, {tier, []string{"tin"}}}}, "", false},
		{"a dimension that is not set", Budget{Match: []Condition{{org, []string{"x"}}}}, "", false},
		{"split by a dimension", Budget{Each: []DimRef{team}}, "red", true},
		{"split by an odd value", Budget{Each: []DimRef{customer}}, `a\|b`, true},
		{"split by several", Budget{Each: []DimRef{team, customer, tier}}, `red|a\|b|gold`, true},
		{"split by one that is not set", Budget{Each: []DimRef{org}}, "", false},
		{"split by several, one not set", Budget{Each: []DimRef{team, org}}, "", false},
		{"split by a tag that is not set", Budget{Each: []DimRef{{Dim: DimTag, Tag: "x"}}}, "", false},
	} {
		split, ok := c.budget.Covers(d)
		if split != c.split || ok != c.covers {
			t.Errorf("%s: %q, %t; want %q, %t", c.why, split, ok, c.split, c.covers)
		}
	}
	simple := Budget{Match: []Condition{{team, []string{"red"}}}, Each: []DimRef{team}}
	if n := testing.AllocsPerRun(100, func() { simple.Covers(d) }); n > 0 {
		t.Errorf("covering by one plain value allocates %v times", n)
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a|b\|c`)
	f.Fuzz(func(t *testing.T, s string) {
		values := Split(s).Values()
		if Split(s).validFor(len(values)) && MakeSplit(values...) != Split(s) {
			t.Fatalf("%q is valid and not canonical", s)
		}
	})
}
