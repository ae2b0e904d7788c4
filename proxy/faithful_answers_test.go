package proxy

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"

	"pgregory.net/rapid"
)

// wholeAnswers are members that make an object an answer of the route.
var wholeAnswers = map[string][]member{
	"/v1/chat/completions": {{"choices", `[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]`}, {"usage", `{"prompt_tokens":1,"completion_tokens":1}`}},
	"/v1/responses":        {{"object", `"response"`}, {"status", `"completed"`}, {"output", `[]`}, {"usage", `{"input_tokens":1,"output_tokens":1}`}},
	"/v1/messages":         {{"type", `"message"`}, {"content", `[]`}, {"stop_reason", `"end_turn"`}, {"usage", `{"input_tokens":1,"output_tokens":1}`}},
	"/v1beta/models/gemini-2.5-flash:generateContent": {{"candidates", `[{"finishReason":"STOP"}]`}, {"usageMetadata", `{"promptTokenCount":1}`}},
}

var askedFor = map[string]string{
	"/v1/chat/completions": question,
	"/v1/responses":        `{"model":"gpt-4o-mini","input":"hello"}`,
	"/v1/messages":         `{"model":"claude-opus-4-8","max_tokens":5,"messages":[{"role":"user","content":"hello"}]}`,
	"/v1beta/models/gemini-2.5-flash:generateContent": geminiQuestion,
}

// TestWholeAnswersAreByteFaithful: the client gets the answer's bytes, whatever
// they are.
func TestWholeAnswersAreByteFaithful(t *testing.T) {
	var answer string
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}, nil)
	for path, members := range wholeAnswers {
		t.Run(path, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				d := drawer{T: t}
				answer = d.space() + d.object(append(d.some(), members...)...) + d.space()
				if rapid.IntRange(0, 3).Draw(t, "broken") == 0 {
					answer = answer[:rapid.IntRange(1, len(answer)).Draw(t, "length")]
				}
				if a, body := w.send("POST", path, askedFor[path]); a.Status != 200 || body != answer {
					t.Fatalf("%d\n%q became\n%q", a.Status, answer, body)
				}
			})
		})
	}
}

// drawnStream is a stream, and what a client gets who did not ask for usage.
type drawnStream struct {
	all, unasked strings.Builder
}

// event writes one event: data, and what a client gets of it, "" for nothing.
func (s *drawnStream) event(d drawer, name, data, unasked string) {
	end := "\n" // of an event that is taken away, whose CR and LF may come apart
	if unasked != "" {
		end = d.of("line end", "\n", "\n", "\r\n")
	}
	lines := func(data string) string {
		e := "data:" + d.of("colon", " ", "") + data + end + end
		if name != "" {
			e = "event: " + name + end + e
		}
		return e
	}
	text := lines(data)
	s.all.WriteString(text)
	if unasked != "" {
		s.unasked.WriteString(strings.Replace(text, data, unasked, 1))
	}
}

func (s *drawnStream) both(text string) {
	s.all.WriteString(text)
	s.unasked.WriteString(text)
}

// without writes an object twice: whole, and without the member of the key, as
// an editor would leave it: with the comma before it, or behind it if it is first.
func (d drawer) without(key string, members []member) (whole, rest string) {
	var a, b strings.Builder
	open := "{" + d.space()
	a.WriteString(open)
	b.WriteString(open)
	gone := false // the first was left out, its comma with it
	for i, m := range members {
		after, before := d.space(), d.space()
		text := d.key(m) + d.space() + ":" + d.space() + m.value
		if i > 0 {
			a.WriteString("," + before)
			if m.key != key && !gone {
				b.WriteString(",")
			}
			if m.key != key {
				b.WriteString(before)
			}
			gone = false
		}
		a.WriteString(text + after)
		if m.key != key {
			b.WriteString(text + after)
		} else if i > 0 || len(members) == 1 {
			b.WriteString(after)
		} else {
			gone = true
		}
	}
	a.WriteString("}")
	b.WriteString("}")
	return a.String(), b.String()
}

// between writes what stands between events and concerns nobody.
func (d drawer) between(s *drawnStream) {
	switch rapid.IntRange(0, 5).Draw(d.T, "between") {
	case 0:
		s.both(": keep alive\n\n")
	case 1:
		v := d.any(2)
		s.event(d, "brand.new", v, v)
	case 2:
		s.event(d, "", "not JSON", "not JSON")
	}
}

