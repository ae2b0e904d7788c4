package dialect

import (
	"slices"
	"testing"

	"purser/proxy/dialect/jsonscan"
)

// counted is a call into whose prompt one value was counted.
func counted(t *testing.T, body string, add func(*Call, *jsonscan.Cursor) error) *Call {
	t.Helper()
	c := &Call{Raw: []byte(body)}
	cur := jsonscan.Cursor{Doc: c.Raw}
	if err := add(c, &cur); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := cur.End(); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}

func TestAddStrings(t *testing.T) {
	c := counted(t, ` {"a": ["b\n", -1.5, true, "", null], "ü": {}} `, (*Call).AddStrings)
	var texts []string
	for _, x := range c.Texts {
		texts = append(texts, string(c.Raw[x.Start:x.End]))
		if escaped := x.Kind == EscapedText; escaped != (texts[len(texts)-1] == `b\n`) || x.Kind == RawJSON {
			t.Errorf("%s is of kind %d", texts[len(texts)-1], x.Kind)
		}
	}
	if want := []string{"a", `b\n`, "-1.5", "ü"}; !slices.Equal(texts, want) {
		t.Errorf("texts %q, want %q", texts, want)
	}
	if c.TextBytes != 1+2+4+2 || c.RawMembers != 7 || c.ToolBytes != 0 {
		t.Errorf("%d bytes, %d members, %d of tools", c.TextBytes, c.RawMembers, c.ToolBytes)
	}
}

func TestAddRaw(t *testing.T) {
	c := counted(t, ` {"a": [1, "b"]} `, (*Call).AddRaw)
	if len(c.Texts) != 1 || c.Texts[0] != (Text{Span: Span{Start: 1, End: 16}, Kind: RawJSON}) || c.ToolBytes != 15 || c.RawMembers != 3 || c.TextBytes != 0 {
		t.Errorf("%+v", c)
	}
	for _, add := range []func(*Call, *jsonscan.Cursor) error{(*Call).AddRaw, (*Call).AddStrings} {
		var c Call
		if err := add(&c, &jsonscan.Cursor{Doc: []byte(`[1,`)}); err == nil {
			t.Error("a value that is cut is counted")
		}
	}
}

func TestHideKeepsTheFirst(t *testing.T) {
	var c Call
	c.Hide("a")
	c.Hide("b")
	if c.HiddenContext != "a" {
		t.Error(c.HiddenContext)
	}
}
