package anthropic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/conversationtest"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// answering is a client of Anthropic's, and a server that gives every call one body.
func answering(t *testing.T, kind, body string) sdk.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return sdk.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("k"), option.WithMaxRetries(0))
}

// told is what Anthropic's client knows of an answer.
func told(m *sdk.Message) string {
	var b strings.Builder
	fmt.Fprintln(&b, m.ID, m.Model, m.Role, m.StopReason, m.StopSequence)
	for _, c := range m.Content {
		fmt.Fprintf(&b, "%s %q %q %q %s %s %s\n", c.Type, c.Text, c.Thinking, c.Signature, c.ID, c.Name, c.Input)
	}
	fmt.Fprintln(&b, m.Usage.InputTokens, m.Usage.CacheCreationInputTokens, m.Usage.CacheReadInputTokens, m.Usage.OutputTokens, m.Usage.OutputTokensDetails.ThinkingTokens)
	return b.String()
}

// TestAnthropicsClientReadsAnswers: whole or as a stream, they are the same to it.
func TestAnthropicsClientReadsAnswers(t *testing.T) {
	a := talk()
	a.Parts[1].Seal = "" // redacted thinking has a block of its own in a whole answer alone
	want := "id-1 served assistant tool_use \n" +
		`thinking "" "let me see" "gemini:c2ln"   ` + "\n" + `thinking "" "" ""   ` + "\n" + `text "Looking \"it\" up." "" ""   ` + "\n" +
		`tool_use "" "" "" c1 f {"a":1}` + "\n" + `tool_use "" "" "" c2 g {}` + "\n" + "10 11 20 10 3\n"
	params := sdk.MessageNewParams{Model: "m", MaxTokens: 1}

	whole := answering(t, "application/json", string(Dialect{}.AppendAnswer(nil, a, set(), report())))
	m, err := whole.Messages.New(context.Background(), params)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(m); got != want {
		t.Errorf("whole:\n%s\n%s", got, want)
	}

	w := Dialect{}.NewWriter()
	stream := conversationtest.Write(w, set(), a.Events(), func(dst []byte) []byte { return w.End(dst, report()) })
	client := answering(t, "text/event-stream", string(stream))
	events := client.Messages.NewStreaming(context.Background(), params)
	var all sdk.Message
	for events.Next() {
		if err := all.Accumulate(events.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	if got := told(&all); got != want {
		t.Errorf("streamed:\n%s\n%s", got, want)
	}
}

// TestAnthropicsClientSeesAFailure in the middle of a stream as an error.
func TestAnthropicsClientSeesAFailure(t *testing.T) {
	w := Dialect{}.NewWriter()
	failed := Dialect{}.ReadError([]byte(`{"type":"error","error":{"type":"overloaded_error","message":"too busy"}}`))
	stream := conversationtest.Write(w, set(), []conversation.Event{{Kind: conversation.Begin}, {Kind: conversation.Fail, Failed: &failed}}, nil)
	client := answering(t, "text/event-stream", string(stream))
	events := client.Messages.NewStreaming(context.Background(), sdk.MessageNewParams{Model: "m", MaxTokens: 1})
	for events.Next() {
		_ = events.Current() // until the error
	}
	if err := events.Err(); err == nil || !strings.Contains(err.Error(), "too busy") {
		t.Error(err)
	}
}

// TestAnthropicsTypesReadRequests: what is written has their shape.
func TestAnthropicsTypesReadRequests(t *testing.T) {
	body, e := Dialect{}.AppendRequest(nil, everything())
	if e != nil {
		t.Fatal(e)
	}
	var p sdk.MessageNewParams
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	assistant, results := p.Messages[1].Content, p.Messages[3].Content
	got := fmt.Sprintln(p.Model, p.MaxTokens, p.Temperature.Value, p.TopP.Value, p.TopK.Value, p.StopSequences, p.System[0].Text, p.System[0].CacheControl.Type,
		p.OutputConfig.Effort, p.OutputConfig.Format.Schema, p.Thinking.OfAdaptive.Display, p.ToolChoice.OfTool.Name, p.ToolChoice.OfTool.DisableParallelToolUse.Value,
		p.Tools[0].OfTool.Name, p.Tools[0].OfTool.Strict.Value, p.Metadata.UserID.Value, p.ServiceTier, p.Messages[2].Role,
		p.Messages[0].Content[1].OfImage.Source.OfBase64.MediaType, p.Messages[0].Content[2].OfImage.Source.OfURL.URL,
		p.Messages[0].Content[3].OfDocument.Source.OfBase64.Data, p.Messages[0].Content[4].OfDocument.Source.OfText.Data,
		assistant[0].OfThinking.Signature, assistant[1].OfRedactedThinking.Data, assistant[3].OfToolUse.ID, assistant[3].OfToolUse.Input,
		results[1].OfToolResult.IsError.Value, results[1].OfToolResult.Content[0].OfText.Text, results[2].OfToolResult.CacheControl.TTL)
	want := `m 4096 0.5 0.9 5 [x y] s ephemeral xhigh map[type:object] summarized f true f true u standard_only system ` +
		`image/png https://example.com/a.png BBBB plain c2ln ZGF0YQ c1 map[a:1] true t 1h`
	if strings.TrimSuffix(got, "\n") != want {
		t.Errorf("%s\n%s", got, want)
	}
}
