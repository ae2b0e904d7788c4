package converse

import (
	"bytes"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"

	lib "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// frame is one message of a stream, with headers in pairs.
func frame(t testing.TB, payload string, headers ...string) []byte {
	t.Helper()
	m := lib.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], lib.StringValue(headers[i+1]))
	}
	var b bytes.Buffer
	if err := lib.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// framed makes a stream of events: in each line a type and a payload.
func framed(t testing.TB, lines string) (stream []byte) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		kind, payload, _ := strings.Cut(line, " ")
		stream = append(stream, frame(t, payload, ":message-type", "event", ":event-type", kind, ":content-type", "application/json")...)
	}
	return stream
}

// aStream is a whole one, with text and the use of a tool.
const aStream = `messageStart {"role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"Let me look."}}
contentBlockStop {"contentBlockIndex":0}
contentBlockStart {"contentBlockIndex":1,"start":{"toolUse":{"name":"weather","toolUseId":"tooluse_1"}}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"city\":"}}}
contentBlockDelta {"contentBlockIndex":1,"delta":{"toolUse":{"input":" \"Zürich\"}"}}}
contentBlockStop {"contentBlockIndex":1}
messageStop {"stopReason":"tool_use"}
metadata {"serviceTier":{"type":"default"},"usage":{"cacheDetails":[{"inputTokens":3,"ttl":"1h"},{"inputTokens":4,"ttl":"5m"}],"cacheReadInputTokens":5,"cacheWriteInputTokens":7,"inputTokens":12,"outputTokens":30,"totalTokens":54}}`

// pump feeds a stream in pieces of so many bytes.
func pump(t testing.TB, stream []byte, size int) *dialect.Report {
	t.Helper()
	m := Format{}.NewMeter()
	m.Reset(&dialect.Call{})
	for from := 0; from < len(stream); from += size {
		piece := stream[from:min(from+size, len(stream))]
		out, err := m.Feed(piece)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, piece) {
			t.Fatal("other bytes go on")
		}
	}
	if out := m.Finish(); len(out) > 0 {
		t.Fatalf("%q at the end", out)
	}
	r := *m.Report()
	return &r
}

func TestMeter(t *testing.T) {
	stream := framed(t, aStream)
	for _, size := range []int{1, 2, 3, 7, 64, len(stream)} {
		r := pump(t, stream, size)
		var want price.Usage
		want[price.InputText], want[price.CacheRead], want[price.CacheWrite5m], want[price.CacheWrite1h] = 12, 5, 4, 3
		want[price.OutputText], want[price.Requests] = 30, 1
		if !r.Complete() || r.State != dialect.UsageReported || r.Usage != want || r.Finish != "tool_use" || r.ServiceTier != "default" {
			t.Errorf("in pieces of %d: %+v", size, r)
		}
		if written := int64(len("Let me look.") + len(`{"city": "Zürich"}`)); r.OutputBytes != written || r.Deltas != 3 {
			t.Errorf("in pieces of %d: %d bytes in %d pieces, want %d", size, r.OutputBytes, r.Deltas, written)
		}
	}
}

