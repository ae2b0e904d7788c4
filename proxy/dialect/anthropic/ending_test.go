package anthropic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"purser/proxy/dialect"
	"purser/proxy/dialect/sse"
)

// TestACutMessageIsAWholeAnswer: wherever a stream is ended, it is one that has
// reached max_tokens, to the meter and to Anthropic's own client.
func TestACutMessageIsAWholeAnswer(t *testing.T) {
	var scan sse.Scanner
	scan.Feed([]byte(aStream))
	e := &Ending{}
	e.Reset(&dialect.Call{})
	so, cut := "", 0
	for {
		x, ok, err := scan.Next()
		if err != nil || !ok {
			t.Fatal("the stream has no end", err)
		}
		if string(x.Type) == "message_delta" {
			break
		}
		so += string(x.Raw)
		e.See(x.Data)
		whole := so + string(e.Append(nil, 11, 500))
		cut++
		_, r := pump(t, whole, 100)
		if !r.Complete() || r.Finish != "max_tokens" || r.Usage.TotalOutput() != 500 {
			t.Fatalf("cut %d: %+v\n%s", cut, r, whole)
		}
		if n, m := strings.Count(whole, "event: content_block_start"), strings.Count(whole, "event: content_block_stop"); n != m {
			t.Errorf("cut %d: %d blocks begin and %d stop", cut, n, m)
		}
		if strings.Contains(so, "tool_use") {
			continue // half an input is no JSON, at Anthropic neither, and its client says so
		}
		if _, err := Fold(nil, []byte(whole)); err != nil {
			t.Errorf("cut %d: %v", cut, err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, whole)
		}))
		client := sdk.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"))
		events := client.Messages.NewStreaming(context.Background(), sdk.MessageNewParams{Model: "m", MaxTokens: 1})
		var all sdk.Message
		for events.Next() {
			if err := all.Accumulate(events.Current()); err != nil {
				t.Fatal(err)
			}
		}
		server.Close()
		if err := events.Err(); err != nil || all.StopReason != sdk.StopReasonMaxTokens || all.Usage.OutputTokens != 500 || all.Usage.InputTokens != 25 {
			t.Errorf("cut %d: the client read %s, %v", cut, all.RawJSON(), err)
		}
	}
	if want := int64(4*dialect.FrameTokens + len("look_up")); e.Frames() != want {
		t.Errorf("%d tokens, want %d: of the message and three blocks", e.Frames(), want)
	}
}

// FuzzEnding: whatever came before, what ends a stream is events of valid JSON.
func FuzzEnding(f *testing.F) {
	f.Add([]byte(aStream))
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
