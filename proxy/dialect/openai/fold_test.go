package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/pieces"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	got, err := Fold(nil, []byte(aStream))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","refusal":null,"content":"Häl` + `lo \ud83d\ude00"},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},` +
		`"created":7,"model":"gpt-4o-2024-11-20","service_tier":"default"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFoldToolCalls(t *testing.T) {
	stream := ""
	for _, choices := range []string{
		`[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"look","arguments":""}}]}}]`,
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}}]`,
		`[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"custom","custom":{"name":"say","input":"h"}}]}}]`,
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}},{"index":1,"custom":{"input":"i"}}]}}]`,
		`[{"index":0,"delta":{},"finish_reason":"tool_calls"}]`,
	} {
		stream += "data: " + chunkHead + choices + "}\n\n"
	}
	got, err := Fold(nil, []byte(stream+"data: [DONE]\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := `"tool_calls":[{"id":"call_a","type":"function","function":{"name":"look","arguments":"{\"x\":1}"}},{"id":"call_b","type":"custom","custom":{"name":"say","input":"hi"}}]`
	if !strings.Contains(string(got), want) || !json.Valid(got) {
		t.Errorf("got %s\nwithout %s", got, want)
	}
}

func TestNotFoldable(t *testing.T) {
	head := "data: " + chunkHead
	done := "data: [DONE]\n\n"
	finished := head + `[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	for name, stream := range map[string]string{
		"empty":             "",
		"no end":            finished,
		"no choices":        done,
		"not finished":      head + `[{"index":0,"delta":{"content":"a"}}]}` + "\n\n" + done,
		"after the end":     finished + done + finished,
		"an error":          finished + `data: {"error":{"message":"x"}}` + "\n\n" + done,
		"an error event":    "event: error\ndata: {}\n\n" + finished + done,
		"not JSON":          "data: hello\n\n" + finished + done,
		"an array":          "data: []\n\n" + finished + done,
		"audio":             head + `[{"index":0,"delta":{"audio":{"data":"x"}}}]}` + "\n\n" + finished + done,
		"no index":          head + `[{"delta":{"content":"a"}}]}` + "\n\n" + finished + done,
		"index too large":   head + `[{"index":128,"delta":{"content":"a"}}]}` + "\n\n" + finished + done,
		"content no string": head + `[{"index":0,"delta":{"content":[1]}}]}` + "\n\n" + finished + done,
		"half a rune":       head + `[{"index":0,"delta":{"content":"\ud83d"}}]}` + "\n\n" + finished + done,
		"tool of two kinds": head + `[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{},"custom":{}}]}}]}` + "\n\n" + finished + done,
	} {
		if got, err := Fold(nil, []byte(stream)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	for _, answer := range []string{``, `[]`, `{}`, `{"choices":[]`, `{"choices":[{"index":0,"message":{"content":"x"}}]}`, `{"choices":[{"index":0,"finish_reason":"stop"}]}`,
		`{"error":{"message":"x"},"choices":[]}`, `{"choices":[{"index":0,"message":{"audio":{}},"finish_reason":"stop"}]}`, `{"choices":{}}`,
		`{"choices":[{"index":0,"message":{"content":[]},"finish_reason":"stop"}]}`} {
		if got, err := Replay(nil, []byte(answer), true); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %s %v", answer, got, err)
		}
	}
}

// anyAnswer draws a whole chat answer as a provider would give it.
func anyAnswer(t *rapid.T) map[string]any {
	text := rapid.StringN(0, 30, -1)
	nullable := func(name string) any {
		if rapid.Bool().Draw(t, name+" null") {
			return nil
		}
		return text.Draw(t, name)
	}
	var choices []any
	for i := range rapid.IntRange(1, 3).Draw(t, "choices") {
		message := map[string]any{"role": "assistant", "content": nullable("content"), "refusal": nullable("refusal")}
		if rapid.Bool().Draw(t, "has annotations") {
			message["annotations"] = []any{map[string]any{"type": "url_citation", "n": 1.5}}
		}
		var calls []any
		for range rapid.IntRange(0, 2).Draw(t, "calls") {
			call := map[string]any{"id": text.Draw(t, "call"), "type": "function", "function": map[string]any{"name": text.Draw(t, "name"), "arguments": text.Draw(t, "arguments")}}
			if rapid.Bool().Draw(t, "custom") {
				call = map[string]any{"id": text.Draw(t, "call"), "type": "custom", "custom": map[string]any{"name": text.Draw(t, "name"), "input": text.Draw(t, "input")}}
			}
			calls = append(calls, call)
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		if rapid.Bool().Draw(t, "function") {
			message["function_call"] = map[string]any{"name": "f", "arguments": text.Draw(t, "arguments")}
		}
		choice := map[string]any{"index": i, "message": message, "logprobs": nil, "finish_reason": "stop"}
		if rapid.Bool().Draw(t, "has logprobs") {
			choice["logprobs"] = map[string]any{"content": []any{map[string]any{"token": text.Draw(t, "token"), "logprob": -0.5}}}
		}
		if rapid.Bool().Draw(t, "has filter") {
			choice["content_filter_results"] = map[string]any{"hate": map[string]any{"filtered": false}}
		}
		choices = append(choices, choice)
	}
	answer := map[string]any{"id": text.Draw(t, "id"), "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
	if rapid.Bool().Draw(t, "has usage") {
		answer["usage"] = map[string]any{"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
	}
	if rapid.Bool().Draw(t, "has tier") {
		answer["service_tier"] = "default"
		answer["system_fingerprint"] = nil
	}
	return answer
}

// plainValue parses JSON and drops null members, which mean as much as none.
func plainValue(t failer, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return withoutNulls(v)
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x == nil {
				delete(v, k)
			} else {
				v[k] = withoutNulls(x)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// TestRoundTrip: an answer replayed as a stream and folded again is the same
// answer, and its stream is one that the meter finds complete.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answer, err := json.Marshal(anyAnswer(t))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := Replay(nil, answer, true)
		if err != nil {
			t.Fatalf("%v of %s", err, answer)
		}
		var m Meter
		m.Reset(&dialect.Call{IncludeUsage: true})
		if _, err := m.Feed(stream); err != nil || !m.Report().Complete() {
			t.Fatalf("%v %+v of %s", err, m.Report(), stream)
		}
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, answer)
		if r.Usage != m.Report().Usage || r.State != m.Report().State || r.ID != m.Report().ID || r.Choices != m.Report().Choices || r.OutputBytes != m.Report().OutputBytes {
			t.Fatalf("the answer says %+v, its stream %+v", r, *m.Report())
		}
		folded, err := Fold(nil, stream)
		if err != nil {
			t.Fatalf("%v of %s", err, stream)
		}
		a, b := plainValue(t, answer), plainValue(t, folded)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("\n got %s\nfrom %s\nby %s", folded, answer, stream)
		}
		again, err := Replay(nil, folded, true)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := Fold(nil, again)
		if err != nil || !reflect.DeepEqual(plainValue(t, twice), b) {
			t.Fatalf("%v: folded twice %s, once %s", err, twice, folded)
		}
	})
}

// TestFoldIsIndependentOfChunking cuts the text of an answer into any deltas.
func TestFoldIsIndependentOfChunking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream, whole strings.Builder
		for _, part := range rapid.SliceOfN(rapid.String(), 0, 6).Draw(t, "parts") {
			quoted, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			whole.WriteString(part)
			fmt.Fprintf(&stream, "data: %s[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", chunkHead, quoted)
		}
		fmt.Fprintf(&stream, "data: %s[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", chunkHead)
		folded, err := Fold(nil, []byte(stream.String()))
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Choices []struct{ Message struct{ Content string } }
		}
		if err := json.Unmarshal(folded, &v); err != nil || v.Choices[0].Message.Content != whole.String() {
			t.Fatalf("%v: %q, want %q", err, v.Choices[0].Message.Content, whole.String())
		}
	})
}

