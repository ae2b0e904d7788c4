package chat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
)

// TestReader has streams as providers send them, in testdata/*.sse, and the events
// they amount to beside them.
func TestReader(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sse")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
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
		golden(t, strings.TrimSuffix(filepath.Base(file), ".sse")+".events", []byte(conversationtest.Script(events)))
	}
}

func TestStreamsThatCannotBeTold(t *testing.T) {
	for name, stream := range map[string]string{
		"not JSON":         "data: {\n\n",
		"a closed call":    `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}},{"index":1,"id":"b","function":{"name":"g"}},{"index":0,"function":{"arguments":"{"}}]}}]}` + "\n\n",
		"content a number": `data: {"choices":[{"delta":{"content":7}}]}` + "\n\n",
	} {
		if events, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0); err == nil {
			t.Errorf("%s: %+v", name, events)
		}
	}
}

// TestCallsOfOneIndex: providers that give every call the same index, or none, and no
// id, but an id for each piece of a call.
func TestCallsOfOneIndex(t *testing.T) {
	for _, x := range []struct{ stream, want string }{
		{`{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`, `a f {"x":1}, b g {}`},
		{`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":0,"id":"another","function":{"arguments":":1}"}}`, `a f {"x":1}`},
		{`{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"name":"g","arguments":"{}"}}`, `call_up_0 f {}, call_up_1 g {}`},
	} {
		stream := ""
		for _, piece := range strings.SplitAfter(x.stream, "}},") {
			stream += `data: {"id":"up","choices":[{"index":0,"delta":{"tool_calls":[` + strings.TrimSuffix(piece, ",") + "]}}]}\n\n"
		}
		stream += `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n"
		events, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0)
		var a conversation.Answer
		for i := range events {
			a.Add(&events[i])
		}
		var got []string
		for _, p := range a.Parts {
			got = append(got, p.Call.ID+" "+p.Call.Name+" "+string(p.Call.Arguments))
		}
		if err != nil || strings.Join(got, ", ") != x.want || a.Stop != conversation.StopTools {
			t.Errorf("%q %v %d, want %q", got, err, a.Stop, x.want)
		}
	}
}

func TestWriter(t *testing.T) {
	for _, x := range []struct {
		file   string
		usage  bool
		events []conversation.Event
		ends   bool
	}{
		{"written.txt", false, conversationtest.Talk().Events(), true},
		{"written_usage.txt", true, conversationtest.Talk().Events(), true},
		{"written_failure.txt", false, conversationtest.Failure(), false},
	} {
		w := Dialect{}.NewWriter()
		set := &conversation.Setting{Call: &dialect.Call{Model: "asked", IncludeUsage: x.usage}, ID: "req", Unix: 1_700_000_000}
		var end func([]byte) []byte
		if x.ends {
			end = func(dst []byte) []byte { return w.End(dst, conversationtest.Usage()) }
		}
		got := conversationtest.Write(w, set, x.events, end)
		golden(t, x.file, got)
		back, err := conversationtest.Read(Dialect{}.NewReader(), got, 0)
		if err != nil {
			t.Fatal(x.file, err)
		}
		if x.ends && conversationtest.Script(back) != conversationtest.Script(x.events) {
			t.Errorf("%s read again:\n%s", x.file, conversationtest.Script(back))
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, e := Dialect{}.ReadRequest(body, dialect.Target{})
		if (q == nil) == (e == nil) {
			t.Fatal(q, e)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}` + "\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		events, err := conversationtest.Read(Dialect{}.NewReader(), stream, 0)
		if wrong := conversationtest.Ordered(events); err == nil && wrong != "" {
			t.Fatal(wrong)
		}
		_, _ = Dialect{}.ReadAnswer(stream) // any bytes give an answer or an error
	})
}
