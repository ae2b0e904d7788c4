package anthropic

import (
	"fmt"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"
)

func event(kind, members string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, members)
}

// aStream is a stream as Anthropic sends it: thinking, text with a citation, and
// the call of a tool.
var aStream = event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":30,"cache_read_input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1,"service_tier":"priority","inference_geo":"us"}}`) +
	event("content_block_start", `,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""}`) +
	event("ping", "") +
	event("content_block_delta", `,"index":0,"delta":{"type":"thinking_delta","thinking":"Häm \ud83d\ude00"}`) +
	event("content_block_delta", `,"index":0,"delta":{"type":"signature_delta","signature":"c2ln"}`) +
	event("content_block_stop", `,"index":0`) +
	event("content_block_start", `,"index":1,"content_block":{"type":"text","text":"","citations":[]}`) +
	event("content_block_delta", `,"index":1,"delta":{"type":"text_delta","text":"It is \""}`) +
	event("content_block_delta", `,"index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"x"}}`) +
	event("content_block_delta", `,"index":1,"delta":{"type":"text_delta","text":"so.\n"}`) +
	event("content_block_stop", `,"index":1`) +
	event("content_block_start", `,"index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"look_up","input":{}}`) +
	event("content_block_delta", `,"index":2,"delta":{"type":"input_json_delta","partial_json":""}`) +
	event("content_block_delta", `,"index":2,"delta":{"type":"input_json_delta","partial_json":"{\"wo"}`) +
	event("content_block_delta", `,"index":2,"delta":{"type":"input_json_delta","partial_json":"rd\": \"p\\u00fc\"}"}`) +
	event("content_block_stop", `,"index":2`) +
	event("message_delta", `,"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":null,"cache_creation_input_tokens":null,"output_tokens":77,"output_tokens_details":{"thinking_tokens":9}}`) +
	event("message_stop", "")

// pump feeds a stream in pieces of the given size. The memory of each piece is
// written over after its call, as by a reader.
func pump(t testing.TB, stream string, size int) (string, *dialect.Report) {
	t.Helper()
	var m Meter
	m.Reset(&dialect.Call{})
	var out strings.Builder
	for rest := stream; len(rest) > 0; {
		n := min(size, len(rest))
		piece := []byte(rest[:n])
		rest = rest[n:]
		got, err := m.Feed(piece)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(got)
		for i := range piece {
			piece[i] = 'X'
		}
	}
	out.Write(m.Finish())
	return out.String(), m.Report()
}

func TestMeterOverEveryCut(t *testing.T) {
	want := price.Usage{price.InputText: 25, price.CacheRead: 40, price.CacheWrite5m: 10, price.CacheWrite1h: 20, price.OutputText: 68, price.OutputReasoning: 9, price.Requests: 1}
	for _, stream := range []string{aStream, strings.ReplaceAll(aStream, "\n", "\r\n"), ": hi\n\n" + aStream, strings.TrimRight(aStream, "\n")} {
		for size := 1; size <= len(stream); size += 1 + size/40 {
			out, r := pump(t, stream, size)
			if out != stream {
				t.Fatalf("pieces of %d: the client got other bytes", size)
			}
			if r.State != dialect.UsageReported || r.Usage != want || r.ID != "msg_1" || r.Model != "claude-opus-4-8" || r.ServiceTier != "scale" || r.Region != "us" || r.Finish != "tool_use" || !r.Complete() {
				t.Fatalf("pieces of %d: %+v", size, r)
			}
		}
	}
}

