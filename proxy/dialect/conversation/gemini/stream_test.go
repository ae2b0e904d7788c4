package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/gemini"

	"google.golang.org/genai"
)

func event(data string) string { return "data: " + data + "\r\n\r\n" }

func piece(parts, more string) string {
	return event(`{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"}` + more + `,"index":0}],"usageMetadata":{"promptTokenCount":8},"modelVersion":"gemini-3-pro","responseId":"r"}`)
}

const ends = `,"finishReason":"STOP"`

// heard are streams as Google sends them.
var heard = map[string]string{
	"text":           piece(`{"text":"Hel"}`, "") + piece(`{"text":"lo wörld 🙂"}`, ends),
	"end apart":      piece(`{"text":"Hel"}`, "") + piece(`{"text":""}`, ends),
	"usage apart":    piece(`{"text":"Hel"}`, ends) + event(`{"usageMetadata":{"promptTokenCount":8},"responseId":"r"}`),
	"thoughts":       piece(`{"text":"Hm.","thought":true}`, "") + piece(`{"text":" So.","thought":true},{"text":"Yes"}`, "") + piece(`{"text":"","thoughtSignature":"c2ln"}`, ends),
	"thought, call":  piece(`{"text":"Hm.","thought":true}`, "") + piece(`{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}`, ends),
	"parallel calls": piece(`{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"x","name":"g"}}`, "") + piece(`{"functionCall":{"name":"f","args":{"a":2}}}`, ends),
	"length":         piece(`{"text":"Hel"}`, `,"finishReason":"MAX_TOKENS"`),
	"refusal":        piece(`{"text":"Hel"}`, "") + event(`{"candidates":[{"finishReason":"SAFETY","index":0}],"responseId":"r"}`),
	"blocked":        event(`{"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"gemini-3-pro","responseId":"r"}`),
	"comments":       ": hello\n\n" + strings.ReplaceAll(piece(`{"text":"a"}`, ends), "\r\n", "\n"),
	"not closed":     strings.TrimSpace(piece(`{"text":"a"}`, ends)),
	"error":          piece(`{"text":"Hel"}`, "") + event(`{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}`),
}

// TestReader: what each stream says, however it is cut.
func TestReader(t *testing.T) {
	for name, stream := range heard {
		t.Run(name, func(t *testing.T) {
			r := Dialect{}.NewReader()
			events, err := conversationtest.Read(r, []byte(stream), 0)
			if err != nil {
				t.Fatal(err)
			}
			if wrong := conversationtest.Ordered(events); wrong != "" {
				t.Error(wrong)
			}
			if d := conversationtest.Split(r, []byte(stream)); d != "" {
				t.Error(d)
			}
			golden(t, "reader-"+strings.ReplaceAll(name, ",", ""), described(events))
		})
	}
	for name, stream := range map[string]string{
		"nothing": "", "cut off": piece(`{"text":"a"}`, ""), "no JSON": event("{"), "no answer": event(`{"usageMetadata":{}}`), "odd": event(`{"candidates":{}}`),
	} {
		if events, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0); err == nil || len(events) > 0 && events[len(events)-1].Kind == conversation.Finish {
			t.Errorf("%s: %v", name, events)
		}
	}
}

var kindNames = map[conversation.EventKind]string{
	conversation.Begin: "begin", conversation.PartBegin: "part", conversation.PartMore: "more", conversation.PartSeal: "seal",
	conversation.PartEnd: "end", conversation.Finish: "finish", conversation.Fail: "fail",
}

