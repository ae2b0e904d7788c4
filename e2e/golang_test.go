package e2e

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
)

// counting stands before the node and counts the requests that clients send.
type counting struct {
	url   string
	count atomic.Int64
}

func countBefore(t *testing.T, node string) *counting {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{url: "http://" + ln.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.count.Add(1)
		proxy.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close(); <-done })
	return c
}

// TestOpenAIGoSDK runs OpenAI's own client with nothing changed but base URL and key.
func TestOpenAIGoSDK(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "sdk"}).Secret
	client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key))
	ctx := context.Background()
	question := []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a purser?")}

	t.Run("chat", func(t *testing.T) {
		res, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: question})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Choices) != 1 || res.Choices[0].Message.Content == "" || res.Usage.TotalTokens == 0 {
			t.Errorf("answer: %+v", res)
		}
	})
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
	t.Run("tools", func(t *testing.T) {
		res, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model: "gpt-4o-mini", Messages: question,
			Tools: []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
				Name: "look_up", Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"word": map[string]string{"type": "string"}}},
			})},
			ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if calls := res.Choices[0].Message.ToolCalls; len(calls) == 0 || calls[0].Function.Name != "look_up" {
			t.Errorf("tool calls: %+v", calls)
		}
	})
	t.Run("embeddings", func(t *testing.T) {
		res, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: "text-embedding-3-small", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Data) != 2 || len(res.Data[0].Embedding) == 0 {
			t.Errorf("%d embeddings", len(res.Data))
		}
	})
	t.Run("models", func(t *testing.T) {
		list, err := client.Models.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, m := range list.Data {
			found = found || m.ID == "gpt-4o-mini"
		}
		if !found {
			t.Errorf("gpt-4o-mini is not among %d models", len(list.Data))
		}
		if one, err := client.Models.Get(ctx, "gpt-4o-mini"); err != nil || one.ID != "gpt-4o-mini" {
			t.Errorf("the model: %+v, %v", one, err)
		}
	})
	t.Run("a refusal is tried once", func(t *testing.T) {
		b := usd("empty", "0.000000001")
		b.Match = map[string][]string{"customer": {"broke"}}
		r.budget(b)
		counted := countBefore(t, r.url)
		broke := openai.NewClient(option.WithBaseURL(counted.url+"/v1"), option.WithAPIKey(r.key(admin.NewKey{Name: "broke", Bound: map[string]string{"customer": "broke"}}).Secret))
		_, err := broke.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: question})
		var apiErr *openai.Error
		if !errors.As(err, &apiErr) || apiErr.StatusCode != 402 || apiErr.Code != "insufficient_quota" {
			t.Fatalf("the refusal came as %v", err)
		}
		if n := counted.count.Load(); n != 1 {
			t.Errorf("the client tried %d times", n)
		}
	})
	r.settled("cap")
	r.stopNode()
	if got := compare(t, r.billRows(), r.records()); got.billed == 0 || got.billed != got.recorded {
		t.Errorf("records and bill differ: %+v", got)
	}
}
