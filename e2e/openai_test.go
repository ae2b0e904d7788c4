package e2e

import (
	"context"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
)

// TestOpenAIGoSDK asks what TestClients does not: that usage comes in a stream where
// it was asked for only, and several choices.
func TestOpenAIGoSDK(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "sdk"}).Secret
	client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key))
	ctx := context.Background()
	question := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a purser?")}

	t.Run("several choices", func(t *testing.T) {
		res, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: question, N: openai.Int(3)})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Choices) != 3 {
			t.Errorf("%d choices", len(res.Choices))
		}
	})
	for _, usage := range []bool{false, true} {
		t.Run(map[bool]string{false: "stream", true: "stream with usage"}[usage], func(t *testing.T) {
			params := openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: question}
			if usage {
				params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
			}
			stream := client.Chat.Completions.NewStreaming(ctx, params)
			var all openai.ChatCompletionAccumulator
			sawUsage := false
			for stream.Next() {
				chunk := stream.Current()
				sawUsage = sawUsage || chunk.JSON.Usage.Valid()
				all.AddChunk(chunk)
			}
			if err := stream.Err(); err != nil {
				t.Fatal(err)
			}
			if len(all.Choices) != 1 || all.Choices[0].Message.Content == "" || all.Choices[0].FinishReason == "" {
				t.Errorf("accumulated: %+v", all.Choices)
			}
			if sawUsage != usage {
				t.Errorf("usage seen: %v, asked for: %v", sawUsage, usage)
			}
		})
	}
	r.settled("cap")
	r.stopNode()
	if got := compare(t, r.billRows(), r.records()); got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
}
