package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"

	"purser/api/admin"
	"purser/internal/record"
)

// talker is an SDK that holds a conversation, in the one way that all of them can.
type talker interface {
	// say asks and gives the text of the answer and its tokens in and out.
	say(model, text string) (string, int64, int64, error)
	// stream is say, streamed.
	stream(model, text string) (string, int64, int64, error)
	// look lets the model use the tool look_up, gives it the result, and returns the
	// name of the tool that it called and what it said in the end.
	look(model string) (string, string, error)
	// shape asks for an answer of a schema.
	shape(model string) (string, error)
}

const (
	theSystem = "You are a purser."
	theTask   = "Use the tool look_up."
	theResult = `{"meaning":"keeps the money of a ship"}`
)

var wordSchema = map[string]any{
	"type": "object", "properties": map[string]any{"word": map[string]any{"type": "string"}},
	"required": []string{"word"}, "additionalProperties": false,
}

type chatTalker struct{ client openai.Client }

func (c chatTalker) params(model, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, MaxCompletionTokens: openai.Int(2000),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(theSystem), openai.UserMessage(text)}}
}

func (c chatTalker) say(model, text string) (string, int64, int64, error) {
	res, err := c.client.Chat.Completions.New(context.Background(), c.params(model, text))
	if err != nil {
		return "", 0, 0, err
	}
	return res.Choices[0].Message.Content, res.Usage.PromptTokens, res.Usage.CompletionTokens, nil
}

func (c chatTalker) stream(model, text string) (string, int64, int64, error) {
	p := c.params(model, text)
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	s := c.client.Chat.Completions.NewStreaming(context.Background(), p)
	var all openai.ChatCompletionAccumulator
	for s.Next() {
		all.AddChunk(s.Current())
	}
	if s.Err() != nil {
		return "", 0, 0, s.Err()
	}
	return all.Choices[0].Message.Content, all.Usage.PromptTokens, all.Usage.CompletionTokens, nil
}

func (c chatTalker) look(model string) (string, string, error) {
	p := c.params(model, theTask)
	p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "look_up", Parameters: wordSchema})}
	res, err := c.client.Chat.Completions.New(context.Background(), p)
	if err != nil || len(res.Choices[0].Message.ToolCalls) == 0 {
		return "", "", fmt.Errorf("no call: %+v, %w", res, err)
	}
	p.Messages = append(p.Messages, res.Choices[0].Message.ToParam())
	for _, call := range res.Choices[0].Message.ToolCalls {
		p.Messages = append(p.Messages, openai.ToolMessage(theResult, call.ID))
	}
	end, err := c.client.Chat.Completions.New(context.Background(), p)
	if err != nil {
		return "", "", err
	}
	return res.Choices[0].Message.ToolCalls[0].Function.Name, end.Choices[0].Message.Content, nil
}

func (c chatTalker) shape(model string) (string, error) {
	p := c.params(model, "A word.")
	p.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{Name: "word", Schema: wordSchema}}
	res, err := c.client.Chat.Completions.New(context.Background(), p)
	if err != nil {
		return "", err
	}
	return res.Choices[0].Message.Content, nil
}

type responsesTalker struct{ client openai.Client }

func (c responsesTalker) params(model, text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: model, Instructions: openai.String(theSystem), MaxOutputTokens: openai.Int(2000),
		Input: responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(text, "user")}}}
}

func (c responsesTalker) say(model, text string) (string, int64, int64, error) {
	res, err := c.client.Responses.New(context.Background(), c.params(model, text))
	if err != nil {
		return "", 0, 0, err
	}
	return res.OutputText(), res.Usage.InputTokens, res.Usage.OutputTokens, nil
}

func (c responsesTalker) stream(model, text string) (string, int64, int64, error) {
	s := c.client.Responses.NewStreaming(context.Background(), c.params(model, text))
	var told strings.Builder
	var last responses.Response
	for s.Next() {
		e := s.Current()
		if e.Type == "response.output_text.delta" {
			told.WriteString(e.Delta)
		}
		last = e.Response
	}
	if s.Err() != nil {
		return "", 0, 0, s.Err()
	}
	if last.OutputText() != told.String() || last.Status != "completed" {
		return "", 0, 0, fmt.Errorf("streamed %q, at last %s", told.String(), last.RawJSON())
	}
	return told.String(), last.Usage.InputTokens, last.Usage.OutputTokens, nil
}

func (c responsesTalker) look(model string) (string, string, error) {
	p := c.params(model, theTask)
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("look_up", wordSchema, false)}
	res, err := c.client.Responses.New(context.Background(), p)
	if err != nil {
		return "", "", err
	}
	name := ""
	list := &p.Input.OfInputItemList
	for _, item := range res.Output {
		if item.Type != "function_call" {
			continue
		}
		name = item.Name
		*list = append(*list, responses.ResponseInputItemParamOfFunctionCall(item.Arguments.OfString, item.CallID, item.Name))
		result := responses.ResponseInputItemParamOfFunctionCallOutput(theResult)
		result.OfFunctionCallOutput.CallID = openai.String(item.CallID)
		*list = append(*list, result)
	}
	end, err := c.client.Responses.New(context.Background(), p)
	if err != nil {
		return "", "", err
	}
	return name, end.OutputText(), nil
}

