package simprovider

import (
	"context"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// TestOpenAIGoSDK runs OpenAI's own client against the double.
func TestOpenAIGoSDK(t *testing.T) {
	p, addr := start(t, quick())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := openai.NewClient(option.WithBaseURL("http://"+addr+"/v1"), option.WithAPIKey(testKey))
	asking := func(text string) openai.ChatCompletionNewParams {
		return openai.ChatCompletionNewParams{
			Model:    "gpt-4o-mini",
			Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("be brief"), openai.UserMessage(text)},
		}
	}

	t.Run("chat", func(t *testing.T) {
		params := asking("good morning")
		params.MaxCompletionTokens = openai.Int(12)
		params.N = openai.Int(2)
		got, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Choices) != 2 || got.Choices[0].Message.Content == "" || got.Usage.CompletionTokens != 24 || got.Choices[1].FinishReason != "length" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("stream", func(t *testing.T) {
		params := asking("good evening")
		params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
		stream := client.Chat.Completions.NewStreaming(ctx, params)
		var acc openai.ChatCompletionAccumulator
		for stream.Next() {
			if !acc.AddChunk(stream.Current()) {
				t.Fatalf("not a chunk of this answer: %s", stream.Current().RawJSON())
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		whole, err := client.Chat.Completions.New(ctx, asking("good evening"))
		if err != nil {
			t.Fatal(err)
		}
		if acc.Choices[0].Message.Content != whole.Choices[0].Message.Content || acc.Usage.TotalTokens != whole.Usage.TotalTokens {
			t.Errorf("streamed %+v, whole %+v", acc.ChatCompletion, whole)
		}
	})
	t.Run("tools", func(t *testing.T) {
		params := asking("please get_weather in Rome")
		params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "get_weather",
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{
				"city": map[string]any{"type": "string"}}},
		})}
		got, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		calls := got.Choices[0].Message.ToolCalls
		if len(calls) != 1 || calls[0].Function.Name != "get_weather" || decode[struct{ City string }](t, calls[0].Function.Arguments).City == "" {
			t.Fatalf("%+v", got.Choices[0])
		}
		params.Messages = append(params.Messages, got.Choices[0].Message.ToParam(), openai.ToolMessage("sunny", calls[0].ID))
		if got, err = client.Chat.Completions.New(ctx, params); err != nil || got.Choices[0].Message.Content == "" {
			t.Fatalf("%v: %+v", err, got)
		}
		params.Messages = params.Messages[:2]
		stream := client.Chat.Completions.NewStreaming(ctx, params)
		var acc openai.ChatCompletionAccumulator
		for stream.Next() {
			acc.AddChunk(stream.Current())
		}
		if got := acc.Choices[0].Message.ToolCalls; stream.Err() != nil || len(got) != 1 || got[0].ID != calls[0].ID || got[0].Function.Arguments != calls[0].Function.Arguments {
			t.Errorf("%v: streamed %+v, whole %+v", stream.Err(), got, calls)
		}
	})
	t.Run("embeddings", func(t *testing.T) {
		got, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: openai.EmbeddingModelTextEmbedding3Small, Dimensions: openai.Int(256),
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a ship", "a port"}},
		})
		if err != nil || len(got.Data) != 2 || len(got.Data[1].Embedding) != 256 || got.Usage.PromptTokens == 0 {
			t.Errorf("%v: %+v", err, got)
		}
	})
	t.Run("models", func(t *testing.T) {
		page, err := client.Models.List(ctx)
		if err != nil || len(page.Data) != len(DefaultModels()) {
			t.Fatalf("%v: %+v", err, page)
		}
		if one, err := client.Models.Get(ctx, "gpt-4o"); err != nil || one.ID != "gpt-4o" {
			t.Errorf("%v: %+v", err, one)
		}
	})
	t.Run("errors", func(t *testing.T) {
		params := asking("x")
		params.Model = "gpt-0"
		var refused *openai.Error
		if _, err := client.Chat.Completions.New(ctx, params); !errors.As(err, &refused) || refused.StatusCode != 404 || refused.Code != "model_not_found" {
			t.Errorf("%v", err)
		}
		broken := client.Chat.Completions.NewStreaming(ctx, asking("x"), option.WithHeader("x-sim-mode", "error-event"))
		for broken.Next() {
		}
		if broken.Err() == nil {
			t.Error("an error event is no error")
		}
		before := p.calls.Load()
		if _, err := client.Chat.Completions.New(ctx, asking("x"), option.WithHeader("x-sim-mode", "429=1ms")); !errors.As(err, &refused) || refused.StatusCode != 429 {
			t.Errorf("%v", err)
		}
		if tries := p.calls.Load() - before; tries != 3 {
			t.Errorf("%d tries of a plain 429", tries)
		}
	})
}