func described(events []conversation.Event) []byte {
	var b bytes.Buffer
	for _, e := range events {
		fmt.Fprintf(&b, "%s", kindNames[e.Kind])
		switch e.Kind {
		case conversation.Begin:
			fmt.Fprintf(&b, " %s of %s", e.ID, e.Model)
		case conversation.PartBegin:
			fmt.Fprintf(&b, " of kind %d", e.Part.Kind)
			if c := e.Part.Call; c.Name != "" {
				fmt.Fprintf(&b, ": %s, %s", c.ID, c.Name)
			}
		case conversation.Finish:
			fmt.Fprintf(&b, ", stop %d", e.Stop)
		case conversation.Fail:
			fmt.Fprintf(&b, " %+v", *e.Failed)
		case conversation.PartMore, conversation.PartSeal:
			fmt.Fprintf(&b, " %q", e.Text)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// TestReaderAndAnswerAgree: a stream amounts to the whole answer.
func TestReaderAndAnswerAgree(t *testing.T) {
	for name, stream := range heard {
		folded, err := wire.Fold(nil, []byte(stream))
		if err != nil {
			continue // an error, or a prompt refused: there is no whole answer
		}
		want, err := Dialect{}.ReadAnswer(folded)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		events, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0)
		if err != nil {
			t.Fatal(err)
		}
		var got conversation.Answer
		for i := range events {
			got.Add(&events[i])
		}
		if !reflect.DeepEqual(&got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

// inPieces are the events of an answer that comes in small pieces.
func inPieces(a *conversation.Answer) []conversation.Event {
	var out []conversation.Event
	for _, e := range a.Events() {
		if e.Kind != conversation.PartMore {
			out = append(out, e)
			continue
		}
		for _, s := range strings.SplitAfter(e.Text, "l") {
			e.Text = s
			out = append(out, e)
		}
	}
	return out
}

// TestWriter: what a client gets, as events and as an array.
func TestWriter(t *testing.T) {
	for name, a := range told {
		t.Run(name, func(t *testing.T) {
			w := Dialect{}.NewWriter()
			end := func(dst []byte) []byte { return w.End(dst, report()) }
			stream := conversationtest.Write(w, setting(false), inPieces(&a), end)
			array := conversationtest.Write(w, setting(true), inPieces(&a), end)
			golden(t, "writer-"+name, append(append(stream[:len(stream):len(stream)], "\narray\n"...), array...))

			var m wire.Meter
			m.Reset(&dialect.Call{})
			if _, err := m.Feed(stream); err != nil {
				t.Fatal(err)
			}
			m.Finish()
			if r := m.Report(); !r.Done || r.State != dialect.UsageReported || r.Usage.TotalOutput() != 12 {
				t.Errorf("metered as %+v", r)
			}
			var chunks []genai.GenerateContentResponse
			if err := json.Unmarshal(array, &chunks); err != nil {
				t.Fatal(err)
			}
			for i, c := range chunks {
				if last := i == len(chunks)-1; (c.UsageMetadata != nil) != last || (c.Candidates[0].FinishReason != "") != last || len(c.Candidates[0].Content.Parts) == 0 {
					t.Errorf("chunk %d: %+v", i, c)
				}
			}
		})
	}
}

// TestWriterFails: a stream that ends in an error, before its first part and after.
func TestWriterFails(t *testing.T) {
	a := told["text"]
	begun := a.Events()[:3]
	for name, x := range map[string]struct {
		failed *dialect.UpstreamError
		events []conversation.Event
	}{
		"before":     {&dialect.UpstreamError{Type: "overloaded_error", Message: "Overloaded"}, nil},
		"within":     {&dialect.UpstreamError{Type: "rate_limit_error", Message: "slow \"down\""}, begun},
		"for unsaid": {nil, begun},
	} {
		t.Run(name, func(t *testing.T) {
			w := Dialect{}.NewWriter()
			events := append(x.events[:len(x.events):len(x.events)], conversation.Event{Kind: conversation.Fail, Failed: x.failed})
			stream := conversationtest.Write(w, setting(false), events, nil)
			array := conversationtest.Write(w, setting(true), events, nil)
			golden(t, "writer-fails-"+name, append(append(stream[:len(stream):len(stream)], "\narray\n"...), array...))
			var chunks []json.RawMessage
			if err := json.Unmarshal(array, &chunks); err != nil {
				t.Fatal(err)
			}
			if e := (Dialect{}).ReadError(chunks[len(chunks)-1]); e.Message == "" || e.Type == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestWriterBoundsArguments: a call that never becomes whole is not kept for ever.
func TestWriterBoundsArguments(t *testing.T) {
	w := &writer{}
	w.Reset(setting(false))
	w.Append(nil, &conversation.Event{Kind: conversation.PartBegin, Part: use("a", "f", "")})
	w.Append(nil, &conversation.Event{Kind: conversation.PartMore, Text: `{"a":"`})
	for range 10 {
		w.Append(nil, &conversation.Event{Kind: conversation.PartMore, Text: strings.Repeat("x", 1<<20)})
	}
	w.Append(nil, &conversation.Event{Kind: conversation.PartMore, Text: `"}`})
	if n := len(w.open.Call.Arguments); n > maxArguments {
		t.Errorf("%d bytes kept", n)
	}
	out := w.Append(nil, &conversation.Event{Kind: conversation.PartEnd})
	w.Append(nil, &conversation.Event{Kind: conversation.Finish, Stop: conversation.StopTools})
	if out = w.End(out, report()); !strings.Contains(string(out), "MALFORMED_FUNCTION_CALL") || strings.Contains(string(out), "functionCall") {
		t.Errorf("%.200s", out)
	}
}