func (c responsesTalker) shape(model string) (string, error) {
	p := c.params(model, "A word.")
	p.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("word", wordSchema)
	res, err := c.client.Responses.New(context.Background(), p)
	if err != nil {
		return "", err
	}
	return res.OutputText(), nil
}

type anthropicTalker struct{ client anthropic.Client }

func (c anthropicTalker) params(model, text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: anthropic.Model(model), MaxTokens: 2000, System: []anthropic.TextBlockParam{{Text: theSystem}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
}

// textOf joins the texts of a message.
func textOf(m *anthropic.Message) string {
	text := ""
	for _, b := range m.Content {
		if b.Type == "text" {
			text += b.Text
		}
	}
	return text
}

func (c anthropicTalker) say(model, text string) (string, int64, int64, error) {
	res, err := c.client.Messages.New(context.Background(), c.params(model, text))
	if err != nil {
		return "", 0, 0, err
	}
	u := res.Usage
	return textOf(res), u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens, u.OutputTokens, nil
}

func (c anthropicTalker) stream(model, text string) (string, int64, int64, error) {
	s := c.client.Messages.NewStreaming(context.Background(), c.params(model, text))
	var all anthropic.Message
	var in int64
	for s.Next() {
		e := s.Current()
		if err := all.Accumulate(e); err != nil {
			return "", 0, 0, err
		}
		if e.Type == "message_delta" {
			in = e.Usage.InputTokens + e.Usage.CacheReadInputTokens + e.Usage.CacheCreationInputTokens
		}
	}
	return textOf(&all), in, all.Usage.OutputTokens, s.Err()
}

func (c anthropicTalker) look(model string) (string, string, error) {
	p := c.params(model, theTask)
	p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{Name: "look_up", InputSchema: anthropic.ToolInputSchemaParam{Properties: wordSchema["properties"]}}}}
	res, err := c.client.Messages.New(context.Background(), p)
	if err != nil {
		return "", "", err
	}
	name := ""
	var results []anthropic.ContentBlockParamUnion
	for _, b := range res.Content {
		if b.Type == "tool_use" {
			name = b.Name
			results = append(results, anthropic.NewToolResultBlock(b.ID, theResult, false))
		}
	}
	p.Messages = append(p.Messages, res.ToParam(), anthropic.NewUserMessage(results...))
	end, err := c.client.Messages.New(context.Background(), p)
	if err != nil {
		return "", "", err
	}
	return name, textOf(end), nil
}

func (c anthropicTalker) shape(model string) (string, error) {
	p := c.params(model, "A word.")
	p.OutputConfig.Format.Schema = wordSchema
	res, err := c.client.Messages.New(context.Background(), p)
	if err != nil {
		return "", err
	}
	return textOf(res), nil
}

type geminiTalker struct{ client *genai.Client }

func (c geminiTalker) config() *genai.GenerateContentConfig {
	return &genai.GenerateContentConfig{MaxOutputTokens: 2000, SystemInstruction: genai.NewContentFromText(theSystem, genai.RoleUser)}
}

// tokensOf are those of an answer, in and out.
func tokensOf(u *genai.GenerateContentResponseUsageMetadata) (in, out int64) {
	if u == nil {
		return 0, 0
	}
	return int64(u.PromptTokenCount + u.ToolUsePromptTokenCount), int64(u.CandidatesTokenCount + u.ThoughtsTokenCount)
}

func (c geminiTalker) say(model, text string) (string, int64, int64, error) {
	res, err := c.client.Models.GenerateContent(context.Background(), model, genai.Text(text), c.config())
	if err != nil {
		return "", 0, 0, err
	}
	in, out := tokensOf(res.UsageMetadata)
	return res.Text(), in, out, nil
}

func (c geminiTalker) stream(model, text string) (told string, in, out int64, err error) {
	for res, err := range c.client.Models.GenerateContentStream(context.Background(), model, genai.Text(text), c.config()) {
		if err != nil {
			return "", 0, 0, err
		}
		told += res.Text()
		in, out = tokensOf(res.UsageMetadata)
	}
	return told, in, out, nil
}

func (c geminiTalker) look(model string) (string, string, error) {
	config := c.config()
	config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "look_up", ParametersJsonSchema: wordSchema}}}}
	talk := genai.Text(theTask)
	res, err := c.client.Models.GenerateContent(context.Background(), model, talk, config)
	if err != nil || len(res.FunctionCalls()) == 0 {
		return "", "", fmt.Errorf("no call: %+v, %w", res, err)
	}
	var result map[string]any
	if err := json.Unmarshal([]byte(theResult), &result); err != nil {
		return "", "", err
	}
	talk = append(talk, res.Candidates[0].Content)
	for _, call := range res.FunctionCalls() {
		talk = append(talk, &genai.Content{Role: genai.RoleUser, Parts: []*genai.Part{{FunctionResponse: &genai.FunctionResponse{ID: call.ID, Name: call.Name, Response: result}}}})
	}
	end, err := c.client.Models.GenerateContent(context.Background(), model, talk, config)
	if err != nil {
		return "", "", err
	}
	return res.FunctionCalls()[0].Name, end.Text(), nil
}

