package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"purser/e2e/compat"
)

// dataURL is a picture as OpenAI takes it.
func dataURL(path string) (string, error) {
	b, err := os.ReadFile(path)
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b), err
}

func chatParams(messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: messages}
}

// openAIChat is OpenAI's own client on chat completions.
var openAIChat = goClient{
	compat.Chat: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		res, err := client.Chat.Completions.New(ctx, chatParams(openai.UserMessage(question)))
		if err != nil {
			return err
		}
		return want(res.Choices[0].Message.Content != "" && res.Usage.TotalTokens > 0, "answer: %s", res.RawJSON())
	},
	compat.Stream: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		p := chatParams(openai.UserMessage(question))
		p.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(ctx, p)
		var all openai.ChatCompletionAccumulator
		pieces := 0
		for stream.Next() {
			all.AddChunk(stream.Current())
			pieces++
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return want(pieces > 3 && all.Choices[0].Message.Content != "" && all.Choices[0].FinishReason == "stop" && all.Usage.CompletionTokens > 0, "%d pieces: %+v", pieces, all.Choices)
	},
	compat.Tools:    chatTools,
	compat.Parallel: chatTools,
	compat.Structured: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		p := chatParams(openai.UserMessage(question))
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "word", Strict: openai.Bool(true), Schema: gramsSchema,
		}}
		res, err := client.Chat.Completions.New(ctx, p)
		if err != nil {
			return err
		}
		return isWord(res.Choices[0].Message.Content)
	},
	compat.Image: func(ctx context.Context, x task) error {
		client := openai.NewClient()
		url, err := dataURL(x.picture)
		if err != nil {
			return err
		}
		res, err := client.Chat.Completions.New(ctx, chatParams(openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart(askPicture), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: url}),
		})))
		if err != nil {
			return err
		}
		return want(res.Choices[0].Message.Content != "" && res.Usage.PromptTokens > pictureTokens, "usage %+v", res.Usage)
	},
	compat.Others: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		made, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: "text-embedding-3-small", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
		})
		if err := errors.Join(err, want(err != nil || len(made.Data) == 2 && len(made.Data[0].Embedding) > 0, "embeddings: %+v", made)); err != nil {
			return err
		}
		models, err := client.Models.List(ctx)
		if err := errors.Join(err, want(err != nil || slices.ContainsFunc(models.Data, func(m openai.Model) bool { return m.ID == "gpt-4o-mini" }), "models: %+v", models)); err != nil {
			return err
		}
		if one, err := client.Models.Get(ctx, "gpt-4o-mini"); err != nil || one.ID != "gpt-4o-mini" {
			return fmt.Errorf("the model: %+v, %w", one, err)
		}
		legacy, err := client.Completions.New(ctx, openai.CompletionNewParams{Model: "gpt-3.5-turbo-instruct", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once")}})
		return errors.Join(err, want(err != nil || legacy.Choices[0].Text != "", "completion: %+v", legacy))
	},
	compat.Errors: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		p := chatParams(openai.UserMessage(question))
		p.Model = unpriced
		_, err := client.Chat.Completions.New(ctx, p)
		if err := refusedAs(err, "a model without a price", isUnpriced); err != nil {
			return err
		}
		stranger := openai.NewClient(option.WithAPIKey("pk_none"))
		_, err = stranger.Chat.Completions.New(ctx, chatParams(openai.UserMessage(question)))
		return refusedAs(err, "an unknown key", isUnknownKey)
	},
	compat.Cancel: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		stream := client.Chat.Completions.NewStreaming(ctx, chatParams(openai.UserMessage(question)))
		defer stream.Close()
		for stream.Next() {
			leave()
		}
		return want(ctx.Err() != nil && stream.Err() != nil, "the stream ended by itself: %v", stream.Err())
	},
	compat.Denial: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		_, err := client.Chat.Completions.New(ctx, chatParams(openai.UserMessage(question)))
		return refusedAs(err, "the refusal", isNoMoney)
	},
}

func isUnpriced(e *openai.Error) bool {
	return e.StatusCode == 400 && e.Code == "model_not_priced" && e.Param == "model"
}
func isUnknownKey(e *openai.Error) bool { return e.StatusCode == 401 && e.Code == "invalid_api_key" }
func isNoMoney(e *openai.Error) bool    { return e.StatusCode == 402 && e.Code == "insufficient_quota" }

func chatTools(ctx context.Context, x task) error {
	client := openai.NewClient()
	text, names := toolsOf(x.scenario)
	p := chatParams(openai.UserMessage(text))
	p.Tools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "look_up", Parameters: lookUp}),
		openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "weigh", Parameters: weigh}),
	}
	res, err := client.Chat.Completions.New(ctx, p)
	if err != nil {
		return err
	}
	m := res.Choices[0].Message
	var calls []called
	p.Messages = append(p.Messages, m.ToParam())
	for _, c := range m.ToolCalls {
		calls = append(calls, called{c.ID, c.Function.Name, c.Function.Arguments})
		p.Messages = append(p.Messages, openai.ToolMessage("an officer", c.ID))
	}
	if err := areCalls(calls, names...); err != nil {
		return err
	}
	if res, err = client.Chat.Completions.New(ctx, p); err != nil {
		return err
	}
	return want(res.Choices[0].Message.Content != "" && res.Choices[0].FinishReason == "stop", "with the results: %s", res.RawJSON())
}

