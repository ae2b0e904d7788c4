package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// pump feeds a stream in pieces of the given size and gives what the client
// gets. The memory of each piece is written over after its call, as by a reader.
func pump(t testing.TB, usage bool, stream string, size int) (string, *dialect.Report) {
	t.Helper()
	var m Meter
	m.Reset(&dialect.Call{IncludeUsage: usage})
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

const chunkHead = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"gpt-4o-2024-11-20","service_tier":"default","choices":`

// aStream is a stream as OpenAI sends it with include_usage, and what a client
// that did not ask for usage should see of it.
var aStream = "data: " + chunkHead + `[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"ab"}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"content":"Häl"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n" +
	": keep-alive\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"content":"lo \ud83d\ude00"},"finish_reason":null}], "usage" : null }` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n" +
	"data: " + chunkHead + `[],"usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}` + "\n\n" +
	"data: [DONE]\n\n"

var aStreamStripped = "data: " + chunkHead + `[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"obfuscation":"ab"}` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"content":"Häl"},"logprobs":null,"finish_reason":null}]}` + "\n\n" +
	": keep-alive\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{"content":"lo \ud83d\ude00"},"finish_reason":null}] }` + "\n\n" +
	"data: " + chunkHead + `[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}` + "\n\n" +
	"data: [DONE]\n\n"

func TestStreamMeter(t *testing.T) {
	for size := 1; size <= len(aStream); size++ {
		for _, usage := range []bool{false, true} {
			want := aStream
			if !usage {
				want = aStreamStripped
			}
			got, r := pump(t, usage, aStream, size)
			if got != want {
				t.Fatalf("in pieces of %d, usage %v:\n got %s\nwant %s", size, usage, got, want)
			}
			checkReport(t, r)
		}
	}
}

func checkReport(t *testing.T, r *dialect.Report) {
	t.Helper()
	want := price.Usage{price.InputText: 9, price.CacheRead: 2, price.OutputText: 3, price.OutputReasoning: 1, price.Requests: 1}
	if r.State != dialect.UsageReported || r.Usage != want {
		t.Fatalf("usage %v %v %s", r.State, r.Usage, r.Why)
	}
	if r.ID != "chatcmpl-1" || r.Model != "gpt-4o-2024-11-20" || r.ServiceTier != "default" || r.Finish != "stop" ||
		r.Choices != 1 || r.Finished != 1 || !r.Complete() || r.Failed != nil {
		t.Fatalf("%+v", r)
	}
	if r.OutputBytes != int64(len("Hällo 😀")) || r.Deltas != 2 || r.EstimatedOutput() != 4 {
		t.Fatalf("%d bytes in %d deltas, estimated %d", r.OutputBytes, r.Deltas, r.EstimatedOutput())
	}
}

// At every cut the report tells a broken stream from a whole one.
func TestTruncatedStream(t *testing.T) {
	whole := strings.LastIndex(aStream, "[DONE]") + len("[DONE]")
	for n := range len(aStream) {
		_, r := pump(t, false, aStream[:n], 64)
		if r.Complete() != (n >= whole) {
			t.Fatalf("cut at %d of %d: complete %v", n, whole, r.Complete())
		}
		if n < strings.Index(aStream, `"usage":{`) && r.State != dialect.UsageMissing {
			t.Fatalf("cut at %d: usage %v", n, r.State)
		}
	}
}

func TestStreamWithManyChoices(t *testing.T) {
	stream := "data: " + chunkHead + `[{"index":0,"delta":{"content":"a"}}]}` + "\n\n" +
		"data: " + chunkHead + `[{"index":1,"delta":{"content":"b"}}]}` + "\n\n" +
		"data: " + chunkHead + `[{"index":1,"delta":{},"finish_reason":"length"}]}` + "\n\n" +
		"data: [DONE]\n\n"
	_, r := pump(t, false, stream, 50)
	if r.Choices != 2 || r.Finished != 1 || r.Complete() || r.Finish != "length" {
		t.Errorf("%+v", r)
	}
}

func TestStreamErrors(t *testing.T) {
	for name, stream := range map[string]string{
		"error member": `data: {"error":{"message":"The server had an error","type":"server_error","code":"boom","param":null}}` + "\n\n",
		"error event":  "event: error\ndata: " + `{"message":"The server had an error","type":"server_error","code":"boom"}` + "\n\n",
	} {
		got, r := pump(t, false, stream+"data: [DONE]\n\n", 9)
		if got != stream+"data: [DONE]\n\n" {
			t.Errorf("%s: the client gets %q", name, got)
		}
		if r.Failed == nil || *r.Failed != (dialect.UpstreamError{Type: "server_error", Code: "boom", Message: "The server had an error"}) || r.Complete() {
			t.Errorf("%s: %+v", name, r.Failed)
		}
	}
	if _, r := pump(t, false, "event: error\ndata: overloaded\n\n", 9); r.Failed == nil || r.Failed.Message != "overloaded" {
		t.Errorf("%+v", r.Failed)
	}
}