func (c geminiTalker) shape(model string) (string, error) {
	config := c.config()
	config.ResponseMIMEType, config.ResponseJsonSchema = "application/json", wordSchema
	res, err := c.client.Models.GenerateContent(context.Background(), model, genai.Text("A word."), config)
	if err != nil {
		return "", err
	}
	return res.Text(), nil
}

// eachItsOwn are upstreams that each speak one dialect and serve one provider's models.
const eachItsOwn = `    models: ["gpt-*"]
  - name: ant
    api: anthropic
    base_url: PROVIDER/v1
    key: sk-e2e
    models: ["claude-*"]
  - name: google
    api: gemini
    base_url: PROVIDER/v1beta
    key: sk-e2e
    models: ["gemini-*"]
  - name: bedrock
    api: converse
    auth: bearer
    base_url: PROVIDER
    key: sk-e2e
    models: ["amazon.*", "global.anthropic.*"]
`

// TestAnySDKReachesAnyModel runs every SDK against models of which each is served in
// one dialect alone: what is said, what is counted and what is billed agree.
func TestAnySDKReachesAnyModel(t *testing.T) {
	r := newRig(t, rigOptions{api: "openai-chat", config: eachItsOwn})
	r.budget(usd("cap", "50"))
	key := r.key(admin.NewKey{Name: "sdk"}).Secret
	open := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key))
	talkers := map[string]talker{
		"chat": chatTalker{open}, "responses": responsesTalker{open},
		"messages": anthropicTalker{anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(key))},
		"gemini":   geminiTalker{geminiClient(t, r.url, key)},
	}
	for name, sdk := range talkers {
		for _, model := range []string{"gpt-4o-mini", "gpt-5-mini", "claude-haiku-4-5", "claude-opus-4-8", "gemini-2.5-flash", "global.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"} {
			t.Run(name+" "+model, func(t *testing.T) { talkWith(t, r, sdk, model) })
		}
	}
	r.agree(t)
}

func talkWith(t *testing.T, r *rig, sdk talker, model string) {
	for how, say := range map[string]func(string, string) (string, int64, int64, error){"whole": sdk.say, "streamed": sdk.stream} {
		before := len(r.billRows())
		text, in, out, err := say(model, "What is a purser, "+how+"?")
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		rows := r.billRows()[before:]
		if len(rows) != 1 || text == "" || in == 0 || rows[0].Usage.TotalInput() != in || rows[0].Usage.TotalOutput() != out {
			t.Errorf("%s: %q, %d in, %d out, and the bill has %+v", how, text, in, out, rows)
		}
	}
	tool, end, err := sdk.look(model)
	if err != nil || tool != "look_up" || end == "" {
		t.Errorf("tool %q, then %q: %v", tool, end, err)
	}
	word, err := sdk.shape(model)
	if err != nil || !json.Valid([]byte(word)) {
		t.Errorf("not JSON: %q, %v", word, err)
	}
}

// TestBedrockThatFails streams from a Converse upstream that breaks off, says that it
// failed, or tells no usage: the client sees it, and the hold is charged.
func TestBedrockThatFails(t *testing.T) {
	r := newRig(t, rigOptions{api: "openai-chat", config: eachItsOwn})
	r.budget(usd("cap", "50"))
	key := r.key(admin.NewKey{Name: "k"}).Secret
	for mode, want := range map[string]string{"cut=2": "", "error-event=2": `"error"`, "no-usage": "[DONE]"} {
		body := fmt.Sprintf(`{"model":"amazon.nova-lite-v1:0--sim-%s","stream":true,"max_tokens":300,"messages":[{"role":"user","content":%q}]}`, mode, mode)
		status, answer, _, _ := r.try("/v1/chat/completions", key, body)
		if status != 200 || !strings.Contains(answer, want) || want == "" && strings.Contains(answer, "[DONE]") {
			t.Errorf("%s: %d %s", mode, status, answer)
		}
	}
	r.settled("cap")
	r.stopNode()
	billed := map[string]int64{}
	for _, row := range r.billRows() {
		billed[row.ClientRequestID] = int64(row.Cost)
	}
	records := r.records()
	if len(records) != 3 || len(billed) != 3 {
		t.Fatalf("%d records, %d rows", len(records), len(billed))
	}
	for id, rec := range records {
		if rec.Basis != record.FullHold || int64(rec.Cost) < billed[id] || rec.Overrun != 0 {
			t.Errorf("%s, billed %d: %+v", id, billed[id], rec)
		}
	}
}
