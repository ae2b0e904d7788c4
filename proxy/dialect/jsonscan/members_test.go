package jsonscan

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendMembers(t *testing.T) {
	keep := func(name []byte) bool { return string(name) != "drop" }
	for doc, want := range map[string]string{
		`{}`:         "",
		`{"drop":1}`: "",
		` { "a" : [1, 2] , "drop":{} ,"b":"x" } `: `"a":[1, 2],"b":"x"`,
		`{"drop":"}","a":"drop"}`:                 `"a":"drop"`,
		`{"dr\u006fp":1,"\u0061":2}`:              `"\u0061":2`,
	} {
		got, ok := AppendMembers([]byte("+"), []byte(doc), keep)
		if !ok || string(got) != "+"+want {
			t.Errorf("%s: %s %t", doc, got, ok)
		}
	}
	for _, doc := range []string{``, `[]`, `{`, `{"a":1}x`, `{"a":}`, `"a"`, `null`} {
		if got, ok := AppendMembers([]byte("+"), []byte(doc), keep); ok || string(got) != "+" {
			t.Errorf("%s: %s", doc, got)
		}
	}
}

// TestAppendMembersAgreesWithEncodingJSON for any object.
func TestAppendMembersAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "drop", "ü", `"`}), rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }), rapid.Map(rapid.Int32(), func(n int32) any { return float64(n) }),
			rapid.Just[any](map[string]any{"drop": []any{nil, true}}))).Draw(t, "object")
		doc, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		inner, ok := AppendMembers([]byte("{"), doc, func(name []byte) bool { return string(name) != "drop" })
		var got, want map[string]any
		if err := json.Unmarshal(doc, &want); err != nil {
			t.Fatal(err)
		}
		delete(want, "drop")
		if err := json.Unmarshal(append(inner, '}'), &got); !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s of %s: %v", inner, doc, err)
		}
	})
}

func TestCount(t *testing.T) {
	for doc, want := range map[string]int64{`{"n":4}`: 4, ` {"x":[{"n":1}],"n": 0 } `: 0, `{"\u006e":7}`: 7} {
		if n, ok := Count([]byte(doc), "n"); !ok || n != want {
			t.Errorf("%s: %d %t", doc, n, ok)
		}
	}
	for _, doc := range []string{``, `{}`, `{"n":-1}`, `{"n":1.5}`, `{"n":"4"}`, `{"n":null}`, `{"n":4`, `{"n":4}}`, `[4]`, `{"n":1e3}`} {
		if n, ok := Count([]byte(doc), "n"); ok {
			t.Errorf("%s: %d", doc, n)
		}
	}
}

func TestLookalike(t *testing.T) {
	for key, want := range map[string]string{"Model": "model", "\u212aey": "key", "max_toKENS": "max_tokens", "models": "", "mode": "", "": ""} {
		if got, ok := Lookalike([]byte(key), "model", "key", "max_tokens"); got != want || ok != (want != "") {
			t.Errorf("%q is taken for %q", key, got)
		}
	}
}
