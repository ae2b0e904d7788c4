package converse

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	wire "purser/proxy/dialect/converse"

	lib "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

var update = flag.Bool("update", false, "write the golden files anew")

// framed makes the stream that lines tell: in each the type of an event, behind a !
// that of an exception, and its payload.
func framed(t testing.TB, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		kind, payload, _ := strings.Cut(line, " ")
		m := lib.Message{Payload: []byte(payload)}
		if exception, ok := strings.CutPrefix(kind, "!"); ok {
			m.Headers.Set(":message-type", lib.StringValue("exception"))
			m.Headers.Set(":exception-type", lib.StringValue(exception))
		} else {
			m.Headers.Set(":message-type", lib.StringValue("event"))
			m.Headers.Set(":event-type", lib.StringValue(kind))
		}
		m.Headers.Set(":content-type", lib.StringValue("application/json"))
		if err := lib.NewEncoder().Encode(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestReader has streams in testdata/*.frames, and the events they amount to beside
// them.
func TestReader(t *testing.T) {
	files, err := filepath.Glob("testdata/*.frames")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		lines, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stream := framed(t, string(lines))
		r := Dialect{}.NewReader()
		events, err := conversationtest.Read(r, stream, 0)
		if err != nil {
			t.Fatal(file, err)
		}
		if wrong := conversationtest.Ordered(events); wrong != "" {
			t.Errorf("%s: %s", file, wrong)
		}
		if d := conversationtest.Split(r, stream); d != "" {
			t.Errorf("%s %s", file, d)
		}
		path, got := strings.TrimSuffix(file, ".frames")+".events", conversationtest.Script(events)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || string(want) != got {
			t.Errorf("%s differs, %v:\n%s", path, err, got)
		}
	}
}

// TestStreamsThatCannotBeTold: an event is missing, or there twice.
func TestStreamsThatCannotBeTold(t *testing.T) {
	const start = "messageStart {\"role\":\"assistant\"}\n"
	const delta = "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"x\"}}\n"
	const tool = "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":\"c\",\"name\":\"f\"}}}\n"
	for name, lines := range map[string]string{
		"not JSON":             "messageStart {",
		"two starts":           start + start,
		"no start":             delta,
		"another block":        start + delta + strings.Replace(delta, "0", "1", 1),
		"another block's end":  start + delta + "contentBlockStop {\"contentBlockIndex\":1}",
		"a block in a block":   start + tool + tool,
		"never closed":         start + delta + "messageStop {\"stopReason\":\"end_turn\"}",
		"a tool without name":  start + `contentBlockDelta {"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}`,
		"text in a tool's":     start + tool + delta,
		"a signature of text":  start + delta + `contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}`,
		"redacted, not base64": start + `contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"*"}}}`,
		"text no string":       start + `contentBlockDelta {"contentBlockIndex":0,"delta":{"text":7}}`,
	} {
		if got, err := conversationtest.Read(Dialect{}.NewReader(), framed(t, lines), 0); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	damaged := framed(t, start)
	damaged[len(damaged)-1]++
	if got, err := conversationtest.Read(Dialect{}.NewReader(), damaged, 0); err == nil {
		t.Errorf("damaged: %+v", got)
	}
}

const answer = `{"metrics":{"latencyMs":7},"output":{"message":{"role":"assistant","content":[
	{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
	{"reasoningContent":{"redactedContent":"ZGF0YQ=="}},
	{"text":"Looking."},
	{"citationsContent":{"content":[{"text":"It is "},{"text":"so."}],"citations":[{"title":"t"}]}},
	{"toolUse":{"toolUseId":"c1","name":"f","input":{"a":1}}},
	{"toolUse":{"toolUseId":"c2","name":"g"}},
	{"image":{"format":"png","source":{"bytes":"AAAA"}}}]}},
	"stopReason":"tool_use","usage":{"inputTokens":8,"outputTokens":5,"totalTokens":13}}`

func TestReadAnswer(t *testing.T) {
	a, err := Dialect{}.ReadAnswer([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	want := []conversation.Part{
		thought("hm", "converse:c2ln"), thought("", "converse:redacted:ZGF0YQ=="), text("Looking."), text("It is so."), use("c1", "f", `{"a":1}`), use("c2", "g", `{}`),
	}
	if !reflect.DeepEqual(a.Parts, want) || a.Stop != conversation.StopTools || !slices.Equal(a.Left, []string{"output.message.content.3.citationsContent.citations", "output.message.content.6"}) {
		t.Errorf("%+v", a)
	}
}

func TestStops(t *testing.T) {
	for reason, want := range map[string]conversation.Stop{
		"end_turn": conversation.StopEnd, "tool_use": conversation.StopTools, "max_tokens": conversation.StopLength, "stop_sequence": conversation.StopSequence,
		"model_context_window_exceeded": conversation.StopLength, "guardrail_intervened": conversation.StopFiltered, "content_filtered": conversation.StopFiltered,
		"malformed_tool_use": conversation.StopUnknown, "malformed_model_output": conversation.StopUnknown,
	} {
		a, err := Dialect{}.ReadAnswer([]byte(`{"output":{"message":{"content":[]}},"stopReason":"` + reason + `"}`))
		if err != nil || a.Stop != want {
			t.Errorf("%s: %+v, %v", reason, a, err)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{``, `[]`, `{}`, `{"message":"Too many tokens"}`, `{"output":{"message":7}}`, `{"output":{"message":{}}} x`} {
		if a, err := (Dialect{}).ReadAnswer([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, a)
		}
	}
	for body, want := range map[string]string{`{"message":"Too many tokens"}`: "Too many tokens", `{"Message":"denied"}`: "denied", `nonsense`: "nonsense"} {
		if got := (Dialect{}).ReadError([]byte(body)); got != (dialect.UpstreamError{Message: want}) {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// TestStreamEndsWithItsUsage: the client is told the end when the metadata is there,
// which follow what says why the answer stopped.
func TestStreamEndsWithItsUsage(t *testing.T) {
	lines, err := os.ReadFile("testdata/tools.frames")
	if err != nil {
		t.Fatal(err)
	}
	stream := framed(t, string(lines))
	w := &ends{}
	s := conversation.NewStream(wire.Format{}.NewMeter(), Dialect{}.NewReader(), w)
	s.Reset(&dialect.Call{})
	for i := range stream {
		if _, err := s.Feed(stream[i : i+1]); err != nil {
			t.Fatal(err)
		}
		if w.ended && i+1 != len(stream) {
			t.Fatal("ended before the usage")
		}
	}
	if !w.ended || w.output != 30 {
		t.Errorf("%+v", w)
	}
}

// ends is a writer that notes the end.
type ends struct {
	ended  bool
	output int64
}

func (*ends) Reset(*conversation.Setting)                     {}
func (*ends) Append(dst []byte, _ *conversation.Event) []byte { return dst }
func (w *ends) End(dst []byte, r *dialect.Report) []byte {
	w.ended, w.output = true, r.Usage.TotalOutput()
	return dst
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(answer))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := Dialect{}.ReadAnswer(body)
		if (a == nil) == (err == nil) {
			t.Fatal(a, err)
		}
	})
}

// FuzzReader gives the payloads of events; the frames are true.
func FuzzReader(f *testing.F) {
	for _, file := range []string{"tools", "thinking", "failed"} {
		lines, err := os.ReadFile("testdata/" + file + ".frames")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(lines), uint8(3))
	}
	f.Fuzz(func(t *testing.T, lines string, size uint8) {
		stream := framed(t, lines)
		whole, err := conversationtest.Read(Dialect{}.NewReader(), stream, 0)
		if wrong := conversationtest.Ordered(whole); wrong != "" {
			t.Fatal(wrong)
		}
		cut, cutErr := conversationtest.Read(Dialect{}.NewReader(), stream, int(size)+1)
		if (err == nil) != (cutErr == nil) || conversationtest.Script(whole) != conversationtest.Script(cut) {
			t.Fatalf("whole %v\n%s\ncut %v\n%s", err, conversationtest.Script(whole), cutErr, conversationtest.Script(cut))
		}
	})
}
