package compress

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/proxy/dialect"
	"purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"
)

func TestCompressingAgainChangesNothing(t *testing.T) {
	everywhere(t, func(t *rapid.T, d Dialect, l Level) {
		s := genSettings(l).Draw(t, "settings")
		body := genTalk(12).Draw(t, "talk").body(d)
		once := applied(t, body, d, s)
		twice := applied(t, once.Body, d, s)
		if !bytes.Equal(once.Body, twice.Body) {
			t.Fatalf("again:\n%s\nbecomes\n%s", once.Body, twice.Body)
		}
		if len(once.Body) > len(body) || once.Changed == bytes.Equal(once.Body, body) {
			t.Fatalf("%d bytes became %d, changed %v", len(body), len(once.Body), once.Changed)
		}
	})
}

// turnsOf are the raw turns of a body.
func turnsOf(t interface{ Fatal(...any) }, body []byte) []json.RawMessage {
	var doc struct{ Messages, Input, Contents []json.RawMessage }
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	return append(append(doc.Messages, doc.Input...), doc.Contents...)
}

// TestALongerConversationKeepsItsBeginning: what a conversation was compressed to is the
// beginning of what it is compressed to when it is longer. Aggressive passes move in
// steps: between two of them it holds, too.
func TestALongerConversationKeepsItsBeginning(t *testing.T) {
	everywhere(t, func(t *rapid.T, d Dialect, l Level) {
		s := genSettings(l).Draw(t, "settings")
		c := genTalk(14).Draw(t, "talk")
		changes, before := 0, []json.RawMessage{}
		for n := 1; n <= len(c.Steps); n++ {
			turns := turnsOf(t, applied(t, c.prefix(n).body(d), d, s).Body)
			if len(turns) < len(before) || !reflect.DeepEqual(turns[:len(before)], before) {
				changes++
				if l < Aggressive {
					t.Fatalf("with %d steps the beginning is another", n)
				}
			}
			before = turns
		}
		// Three passes move, each at most once in so many answers or exchanges.
		if most := 3 * (len(c.Steps)/s.stepTurns() + 1); changes > most {
			t.Fatalf("the beginning changed %d times in %d steps, more than %d", changes, len(c.Steps), most)
		}
	})
}

// decoded is a body as the gateway reads it.
func decoded(t interface{ Fatal(...any) }, body []byte, d Dialect) *dialect.Call {
	formats := [dialects]dialect.Format{openai.Format{}, openai.ResponsesFormat{}, anthropic.Format{}, gemini.Format{}}
	target := dialect.Target{Endpoint: dialect.Chat}
	switch d {
	case Responses:
		target.Endpoint = dialect.Responses
	case Gemini:
		target.Model, target.Operation = "gemini-2.5-flash", gemini.Generate
	}
	c := &dialect.Call{}
	if e := formats[d].Decode(c, target, body); e != nil {
		t.Fatal(e.Message, string(body))
	}
	return c
}

// pairs gives the ids of calls and of results, in order.
func pairs(body []byte, d Dialect) (calls, results []string) {
	c, err := converse(body, d)
	if err != nil {
		panic(err)
	}
	for _, u := range c.turns {
		calls, results = append(calls, u.calls...), append(results, u.answers...)
	}
	return calls, results
}

func TestCallsAndResultsStayInPairs(t *testing.T) {
	everywhere(t, func(t *rapid.T, d Dialect, l Level) {
		s := genSettings(l).Draw(t, "settings")
		body := genTalk(20).Draw(t, "talk").body(d)
		r := applied(t, body, d, s)
		was, is := decoded(t, body, d), decoded(t, r.Body, d)
		calls, results := pairs(r.Body, d)
		if !reflect.DeepEqual(calls, results) {
			t.Fatalf("calls %v, results %v", calls, results)
		}
		if was.Tools != is.Tools || is.TextBytes+is.ToolBytes > was.TextBytes+was.ToolBytes {
			t.Fatalf("%d tools became %d, %d bytes %d", was.Tools, is.Tools, was.TextBytes+was.ToolBytes, is.TextBytes+is.ToolBytes)
		}
		if r.Of(Turns).Texts == 0 && (was.Messages != is.Messages || was.ToolCalls != is.ToolCalls) {
			t.Fatalf("%d messages and %d calls became %d and %d", was.Messages, was.ToolCalls, is.Messages, is.ToolCalls)
		}
	})
}

// value reads JSON with the spelling of its numbers.
func value(t []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(t))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

// TestLosslessGivesTheSameValues walks both bodies side by side with another reader of
// JSON. Strings are the same, or both are JSON of the same values, or both are the
// same text but for the white space that the pass space may take.
func TestLosslessGivesTheSameValues(t *testing.T) {
	everySeed(t, func(t rapidT, d Dialect) {
		body := genTalk(10).Draw(t.T, "talk").body(d)
		was, err := value(body)
		if err != nil {
			t.Fatal(err)
		}
		is, err := value(applied(t, body, d, &Settings{Level: Lossless}).Body)
		if err != nil {
			t.Fatal(err)
		}
		if at := differs(was, is, ""); at != "" {
			t.Fatal(at)
		}
	})
}

// differs is the place at which two values mean different things.
func differs(was, is any, at string) string {
	switch a := was.(type) {
	case map[string]any:
		b, ok := is.(map[string]any)
		if !ok {
			return at
		}
		for k, v := range a {
			w, there := b[k]
			if !there {
				if !idleInTest(k, v, at) {
					return at + "." + k
				}
				continue
			}
			if bad := differs(v, w, at+"."+k); bad != "" {
				return bad
			}
		}
		for k := range b {
			if _, there := a[k]; !there {
				return at + "." + k
			}
		}
	case []any:
		b, ok := is.([]any)
		if !ok || len(a) != len(b) {
			return at
		}
		for i := range a {
			if bad := differs(a[i], b[i], at+"[]"); bad != "" {
				return bad
			}
		}
	case string:
		b, ok := is.(string)
		if !ok || a != b && !sameJSON(a, b) && !sameBlocks(a, b) {
			return at
		}
	default:
		if !reflect.DeepEqual(was, is) {
			return at
		}
	}
	return ""
}

// idleInTest lists what a schema means without saying it, apart from the code.
func idleInTest(k string, v any, at string) bool {
	inSchema := strings.Contains(at, "parameters") || strings.Contains(at, "input_schema")
	named := strings.HasSuffix(at, ".properties")
	return inSchema && !named && (k == "$comment" || k == "$schema" || k == "additionalProperties" && v == true || k == "minLength" && v == json.Number("0"))
}

func sameJSON(a, b string) bool {
	v, err := value([]byte(a))
	w, err2 := value([]byte(b))
	return err == nil && err2 == nil && strings.IndexAny(strings.TrimSpace(a), "{[") == 0 && reflect.DeepEqual(v, w)
}

// sameBlocks says whether two texts are the same but for spaces and tabs at the ends of
// lines and the number of blank lines, and have their indented lines in common exactly.
func sameBlocks(a, b string) bool {
	norm := func(s string) (all, code string) {
		for l := range strings.Lines(s) {
			l = strings.TrimSuffix(l, "\n")
			if strings.HasPrefix(l, "  ") || strings.HasPrefix(l, "\t") {
				if strings.TrimSpace(l) != "" {
					code += l + "\n"
				}
			}
			if l = strings.TrimRight(l, " \t"); l != "" {
				all += l + "\n"
			}
		}
		return all, code
	}
	allA, codeA := norm(a)
	allB, codeB := norm(b)
	return allA == allB && codeA == codeB
}
