package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"pgregory.net/rapid"

	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
	"purser/proxy/redaction/labelled"
)

// wire is how a test writes and reads a dialect: events for the pieces of a text and
// of a tool's arguments, and what a client puts together from events.
type wire struct {
	dialect Dialect
	array   bool
	events  func(text, args []string) []string
	text    func(events []string) (text, args string)
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var wires = map[string]wire{
	"chat": {dialect: Chat,
		events: func(text, args []string) (out []string) {
			for _, p := range text {
				out = append(out, `{"choices":[{"index":0,"delta":{"content":`+quote(p)+`}}]}`)
			}
			for _, p := range args {
				out = append(out, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":`+quote(p)+`}}]}}]}`)
			}
			return append(out, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, "[DONE]")
		},
		text: func(events []string) (text, args string) {
			for _, e := range events {
				text += gjson.Get(e, "choices.0.delta.content").String()
				args += gjson.Get(e, "choices.0.delta.tool_calls.0.function.arguments").String()
			}
			return text, args
		}},
	"responses": {dialect: Responses,
		events: func(text, args []string) (out []string) {
			for _, p := range text {
				out = append(out, `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":`+quote(p)+`}`)
			}
			out = append(out, `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":`+quote(strings.Join(text, ""))+`}`)
			for _, p := range args {
				out = append(out, `{"type":"response.function_call_arguments.delta","output_index":1,"delta":`+quote(p)+`}`)
			}
			return append(out, `{"type":"response.completed","response":{"id":"r","output":[{"type":"function_call","arguments":`+quote(strings.Join(args, ""))+`},{"type":"message","content":[{"type":"output_text","text":`+quote(strings.Join(text, ""))+`}]}]}}`)
		},
		text: func(events []string) (text, args string) {
			for _, e := range events {
				switch gjson.Get(e, "type").String() {
				case "response.output_text.delta":
					text += gjson.Get(e, "delta").String()
				case "response.function_call_arguments.delta":
					args += gjson.Get(e, "delta").String()
				case "response.completed":
					if got := gjson.Get(e, "response.output.1.content.0.text").String(); got != text {
						panic(fmt.Sprintf("the whole is %q, its pieces are %q", got, text))
					}
				}
			}
			return text, args
		}},
	"anthropic": {dialect: Anthropic,
		events: func(text, args []string) (out []string) {
			for _, p := range text {
				out = append(out, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":`+quote(p)+`}}`)
			}
			out = append(out, `{"type":"content_block_stop","index":0}`)
			for _, p := range args {
				out = append(out, `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":`+quote(p)+`}}`)
			}
			return append(out, `{"type":"content_block_stop","index":1}`, `{"type":"message_stop"}`)
		},
		text: func(events []string) (text, args string) {
			for _, e := range events {
				text += gjson.Get(e, "delta.text").String()
				args += gjson.Get(e, "delta.partial_json").String()
			}
			return text, args
		}},
	"gemini":             {dialect: Gemini, events: geminiEvents, text: geminiText},
	"gemini as an array": {dialect: Gemini, array: true, events: geminiEvents, text: geminiText},
}

func geminiEvents(text, args []string) (out []string) {
	for _, p := range text {
		out = append(out, `{"candidates":[{"content":{"parts":[{"text":`+quote(p)+`}]}}]}`)
	}
	return append(out, `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":`+strings.Join(args, "")+`}}]},"finishReason":"STOP"}]}`)
}

func geminiText(events []string) (text, args string) {
	for _, e := range events {
		text += gjson.Get(e, "candidates.0.content.parts.0.text").String()
		args += gjson.Get(e, "candidates.0.content.parts.0.functionCall.args").Raw
	}
	return text, args
}

// write writes events as the stream has them, and split reads them.
func (w wire) write(events []string) string {
	if w.array {
		return "[" + strings.Join(events, ",\r\n") + "]"
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString("data: " + e + "\n\n")
	}
	return b.String()
}

func (w wire) split(t failer, stream string) (events []string) {
	if w.array {
		for _, e := range gjson.Parse(stream).Array() {
			events = append(events, e.Raw)
		}
		if !gjson.Valid(stream) {
			t.Fatalf("%q is no JSON", stream)
		}
		return events
	}
	for _, e := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(e, "data: ")
		if !ok {
			t.Fatalf("%q is no event", e)
		}
		events = append(events, data)
	}
	return events
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// pass sends a stream through in pieces of bytes, and gives what a client reads.
func (w wire) pass(t failer, set Setting, events []string, sizes func() int) (text, args string, count int) {
	t.Helper()
	set.Dialect, set.Array = w.dialect, w.array
	s := New(set)
	var out strings.Builder
	for in := w.write(events); in != ""; {
		n := min(max(sizes(), 1), len(in))
		got, err := s.Feed([]byte(in[:n]))
		if err != nil {
			t.Fatalf("%v", err)
		}
		out.Write(got)
		in = in[n:]
	}
	got, err := s.Finish()
	if err != nil {
		t.Fatalf("%v", err)
	}
	out.Write(got)
	read := w.split(t, out.String())
	text, args = w.text(read)
	return text, args, len(read)
}

// values are those of an exchange, and a text with their placeholders.
func values(t failer, plain ...string) (*redaction.Values, []string) {
	t.Helper()
	v := redaction.NewValues("")
	var names []string
	for _, p := range plain {
		name, err := v.Token("EMAIL", []byte(p))
		if err != nil {
			t.Fatalf("%v", err)
		}
		names = append(names, name)
	}
	return v, names
}

// cut cuts a text at places, which may be within characters' escapes but not within
// characters.
func cut(t *rapid.T, text string) (pieces []string) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := min(rapid.IntRange(0, 12).Draw(t, "piece"), len(runes))
		pieces = append(pieces, string(runes[:n]))
		runes = runes[n:]
	}
	return pieces
}

// TestValuesAreRestoredHoweverTheyAreSplit draws texts with placeholders, what looks
// like placeholders, and arguments with escapes, splits them, and compares with the
// text restored at once.
func TestValuesAreRestoredHoweverTheyAreSplit(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				plain := []string{"a@b.de", "with \"quotes\"\nand \\ lines", "é漢🙂 <EMAIL_2>", "<"}
				v, names := values(t, plain...)
				part := rapid.SampledFrom(append([]string{"<", "<EMAIL_", "<EMAIL_9>", "text ", "é漢🙂", "EMAIL_1>", "<<", "\n", "\\", "\"", "<EMAIL_1"}, names...))
				text, want := "", ""
				for _, p := range rapid.SliceOfN(part, 0, 12).Draw(t, "text") {
					text += p
				}
				want = restored(v, text, false)
				object := map[string]string{"k": strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "args"), "")}
				args, err := json.Marshal(object) // writes brackets as escapes
				if err != nil {
					t.Fatal(err)
				}
				if rapid.Bool().Draw(t, "unescaped brackets") {
					args = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(args)))
				}
				gotText, gotArgs, _ := w.pass(t, Setting{Values: v}, w.events(cut(t, text), cut(t, string(args))), func() int {
					return rapid.IntRange(1, 200).Draw(t, "bytes")
				})
				if gotText != want {
					t.Fatalf("text %q became %q, not %q", text, gotText, want)
				}
				var read map[string]string
				if err := json.Unmarshal([]byte(gotArgs), &read); err != nil || read["k"] != restored(v, object["k"], false) {
					t.Fatalf("arguments %s became %s: %v", args, gotArgs, err)
				}
			})
		})
	}
}

