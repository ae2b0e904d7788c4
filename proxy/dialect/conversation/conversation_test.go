package conversation_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/price"
)

func TestMediaOf(t *testing.T) {
	for url, want := range map[string]conversation.Media{
		"https://example.com/a.png":               {URL: "https://example.com/a.png"},
		"data:image/png;base64,AAAA":              {Type: "image/png", Data: "AAAA"},
		"data:text/plain;charset=utf-8;base64,AA": {Type: "text/plain", Data: "AA"},
	} {
		m, ok := conversation.MediaOf(url)
		if !ok || m != want {
			t.Errorf("%s: %+v %v", url, m, ok)
		}
		if back, _ := conversation.MediaOf(m.DataURL()); back != m {
			t.Errorf("%s comes back as %+v", url, back)
		}
	}
	for _, url := range []string{"", "data:", "data:image/png,AAAA", "data:;base64,AAAA", "data:image/png;base64,"} {
		if m, ok := conversation.MediaOf(url); ok {
			t.Errorf("%q: %+v", url, m)
		}
	}
}

func TestSeals(t *testing.T) {
	for _, x := range []struct{ field, own, seal string }{
		{"", "gemini", ""},
		{"abc", "gemini", "gemini:abc"},
		{"anthropic:abc", "gemini", "anthropic:abc"},
	} {
		seal := conversation.SealIn(x.field, x.own)
		if seal != x.seal || conversation.SealFor(seal, x.own) != x.field {
			t.Errorf("%+v: %q, %q", x, seal, conversation.SealFor(seal, x.own))
		}
	}
}

