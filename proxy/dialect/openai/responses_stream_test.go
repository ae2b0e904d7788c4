package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

// passResponse feeds a stream in pieces of the given size. The memory of each
// piece is written over after its call, as by a reader.
func passResponse(t testing.TB, stream string, size int) (string, *dialect.Report) {
	t.Helper()
	var m ResponsesMeter
	m.Reset(&dialect.Call{Endpoint: dialect.Responses})
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
		clear(piece)
	}
	out.Write(m.Finish())
	return out.String(), m.Report()
}

// event is one event of a Responses stream.
func event(kind, members string) string {
	return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + members + "}\n\n"
}

const (
	responseHead   = `"id":"resp_1","object":"response","model":"gpt-5-2025-08-07","service_tier":"default"`
	responseUsage1 = `"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":9,"cache_write_tokens_details":{"ttl_30m_tokens":5,"ttl_12h_tokens":3}},` +
		`"output_tokens":11,"output_tokens_details":{"reasoning_tokens":6},"total_tokens":41}`
	messageItem = `{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Häl lo","annotations":[]}]}`
	searchItem  = `{"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"x"}}`
)

var aResponse = event("response.created", `,"sequence_number":0,"response":{`+responseHead+`,"status":"in_progress","output":[],"usage":null,"error":null}`) +
	event("response.in_progress", `,"sequence_number":1,"response":{`+responseHead+`,"status":"in_progress","output":[],"usage":null}`) +
	event("response.output_item.added", `,"sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}`) +
	event("response.output_item.done", `,"sequence_number":3,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}`) +
	event("response.output_item.done", `,"sequence_number":4,"output_index":1,"item":`+searchItem) +
	": keep-alive\n\n" +
	event("response.output_text.delta", `,"sequence_number":5,"item_id":"msg_1","delta":"Häl","obfuscation":"abc"`) +
	event("response.from_the_future", `,"sequence_number":6,"surprise":[{}]`) +
	event("response.output_text.delta", `,"sequence_number":7,"item_id":"msg_1","delta":" lo"`) +
	event("response.output_item.done", `,"sequence_number":8,"output_index":2,"item":`+messageItem) +
	event("response.completed", `,"sequence_number":9,"response":{`+responseHead+`,"status":"completed","error":null,"output":[{"id":"rs_1","type":"reasoning","summary":[]},`+searchItem+`,`+messageItem+`],`+responseUsage1+`}`)

var aResponseUsage = price.Usage{
	price.InputText: 17, price.CacheRead: 4, price.CacheWrite30m: 5, price.CacheWrite12h: 3, price.CacheWriteOther: 1,
	price.OutputText: 5, price.OutputReasoning: 6, price.WebSearch: 1, price.Requests: 1,
}

// TestResponseStream: whatever the cut, every byte goes on, and the same is seen.
func TestResponseStream(t *testing.T) {
	for size := 1; size <= len(aResponse); size++ {
		got, r := passResponse(t, aResponse, size)
		if got != aResponse {
			t.Fatalf("in pieces of %d:\n%s", size, got)
		}
		want := dialect.Report{
			ID: "resp_1", Model: "gpt-5-2025-08-07", ServiceTier: "default", State: dialect.UsageReported, Usage: aResponseUsage,
			Choices: 1, Finished: 1, Finish: "stop", Done: true, Kept: []string{"rs_1", "ws_1", "msg_1"}, OutputBytes: 7, Deltas: 2,
		}
		if !reflect.DeepEqual(*r, want) {
			t.Fatalf("in pieces of %d:\n got %+v\nwant %+v", size, *r, want)
		}
	}
}

// TestResponseCutShort: a stream that ends before its last event has no usage
// and is not done, wherever it is cut.
func TestResponseCutShort(t *testing.T) {
	last := strings.LastIndex(aResponse, "event: ")
	for end := range last {
		_, r := passResponse(t, aResponse[:end], 64)
		if r.Done || r.State != dialect.UsageMissing || r.Finished != 0 {
			t.Fatalf("cut at %d: %+v", end, r)
		}
	}
}