// TestNothingIsUsageBeforeItsEnd: a stream cut anywhere before message_delta has
// no usage, though message_start names some output.
func TestNothingIsUsageBeforeItsEnd(t *testing.T) {
	end := strings.Index(aStream, "event: message_delta")
	for cut := 0; cut < end; cut += 7 {
		if _, r := pump(t, aStream[:cut], 64); r.State != dialect.UsageMissing || r.Done || r.Finished != 0 {
			t.Fatalf("cut at %d: %+v", cut, r)
		}
	}
	without := aStream[:end] + event("message_stop", "")
	if _, r := pump(t, without, 64); r.State != dialect.UsageMissing || !r.Done || r.Complete() {
		t.Errorf("without message_delta: %+v", r)
	}
	null := aStream[:end] + event("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":null`) + event("message_stop", "")
	if _, r := pump(t, null, 64); r.State == dialect.UsageReported {
		t.Errorf("usage null: %+v", r)
	}
}

func TestUsageOfAStreamIsCumulative(t *testing.T) {
	end := strings.Index(aStream, "event: message_delta")
	more := aStream[:end] +
		event("message_delta", `,"delta":{},"usage":{"output_tokens":5,"input_tokens":100}`) +
		event("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":8,"input_tokens":null,"cache_creation_input_tokens":35,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}`) +
		event("message_stop", "")
	want := price.Usage{price.InputText: 100, price.CacheRead: 40, price.CacheWrite5m: 10, price.CacheWrite1h: 20, price.CacheWriteOther: 5, price.OutputText: 8, price.WebSearch: 2, price.WebFetch: 1, price.Requests: 1}
	if _, r := pump(t, more, 50); r.Usage != want || !r.Complete() {
		t.Errorf("%+v", r)
	}
}

func TestStreamsThatFail(t *testing.T) {
	failed := aStream[:strings.Index(aStream, "event: content_block_stop")] + event("error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`)
	_, r := pump(t, failed, 33)
	if r.Failed == nil || r.Failed.Type != "overloaded_error" || r.Failed.Message != "Overloaded" || r.Done || r.State != dialect.UsageMissing {
		t.Errorf("%+v", r)
	}
	if _, r := pump(t, "event: error\ndata: no JSON\n\n", 5); r.Failed == nil || r.Failed.Message != "no JSON" {
		t.Errorf("%+v", r)
	}
	// What is not understood passes, and changes nothing.
	odd := strings.Replace(aStream, "event: ping", "event: brand_new\ndata: {\"type\":\"brand_new\"}\n\nevent: x\ndata: [1\n\nevent: ping", 1)
	if out, r := pump(t, odd, 21); out != odd || !r.Complete() {
		t.Errorf("%+v", r)
	}
}

func TestMeterIsReused(t *testing.T) {
	var m Meter
	for range 2 {
		m.Reset(&dialect.Call{})
		if r := m.Report(); r.State != dialect.UsageMissing || r.ID != "" {
			t.Fatalf("%+v", r)
		}
		if _, err := m.Feed([]byte(aStream)); err != nil {
			t.Fatal(err)
		}
		if r := m.Report(); r.Usage[price.OutputText] != 68 {
			t.Fatalf("%+v", r)
		}
	}
}

// TestADeltaHardlyAllocates: a stream is many deltas.
func TestADeltaHardlyAllocates(t *testing.T) {
	var m Meter
	m.Reset(&dialect.Call{})
	delta := []byte(event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":" word"}`))
	allocs := testing.AllocsPerRun(500, func() {
		if _, err := m.Feed(delta); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzMeter(f *testing.F) {
	f.Add([]byte(aStream), uint8(3))
	f.Add([]byte("data: {\"type\":\"message_delta\",\"usage\":{\"iterations\":[{}]}}\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		out, r := pump(t, string(stream), int(size)+1)
		if out != string(stream) {
			t.Fatal("the client got other bytes")
		}
		_, whole := pump(t, string(stream), len(stream)+1)
		if r.State != whole.State || r.Usage != whole.Usage || r.Done != whole.Done {
			t.Fatalf("cut: %+v\nwhole: %+v", r, whole)
		}
		checkUsage(t, r)
	})
}

func checkUsage(t *testing.T, r *dialect.Report) {
	for _, n := range r.Usage {
		if n < 0 || r.State != dialect.UsageReported && n != 0 {
			t.Fatalf("%+v", r)
		}
	}
}
