package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/genai"

	"purser/e2e/compat"
)

const geminiModel = "gemini-2.5-flash"

// generate asks once, with a client made of the environment.
func generate(ctx context.Context, model string, contents []*genai.Content, config *genai.GenerateContentConfig) (*genai.GenerateContentResponse, error) {
	client, err := genai.NewClient(ctx, nil)
	if err != nil {
		return nil, err
	}
	return client.Models.GenerateContent(ctx, model, contents, config)
}

// googleGenerate is Google's own client.
var googleGenerate = goClient{
	compat.Chat: func(ctx context.Context, _ task) error {
		res, err := generate(ctx, geminiModel, genai.Text(question), nil)
		if err != nil {
			return err
		}
		u := res.UsageMetadata
		return want(res.Text() != "" && u.CandidatesTokenCount > 0 && u.ThoughtsTokenCount > 0, "usage %+v", u)
	},
	compat.Stream: func(ctx context.Context, _ task) error {
		client, err := genai.NewClient(ctx, nil)
		if err != nil {
			return err
		}
		text, pieces := "", 0
		var last *genai.GenerateContentResponse
		for res, err := range client.Models.GenerateContentStream(ctx, geminiModel, genai.Text(question), nil) {
			if err != nil {
				return err
			}
			text, last = text+res.Text(), res
			pieces++
		}
		return want(pieces > 3 && text != "" && last.UsageMetadata.CandidatesTokenCount > 0 && last.Candidates[0].FinishReason == genai.FinishReasonStop, "%d pieces, at last %+v", pieces, last)
	},
	compat.Tools:    generateTools,
	compat.Parallel: generateTools,
	compat.Structured: func(ctx context.Context, _ task) error {
		res, err := generate(ctx, geminiModel, genai.Text(question), &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseSchema: &genai.Schema{
			Type: genai.TypeObject, Properties: map[string]*genai.Schema{"word": {Type: genai.TypeString}, "grams": {Type: genai.TypeInteger}}, Required: []string{"word", "grams"},
		}})
		if err != nil {
			return err
		}
		return isWord(res.Text())
	},
	compat.Image: func(ctx context.Context, x task) error {
		b, err := os.ReadFile(x.picture)
		if err != nil {
			return err
		}
		res, err := generate(ctx, geminiModel, []*genai.Content{genai.NewContentFromParts([]*genai.Part{
			genai.NewPartFromText(askPicture), genai.NewPartFromBytes(b, "image/png"),
		}, genai.RoleUser)}, nil)
		if err != nil {
			return err
		}
		return want(res.Text() != "" && res.UsageMetadata.PromptTokenCount > pictureTokens, "usage %+v", res.UsageMetadata)
	},
	compat.Others: func(ctx context.Context, _ task) error {
		client, err := genai.NewClient(ctx, nil)
		if err != nil {
			return err
		}
		n, err := client.Models.CountTokens(ctx, geminiModel, genai.Text(question), nil)
		if err := errors.Join(err, want(err != nil || n.TotalTokens > 0, "count: %+v", n)); err != nil {
			return err
		}
		made, err := client.Models.EmbedContent(ctx, "gemini-embedding-001", []*genai.Content{
			genai.NewContentFromText("one", genai.RoleUser), genai.NewContentFromText("two", genai.RoleUser),
		}, nil)
		if err := errors.Join(err, want(err != nil || len(made.Embeddings) == 2 && len(made.Embeddings[0].Values) > 0, "embeddings: %+v", made)); err != nil {
			return err
		}
		found := false
		for m, err := range client.Models.All(ctx) {
			if err != nil {
				return err
			}
			found = found || m.Name == "models/"+geminiModel
		}
		return want(found, "%s is not listed", geminiModel)
	},
	compat.Errors: func(ctx context.Context, x task) error {
		_, err := generate(ctx, unpriced, genai.Text(question), nil)
		if err := refusedAs(err, "a model without a price", func(e genai.APIError) bool {
			return e.Code == 400 && e.Status == "INVALID_ARGUMENT" && strings.Contains(fmt.Sprint(e.Details), "MODEL_NOT_PRICED")
		}); err != nil {
			return err
		}
		stranger, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "pk_none"})
		if err != nil {
			return err
		}
		_, err = stranger.Models.GenerateContent(ctx, geminiModel, genai.Text(question), nil)
		return refusedAs(err, "an unknown key", func(e genai.APIError) bool { return e.Code == 401 && e.Status == "UNAUTHENTICATED" })
	},
	compat.Cancel: func(ctx context.Context, _ task) error {
		client, err := genai.NewClient(ctx, nil)
		if err != nil {
			return err
		}
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		for _, err = range client.Models.GenerateContentStream(ctx, geminiModel, genai.Text(question), nil) {
			leave()
		}
		return want(ctx.Err() != nil && err != nil, "the stream ended by itself: %v", err)
	},
	compat.Denial: func(ctx context.Context, _ task) error {
		_, err := generate(ctx, geminiModel, genai.Text(question), nil)
		return refusedAs(err, "the refusal", func(e genai.APIError) bool {
			return e.Code == 402 && e.Status == "FAILED_PRECONDITION" && strings.Contains(fmt.Sprint(e.Details), "BudgetPerDay-empty")
		})
	},
}

func generateTools(ctx context.Context, x task) error {
	text, names := toolsOf(x.scenario)
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
		{Name: "look_up", ParametersJsonSchema: lookUp}, {Name: "weigh", ParametersJsonSchema: weigh},
	}}}}
	contents := genai.Text(text)
	res, err := generate(ctx, geminiModel, contents, config)
	if err != nil {
		return err
	}
	var calls []called
	var results []*genai.Part
	for i, c := range res.FunctionCalls() {
		arguments, err := json.Marshal(c.Args)
		if err != nil {
			return err
		}
		calls = append(calls, called{fmt.Sprint(i), c.Name, string(arguments)}) // Gemini's calls need no id
		results = append(results, genai.NewPartFromFunctionResponse(c.Name, map[string]any{"result": "an officer"}))
	}
	if err := areCalls(calls, names...); err != nil {
		return err
	}
	contents = append(contents, res.Candidates[0].Content, genai.NewContentFromParts(results, genai.RoleUser))
	if res, err = generate(ctx, geminiModel, contents, config); err != nil {
		return err
	}
	return want(res.Text() != "", "with the results: %+v", res)
}