func TestOddStreams(t *testing.T) {
	for name, x := range map[string]struct{ in, want string }{
		"not JSON":            {"data: hello\n\ndata: {\"usage\":nul}\n\n", "data: hello\n\ndata: {\"usage\":nul}\n\n"},
		"only usage":          {"data: {\"usage\":null}\n\n", "data: {}\n\n"},
		"usage first":         {"data: { \"usage\" : null , \"id\":\"x\"}\n\n", "data: {  \"id\":\"x\"}\n\n"},
		"usage with content":  {"data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\n", "data: {\"choices\":[{}]}\n\n"},
		"usage inside text":   {"data: {\"choices\":[{\"delta\":{\"content\":\",\\\"usage\\\":null\"}}]}\n\n", "data: {\"choices\":[{\"delta\":{\"content\":\",\\\"usage\\\":null\"}}]}\n\n"},
		"empty choices":       {"data: {\"choices\":[],\"usage\":null,\"prompt_filter_results\":[]}\n\n", "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"},
		"carriage returns":    {"data: {\"a\":1,\"usage\":null}\r\rdata: x\r\r", "data: {\"a\":1}\r\rdata: x\r\r"},
		"CRLF":                {"id: 3\r\ndata: {\"a\":1,\"usage\":null}\r\n\r\n", "id: 3\r\ndata: {\"a\":1}\r\n\r\n"},
		"several data lines":  {"id: e\ndata: {\"a\":1,\ndata: \"usage\":null}\n\n", "data: {\"a\":1}\n\n"},
		"an event of a name":  {"event: e\ndata: {\"a\":1,\"usage\":null}\n\n", "event: e\ndata: {\"a\":1,\"usage\":null}\n\n"},
		"lines without a cut": {"data: {\"a\":\ndata: 1}\n\n", "data: {\"a\":\ndata: 1}\n\n"},
		"unclosed last event": {"data: {\"a\":1,\"usage\":null}", "data: {\"a\":1}"},
		"dropped at the end":  {"data: x\n\ndata: {\"choices\":[],\"usage\":{}}\n", "data: x\n\n"},
	} {
		for size := 1; size <= len(x.in); size++ {
			if got, _ := pump(t, false, x.in, size); got != x.want {
				t.Errorf("%s in pieces of %d:\n got %q\nwant %q", name, size, got, x.want)
				break
			}
			if got, _ := pump(t, true, x.in, size); got != x.in {
				t.Errorf("%s in pieces of %d: %q for a client that asked", name, size, got)
				break
			}
		}
	}
}

// A CRLF cut in its middle behind a dropped event leaves at most a blank line.
func TestDroppedEventCutInItsLineEnd(t *testing.T) {
	stream := "data: x\r\n\r\ndata: {\"choices\":[],\"usage\":{}}\r\n\r\ndata: [DONE]\r\n\r\n"
	for size := 1; size <= len(stream); size++ {
		got, r := pump(t, false, stream, size)
		if strings.ReplaceAll(got, "\r\n", "\n") != "data: x\n\ndata: [DONE]\n\n" && got != "data: x\r\n\r\n\ndata: [DONE]\r\n\r\n" || !r.Done {
			t.Fatalf("%d: %q", size, got)
		}
	}
}

func TestEventOverTheLimitEndsTheStream(t *testing.T) {
	var m Meter
	m.Reset(&dialect.Call{IncludeUsage: false})
	big := bytes.Repeat([]byte("x"), 1<<20)
	for range sse.MaxEvent>>20 + 2 {
		if _, err := m.Feed(big); err != nil {
			if !errors.Is(err, sse.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no limit")
}

// TestStrippingKeepsTheRest: for random chunks in any cuts, what the client gets
// parses to the upstream's chunks but for usage.
func TestStrippingKeepsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		var want []any
		for range rapid.IntRange(0, 6).Draw(t, "chunks") {
			chunk := map[string]any{"choices": []any{map[string]any{"index": 0, "delta": map[string]any{"content": rapid.String().Draw(t, "text")}}}}
			if rapid.Bool().Draw(t, "more") {
				chunk[rapid.SampledFrom([]string{"a", "z", "usag", "usages"}).Draw(t, "key")] = rapid.String().Draw(t, "value")
			}
			plain, _ := json.Marshal(chunk)
			var back any
			_ = json.Unmarshal(plain, &back)
			want = append(want, back)
			if rapid.Bool().Draw(t, "usage") {
				chunk["usage"] = nil
			}
			b, err := json.Marshal(chunk)
			if err != nil {
				t.Fatal(err)
			}
			stream.WriteString("data: " + string(b) + "\n\n")
		}
		var m Meter
		m.Reset(&dialect.Call{IncludeUsage: false})
		var out bytes.Buffer
		for rest := stream.Bytes(); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			got, err := m.Feed(append([]byte(nil), rest[:n]...))
			if err != nil {
				t.Fatal(err)
			}
			out.Write(got)
			rest = rest[n:]
		}
		var have []any
		for line := range strings.SplitSeq(out.String(), "\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				var v any
				if err := json.Unmarshal([]byte(data), &v); err != nil {
					t.Fatalf("%v in %q", err, data)
				}
				have = append(have, v)
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Fatalf("got %v\nwant %v", have, want)
		}
	})
}