func restored(v *redaction.Values, text string, inJSON bool) string {
	var out []byte
	at := 0
	v.Each([]byte(text), inJSON, func(start, end int, value string) {
		out = append(append(out, text[at:start]...), value...)
		at = end
	})
	return string(append(out, text[at:]...))
}

// TestEverySplit puts a placeholder over every two cuts of every dialect.
func TestEverySplit(t *testing.T) {
	v, names := values(t, "a \"b\"")
	text := "x" + names[0] + "y"
	args := `{"k":"\u003cEMAIL_1\u003e","l":"` + names[0] + `"}`
	for name, w := range wires {
		for i := range len(text) + 1 {
			for j := i; j <= len(text); j++ {
				got, _, _ := w.pass(t, Setting{Values: v}, w.events([]string{text[:i], text[i:j], text[j:]}, []string{`{}`}), func() int { return 1 << 20 })
				if got != `xa "b"y` {
					t.Fatalf("%s at %d and %d: %q", name, i, j, got)
				}
			}
		}
		for i := range len(args) + 1 {
			for j := i; j <= len(args); j++ {
				_, got, _ := w.pass(t, Setting{Values: v}, w.events(nil, []string{args[:i], args[i:j], args[j:]}), func() int { return 1 << 20 })
				if got != `{"k":"a \"b\"","l":"a \"b\""}` {
					t.Fatalf("%s at %d and %d: %s", name, i, j, got)
				}
			}
		}
	}
}

// TestAStreamIsMaskedAsItsWholeTextIs sends labelled texts through in pieces, and
// compares with the same text redacted at once.
func TestAStreamIsMaskedAsItsWholeTextIs(t *testing.T) {
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Direction: redaction.Output}}, redaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := set.Plan(nil, redaction.Output)
	texts := labelled.Generate(7, 150)
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			for i, x := range texts {
				doc, err := body.NewAnswer(plan, redaction.Hasher{}, nil).Answer([]byte(`{"content":` + quote(x.Text) + `}`))
				if err != nil {
					t.Fatal(err)
				}
				want := gjson.GetBytes(doc, "content").String()
				var pieces []string
				for runes := []rune(x.Text); len(runes) > 0; {
					n := min(1+(i+len(runes))%9, len(runes))
					pieces = append(pieces, string(runes[:n]))
					runes = runes[n:]
				}
				got, _, _ := w.pass(t, Setting{Plan: plan}, w.events(pieces, []string{`{}`}), func() int { return 997 })
				if got != want {
					t.Errorf("text %d\n got %q\nwant %q", i, got, want)
				}
			}
		})
	}
}
