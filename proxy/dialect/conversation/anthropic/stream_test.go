package anthropic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"
	"purser/proxy/price"
)

// TestReader has streams as the provider sends them, in testdata/*.sse, and the
// events they amount to beside them.
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

// TestStreamsThatCannotBeTold: an event is missing, or there twice.
func TestStreamsThatCannotBeTold(t *testing.T) {
	const start = `{"type":"message_start","message":{"id":"i"}}`
	const block = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	for name, events := range map[string][]string{
		"not JSON":       {`{`},
		"not an object":  {`[]`},
		"two starts":     {start, start},
		"no start":       {block},
		"two blocks":     {start, block, block},
		"no block":       {start, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`},
		"another block":  {start, block, `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}}`},
		"closed twice":   {start, block, `{"type":"content_block_stop","index":0}`, `{"type":"content_block_stop","index":0}`},
		"never closed":   {start, block, `{"type":"message_stop"}`},
		"text no string": {start, block, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}`},
	} {
		stream := "data: " + strings.Join(events, "\n\ndata: ") + "\n\n"
		if got, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestTheEnd: nothing is read after it, and without it a stream is not finished.
func TestTheEnd(t *testing.T) {
	const begins = "data: {\"type\":\"message_start\",\"message\":{}}\n\n"
	for stream, want := range map[string]int{
		begins + "data: {\"type\":\"message_stop\"}\n\ndata: [DONE]\n\n": 2,
		begins + "data: {\"type\":\"message_stop\"}":                     2,
		begins: 1,
		"":     0,
	} {
		events, err := conversationtest.Read(Dialect{}.NewReader(), []byte(stream), 0)
		if err != nil || len(events) != want || want == 2 && events[1].Kind != conversation.Finish {
			t.Errorf("%q: %+v, %v", stream, events, err)
		}
	}
}

func TestWriter(t *testing.T) {
	part := func(kind conversation.PartKind, more string) []conversation.Event {
		return []conversation.Event{{Kind: conversation.PartBegin, Part: conversation.Part{Kind: kind}}, {Kind: conversation.PartMore, Text: more}}
	}
	failure := append([]conversation.Event{{Kind: conversation.Begin}}, part(conversation.Text, "half")...)
	failure = append(failure, conversation.Event{Kind: conversation.Fail, Failed: &dialect.UpstreamError{Message: "overloaded"}})
	answer := func(stop conversation.Stop, sequence string, parts ...conversation.Part) []conversation.Event {
		return (&conversation.Answer{ID: "id-1", Model: "served", Stop: stop, Sequence: sequence, Parts: parts}).Events()
	}
	for file, events := range map[string][]conversation.Event{
		"written.txt":          talk().Events(),
		"written-text.txt":     answer(conversation.StopEnd, "", text("Hi.")),
		"written-length.txt":   answer(conversation.StopLength, "", text("cut")),
		"written-sequence.txt": answer(conversation.StopSequence, "END", text("up to ")),
		"written-refusal.txt":  answer(conversation.StopFiltered, "", conversation.Part{Kind: conversation.Refusal, Text: "I may not."}),
		"written-empty.txt":    answer(conversation.StopEnd, ""),
		"written-failure.txt":  failure,
	} {
		w := Dialect{}.NewWriter()
		ends := events[len(events)-1].Kind == conversation.Finish
		var end func([]byte) []byte
		if ends {
			end = func(dst []byte) []byte { return w.End(dst, report()) }
		}
		got := conversationtest.Write(w, set(), events, end)
		golden(t, file, got)
		back, err := conversationtest.Read(Dialect{}.NewReader(), got, 0)
		if err != nil {
			t.Fatal(file, err)
		}
		want := strings.ReplaceAll(conversationtest.Script(events), "refusal\n", "text\n") // a refusal is told by the reason
		if ends && conversationtest.Script(back) != want {
			t.Errorf("%s read again:\n%s", file, conversationtest.Script(back))
		}
		if ends {
			metered(t, file, got)
		}
	}
}

// metered: the gateway's own meter finds in a stream the usage that it was told.
func metered(t *testing.T, file string, stream []byte) {
	m := wire.Format{}.NewMeter()
	m.Reset(&dialect.Call{})
	if _, err := m.Feed(stream); err != nil {
		t.Fatal(file, err)
	}
	r, want := m.Report(), report().Usage
	want[price.Requests] = 1
	if !r.Complete() || r.State != dialect.UsageReported || r.Usage != want {
		t.Errorf("%s: %+v", file, r)
	}
}

// TestAFailureBeforeTheBeginning is one event.
func TestAFailureBeforeTheBeginning(t *testing.T) {
	w := Dialect{}.NewWriter()
	got := conversationtest.Write(w, set(), []conversation.Event{{Kind: conversation.Fail, Failed: &dialect.UpstreamError{Message: "no"}}}, nil)
	want := "event: error\ndata: " + `{"type":"error","error":{"type":"api_error","message":"no","details":{"error_code":"upstream_unavailable"}}}` + "\n\n"
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

func FuzzReader(f *testing.F) {
	for _, file := range []string{"tools", "thinking", "failed"} {
		stream, err := os.ReadFile("testdata/" + file + ".sse")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stream, uint8(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
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
