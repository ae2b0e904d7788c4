package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
	"purser/internal/record"
)

// TestAPromptIsCountedBeforeItIsRefused: a prompt whose bytes do not fit the
// budget runs when the provider counts it, as often as it fits, and its bill stays
// within the hold and the cap.
func TestAPromptIsCountedBeforeItIsRefused(t *testing.T) {
	r := newRig(t, rigOptions{api: "anthropic", config: "    count_tokens: true\n"})
	const limit = 10_000_000 // nano-dollars: less than the prompt's bytes as tokens, some of its tokens
	r.budget(usd("cap", "0.01"))
	key := r.key(admin.NewKey{Name: "k"}).Secret
	ran := 0
	for i := range 10 {
		text := fmt.Sprint(strings.Repeat("word ", 2000), i)
		status, body, _ := r.post("/v1/messages", key, fmt.Sprintf(anthropicBody, 50, text, ""), "anthropic-version", "2023-06-01")
		switch {
		case status == 200:
			ran++
		case status != 402:
			t.Fatalf("%d %s", status, body)
		}
	}
	if ran == 0 || ran == 10 {
		t.Errorf("%d ran", ran)
	}
	records, billed := r.agree(t), int64(0)
	for _, row := range r.billRows() {
		billed += int64(row.Cost)
		rec := records[row.ClientRequestID]
		if rec == nil || rec.Bound != record.BoundCounted || rec.Overrun != 0 || rec.Hold < rec.Cost {
			t.Errorf("%+v: %+v", row, rec)
		}
	}
	if billed == 0 || billed > limit {
		t.Errorf("%d billed of %d", billed, limit)
	}
}

// TestAzuresRoutes are asked as Azure's client asks them: the deployment in the
// path, the key in its own header.
func TestAzuresRoutes(t *testing.T) {
	r := newRig(t, rigOptions{config: "    aliases: {our-mini: gpt-4o-mini}\n"})
	r.budget(usd("cap", "10"))
	key := r.key(admin.NewKey{Name: "sdk"}).Secret
	for _, deployment := range []string{"gpt-4o-mini", "our-mini"} {
		client := openai.NewClient(option.WithBaseURL(r.url+"/openai/deployments/"+deployment+"/"), option.WithHeaderDel("Authorization"),
			option.WithHeader("api-key", key), option.WithQuery("api-version", "2024-10-21"))
		res, err := client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a purser?")},
		})
		if err != nil || len(res.Choices) != 1 || res.Choices[0].Message.Content == "" {
			t.Fatalf("%s: %v, %+v", deployment, err, res)
		}
	}
	for id, rec := range r.agree(t) {
		if rec.Endpoint != "/openai/deployments/{model}/chat/completions" || rec.Cost == 0 || rec.Basis != record.Reported {
			t.Errorf("%s: %+v", id, rec)
		}
	}
}
