package jsontree

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"

	"pgregory.net/rapid"
)

func read(body string) (*Reader, Node) {
	r := new(Reader)
	return r, r.Read([]byte(body), Brackets)
}

func TestValues(t *testing.T) {
	r, top := read(` {"s":"a\n\u00e9","i":-12,"f":1.50e3,"b":true,"z":null,"o":{"x":[1,"2",{"y":0}]}} `)
	if got := top.Get("s").String(); got != "a\né" {
		t.Errorf("%q", got)
	}
	if top.Get("i").Int() != -12 || top.Get("f").Number() != "1.50e3" || !top.Get("b").Bool() {
		t.Error("a value differs")
	}
	if top.Get("z").Has() || top.Get("none").Has() || top.Get("none").Get("below").String() != "" {
		t.Error("what is null or absent has a value")
	}
	var at []string
	top.Get("o").Get("x").Each(func(i int, e Node) { at = append(at, fmt.Sprintf("%d %d %s %s", i, e.Kind(), e.At(), e.Raw())) })
	if got := fmt.Sprint(at); got != `[0 3 o.x[0] 1 1 4 o.x[1] "2" 2 5 o.x[2] {"y":0}]` {
		t.Error(got)
	}
	if string(top.Get("o").Object()) != `{"x":[1,"2",{"y":0}]}` || top.Get("o").Len() != 1 || top.Get("o").Get("x").Len() != 3 {
		t.Error("an object differs")
	}
	top.Rest()
	if r.Err != nil {
		t.Error(r.Err)
	}
}

func TestTheFirstProblemStays(t *testing.T) {
	for body, x := range map[string]struct {
		read func(top Node)
		code dialect.Code
		at   string
	}{
		`{"a":{"b":1}}`:              {func(n Node) { n.Get("a").Rest() }, dialect.CodeUnsupported, "a.b"},
		`{"a":1,"b":2}`:              {func(n Node) { n.Get("a"); n.Rest() }, dialect.CodeUnsupported, "b"},
		`{"a":7}`:                    {func(n Node) { _ = n.Get("a").String() }, dialect.CodeInvalidType, "a"},
		`{"a":"x"}`:                  {func(n Node) { n.Get("a").Get("b") }, dialect.CodeInvalidType, "a"},
		`{"a":1.5}`:                  {func(n Node) { n.Get("a").Int() }, dialect.CodeInvalidValue, "a"},
		`{"a":[{"b":true}]}`:         {func(n Node) { n.Get("a").Each(func(_ int, e Node) { e.Get("b").Number() }) }, dialect.CodeInvalidType, "a[0].b"},
		`{"a":1,"A":2}`:              {func(n Node) { n.Either("a", "A") }, dialect.CodeAmbiguous, "A"},
		`{"a":{}}`:                   {func(n Node) { n.Get("a").Missing("b") }, dialect.CodeMissingField, "a.b"},
		`{"a":"bad"}`:                {func(n Node) { n.Get("a").Invalid("is bad.") }, dialect.CodeInvalidValue, "a"},
		`{"a":1,"a":2}`:              {func(Node) {}, dialect.CodeAmbiguous, "a"},
		`{"a":[{"b":1,"\u0062":2}]}`: {func(Node) {}, dialect.CodeAmbiguous, "b"},
		`{"a":`:                      {func(Node) {}, dialect.CodeInvalidJSON, ""},
		`{} x`:                       {func(Node) {}, dialect.CodeInvalidJSON, ""},
		`[1]`:                        {func(n Node) { n.Get("a") }, dialect.CodeInvalidType, ""},
	} {
		r, top := read(body)
		x.read(top)
		if r.Err == nil || r.Err.Code != x.code || r.Err.Param != x.at {
			t.Errorf("%s: %+v", body, r.Err)
			continue
		}
		first := r.Err
		top.Get("a").Refuse("later", "")
		if r.Err != first || top.Get("a").Has() {
			t.Errorf("%s: something is read after a problem", body)
		}
	}
}

func TestPlacesAreWrittenAsTheDialectDoes(t *testing.T) {
	var r Reader
	r.Read([]byte(`{"a":[{"b":[1]}]}`), Dots).Get("a").Each(func(_ int, e Node) {
		e.Get("b").Each(func(_ int, e Node) {
			if e.At() != "a.0.b.0" {
				t.Error(e.At())
			}
		})
	})
}

func TestKeysThereTwiceInALargeObject(t *testing.T) {
	var b strings.Builder
	for i := range 3 * manyMembers {
		fmt.Fprintf(&b, `"k%d":0,`, i)
	}
	for _, again := range []string{"k0", fmt.Sprint("k", manyMembers), fmt.Sprint("k", 3*manyMembers-1)} {
		if r, _ := read(`{` + b.String() + `"` + again + `":1}`); r.Err == nil || r.Err.Param != again {
			t.Errorf("%s: %v", again, r.Err)
		}
	}
	if r, _ := read(`{` + b.String() + `"other":1}`); r.Err != nil {
		t.Error(r.Err)
	}
}

func TestADeepOrHugeDocumentIsRefused(t *testing.T) {
	if r, _ := read(strings.Repeat("[", jsonscan.MaxDepth+1) + strings.Repeat("]", jsonscan.MaxDepth+1)); r.Err == nil {
		t.Error("too deep")
	}
	if r, _ := read("[" + strings.Repeat("0,", MaxValues) + "0]"); r.Err == nil {
		t.Error("too many")
	}
}

// TestWriterReversesReader writes what encoding/json reads, and reads what it wrote.
func TestWriterReversesReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.MapOfN(rapid.String(), rapid.String(), 0, 8).Draw(t, "members")
		numbers := rapid.SliceOfN(rapid.Int64Range(-1e17, 1e17), 0, 8).Draw(t, "numbers")
		w := Writer{Buf: []byte("before ")}
		w.Object(func() {
			for k, v := range values {
				w.Field("k"+k, v)
			}
			w.Key("numbers").Array(func() {
				for _, n := range numbers {
					w.Int(n)
				}
				w.Bool(true)
				w.Null()
				w.Array(func() {})
				w.Object(func() {})
			})
			w.Optional("absent", "")
			w.Number("n", "1.50")
			w.Number("unset", "")
		})
		body, ok := strings.CutPrefix(string(w.Buf), "before ")
		if !ok || !json.Valid([]byte(body)) {
			t.Fatalf("%s", w.Buf)
		}
		r, top := read(body)
		for k, v := range values {
			if got := top.Get("k" + k).String(); got != v {
				t.Fatalf("%q is %q, want %q", k, got, v)
			}
		}
		top.Get("numbers").Each(func(i int, e Node) {
			if i < len(numbers) && e.Int() != numbers[i] {
				t.Fatalf("%d is %s", i, e.Raw())
			}
		})
		if top.Get("numbers").Len() != len(numbers)+4 || top.Get("n").Number() != "1.50" || top.Get("absent").Has() {
			t.Fatalf("%s", body)
		}
		top.Rest()
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",{"b":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r Reader
		top := r.Read(body, Brackets)
		if r.Err == nil && !json.Valid(body) {
			t.Fatalf("%q is read and is not JSON", body)
		}
		if r.Err == nil && top.Kind() == jsonscan.Invalid {
			t.Fatal("neither a value nor an error")
		}
	})
}
