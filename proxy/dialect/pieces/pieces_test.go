package pieces

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"purser/proxy/dialect/sse"

	"pgregory.net/rapid"
)

func TestMembersAndElements(t *testing.T) {
	var got []byte
	err := Members([]byte(` {"a" : [1, {"index":2}] , "\u0062":null}`), func(key, value []byte) error {
		got = AppendPair(got, key, value)
		if value[0] != '[' {
			return nil
		}
		return Elements(value, func(value []byte) error {
			got = append(append(got, '|'), value...)
			return nil
		})
	})
	if want := `,"a":[1, {"index":2}]|1|{"index":2},"\u0062":null`; err != nil || string(got) != want {
		t.Errorf("%s: %v, want %s", got, err, want)
	}
	never := func([]byte) error { t.Error("called"); return nil }
	if err := Elements([]byte(`{}`), never); !errors.Is(err, ErrNotFoldable) {
		t.Error(err)
	}
	if err := Members(nil, func(_, value []byte) error { return never(value) }); !errors.Is(err, ErrNotFoldable) {
		t.Error(err)
	}
}

func TestIndex(t *testing.T) {
	for doc, want := range map[string]int64{`{"a":1,"index":3}`: 3, `{}`: -1, `{"index":"3"}`: -1, `{"index":1.5}`: -1} {
		if got, err := Index([]byte(doc), -1); got != want || err != nil {
			t.Errorf("%s: %d, %v", doc, got, err)
		}
	}
}

func TestPairsKeepTheirPlacesAndAreBounded(t *testing.T) {
	var list []Pair
	var err error
	for _, p := range []Pair{Named("a", []byte("1")), Named("b", []byte("2")), Named("a", []byte("3"))} {
		if list, err = Set(list, p.Key, p.Value); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(AppendPairs(nil, list)); got != `,"a":3,"b":2` {
		t.Error(got)
	}
	full := make([]Pair, MaxPairs)
	if _, err := Set(full, []byte("x"), []byte("1")); !errors.Is(err, ErrNotFoldable) {
		t.Error(err)
	}
}

func TestEventsGivesTheLastThatNothingClosed(t *testing.T) {
	var got []string
	stop := errors.New("stop")
	take := func(e sse.Event) error {
		if got = append(got, string(e.Data)); string(e.Data) == "stop" {
			return stop
		}
		return nil
	}
	if err := Events([]byte("data: a\n\ndata: b\n"), take); err != nil || len(got) != 2 || got[1] != "b" {
		t.Errorf("%q, %v", got, err)
	}
	if err := Events([]byte("data: stop\n\ndata: c\n\n"), take); !errors.Is(err, stop) || len(got) != 3 {
		t.Errorf("%q, %v", got, err)
	}
	if err := Events(bytes.Repeat([]byte("x"), sse.MaxEvent+1), take); !errors.Is(err, ErrNotFoldable) {
		t.Error(err)
	}
}

// TestAppendCompactAgreesWithEncodingJSON for any document with white space in it.
func TestAppendCompactAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := map[string]any{rapid.String().Draw(t, "key"): []any{rapid.String().Draw(t, "text"), rapid.Bool().Draw(t, "bool"), nil}}
		var plain, wide, want bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(rapid.Bool().Draw(t, "escape"))
		if enc.Encode(doc) != nil || json.Indent(&wide, plain.Bytes(), "\r\n", " \t") != nil || json.Compact(&want, plain.Bytes()) != nil {
			t.Fatal("not JSON")
		}
		if got := AppendCompact(nil, wide.Bytes()); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%s, want %s", got, want.Bytes())
		}
		if one := OneLine(wide.Bytes()); !bytes.Equal(one, want.Bytes()) {
			t.Fatalf("%s, want %s", one, want.Bytes())
		}
	})
	spaced := []byte(`{ "a" : 1 }`)
	if got := OneLine(spaced); &got[0] != &spaced[0] {
		t.Error("one line is copied")
	}
}