func responseParams(items ...responses.ResponseInputItemUnionParam) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: "gpt-5-mini", Input: responses.ResponseNewParamsInputUnion{OfInputItemList: items}}
}

func userItem(text string) responses.ResponseInputItemUnionParam {
	return responses.ResponseInputItemParamOfMessage(text, responses.EasyInputMessageRoleUser)
}

// openAIResponses is OpenAI's own client on responses.
var openAIResponses = goClient{
	compat.Chat: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		res, err := client.Responses.New(ctx, responseParams(userItem(question)))
		if err != nil {
			return err
		}
		return want(res.OutputText() != "" && res.Usage.OutputTokensDetails.ReasoningTokens > 0 && res.Status == "completed", "answer: %s", res.RawJSON())
	},
	compat.Stream: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		stream := client.Responses.NewStreaming(ctx, responseParams(userItem(question)))
		var text strings.Builder
		var last responses.Response
		for stream.Next() {
			if e := stream.Current(); e.Type == "response.output_text.delta" {
				text.WriteString(e.Delta)
			}
			last = stream.Current().Response
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return want(text.Len() > 0 && last.OutputText() == text.String() && last.Usage.TotalTokens > 0, "streamed %q, the last event %s", text.String(), last.RawJSON())
	},
	compat.Tools:    responseTools,
	compat.Parallel: responseTools,
	compat.Structured: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		p := responseParams(userItem(question))
		p.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("word", gramsSchema)
		res, err := client.Responses.New(ctx, p)
		if err != nil {
			return err
		}
		return isWord(res.OutputText())
	},
	compat.Image: func(ctx context.Context, x task) error {
		client := openai.NewClient()
		url, err := dataURL(x.picture)
		if err != nil {
			return err
		}
		picture := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		picture.OfInputImage.ImageURL = openai.String(url)
		res, err := client.Responses.New(ctx, responseParams(responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{
			responses.ResponseInputContentParamOfInputText(askPicture), picture,
		}, responses.EasyInputMessageRoleUser)))
		if err != nil {
			return err
		}
		return want(res.OutputText() != "" && res.Usage.InputTokens > pictureTokens, "usage %+v", res.Usage)
	},
	compat.Others: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		n, err := client.Responses.InputTokens.Count(ctx, responses.InputTokenCountParams{
			Model: openai.String("gpt-5-mini"), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(question)},
		})
		if err := errors.Join(err, want(err != nil || n.InputTokens > 0, "count: %+v", n)); err != nil {
			return err
		}
		kept, err := client.Responses.New(ctx, responseParams(userItem(question)))
		if err != nil {
			return err
		}
		read, err := client.Responses.Get(ctx, kept.ID, responses.ResponseGetParams{})
		if err := errors.Join(err, want(err != nil || read.OutputText() == kept.OutputText(), "kept: %+v", read)); err != nil {
			return err
		}
		return client.Responses.Delete(ctx, kept.ID)
	},
	compat.Errors: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		p := responseParams(userItem(question))
		p.Model = unpriced
		_, err := client.Responses.New(ctx, p)
		if err := refusedAs(err, "a model without a price", isUnpriced); err != nil {
			return err
		}
		stranger := openai.NewClient(option.WithAPIKey("pk_none"))
		_, err = stranger.Responses.New(ctx, responseParams(userItem(question)))
		return refusedAs(err, "an unknown key", isUnknownKey)
	},
	compat.Cancel: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		stream := client.Responses.NewStreaming(ctx, responseParams(userItem(question)))
		defer stream.Close()
		for stream.Next() {
			if stream.Current().Type == "response.output_text.delta" {
				leave()
			}
		}
		return want(ctx.Err() != nil && stream.Err() != nil, "the stream ended by itself: %v", stream.Err())
	},
	compat.Denial: func(ctx context.Context, _ task) error {
		client := openai.NewClient()
		_, err := client.Responses.New(ctx, responseParams(userItem(question)))
		return refusedAs(err, "the refusal", isNoMoney)
	},
}

func responseTools(ctx context.Context, x task) error {
	client := openai.NewClient()
	text, names := toolsOf(x.scenario)
	p := responseParams(userItem(text))
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("look_up", lookUp, true), responses.ToolParamOfFunction("weigh", weigh, true)}
	res, err := client.Responses.New(ctx, p)
	if err != nil {
		return err
	}
	var calls []called
	var results responses.ResponseInputParam
	for _, item := range res.Output {
		if item.Type == "function_call" {
			c := item.AsFunctionCall()
			calls = append(calls, called{c.CallID, c.Name, c.Arguments})
			output := responses.ResponseInputItemParamOfFunctionCallOutput("an officer")
			output.OfFunctionCallOutput.CallID = openai.String(c.CallID)
			results = append(results, output)
		}
	}
	if err := areCalls(calls, names...); err != nil {
		return err
	}
	p.PreviousResponseID, p.Input.OfInputItemList = openai.String(res.ID), results
	if res, err = client.Responses.New(ctx, p); err != nil {
		return err
	}
	return want(res.OutputText() != "", "with the results: %s", res.RawJSON())
}
