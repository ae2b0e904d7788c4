package openai

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFoldWithAndWithoutTemplates folds a stream as it is, and with a space
// more in every other event, so that no event is like the one before.
func TestFoldWithAndWithoutTemplates(t *testing.T) {
	texts := []string{`"a"`, `""`, `"\n\"}"`, `"é🙂"`, `"\ud83d\ude42"`, `"\ud83d"`, `"x"},"y":{"content":"z"`, `null`, `"cut`, `7`, `"a","content":"b"`, `"a","refusal":"b"`}
	shapes := []string{
		`%s[{"index":0,"delta":{"content":%s}}]}`,
		`%s[{"index":0,"delta":{"content":%s},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`%s[{"index":1,"delta":{"role":"assistant","content":%s}}],"usage":{"total_tokens":3}}`,
		`%s[{"index":0,"delta":{"refusal":%s}}]}`,
		`%s[{"index":0,"delta":{"content":%s,"annotations":[1]}}]}`,
		`%s[{"index":0,"delta":{"content":%s},"logprobs":{"content":[{"token":"a"}]}}]}`,
		`%s[{"index":0,"delta":{"content":%s,"tool_calls":[{"index":0,"id":"c","type":"function","function":{"arguments":"a"}}]}}]}`,
		`%s[{"index":0,"delta":{"content":%s,"function_call":{"arguments":"a"}}}]}`,
		`%s[{"index":0,"delta":{"content":%s}},{"index":1,"delta":{"content":"b"}}]}`,
		`%s[{"index":0,"delta":{"content":%s},"finish_reason":"stop"}],"service_tier":"default"}`,
	}
	rapid.Check(t, func(t *rapid.T) {
		var plain, spaced strings.Builder
		events := 0
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			shape := rapid.SampledFrom(shapes).Draw(t, "shape")
			for _, text := range rapid.SliceOfN(rapid.SampledFrom(texts[:rapid.SampledFrom([]int{5, len(texts)}).Draw(t, "texts")]), 1, 5).Draw(t, "pieces") {
				event := fmt.Sprintf(shape, chunkHead, text)
				fmt.Fprintf(&plain, "data: %s\n\n", event)
				fmt.Fprintf(&spaced, "data: {%s%s\n\n", strings.Repeat(" ", events%2), event[1:])
				events++
			}
		}
		end := fmt.Sprintf("data: %s[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"},{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", chunkHead)
		got, err := Fold(nil, []byte(plain.String()+end))
		want, wantErr := Fold(nil, []byte(spaced.String()+end))
		if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
			t.Fatalf("folded   %s, %v\nby parts %s, %v\nof %s", got, err, want, wantErr, plain.String())
		}
	})
}

func TestTemplateTakesOnlyTheWholePiece(t *testing.T) {
	event := []byte(`{"a":{"content":"one"},"b":1}`)
	last := template{choice: &foldedChoice{}, text: event[16:21]}
	last.complete(event)
	for data, want := range map[string]string{
		`{"a":{"content":"two \" \u00e9"},"b":1}`:               `two \" \u00e9`,
		`{"a":{"content":""},"b":1}`:                            "",
		`{"a":{"content":"one"},"b":2}`:                         "-",
		`{"a":{"content":"},"b":1}`:                             "-",
		`{"a":{"content":"x"},"b":1,"c":{"content":"y"},"b":1}`: "-",
		`{"a":{"content":"\"},"b":1}`:                           "-",
		`{"a":{"content":null},"b":1}`:                          "-",
	} {
		got, ok := last.match([]byte(data))
		if ok != (want != "-") || ok && string(got) != want {
			t.Errorf("%s: %q, %v; want %s", data, got, ok, want)
		}
	}
}
