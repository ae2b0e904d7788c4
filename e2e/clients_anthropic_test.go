package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"purser/e2e/compat"
)

func messageParams(blocks ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: "claude-haiku-4-5", MaxTokens: 1024, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
}

// anthropicMessages is Anthropic's own client.
var anthropicMessages = goClient{
	compat.Chat: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		res, err := client.Messages.New(ctx, messageParams(anthropic.NewTextBlock(question)))
		if err != nil {
			return err
		}
		return want(res.Content[0].Text != "" && res.StopReason == "end_turn" && res.Usage.OutputTokens > 0, "answer: %s", res.RawJSON())
	},
	compat.Stream: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		stream := client.Messages.NewStreaming(ctx, messageParams(anthropic.NewTextBlock(question)))
		var all anthropic.Message
		pieces := 0
		for stream.Next() {
			if err := all.Accumulate(stream.Current()); err != nil {
				return err
			}
			pieces++
		}
		if err := stream.Err(); err != nil {
			return err
		}
		return want(pieces > 5 && all.Content[0].Text != "" && all.StopReason == "end_turn" && all.Usage.OutputTokens > 5, "%d pieces: %+v", pieces, all)
	},
	compat.Tools:    messageTools,
	compat.Parallel: messageTools,
	compat.Structured: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		p := messageParams(anthropic.NewTextBlock(question))
		p.OutputConfig.Format.Schema = gramsSchema
		res, err := client.Messages.New(ctx, p)
		if err != nil {
			return err
		}
		return isWord(res.Content[0].Text)
	},
	compat.Image: func(ctx context.Context, x task) error {
		client := anthropic.NewClient()
		b, err := os.ReadFile(x.picture)
		if err != nil {
			return err
		}
		res, err := client.Messages.New(ctx, messageParams(
			anthropic.NewImageBlockBase64("image/png", base64.StdEncoding.EncodeToString(b)), anthropic.NewTextBlock(askPicture)))
		if err != nil {
			return err
		}
		return want(res.Content[0].Text != "" && res.Usage.InputTokens > pictureTokens, "usage %+v", res.Usage)
	},
	compat.Others: func(ctx context.Context, x task) error {
		client := anthropic.NewClient()
		p := messageParams(anthropic.NewTextBlock(question))
		n, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{Model: p.Model, Messages: p.Messages})
		if err := errors.Join(err, want(err != nil || n.InputTokens > 0, "count: %+v", n)); err != nil {
			return err
		}
		pages, found := client.Models.ListAutoPaging(ctx, anthropic.ModelListParams{}), false
		for pages.Next() {
			found = found || pages.Current().ID == p.Model
		}
		if err := errors.Join(pages.Err(), want(found, "%s is not listed", p.Model)); err != nil {
			return err
		}
		bearer := anthropic.NewClient(option.WithAuthToken(x.knobs["ANTHROPIC_API_KEY"]), option.WithHeaderDel("X-Api-Key"))
		res, err := bearer.Messages.New(ctx, p)
		return errors.Join(err, want(err != nil || res.StopReason == "end_turn", "with the key as bearer token: %+v", res))
	},
	compat.Errors: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		p := messageParams(anthropic.NewTextBlock(question))
		p.Model = unpriced
		_, err := client.Messages.New(ctx, p)
		if err := refusedAs(err, "a model without a price", func(e *anthropic.Error) bool {
			return e.StatusCode == 400 && strings.Contains(e.RawJSON(), `"model_not_priced"`) && e.RequestID != ""
		}); err != nil {
			return err
		}
		stranger := anthropic.NewClient(option.WithAPIKey("pk_none"))
		_, err = stranger.Messages.New(ctx, messageParams(anthropic.NewTextBlock(question)))
		return refusedAs(err, "an unknown key", func(e *anthropic.Error) bool {
			return e.StatusCode == 401 && strings.Contains(e.RawJSON(), `"authentication_error"`)
		})
	},
	compat.Cancel: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		stream := client.Messages.NewStreaming(ctx, messageParams(anthropic.NewTextBlock(question)))
		defer stream.Close()
		for stream.Next() {
			if stream.Current().Type == "content_block_delta" {
				leave()
			}
		}
		return want(ctx.Err() != nil && stream.Err() != nil, "the stream ended by itself: %v", stream.Err())
	},
	compat.Denial: func(ctx context.Context, _ task) error {
		client := anthropic.NewClient()
		_, err := client.Messages.New(ctx, messageParams(anthropic.NewTextBlock(question)))
		return refusedAs(err, "the refusal", func(e *anthropic.Error) bool {
			return e.StatusCode == 402 && strings.Contains(e.RawJSON(), `"billing_error"`) && e.RequestID != ""
		})
	},
}

func messageTools(ctx context.Context, x task) error {
	client := anthropic.NewClient()
	text, names := toolsOf(x.scenario)
	p := messageParams(anthropic.NewTextBlock(text))
	for _, t := range []anthropic.ToolParam{
		{Name: "look_up", InputSchema: anthropic.ToolInputSchemaParam{Properties: lookUp["properties"], Required: lookUp["required"].([]string)}},
		{Name: "weigh", InputSchema: anthropic.ToolInputSchemaParam{Properties: weigh["properties"], Required: weigh["required"].([]string)}},
	} {
		p.Tools = append(p.Tools, anthropic.ToolUnionParam{OfTool: &t})
	}
	res, err := client.Messages.New(ctx, p)
	if err != nil {
		return err
	}
	var calls []called
	var results []anthropic.ContentBlockParamUnion
	for _, b := range res.Content {
		if b.Type == "tool_use" {
			calls = append(calls, called{b.ID, b.Name, string(b.Input)})
			results = append(results, anthropic.NewToolResultBlock(b.ID, "an officer", false))
		}
	}
	if err := areCalls(calls, names...); err != nil {
		return err
	}
	p.Messages = append(p.Messages, res.ToParam(), anthropic.NewUserMessage(results...))
	if res, err = client.Messages.New(ctx, p); err != nil {
		return err
	}
	return want(res.Content[0].Text != "" && res.StopReason == "end_turn", "with the results: %s", res.RawJSON())
}