// TestAStreamThatIsNotWhole is not done: without its usage, its reason, or with an
// error.
func TestAStreamThatIsNotWhole(t *testing.T) {
	const start = "messageStart {\"role\":\"assistant\"}\n"
	const stop = "messageStop {\"stopReason\":\"end_turn\"}\n"
	const usage = "metadata {\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}\n"
	for name, lines := range map[string]string{"no usage": start + stop, "no reason": start + usage, "nothing": start, "no start": stop + usage} {
		if r := pump(t, framed(t, lines), 5); r.Done || r.Complete() {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := pump(t, framed(t, start+stop+usage), 5); !r.Complete() {
		t.Errorf("whole: %+v", r)
	}
	exception := frame(t, `{"message":"too many tokens"}`, ":message-type", "exception", ":exception-type", "throttlingException", ":content-type", "application/json")
	failure := frame(t, ``, ":message-type", "error", ":error-code", "InternalError", ":error-message", "it broke")
	for _, x := range []struct {
		stream []byte
		want   dialect.UpstreamError
	}{
		{append(framed(t, start), exception...), dialect.UpstreamError{Type: "throttlingException", Message: "too many tokens"}},
		{append(framed(t, start+stop+usage), exception...), dialect.UpstreamError{Type: "throttlingException", Message: "too many tokens"}},
		{append(framed(t, start), failure...), dialect.UpstreamError{Type: "InternalError", Message: "it broke"}},
	} {
		if r := pump(t, x.stream, 9); r.Done || r.Failed == nil || *r.Failed != x.want {
			t.Errorf("%+v", r)
		}
	}
}

// TestADamagedStreamEnds: what a broken frame says is not believed.
func TestADamagedStreamEnds(t *testing.T) {
	stream := framed(t, aStream)
	stream[len(stream)-5]++
	m := Format{}.NewMeter()
	m.Reset(&dialect.Call{})
	if _, err := m.Feed(stream); err == nil || m.Report().State != dialect.UsageMissing {
		t.Errorf("%v, %+v", err, m.Report())
	}
	m.Reset(&dialect.Call{}) // and the next stream is another one
	if _, err := m.Feed(framed(t, aStream)); err != nil || !m.Report().Complete() {
		t.Errorf("%v, %+v", err, m.Report())
	}
}

const answer = `{"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":"Hi"},{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},` +
	`{"toolUse":{"toolUseId":"t","name":"f","input":{"a":"b"}}}],"role":"assistant"}},"serviceTier":{"type":"priority"},"stopReason":"tool_use",` +
	`"usage":{"cacheReadInputTokens":3,"cacheWriteInputTokens":4,"inputTokens":1,"outputTokens":2,"totalTokens":10}}`

func TestReadAnswer(t *testing.T) {
	var r dialect.Report
	Format{}.ReadAnswer(&r, dialect.Chat, []byte(answer))
	var want price.Usage
	want[price.InputText], want[price.CacheRead], want[price.CacheWriteOther], want[price.OutputText], want[price.Requests] = 1, 3, 4, 2, 1
	if !r.Complete() || r.Usage != want || r.State != dialect.UsageReported || r.ServiceTier != "priority" || r.Finish != "tool_use" || r.OutputBytes != 5 {
		t.Errorf("%+v", r)
	}
	for _, body := range []string{``, `{`, `[]`, `{}`, `{"message":"denied"}`, `{"output":{"message":7},"usage":{"inputTokens":1,"outputTokens":2}}`, answer + "x"} {
		Format{}.ReadAnswer(&r, dialect.Chat, []byte(body))
		if r.Done || r.State != dialect.UsageMissing {
			t.Errorf("%q: %+v", body, r)
		}
	}
}

// TestUsage has each way in which the counts are consistent or are not.
func TestUsage(t *testing.T) {
	for usage, why := range map[string]string{
		`{"inputTokens":1,"outputTokens":2}`:                                                                                                      "",
		`{"inputTokens":1,"outputTokens":2,"totalTokens":3}`:                                                                                      "",
		`{"inputTokens":1,"outputTokens":2,"totalTokens":3,"cacheReadInputTokens":9}`:                                                             "", // models differ
		`{"inputTokens":1,"outputTokens":2,"totalTokens":12,"cacheReadInputTokens":9}`:                                                            "",
		`{"inputTokens":1,"outputTokens":2,"cacheDetails":null,"cacheReadInputTokens":null}`:                                                      "",
		`{"inputTokens":1,"outputTokens":2,"cacheWriteInputTokens":5,"cacheDetails":[{"ttl":"1h","inputTokens":2},{"ttl":"1d","inputTokens":2}]}`: "",
		`{"outputTokens":2}`: "no inputTokens",
		`{"inputTokens":2}`:  "no outputTokens",
		`[]`:                 "not an object",
		`{"inputTokens":1,"outputTokens":2,"totalTokens":2}`:                                                         "totalTokens is not the sum of its parts",
		`{"inputTokens":1,"outputTokens":2,"totalTokens":4}`:                                                         "totalTokens is not the sum of its parts",
		`{"inputTokens":1,"outputTokens":2,"cacheWriteInputTokens":1,"cacheDetails":[{"ttl":"5m","inputTokens":2}]}`: "the cacheDetails exceed cacheWriteInputTokens",
		`{"inputTokens":-1,"outputTokens":2}`:                                                                        "a count out of range",
		`{"inputTokens":1.5,"outputTokens":2}`:                                                                       "a count out of range",
		`{"inputTokens":1e99,"outputTokens":2}`:                                                                      "a count out of range",
		`{"inputTokens":"1","outputTokens":2}`:                                                                       "a count that is not a number",
		`{"inputTokens":1,"outputTokens":2,"inputTokens":3}`:                                                         "a count given twice",
		`{"inputTokens":1,"outputTokens":2,"cacheDetails":[7]}`:                                                      "a detail that is not an object",
	} {
		var r dialect.Report
		ReadAnswer(&r, []byte(`{"output":{"message":{"content":[]}},"stopReason":"end_turn","usage":`+usage+`}`))
		if why == "" && r.State != dialect.UsageReported || why != "" && (r.State != dialect.UsageUnusable || r.Why != why || r.Usage != price.Usage{}) {
			t.Errorf("%s: %+v", usage, r)
		}
		if why == "" && (r.Usage[price.InputText] != 1 || r.Usage[price.OutputText] != 2) {
			t.Errorf("%s: %+v", usage, r.Usage)
		}
	}
	var r dialect.Report
	ReadAnswer(&r, []byte(`{"output":{"message":{"content":[]}},"stopReason":"end_turn","usage":null}`))
	if r.State != dialect.UsageMissing {
		t.Errorf("%+v", r)
	}
}

func TestReadError(t *testing.T) {
	long := strings.Repeat("é", dialect.MaxErrorText)
	for body, want := range map[string]string{
		`{"message":"no"}`: "no", `{"Message":"no"}`: "no", `<html>`: "<html>", `{"other":1}`: `{"other":1}`,
		`{"message":"` + long + `"}`: long[:dialect.MaxErrorText],
	} {
		if got := ReadError([]byte(body)); got.Message != want {
			t.Errorf("%.40s: %.40q", body, got.Message)
		}
	}
}

func checkUsage(t *testing.T, r *dialect.Report) {
	t.Helper()
	for _, n := range r.Usage {
		if n < 0 || r.State != dialect.UsageReported && n != 0 {
			t.Fatalf("%+v", r)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(answer))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r dialect.Report
		ReadAnswer(&r, body)
		checkUsage(t, &r)
	})
}

// FuzzMeter gives the payloads of events; the frames are true.
func FuzzMeter(f *testing.F) {
	f.Add(aStream, uint8(3))
	f.Fuzz(func(t *testing.T, lines string, size uint8) {
		stream := framed(t, lines)
		cut, whole := pump(t, stream, int(size)+1), pump(t, stream, len(stream))
		if cut.State != whole.State || cut.Usage != whole.Usage || cut.Done != whole.Done || cut.OutputBytes != whole.OutputBytes {
			t.Fatalf("cut: %+v\nwhole: %+v", cut, whole)
		}
		checkUsage(t, cut)
	})
}
