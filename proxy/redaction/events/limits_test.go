package events

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
)

// feed passes a stream through in pieces of n bytes.
func feed(t *testing.T, set Setting, in string, n int) (string, error) {
	t.Helper()
	s := New(set)
	var out strings.Builder
	for in != "" {
		n := min(n, len(in))
		b, err := s.Feed([]byte(in[:n]))
		out.Write(b)
		if err != nil {
			return out.String(), err
		}
		in = in[n:]
	}
	b, err := s.Finish()
	out.Write(b)
	return out.String(), err
}

func searching(t *testing.T, spec redaction.Spec) *redaction.Plan {
	t.Helper()
	spec.ID, spec.Direction = "s", redaction.Output
	set, err := redaction.Compile([]redaction.Spec{spec}, redaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set.Plan(nil, redaction.Output)
}

func TestAStreamWithNothingInItPassesByteForByte(t *testing.T) {
	v, _ := values(t, "a@b.de")
	for d, in := range map[Dialect]string{
		Chat:      ": ping\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9 <b> \\/ \"}}]}\r\n\r\nid: 7\n\ndata: {\"choices\":\ndata: []}\n\ndata: [DONE]\n\ndata: cut off",
		Anthropic: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi <\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
		Responses: "event: x\ndata: {\"type\":\"response.new.thing\",\"delta\":\"<E\",\"sequence_number\":1}\n\n",
		Gemini:    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a < b\"}]}}]}\r\n\r\n",
	} {
		for _, set := range []Setting{{Dialect: d, Values: v}, {Dialect: d, Plan: searching(t, redaction.Spec{})}} {
			for _, n := range []int{1, 7, 1 << 20} {
				if got, err := feed(t, set, in, n); err != nil || got != in {
					t.Errorf("%d, %v\n got %q\nwant %q", d, err, got, in)
				}
			}
		}
	}
	array := "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a } < { \\\" b\"}]}}]}\n,\r\n{\"usageMetadata\":{}}]\n"
	if got, err := feed(t, Setting{Dialect: Gemini, Array: true, Values: v}, array, 3); err != nil || got != array {
		t.Errorf("%v %q", err, got)
	}
}

func TestValuesInTextThatIsJSONAreEscaped(t *testing.T) {
	v, names := values(t, "a \"b\"\n")
	w := wires["chat"]
	got, _, _ := w.pass(t, Setting{Values: v, JSONText: true}, w.events([]string{`{"x":"`, names[0][:3], names[0][3:], `"}`}, nil), func() int { return 50 })
	if gjson.Get(got, "x").String() != "a \"b\"\n" {
		t.Errorf("%s", got)
	}
}

// TestMaskedArgumentsStayJSON: what stands behind an escape is not taken for a part of
// the value, wherever the pieces are cut.
func TestMaskedArgumentsStayJSON(t *testing.T) {
	args := `{"a":"\na@b.de\u0041","b":"\\\"c@d.de","c":"\ud83d\ude00e@f.de"}`
	w := wires["anthropic"]
	for i := range len(args) {
		_, got, _ := w.pass(t, Setting{Plan: searching(t, redaction.Spec{Detectors: []string{"EMAIL"}})}, w.events(nil, []string{args[:i], args[i:]}), func() int { return 64 })
		if !gjson.Valid(got) || gjson.Get(got, "a").String() != "\n[EMAIL]" || gjson.Get(got, "b").String() != "\\\"[EMAIL]" || gjson.Get(got, "c").String() != "😀[EMAIL]" {
			t.Fatalf("cut at %d: %s", i, got)
		}
	}
}

func TestABlockedValueDoesNotBegin(t *testing.T) {
	for name, w := range wires {
		events := w.events([]string{"safe ", "4111 1111 ", "1111 1111", " more"}, []string{`{}`})
		got, err := feed(t, Setting{Dialect: w.dialect, Array: w.array, Plan: searching(t, redaction.Spec{Action: redaction.Block})}, w.write(events), 11)
		b, ok := errors.AsType[*body.Blocked](err)
		if !ok || b.Finding != "CREDIT_CARD" || strings.Contains(got, "4111") || !strings.Contains(got, "safe") {
			t.Errorf("%s: %v %s", name, err, got)
		}
	}
}

// TestWhatIsHeldIsBounded: a placeholder that never ends, beside another channel that
// goes on, is given up.
func TestWhatIsHeldIsBounded(t *testing.T) {
	v, _ := values(t, "a@b.de")
	s := New(Setting{Dialect: Chat, Values: v})
	event := func(choice int, text string) []byte {
		return fmt.Appendf(nil, "data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":%s}}]}\n\n", choice, quote(text))
	}
	in, out := 0, 0
	for i := range 3 * maxEvents {
		e := event(1, "x")
		if i == 0 {
			e = event(0, "<EMAIL_")
		}
		b, err := s.Feed(e)
		if err != nil {
			t.Fatal(err)
		}
		in, out = in+len(e), out+len(b)
		if len(s.queue) > maxEvents+1 {
			t.Fatalf("%d events wait", len(s.queue))
		}
	}
	b, err := s.Finish()
	if err != nil || in != out+len(b) {
		t.Errorf("%d bytes of %d went on, %v", out+len(b), in, err)
	}
	// The same of bytes that could all belong to one match.
	plan := searching(t, redaction.Spec{})
	s = New(Setting{Dialect: Chat, Plan: plan})
	for range 40 {
		if _, err := s.Feed(event(0, "-----BEGIN PRIVATE KEY-----"+strings.Repeat("A", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if s.held > 12*redaction.MaxHold {
		t.Errorf("%d bytes wait", s.held)
	}
}

// TestWhatIsNotJSONIsLookedAt: an event that cannot be read is no way past a plan.
func TestWhatIsNotJSONIsLookedAt(t *testing.T) {
	mask, block := searching(t, redaction.Spec{}), searching(t, redaction.Spec{Action: redaction.Block})
	for _, data := range []string{"error: ask bob@example.com", `{"choices":[{"delta":{"content":"ask bob@example.com"`, "\"ask bob@example.com\"}"} {
		in := "data: " + data + "\n\n"
		if got, err := feed(t, Setting{Dialect: Chat, Plan: mask}, in, 1<<20); err == nil || strings.Contains(got+err.Error(), "bob") {
			t.Errorf("%s: %q, %v", data, got, err)
		}
		got, err := feed(t, Setting{Dialect: Chat, Plan: block}, in, 1<<20)
		if b, ok := errors.AsType[*body.Blocked](err); !ok || b.Finding != "EMAIL" || strings.Contains(got, "bob") {
			t.Errorf("%s: %q, %v", data, got, err)
		}
		if got, err := feed(t, Setting{Dialect: Chat, Plan: searching(t, redaction.Spec{Action: redaction.Report})}, in, 1<<20); err != nil || got != in {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
	// JSON is read whatever stands before it.
	for _, data := range []string{` {"type":"response.completed","response":{"output":[{"content":[{"text":"ask bob@example.com"}]}]}}`, `["ask bob@example.com"]`} {
		got, err := feed(t, Setting{Dialect: Responses, Plan: mask}, "data: "+data+"\n\n", 1<<20)
		if err != nil || !strings.Contains(got, "ask [EMAIL]") {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
}
