package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/sse"
	"purser/proxy/price"
)

// TestACutStreamIsAWholeAnswer: ended after any chunk, as events and as an array,
// it is one that has reached its cap.
func TestACutStreamIsAWholeAnswer(t *testing.T) {
	chunks := []string{
		`{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8},"modelVersion":"gemini-2.0-flash","responseId":"r\"1"}`,
		`{"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":1}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}`,
		`{"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"finishReason":"STOP","index":1}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}`,
	}
	e := &Ending{}
	e.Reset(&dialect.Call{})
	so := ""
	for i, c := range chunks {
		so += event(c)
		e.See([]byte(c))
		whole := so + string(e.Append(nil, 11, 500))
		for _, kind := range []string{"", "application/json"} {
			var m Meter
			m.Reset(&dialect.Call{StreamType: kind})
			out, err := m.Feed([]byte(whole))
			if err != nil {
				t.Fatal(err)
			}
			told := string(out)
			told += string(m.Finish())
			if r := m.Report(); !r.Complete() || r.Usage[price.InputText] != 11 || r.Usage.TotalOutput() != 500 || i == 0 && r.Finish != "MAX_TOKENS" {
				t.Errorf("after chunk %d: %+v", i, r)
			}
			if kind != "" {
				var list []map[string]any
				if err := json.Unmarshal([]byte(told), &list); err != nil || len(list) != i+2 || list[i+1]["responseId"] != `r"1` {
					t.Errorf("after chunk %d, as an array: %v\n%s", i, err, told)
				}
			}
		}
		if answer, err := Fold(nil, []byte(whole)); err != nil || !strings.Contains(string(answer), "MAX_TOKENS") {
			t.Errorf("after chunk %d: %v\n%s", i, err, answer)
		}
	}
	if e.Frames() != 2*dialect.FrameTokens {
		t.Errorf("%d tokens, want those of two candidates", e.Frames())
	}
}

// FuzzEnding: whatever came before, what ends a stream is events of valid JSON.
func FuzzEnding(f *testing.F) {
	f.Add([]byte(event(`{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"r"}`)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, e := range []dialect.Ending{&Ending{}} {
			var scan sse.Scanner
			scan.Feed(stream)
			e.Reset(&dialect.Call{IncludeUsage: true})
			for {
				x, ok, err := scan.Next()
				if err != nil || !ok {
					break
				}
				if x.Lines > 0 {
					e.See(x.Data)
				}
			}
			var end sse.Scanner
			end.Feed(e.Append(nil, 1, 2))
			for {
				x, ok, err := end.Next()
				if err != nil || !ok {
					break
				}
				if x.Lines != 1 || !json.Valid(x.Data) {
					t.Fatalf("%T: %q", e, x.Raw)
				}
			}
			if rest, ok := end.Rest(); ok {
				t.Fatalf("%T: %q has no end", e, rest.Raw)
			}
		}
	})
}