func TestHowResponsesEnd(t *testing.T) {
	created := event("response.created", `,"response":{`+responseHead+`,"status":"in_progress","usage":null}`)
	for name, x := range map[string]struct {
		last   string
		done   bool
		state  dialect.UsageState
		failed bool
		finish string
	}{
		"incomplete": {event("response.incomplete", `,"response":{`+responseHead+`,"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[],`+responseUsage1+`}`),
			true, dialect.UsageReported, false, "max_output_tokens"},
		"failed": {event("response.failed", `,"response":{`+responseHead+`,"status":"failed","error":{"code":"server_error","message":"m"},"output":[],`+responseUsage1+`}`),
			true, dialect.UsageReported, true, ""},
		"failed without usage": {event("response.failed", `,"response":{`+responseHead+`,"status":"failed","error":{"code":"server_error","message":"m"},"usage":null}`),
			true, dialect.UsageMissing, true, ""},
		"failed without error":  {event("response.failed", `,"response":{`+responseHead+`,"status":"failed"}`), true, dialect.UsageMissing, true, ""},
		"an error event":        {event("error", `,"code":"server_error","message":"m","param":null`), false, dialect.UsageMissing, true, ""},
		"an error without type": {"data: {\"error\":{\"message\":\"m\"}}\n\n", false, dialect.UsageMissing, true, ""},
		"an error not JSON":     {"event: error\ndata: oops\n\n", false, dialect.UsageMissing, true, ""},
		"no usage":              {event("response.completed", `,"response":{`+responseHead+`,"status":"completed","output":[]}`), true, dialect.UsageMissing, false, "stop"},
		"usage that lies": {event("response.completed", `,"response":{`+responseHead+`,"status":"completed","output":[],"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":4},"output_tokens":1,"total_tokens":4}}`),
			true, dialect.UsageUnusable, false, "stop"},
		"not an event": {"data: [DONE]\n\n", false, dialect.UsageMissing, false, ""},
		"not whole":    {"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\n\n", false, dialect.UsageMissing, false, ""},
		"type by its event's name": {"event: response.completed\ndata: {\"response\":{" + responseHead + `,"status":"completed","output":[],` + responseUsage1 + "}}\n\n",
			true, dialect.UsageReported, false, "stop"},
		"twice": {strings.Repeat(event("response.completed", `,"response":{`+responseHead+`,"status":"completed","output":[],`+responseUsage1+`}`), 2), true, dialect.UsageReported, false, "stop"},
	} {
		_, r := passResponse(t, created+x.last, 1000)
		if r.Done != x.done || r.State != x.state || (r.Failed != nil) != x.failed || r.Finish != x.finish || r.ID != "resp_1" {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Complete() != (x.done && !x.failed) {
			t.Errorf("%s: complete is %v", name, r.Complete())
		}
	}
}

func TestEventOverTheLimitEndsAResponse(t *testing.T) {
	var m ResponsesMeter
	m.Reset(&dialect.Call{})
	big := bytes.Repeat([]byte("x"), 1<<20)
	for range sse.MaxEvent>>20 + 1 {
		if _, err := m.Feed(big); err != nil {
			if !errors.Is(err, sse.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("an event without end is taken")
}

func TestReadResponse(t *testing.T) {
	whole := `{` + responseHead + `,"status":"completed","error":null,"output":[{"id":"rs_1","type":"reasoning","summary":[]},` + searchItem + `,` + messageItem + `],` + responseUsage1 + `}`
	var r dialect.Report
	ReadAnswer(&r, dialect.Responses, []byte(whole))
	if !r.Complete() || r.Usage != aResponseUsage || r.ID != "resp_1" || !slices.Equal(r.Kept, []string{"rs_1", "ws_1", "msg_1"}) || r.OutputBytes == 0 {
		t.Errorf("%+v", r)
	}
	for name, x := range map[string]struct {
		members string
		want    [3]int64 // searches of the web, of files, runs of code
	}{
		"the provider's own count": {`"output":[` + searchItem + `],"tool_usage":{"web_search":{"num_requests":3},"image_gen":{}}`, [3]int64{3, 0, 0}},
		"a discounted search":      {`"output":[` + searchItem + `],"tool_usage":{"web_search":{"num_requests":0}}`, [3]int64{0, 0, 0}},
		"a page opened": {`"output":[` + searchItem + `,{"type":"web_search_call","action":{"type":"open_page"}},{"type":"web_search_call","action":{"type":"find_in_page"}},{"type":"web_search_call"}]`,
			[3]int64{2, 0, 0}},
		"others": {`"output":[{"type":"file_search_call"},{"type":"file_search_call"},{"type":"code_interpreter_call"},{"type":"function_call"}]`, [3]int64{0, 2, 1}},
	} {
		ReadAnswer(&r, dialect.Responses, []byte(`{"status":"completed",`+x.members+`,`+responseUsage1+`}`))
		if got := [3]int64{r.Usage[price.WebSearch], r.Usage[price.FileSearch], r.Usage[price.CodeExec]}; got != x.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	ReadAnswer(&r, dialect.Compact, []byte(`{"id":"resp_2","object":"response.compaction","output":[{"id":"cmp_1","type":"compaction","encrypted_content":"x"}],`+responseUsage1+`}`))
	if !r.Complete() || r.State != dialect.UsageReported || r.Usage.TotalOutput() != 11 {
		t.Errorf("a compaction: %+v", r)
	}
	for _, body := range []string{``, `[]`, `{"id":`, `{}x`, `{"status":"queued","usage":null}`, `{"error":{"message":"x"}}`} {
		ReadAnswer(&r, dialect.Responses, []byte(body))
		if r.Complete() || r.State != dialect.UsageMissing {
			t.Errorf("%s: %+v", body, r)
		}
	}
	ReadAnswer(&r, dialect.Completions, []byte(`{"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"text":"abc","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}}`))
	if !r.Complete() || r.OutputBytes != 3 || r.Usage[price.OutputText] != 3 {
		t.Errorf("a legacy completion: %+v", r)
	}
}

// anyResponse draws a completed response with items of every kind.
func anyResponse(t *rapid.T) []byte {
	text := func(name string) string { return rapid.String().Draw(t, name) }
	var output []any
	for i := range rapid.IntRange(0, 4).Draw(t, "items") {
		id := fmt.Sprintf("item_%d", i)
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			output = append(output, map[string]any{"id": id, "type": "message", "role": "assistant", "status": "completed", "content": []any{
				map[string]any{"type": "output_text", "text": text("text"), "annotations": []any{map[string]any{"type": "url_citation", "url": text("url")}}},
				map[string]any{"type": "refusal", "refusal": text("refusal")}}})
		case 1:
			output = append(output, map[string]any{"id": id, "type": "reasoning", "encrypted_content": text("sealed"), "summary": []any{
				map[string]any{"type": "summary_text", "text": text("summary")}}})
		case 2:
			output = append(output, map[string]any{"id": id, "type": "function_call", "name": "f", "call_id": "c", "arguments": text("arguments")})
		case 3:
			output = append(output, map[string]any{"id": id, "type": "custom_tool_call", "name": "g", "call_id": "c", "input": text("input")})
		case 4:
			output = append(output, map[string]any{"id": id, "type": "web_search_call", "action": map[string]any{"type": "search", "query": text("query")}})
		}
	}
	if output == nil {
		output = []any{}
	}
	r := map[string]any{"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": output, "instructions": text("instructions"),
		"usage": map[string]any{"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}, "metadata": map[string]any{text("key"): text("value")}}
	b, err := json.Marshal(r)
	if rapid.Bool().Draw(t, "indented") {
		b, err = json.MarshalIndent(r, "", "  ")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestResponseRoundTrip: the stream that tells a response is well formed, numbered,
// says each text whole, and folds back to the response.
func TestResponseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answer := anyResponse(t)
		stream, err := replayResponse(nil, answer)
		if err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		back, err := foldResponse(nil, stream)
		if err != nil {
			t.Fatalf("%v: %s", err, stream)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, answer); err != nil || want.String() != string(back) && !bytes.Equal(back, answer) {
			t.Fatalf("%v\n got %s\nwant %s", err, back, want.String())
		}
		checkEvents(t, stream, back)
	})
}

func checkEvents(t *rapid.T, stream, answer []byte) {
	said := map[string]string{} // by item, what its deltas say
	var scan sse.Scanner
	scan.Feed(stream)
	for n := 0; ; n++ {
		e, ok, err := scan.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		var x struct {
			Type   string
			Number int    `json:"sequence_number"`
			Item   string `json:"item_id"`
			Delta  string
		}
		if err := json.Unmarshal(e.Data, &x); err != nil || x.Type != string(e.Type) || x.Number != n {
			t.Fatalf("event %d: %v: %s", n, err, e.Raw)
		}
		said[x.Item] += x.Delta
	}
	var r struct {
		Output []struct {
			ID, Arguments, Input string
			Content              []struct{ Text, Refusal string }
			Summary              []struct{ Text string }
		}
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatal(err)
	}
	for _, it := range r.Output {
		want := it.Arguments + it.Input
		for _, c := range it.Content {
			want += c.Text + c.Refusal
		}
		for _, s := range it.Summary {
			want += s.Text
		}
		if said[it.ID] != want {
			t.Fatalf("item %s says %q, want %q", it.ID, said[it.ID], want)
		}
	}
}

func TestFoldResponse(t *testing.T) {
	got, err := foldResponse(nil, []byte(aResponse))
	var r dialect.Report
	ReadAnswer(&r, dialect.Responses, got)
	if err != nil || !r.Complete() || r.Usage != aResponseUsage {
		t.Errorf("%v: %s", err, got)
	}
	if again, err := foldResponse(nil, []byte(aResponse+"data: [DONE]\n\n")); err != nil || !bytes.Equal(again, got) {
		t.Errorf("with an end: %v", err)
	}
	for name, stream := range map[string]string{
		"empty": "", "no end": aResponse[:strings.LastIndex(aResponse, "event: ")], "twice": aResponse + aResponse, "not JSON": "data: x\n\n" + aResponse,
		"incomplete": event("response.incomplete", `,"response":{}`), "failed": event("response.failed", `,"response":{}`),
		"an error": event("error", ``) + aResponse, "no response": event("response.completed", ""),
	} {
		if got, err := foldResponse(nil, []byte(stream)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	for _, answer := range []string{``, `[]`, `{}`, `{"status":"completed"}`, `{"status":"incomplete","output":[]}`, `{"status":"completed","output":[{}]}`, `{"status":"completed","output":{}}`,
		`{"status":"completed","output":[{"id":"x","type":"message","content":[{"type":"output_audio"}]}]}`} {
		if got, err := replayResponse(nil, []byte(answer)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %s %v", answer, got, err)
		}
	}
}

// TestReplayOfIndentedAnswers: providers indent their JSON; an event is one line.
func TestReplayOfIndentedAnswers(t *testing.T) {
	answer := "{\n  \"id\": \"c\",\n  \"choices\": [\n    {\"index\": 0, \"message\": {\n \"content\": \"a \\\"b\\\"\\n c\"}, \"finish_reason\": \"stop\"}\n  ],\n  \"usage\": {\n    \"prompt_tokens\": 1\n  }\n}"
	stream, err := Replay(nil, []byte(answer), true)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(stream)) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if line != "\n" && !ok || ok && data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("line %q", line)
		}
	}
	if !strings.Contains(string(stream), `"a \"b\"\n c"`) {
		t.Errorf("the text is another: %s", stream)
	}
}

func TestRewriteResponse(t *testing.T) {
	all := dialect.Change{Model: "up/1", MaxOutput: 50, MaxCalls: 4, IncludeUsage: true, CapField: CapTokens}
	for body, want := range map[string]string{
		`{"model":"m","input":"x","stream":true}`:                                    `{"model":"up/1","input":"x","stream":true,"max_output_tokens":50,"max_tool_calls":4}`,
		`{"max_tool_calls" : null,"model":"m","max_output_tokens": 99 ,"input":"x"}`: `{"max_tool_calls" : 4,"model":"up/1","max_output_tokens": 50 ,"input":"x"}`,
		`{"model":"up/1","max_tool_calls":4,"max_output_tokens":50,"input":"x"}`:     `{"model":"up/1","max_tool_calls":4,"max_output_tokens":50,"input":"x"}`,
		`{"model":"m","max_output_tokens":null,"input":"x"}`:                         `{"model":"up/1","max_output_tokens":50,"input":"x","max_tool_calls":4}`,
	} {
		if got := string(AppendUpstream(nil, mustDecode(t, dialect.Responses, body), all)); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if got := string(AppendUpstream(nil, mustDecode(t, dialect.Responses, body), dialect.Change{})); got != body {
			t.Errorf("no change made %s of %s", got, body)
		}
	}
	compact := `{"model":"m","input":"x"}`
	if got := string(AppendUpstream(nil, mustDecode(t, dialect.Compact, compact), all)); got != `{"model":"up/1","input":"x"}` {
		t.Errorf("compact takes no cap: %s", got)
	}
	if got := string(AppendUpstream(nil, mustDecode(t, dialect.Completions, `{"model":"m","prompt":"x","stream":true}`), all)); got != `{"model":"up/1","prompt":"x","stream":true,"max_tokens":50,"stream_options":{"include_usage":true}}` {
		t.Errorf("completions: %s", got)
	}
	if got := string(AppendUpstream(nil, mustDecode(t, dialect.Moderations, `{"input":"x"}`), all)); got != `{"input":"x"}` {
		t.Errorf("moderations: %s", got)
	}
}

func TestCompletionStream(t *testing.T) {
	head := `{"id":"cmpl-1","object":"text_completion","model":"m","choices":`
	stream := "data: " + head + `[{"text":"ab","index":0,"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n" +
		"data: " + head + `[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		"data: " + head + `[],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}` + "\n\ndata: [DONE]\n\n"
	var m Meter
	m.Reset(&dialect.Call{Endpoint: dialect.Completions})
	out, err := m.Feed([]byte(stream))
	if err != nil {
		t.Fatal(err)
	}
	if r := m.Report(); !r.Complete() || r.OutputBytes != 2 || r.Usage[price.OutputText] != 1 || strings.Contains(string(out), "usage") {
		t.Errorf("%+v: %s", r, out)
	}
}

// FuzzResponses: no stream makes the meter panic or change a byte, and what
// folds replays to what folds to the same.
func FuzzResponses(f *testing.F) {
	f.Add([]byte(aResponse), uint16(7))
	f.Add([]byte(event("response.failed", `,"response":{"status":"failed"}`)), uint16(100))
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		got, r := passResponse(t, string(stream), int(size)+1)
		if got != string(stream) {
			t.Fatalf("%q became %q", stream, got)
		}
		if r.State == dialect.UsageReported && (r.Usage.TotalInput() < 0 || r.Usage.TotalOutput() < 0) {
			t.Fatalf("%+v", r.Usage)
		}
		answer, err := foldResponse(nil, stream)
		if err != nil {
			return
		}
		told, err := replayResponse(nil, answer)
		if err != nil {
			return
		}
		again, err := foldResponse(nil, told)
		if err != nil || !bytes.Equal(again, pieces.OneLine(answer)) {
			t.Fatalf("%v: %q, want %q", err, again, answer)
		}
	})
}

func TestDeltasOfAResponseDoNotAllocate(t *testing.T) {
	var m ResponsesMeter
	m.Reset(&dialect.Call{})
	chunk := []byte(event("response.output_text.delta", `,"sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"some text","logprobs":[],"obfuscation":"abc"`))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := m.Feed(chunk); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkResponsesMeter(b *testing.B) {
	var m ResponsesMeter
	call := &dialect.Call{}
	chunk := []byte(aResponse)
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		m.Reset(call)
		if _, err := m.Feed(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