func TestMeterDoesNotAllocate(t *testing.T) {
	chunk := []byte("data: " + chunkHead + `[{"index":0,"delta":{"content":"Hello there"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	for _, usage := range []bool{false, true} {
		var m Meter
		m.Reset(&dialect.Call{IncludeUsage: usage})
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := m.Feed(chunk); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("usage %v: %v allocations a chunk", usage, n)
		}
	}
}

func FuzzMeter(f *testing.F) {
	f.Add([]byte(aStream), uint8(7))
	f.Add([]byte(strings.Repeat("data: "+chunkHead+`[{"index":0,"delta":{"content":"ab"}}],"usage":null,"obfuscation":"cd"}`+"\n\n", 3)), uint8(200))
	f.Add([]byte("data: {\"usage\":null}\n\ndata: {\"usage\":{}}\r\r"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		n := int(size) + 1
		asked, _ := pump(t, true, string(stream), n)
		if asked != string(stream) {
			t.Fatalf("changed for a client that asked: %q", asked)
		}
		cut, metered := pump(t, false, string(stream), n)
		if whole, read := readEach(t, false, stream); whole != cut || !reflect.DeepEqual(metered, read) {
			t.Fatalf("metered %q %+v, read %q %+v", cut, metered, whole, read)
		}
		if len(cut) > len(stream)+2*bytes.Count(stream, []byte("\n"))*len("data: ")+16 {
			t.Fatalf("%q grew to %q", stream, cut)
		}
		if _, err := Fold(nil, stream); err != nil && !errors.Is(err, pieces.ErrNotFoldable) {
			t.Fatal(err)
		}
	})
}

// readEach is pump for a meter that reads every event whole.
func readEach(t testing.TB, usage bool, stream []byte) (string, *dialect.Report) {
	t.Helper()
	var m Meter
	m.Reset(&dialect.Call{IncludeUsage: usage})
	var out strings.Builder
	for i := range stream {
		m.before.known = false
		got, err := m.Feed(stream[i : i+1])
		if err != nil {
			t.Fatal(err)
		}
		out.Write(got)
	}
	m.before.known = false
	out.Write(m.Finish())
	return out.String(), m.Report()
}

// TestLikeEventsAreMeteredAsIfRead draws streams of events that are nearly alike.
func TestLikeEventsAreMeteredAsIfRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		some := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(r, label) }
		var b strings.Builder
		choice := [...][]string{ // of what stands around the text
			{"", "", "event: x\n"}, {"a", "b"}, {"", `"usage":null, `}, {"0", "1"}, {"content", "role", "refusal"},
			{"", `,"finish_reason":null`, `,"finish_reason":"stop"`},
			{"", `,"usage":null`, ` , "usage" : null`, `,"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}`},
			{"", `,"obfuscation":`, `,"other":`}, {"", `,"usage":null`},
			{"}\n\n", "}\r\n\r\n", "\n\n", ` ,"error":{"message":"e"}}` + "\n\n"},
		}
		var frame [len(choice)]string
		for i := range choice {
			frame[i] = some("frame", choice[i]...)
		}
		for range rapid.IntRange(1, 60).Draw(r, "events") {
			if i := rapid.IntRange(0, 2*len(choice)).Draw(r, "changed"); i < len(choice) {
				frame[i] = some("frame", choice[i]...)
			}
			text := some("text", `"a"`, `""`, `"\\\""`, `"xy\ud83d\ude00"`, `"\ud800"`, `"é"`, `"a","role":"b"`, `"a","refusal":"b"`, `null`, `{"a":"b"}`, `"`, `"}]"`)
			padding := ""
			if frame[7] != "" {
				padding = some("padding", `"x"`, `"xyz\""`, `""`, `null`, `"`)
			}
			fmt.Fprintf(&b, `%sdata: {"id":"%s",%s"model":"m","choices":[{"index":%s,"delta":{"%s":%s}%s}]%s%s%s%s%s`,
				frame[0], frame[1], frame[2], frame[3], frame[4], text, frame[5], frame[6], frame[7], padding, frame[8], frame[9])
		}
		b.WriteString(some("last", "", "data: [DONE]\n\n"))
		for _, usage := range []bool{false, true} {
			got, have := pump(t, usage, b.String(), rapid.IntRange(1, b.Len()).Draw(r, "size"))
			want, should := readEach(t, usage, []byte(b.String()))
			if got != want || !reflect.DeepEqual(have, should) {
				t.Fatalf("usage %v, stream\n%s\n got %q\n     %+v\nwant %q\n     %+v", usage, b.String(), got, have, want, should)
			}
		}
	})
}

func BenchmarkMeter(b *testing.B) {
	chunk := []byte("data: " + chunkHead + `[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	for name, usage := range map[string]bool{"stripped": false, "as it is": true} {
		b.Run(name, func(b *testing.B) {
			var m Meter
			m.Reset(&dialect.Call{IncludeUsage: usage})
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Feed(chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