func (d drawer) openAIStream() *drawnStream {
	s := &drawnStream{}
	for range rapid.IntRange(1, 5).Draw(d.T, "chunks") {
		d.between(s)
		members := append(d.some(), member{"choices", d.list(d.object(member{"index", "0"}, member{"delta", d.object(member{"content", d.anyText()})}))}, member{"usage", "null"})
		members = rapid.Permutation(members).Draw(d.T, "order")
		whole, rest := d.without("usage", members)
		for range rapid.IntRange(1, 3).Draw(d.T, "times") { // alike, as most are
			s.event(d, "", whole, rest)
		}
	}
	s.event(d, "", d.object(member{"choices", "[]"}, member{"usage", d.object(member{"prompt_tokens", "3"}, member{"completion_tokens", "4"})}), "")
	d.between(s)
	s.event(d, "", "[DONE]", "[DONE]")
	return s
}

// eventStream draws events that are missing, repeated, or in another order.
func (d drawer) eventStream(members ...[]member) *drawnStream {
	s := &drawnStream{}
	if rapid.Bool().Draw(d.T, "out of order") {
		members = rapid.Permutation(members).Draw(d.T, "events")
	}
	for _, m := range members {
		for range rapid.IntRange(0, 2).Draw(d.T, "times") {
			d.between(s)
			data := d.object(append(d.some(), m...)...)
			name := ""
			if m[0].key == "type" {
				name = strings.Trim(m[0].value, `"`)
			}
			s.event(d, name, data, data)
		}
	}
	return s
}

var streamsOf = map[Wire]func(d drawer) *drawnStream{
	OpenAI: drawer.openAIStream,
	OpenAIResponses: func(d drawer) *drawnStream {
		return d.eventStream([]member{{"type", `"response.created"`}, {"response", `{"id":"r","status":"in_progress","usage":null}`}},
			[]member{{"type", `"response.output_text.delta"`}, {"delta", d.anyText()}},
			[]member{{"type", `"response.completed"`}, {"response", `{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2}}`}})
	},
	Anthropic: func(d drawer) *drawnStream {
		return d.eventStream([]member{{"type", `"message_start"`}, {"message", `{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}`}},
			[]member{{"type", `"content_block_delta"`}, {"index", "0"}, {"delta", d.object(member{"type", `"text_delta"`}, member{"text", d.anyText()})}},
			[]member{{"type", `"message_delta"`}, {"delta", `{"stop_reason":"end_turn"}`}, {"usage", `{"output_tokens":9}`}}, []member{{"type", `"message_stop"`}})
	},
	Gemini: func(d drawer) *drawnStream {
		return d.eventStream([]member{{"candidates", d.list(d.object(member{"content", d.content()}))}},
			[]member{{"candidates", `[{"finishReason":"STOP"}]`}, {"usageMetadata", `{"promptTokenCount":3}`}})
	},
}

// TestStreamsAreByteFaithful: events missing, repeated, out of order and unknown, in any cuts
// down to single bytes: the client gets the upstream's bytes, but for the usage it
// did not ask for; and the meter reads the same.
func TestStreamsAreByteFaithful(t *testing.T) {
	for w, draw := range streamsOf {
		t.Run(fmt.Sprint(w, int(w)), func(t *testing.T) {
			meter := formats[w].NewMeter()
			rapid.Check(t, func(t *rapid.T) {
				s := draw(drawer{T: t, answer: true})
				for _, asked := range []bool{true, false} {
					want := s.all.String()
					if !asked {
						want = s.unasked.String()
					}
					call := dialect.Call{Stream: true, IncludeUsage: asked}
					var first *dialect.Report
					for _, size := range []int{1, 2, 3, 7, rapid.IntRange(1, 400).Draw(t, "size"), 1 << 20} {
						meter.Reset(&call)
						got := feed(t, meter, s.all.String(), size)
						if got != want {
							t.Fatalf("asked %v, in pieces of %d\n%q became\n%q, want\n%q", asked, size, s.all.String(), got, want)
						}
						report := *meter.Report()
						for m, n := range report.Usage {
							if n < 0 || n > 0 && report.State != dialect.UsageReported {
								t.Fatalf("meter %d of %+v", m, report)
							}
						}
						if first == nil {
							first = &report
						} else if !reflect.DeepEqual(*first, report) {
							t.Fatalf("in pieces of %d %+v, in bytes %+v", size, report, *first)
						}
					}
				}
			})
		})
	}
}

// feed gives a meter the stream in pieces and returns what goes to the client.
// Each piece's memory is written over after it.
func feed(t *rapid.T, m dialect.Meter, stream string, size int) string {
	var out strings.Builder
	for len(stream) > 0 {
		n := min(size, len(stream))
		piece := []byte(stream[:n])
		stream = stream[n:]
		got, err := m.Feed(piece)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(got)
		clear(piece)
	}
	out.Write(m.Finish())
	return out.String()
}