func TestArguments(t *testing.T) {
	for text, want := range map[string]string{"": "{}", " ": "{}", `{"a":1}`: `{"a":1}`, ` { } `: "{ }"} {
		if got, ok := conversation.Arguments(text); !ok || string(got) != want {
			t.Errorf("%q: %s %v", text, got, ok)
		}
	}
	for _, text := range []string{"[]", "null", "7", "{", `{"a":1,"a":2}`} {
		if got, ok := conversation.Arguments(text); ok {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestResultsAreNamed(t *testing.T) {
	use := conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c", Name: "f"}}
	result := conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: "c"}, At: "there"}
	q := &conversation.Request{Turns: []conversation.Turn{{Parts: []conversation.Part{use}}, {Parts: []conversation.Part{result}}}}
	if e := q.NameResults(); e != nil || q.Turns[1].Parts[0].Result.Name != "f" {
		t.Errorf("%v %+v", e, q)
	}
	q.Turns = q.Turns[1:]
	q.Turns[0].Parts[0].Result.ID = "other"
	if e := q.NameResults(); e == nil || e.Param != "there" {
		t.Error(e)
	}
}

func TestTurnsAreJoined(t *testing.T) {
	text := func(s string) []conversation.Part { return []conversation.Part{{Kind: conversation.Text, Text: s}} }
	turns := []conversation.Turn{
		{Role: conversation.User, Parts: text("a")}, {Role: conversation.User, Parts: text("b")}, {Role: conversation.User, Name: "ann", Parts: text("c")},
		{Role: conversation.Assistant, Parts: text("d")}, {Role: conversation.User, Parts: text("e")},
	}
	var got []string
	for _, turn := range conversation.Joined(turns) {
		got = append(got, fmt.Sprintf("%d%s %d", turn.Role, turn.Name, len(turn.Parts)))
	}
	if want := []string{"1 2", "1ann 1", "2 1", "1 1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if len(turns[0].Parts) != 1 {
		t.Error("a turn was changed")
	}
}

// TestArranged: results first, joined, without names and without what is not kept.
func TestArranged(t *testing.T) {
	text := func(s string) conversation.Part { return conversation.Part{Kind: conversation.Text, Text: s} }
	result := conversation.Part{Kind: conversation.ToolResult, Result: conversation.Result{ID: "c"}}
	said := func(p *conversation.Part) bool { return p.Kind != conversation.Text || p.Text != "" }
	q := &conversation.Request{Turns: []conversation.Turn{
		{Role: conversation.User, Parts: []conversation.Part{text("a")}},
		{Role: conversation.Assistant, Parts: []conversation.Part{text("")}},
		{Role: conversation.User, Name: "ann", At: "messages[2]", Parts: []conversation.Part{text("b"), text(""), result}},
		{Role: conversation.Assistant, Name: "bot", At: "messages[3]", Parts: []conversation.Part{text("c")}},
	}}
	turns, e := q.Arranged(said)
	want := []conversation.Turn{
		{Role: conversation.User, Parts: []conversation.Part{result, text("a"), text("b")}},
		{Role: conversation.Assistant, At: "messages[3]", Parts: []conversation.Part{text("c")}},
	}
	if e != nil || !reflect.DeepEqual(turns, want) || !reflect.DeepEqual(q.Left, []string{"messages[2].name", "messages[3].name"}) {
		t.Errorf("%+v, left out %v, %v", turns, q.Left, e)
	}
	q.Turns[0].Name, q.Turns[0].At = "bob", "messages[0]"
	if _, e := q.Arranged(said); e == nil || e.Param != "messages[2].name" {
		t.Errorf("two of one role with names: %v", e)
	}
	q.Turns = q.Turns[1:2]
	if _, e := q.Arranged(said); e == nil || e.Code != dialect.CodeInvalidValue {
		t.Errorf("nothing said: %v", e)
	}
}

func TestPlainIDs(t *testing.T) {
	for id, want := range map[string]string{"call_1-A": "call_1-A", "functions.f:0": "functions_f_0", "é": "_", "": ""} {
		if got := conversation.PlainID(id); got != want {
			t.Errorf("%q: %q", id, got)
		}
	}
}

// TestEventsOfAnAnswerAmountToIt tells an answer in events and puts it together.
func TestEventsOfAnAnswerAmountToIt(t *testing.T) {
	want := &conversation.Answer{ID: "i", Model: "m", Stop: conversation.StopSequence, Sequence: "x", Parts: []conversation.Part{
		{Kind: conversation.Thought, Text: "t", Seal: "gemini:s"}, {Kind: conversation.Text, Text: "a"}, {Kind: conversation.Refusal},
		{Kind: conversation.ToolUse, Call: conversation.Call{ID: "c", Name: "f", Arguments: []byte(`{}`)}},
	}}
	got := &conversation.Answer{}
	for _, e := range want.Events() {
		got.Add(&e)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// fakeMeter, fakeReader and fakeWriter are of a dialect in which each byte of a
// stream is an event: b begins, f finishes, ! fails, u is the usage, anything else
// is text.
type fakeMeter struct {
	dialect.Meter
	report dialect.Report
	fail   error
}

func (m *fakeMeter) Reset(*dialect.Call)     { m.report = dialect.Report{} }
func (m *fakeMeter) Report() *dialect.Report { return &m.report }
func (m *fakeMeter) Finish() []byte          { return []byte("the meter's own") }
func (m *fakeMeter) Feed(chunk []byte) ([]byte, error) {
	m.report.Done = m.report.Done || strings.Contains(string(chunk), "u")
	return chunk, m.fail
}

type fakeReader struct{}

func (fakeReader) Reset()                                 {}
func (fakeReader) Finish(func(*conversation.Event)) error { return nil }
func (fakeReader) Feed(chunk []byte, emit func(*conversation.Event)) error {
	for _, b := range string(chunk) {
		switch b {
		case 'b':
			emit(&conversation.Event{Kind: conversation.Begin})
		case 'f':
			emit(&conversation.Event{Kind: conversation.Finish})
		case '!':
			emit(&conversation.Event{Kind: conversation.Fail})
		case '?':
			return errors.New("unreadable")
		case 'u':
		default:
			emit(&conversation.Event{Kind: conversation.PartMore, Text: string(b)})
		}
	}
	return nil
}

type fakeWriter struct{ id string }

func (w *fakeWriter) Reset(s *conversation.Setting) { w.id = s.ID }
func (w *fakeWriter) Append(dst []byte, e *conversation.Event) []byte {
	return fmt.Appendf(dst, "%d%s ", e.Kind, e.Text)
}
func (w *fakeWriter) End(dst []byte, _ *dialect.Report) []byte { return append(dst, "end "+w.id...) }

func TestStreamEndsOnceItsUsageIsKnown(t *testing.T) {
	for chunks, want := range map[string]string{
		"bx|yf|u":  "1 3x |3y 6 |end q|",
		"bxf|u|":   "1 3x 6 |end q||",
		"bxfu|":    "1 3x 6 end q||",
		"bxfu|yf":  "1 3x 6 end q||",     // nothing follows the end
		"bx|!|yfu": "1 3x |7 ||",         // nor a failure
		"bx|f":     "1 3x |6 |end q",     // the upstream marks no end of its own
		"bx|":      "1 3x ||",            // cut off: no clean end
		"bx|?|f":   "1 3x |<unreadable>", // cannot be read
	} {
		s := conversation.NewStream(&fakeMeter{}, fakeReader{}, &fakeWriter{})
		s.For(conversation.Setting{ID: "q"})
		for range 2 { // it may be used again
			s.Reset(&dialect.Call{})
			var got strings.Builder
			broken := false
			for chunk := range strings.SplitSeq(chunks, "|") {
				out, err := s.Feed([]byte(chunk))
				if err != nil {
					got.WriteString("<" + err.Error() + ">")
					broken = true
					break
				}
				got.Write(append(out, '|'))
			}
			text := got.String()
			if !broken {
				text += string(s.Finish())
			}
			if strings.TrimRight(text, "|") != strings.TrimRight(want, "|") {
				t.Errorf("%s: %q, want %q", chunks, text, want)
			}
		}
	}
	failing := conversation.NewStream(&fakeMeter{fail: errors.New("too large")}, fakeReader{}, &fakeWriter{})
	failing.Reset(&dialect.Call{})
	if out, err := failing.Feed([]byte("b")); err == nil || out != nil {
		t.Errorf("%q %v", out, err)
	}
}

// TestLongConversations: a call with very many turns, names and hints takes no more
// than its size.
func TestLongConversations(t *testing.T) {
	const n = 100_000
	q := &conversation.Request{Turns: make([]conversation.Turn, n)}
	for i := range q.Turns {
		at := fmt.Sprint("messages.", i)
		q.Turns[i] = conversation.Turn{Role: conversation.User, Name: "ann", At: at, Parts: []conversation.Part{{Kind: conversation.Text, Text: "x"}}}
		q.Leave(at)
	}
	began := time.Now()
	turns, e := q.Arranged(func(*conversation.Part) bool { return true })
	if e != nil || len(turns) != 1 || len(turns[0].Parts) != n || len(q.Left) > 100 {
		t.Errorf("%d turns, %d left out, %v", len(turns), len(q.Left), e)
	}
	if text, ok := conversation.PlainText(turns[0].Parts); !ok || len(text) != 2*n-1 {
		t.Errorf("a text of %d bytes, %v", len(text), ok)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestShortIDs(t *testing.T) {
	long := strings.Repeat("x", 65)
	short := conversation.ShortID(long, 64)
	if conversation.ShortID("a.b", 64) != "a.b" || len(short) > 40 || short != conversation.PlainID(short) || short == conversation.ShortID(long+"y", 64) {
		t.Error(short)
	}
}

// TestTokensOfAnAnswerWithoutUsage are what was seen of it, not none.
func TestTokensOfAnAnswerWithoutUsage(t *testing.T) {
	r := &dialect.Report{State: dialect.UsageUnusable, OutputBytes: 30, Deltas: 4}
	r.Usage[price.InputText] = 99 // contradicts itself, and is not repeated
	if got := conversation.TokensIn(r); got != (conversation.Tokens{Output: 10}) {
		t.Errorf("%+v", got)
	}
	r.State = dialect.UsageReported
	if got := conversation.TokensIn(r); got.Input != 99 || got.Output != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFailuresHaveAStatus(t *testing.T) {
	for _, x := range []struct {
		kind, code string
		want       int
	}{
		{"overloaded_error", "", 503}, {"server_error", "503 service unavailable", 503}, {"", "UNAVAILABLE", 503}, {"serviceUnavailableException", "", 503},
		{"requests", "rate_limit_exceeded", 429}, {"", "RESOURCE_EXHAUSTED", 429}, {"throttlingException", "", 429},
		{"validationException", "", 400}, {"timeout_error", "", 504}, {"api_error", "", 500}, {"", "", 500},
	} {
		if got := conversation.StatusOf(&dialect.UpstreamError{Type: x.kind, Code: x.code}); got != x.want {
			t.Errorf("%s %s: %d", x.kind, x.code, got)
		}
	}
}
