package trace

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// TestParseFollowsTheRecommendation takes the cases that the recommendation names
// (https://www.w3.org/TR/trace-context-2/, 3.2 and 3.3) one by one.
func TestParseFollowsTheRecommendation(t *testing.T) {
	long := ""
	for i := range 33 {
		long += string(rune('a'+i%26)) + strings.Repeat("b", i) + "=v,"
	}
	for name, c := range map[string]struct {
		parents, states []string
		valid           bool
		flags           byte
		state           string
	}{
		"none":                           {},
		"sampled":                        {[]string{good}, nil, true, 1, ""},
		"spaces around":                  {[]string{" " + good + "\t"}, nil, true, 1, ""},
		"not sampled":                    {[]string{good[:53] + "00"}, nil, true, 0, ""},
		"random trace id":                {[]string{good[:53] + "03"}, nil, true, 3, ""},
		"flags that 00 does not know":    {[]string{good[:53] + "ff"}, nil, true, 3, ""},
		"a later version":                {[]string{"cc" + good[2:]}, nil, true, 1, ""},
		"a later version that goes on":   {[]string{"cc" + good[2:] + "-what-the-future-will-be-like"}, nil, true, 1, ""},
		"a later version, longer flags":  {[]string{"cc" + good[2:] + "1"}, nil, false, 0, ""},
		"version 00 that goes on":        {[]string{good + "-00"}, nil, false, 0, ""},
		"version ff":                     {[]string{"ff" + good[2:]}, nil, false, 0, ""},
		"capital letters":                {[]string{strings.ToUpper(good)}, nil, false, 0, ""},
		"no trace":                       {[]string{"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}, nil, false, 0, ""},
		"no span":                        {[]string{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"}, nil, false, 0, ""},
		"too short":                      {[]string{good[:54]}, nil, false, 0, ""},
		"no digits":                      {[]string{strings.Replace(good, "4bf", "4xf", 1)}, nil, false, 0, ""},
		"no dashes":                      {[]string{strings.Replace(good, "-", "_", 1)}, nil, false, 0, ""},
		"two of them":                    {[]string{good, good}, nil, false, 0, ""},
		"two in one":                     {[]string{good + "," + good}, nil, false, 0, ""},
		"state":                          {[]string{good}, []string{"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}, true, 1, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
		"state in two headers":           {[]string{good}, []string{"a=1", "b=2"}, true, 1, "a=1,b=2"},
		"state of a tenant":              {[]string{good}, []string{"fw529a3039@dt=FfI"}, true, 1, "fw529a3039@dt=FfI"},
		"empty members":                  {[]string{good}, []string{"a=1,,\t,b=2"}, true, 1, "a=1,b=2"},
		"state without a parent":         {nil, []string{"a=1"}, false, 0, ""},
		"state with a bad parent":        {[]string{"00-1-2-01"}, []string{"a=1"}, false, 0, ""},
		"a key twice":                    {[]string{good}, []string{"a=1,a=2"}, true, 1, ""},
		"a key in capitals":              {[]string{good}, []string{"A=1"}, true, 1, ""},
		"a system beginning with digits": {[]string{good}, []string{"a@1x=1"}, true, 1, "a@1x=1"},
		"several at signs":               {[]string{good}, []string{"a@b@c=1"}, true, 1, "a@b@c=1"},
		"an at sign first":               {[]string{good}, []string{"@a=1"}, true, 1, ""},
		"no value":                       {[]string{good}, []string{"a="}, true, 1, ""},
		"no equals sign":                 {[]string{good}, []string{"a"}, true, 1, ""},
		"equals in a value":              {[]string{good}, []string{"a=b=c"}, true, 1, ""},
		"33 members":                     {[]string{good}, []string{long}, true, 1, ""},
		"long members give way":          {[]string{good}, []string{"a=" + strings.Repeat("b", 250) + ",c=" + strings.Repeat("d", 250) + ",e=" + strings.Repeat("f", 50)}, true, 1, "a=" + strings.Repeat("b", 250) + ",e=" + strings.Repeat("f", 50)},
		"then those at the end":          {[]string{good}, []string{hundreds(7)}, true, 1, hundreds(5)},
		"far too long":                   {[]string{good}, []string{strings.Repeat("a=1, ", maxStates)}, true, 1, ""},
		"a line break":                   {[]string{good}, []string{"a=b\r\nx: y"}, true, 1, ""},
		"only commas":                    {[]string{good}, []string{",,"}, true, 1, ""},
	} {
		got := Parse(c.parents, c.states)
		if got.Valid() != c.valid || got.Flags != c.flags || got.State != c.state {
			t.Errorf("%s: %+v", name, got)
		}
		if !c.valid && got != (Context{}) {
			t.Errorf("%s: what is invalid left something: %+v", name, got)
		}
	}
}

// hundreds are so many members of 100 bytes.
func hundreds(n int) string {
	var list []string
	for i := range n {
		list = append(list, string(rune('a'+i))+"="+strings.Repeat("v", 98))
	}
	return strings.Join(list, ",")
}

func TestParentIsReadAgain(t *testing.T) {
	if c := Parse([]string{good}, nil); c.Parent() != good {
		t.Error(c.Parent())
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Context{Flags: rapid.ByteMax(3).Draw(t, "flags")}
		copy(c.Trace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "trace"))
		copy(c.Span[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "span"))
		if got := Parse([]string{c.Parent()}, nil); got.Valid() != c.Valid() || c.Valid() && got != c {
			t.Fatalf("%+v from %s", got, c.Parent())
		}
	})
}

// FuzzParse: whatever a client sends, what is handed on is well formed.
func FuzzParse(f *testing.F) {
	f.Add(good, "a=1,b@c=2")
	f.Add("01-"+good[3:]+"-x", "A=1")
	f.Fuzz(func(t *testing.T, parent, state string) {
		c := Parse([]string{parent}, []string{state})
		if !c.Valid() {
			if c != (Context{}) {
				t.Fatalf("%+v", c)
			}
			return
		}
		again := Parse([]string{c.Parent()}, []string{c.State})
		if c.State == "" {
			again.State = ""
		}
		if again != c || strings.ContainsAny(c.State, "\r\n\x00") || len(c.State) > maxState {
			t.Fatalf("%+v, then %+v", c, again)
		}
	})
}
