package gemini

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/pieces"

	"pgregory.net/rapid"
)

func TestNotFoldable(t *testing.T) {
	for name, stream := range map[string]string{
		"empty":        "",
		"unfinished":   event(`{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`),
		"an error":     event(`{"candidates":[{"finishReason":"STOP"}]}`) + event(`{"error":{"code":500}}`),
		"blocked":      event(`{"promptFeedback":{"blockReason":"SAFETY"}}`),
		"paused":       event(`{"candidates":[{"finishReason":"CONTINUATION"}]}`),
		"not JSON":     event(`{"candidates":[{"finishReason":"STOP"}]`),
		"other event":  "event: x\n" + event(`{"candidates":[{"finishReason":"STOP"}]}`),
		"far index":    event(`{"candidates":[{"finishReason":"STOP","index":64}]}`),
		"escaped":      event(`{"candidates":[{"finish\u0052eason":"STOP"}]}`),
		"two sources":  event(`{"candidates":[{"citationMetadata":{"a":1}}]}`) + event(`{"candidates":[{"citationMetadata":{"a":2},"finishReason":"STOP"}]}`),
		"new content":  event(`{"candidates":[{"content":{"novel":1},"finishReason":"STOP"}]}`),
		"half a glyph": event(`{"candidates":[{"content":{"parts":[{"text":"\ud83d"}]},"finishReason":"STOP"}]}`),
	} {
		if got, err := Fold(nil, []byte(stream)); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	for _, answer := range []string{``, `[]`, `{}`, `{"candidates":[]}`, `{"error":{}}`, `{"candidates":[{"content":{}}]}`, `{"candidates":[{"finishReason":"STOP"}]} x`} {
		if got, err := Replay(nil, []byte(answer), &dialect.Call{}); !errors.Is(err, pieces.ErrNotFoldable) {
			t.Errorf("%q: %s, %v", answer, got, err)
		}
	}
}

// TestRoundTrip: any answer, told as a stream, metered and folded, is itself.
func TestRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[a-zé\\" \n]{0,10}`)
	rapid.Check(t, func(t *rapid.T) {
		var candidates []any
		for i := range rapid.IntRange(1, 3).Draw(t, "candidates") {
			var parts []any
			last := ""
			for range rapid.IntRange(1, 4).Draw(t, "parts") {
				kind := rapid.SampledFrom([]string{"text", "thought", "call", "signed"}).Draw(t, "kind")
				if kind == last && kind != "call" {
					continue // Google makes one part of two
				}
				last = kind
				switch kind {
				case "text":
					parts = append(parts, map[string]any{"text": text.Draw(t, "text")})
				case "thought":
					parts = append(parts, map[string]any{"text": text.Draw(t, "text"), "thought": true})
				case "call":
					parts = append(parts, map[string]any{"functionCall": map[string]any{"name": "f", "args": map[string]any{text.Draw(t, "key"): 1.5}}})
				case "signed":
					parts = append(parts, map[string]any{"text": text.Draw(t, "text"), "thoughtSignature": "c2ln"})
				}
			}
			candidates = append(candidates, map[string]any{"index": i, "finishReason": "STOP", "content": map[string]any{"role": "model", "parts": parts}})
		}
		answer, err := json.MarshalIndent(map[string]any{
			"candidates": candidates, "responseId": "r", "usageMetadata": map[string]any{"promptTokenCount": 3, "candidatesTokenCount": 4},
		}, "", rapid.SampledFrom([]string{"", "  "}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := Replay(nil, answer, &dialect.Call{})
		if err != nil {
			t.Fatal(err)
		}
		folded, err := Fold(nil, stream)
		if err != nil {
			t.Fatal(err)
		}
		var was, is any
		if json.Unmarshal(answer, &was) != nil || json.Unmarshal(folded, &is) != nil || !reflect.DeepEqual(was, is) {
			t.Fatalf("%s\nbecame %s", answer, folded)
		}
		var a, b dialect.Report
		ReadAnswer(&a, dialect.Chat, answer)
		ReadAnswer(&b, dialect.Chat, folded)
		var m Meter
		meter(t, &m, false, stream, len(stream))
		if !reflect.DeepEqual(a, b) || m.Report().Usage != a.Usage || !m.Report().Complete() {
			t.Fatalf("%+v\n%+v\n%+v", a, b, m.Report())
		}
		array, err := Replay(nil, answer, &dialect.Call{StreamType: "application/json"})
		var list []any
		if err != nil || json.Unmarshal(array, &list) != nil || len(list) != 1 || !reflect.DeepEqual(list[0], was) {
			t.Fatalf("%s\nbecame %s", answer, array)
		}
	})
}

func FuzzFoldAndReplay(f *testing.F) {
	for _, s := range streams {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		folded, err := Fold(nil, []byte(stream))
		if err != nil {
			return
		}
		if !json.Valid(folded) {
			t.Fatalf("not JSON: %s", folded)
		}
		told, err := Replay(nil, folded, &dialect.Call{})
		if err != nil {
			t.Fatalf("%v: %s", err, folded)
		}
		again, err := Fold(nil, told)
		if err != nil {
			t.Fatalf("%v: %s", err, told)
		}
		var a, b any
		if json.Unmarshal(folded, &a) != nil || json.Unmarshal(again, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%s\nbecame %s", folded, again)
		}
	})
}
