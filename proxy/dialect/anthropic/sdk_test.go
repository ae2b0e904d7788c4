package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"purser/proxy/dialect"
)

// TestAnthropicsClientReadsWhatIsReplayed: what is kept of a stream is, to
// Anthropic's own client, what the provider said.
func TestAnthropicsClientReadsWhatIsReplayed(t *testing.T) {
	answer, err := Fold(nil, []byte(aStream))
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := Replay(nil, answer)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, stream := range []string{aStream, string(replayed)} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, stream)
		}))
		client := sdk.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"))
		events := client.Messages.NewStreaming(context.Background(), sdk.MessageNewParams{Model: "m", MaxTokens: 1})
		var all sdk.Message
		for events.Next() {
			if err := all.Accumulate(events.Current()); err != nil {
				t.Fatal(err)
			}
		}
		if err := events.Err(); err != nil {
			t.Fatal(err)
		}
		server.Close()
		c := all.Content
		told = append(told, fmt.Sprint(all.ID, c[0].Thinking, c[0].Signature, c[1].Text, len(c[1].Citations), c[2].Name, string(c[2].Input), all.StopReason, all.Usage.OutputTokens))
	}
	if told[0] != told[1] {
		t.Errorf("the provider told\n%s\nand the replay\n%s", told[0], told[1])
	}
}

// TestAnthropicsClientTriesAsOftenAsItShould: a refusal for money once, a rate
// limit and an overload again.
func TestAnthropicsClientTriesAsOftenAsItShould(t *testing.T) {
	for code, want := range map[dialect.Code]int{dialect.CodeQuota: 1, dialect.CodeRateLimit: 3, dialect.CodeUndecided: 3, dialect.CodeInvalidKey: 1} {
		tries := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			tries++
			e := dialect.NewError(code, "", "no")
			e.RequestID, e.RetryAfterMillis = "req_7", 1
			status, headers, body := ErrorAnswer(e)
			for _, h := range headers {
				w.Header().Set(h.Name, h.Value)
			}
			w.WriteHeader(status)
			if _, err := w.Write(body); err != nil {
				t.Error(err)
			}
		}))
		client := sdk.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"))
		_, err := client.Messages.New(context.Background(), sdk.MessageNewParams{Model: "m", MaxTokens: 1})
		server.Close()
		var told *sdk.Error
		if !errors.As(err, &told) || told.RequestID != "req_7" {
			t.Errorf("%s: %v", code, err)
		}
		if tries != want {
			t.Errorf("%s: %d tries, want %d", code, tries, want)
		}
	}
}