func TestReplayUsage(t *testing.T) {
	answer := answerWith(`{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}`)
	with, err := Replay(nil, answer, true)
	if err != nil {
		t.Fatal(err)
	}
	without, err := Replay(nil, answer, false)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(without), "usage") || !strings.Contains(string(with), `"choices":[],"usage":{"prompt_tokens":1`) {
		t.Errorf("with    %s\nwithout %s", with, without)
	}
	// The stripped form of the one is the other.
	if got, _ := pump(t, false, string(with), 100); got != string(without) {
		t.Errorf("got  %s\nwant %s", got, without)
	}
}

func FuzzFoldAndReplay(f *testing.F) {
	f.Add([]byte(aStream))
	f.Add(answerWith(`{"prompt_tokens":1,"completion_tokens":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, usage := range []bool{true, false} {
			stream, err := Replay(nil, raw, usage)
			if err != nil {
				if !errors.Is(err, pieces.ErrNotFoldable) {
					t.Fatal(err)
				}
				break
			}
			var m Meter
			m.Reset(&dialect.Call{IncludeUsage: true})
			if _, err := m.Feed(stream); err != nil || !m.Report().Done {
				t.Fatalf("%q of %q", stream, raw)
			}
		}
		folded, err := Fold(nil, raw)
		if err != nil {
			if !errors.Is(err, pieces.ErrNotFoldable) {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(folded) {
			t.Fatalf("%q folded to %q", raw, folded)
		}
	})
}

func BenchmarkFold(b *testing.B) {
	var stream strings.Builder
	for range 100 {
		fmt.Fprintf(&stream, "data: %s[{\"index\":0,\"delta\":{\"content\":\"word \"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n", chunkHead)
	}
	fmt.Fprintf(&stream, "data: %s[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", chunkHead)
	raw := []byte(stream.String())
	var dst []byte
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = Fold(dst[:0], raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	answer := answerWith(`{"prompt_tokens":1,"completion_tokens":1}`)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Replay(dst[:0], answer, true)
	}
}
