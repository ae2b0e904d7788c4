package promptcache

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestToolsAreOrdered: any order of the same tools becomes one, with every byte of each
// kept, and nothing else moved.
func TestToolsAreOrdered(t *testing.T) {
	tools := []string{`{"name":"b","input_schema":{"z":1,"a":2}}`, `{"name": "a" }`, `{"input_schema":{},"name":"d"}`, `{"type":"web_search_20250305","name":"c","max_uses":1}`}
	ordered := []string{tools[1], tools[0], tools[3], tools[2]}
	around := func(list []string) []byte {
		return []byte(`{"system":"z","tools":[` + strings.Join(list, ", ") + `],"messages":[{"role":"user","content":"b"},{"role":"assistant","content":"a"}]}`)
	}
	want := string(around(ordered))
	rapid.Check(t, func(r *rapid.T) {
		list := rapid.Permutation(tools).Draw(r, "tools")
		var p Prompt
		p.ReadAnthropic(around(list), Hash{})
		got, moved := p.AppendOrdered(nil, around(list))
		if string(got) != want || moved == slices.Equal(list, ordered) {
			r.Fatalf("%s: %v", got, moved)
		}
	})
}

// TestWhatIsNotOrdered stays as it is.
func TestWhatIsNotOrdered(t *testing.T) {
	for _, body := range []string{
		`{"tools":[{"name":"b"},{"name":"a","cache_control":{"type":"ephemeral"}}],"messages":[]}`,
		`{"tools":[{"name":"b"},{"name":"a"},{"name":"b"}],"messages":[]}`,
		`{"tools":[{"name":"b"},{"type":"x"}],"messages":[]}`,
		`{"tools":[{"name":"b"}],"messages":[]}`,
		`{"messages":[]}`,
	} {
		var p Prompt
		p.ReadAnthropic([]byte(body), Hash{})
		if got, moved := p.AppendOrdered(nil, []byte(body)); moved || string(got) != body {
			t.Errorf("%s became %s", body, got)
		}
	}
	var p Prompt
	chat := `{"tools":[{"type":"function","function":{"name":"b"}},{"type":"function","function":{"name":"a"}}],"messages":[]}`
	p.ReadChat([]byte(chat), Hash{})
	if got, moved := p.AppendOrdered(nil, []byte(chat)); !moved || !json.Valid(got) || !strings.Contains(string(got), `{"name":"a"}},{"type":"function","function":{"name":"b"}}`) {
		t.Errorf("%s", got)
	}
}
