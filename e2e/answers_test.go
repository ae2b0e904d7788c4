package e2e

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/tidwall/gjson"

	"purser/api/admin"
)

// answersRig serves OpenAI's and Anthropic's dialects, and refuses as LiteLLM does
// but on one route.
func answersRig(t *testing.T) *rig {
	return newRig(t, rigOptions{config: `  - name: ant
    api: anthropic
    base_url: PROVIDER/v1
    key: sk-e2e
requests:
  deny_status: 429
  deny_status_by_route:
    /v1/completions: 412
`})
}

// forCustomer is a budget of one customer, with a key that is bound to it.
func (r *rig) forCustomer(b admin.Budget) (key string) {
	r.t.Helper()
	b.Match = map[string][]string{"customer": {b.ID}}
	r.budget(b)
	return r.key(admin.NewKey{Name: b.ID, Bound: map[string]string{"customer": b.ID}}).Secret
}

var anthropicQuestion = anthropic.MessageNewParams{
	Model: "claude-haiku-4-5", MaxTokens: 256, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is a purser?"))},
}

// TestSDKsUnderLimits: what the SDKs make of limits and refusals. A rate limit is
// waited for; one that is far away, and money, are not, whatever status they have.
func TestSDKsUnderLimits(t *testing.T) {
	r := answersRig(t)
	ctx := context.Background()
	question := openai.ChatCompletionNewParams{Model: "gpt-4o-mini", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a purser?")}}

	t.Run("a limit is waited for", func(t *testing.T) {
		key := r.forCustomer(admin.Budget{ID: "one-at-once", Unit: "slots", Limit: "1", Window: "total"})
		req, err := http.NewRequest(http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(`{"model":"gpt-4o-mini","stream":true,"max_completion_tokens":50,"messages":[{"role":"user","content":"slowly"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("x-sim-mode", "tokens=15+slow-chunks=100ms")
		slow, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Body.Close()
		if _, err := bufio.NewReader(slow.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		counted, began := countBefore(t, r.url), time.Now()
		client := openai.NewClient(option.WithBaseURL(counted.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(20))
		if _, err := client.Chat.Completions.New(ctx, question); err != nil {
			t.Fatal(err)
		}
		if n, took := counted.count.Load(), time.Since(began); n < 2 || took < time.Duration(n-1)*time.Second {
			t.Errorf("%d tries in %v, told to wait a second before each", n, took)
		}
	})
	t.Run("a limit that is far away is not", func(t *testing.T) {
		key := r.forCustomer(admin.Budget{ID: "one-ever", Unit: "requests", Limit: "1", Window: "total"})
		if status, body, _ := r.ask(key, `{"model":"gpt-4o-mini","max_completion_tokens":5,"messages":[{"role":"user","content":"the one"}]}`); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		counted := countBefore(t, r.url)
		client := openai.NewClient(option.WithBaseURL(counted.url+"/v1"), option.WithAPIKey(key))
		_, err := client.Chat.Completions.New(ctx, question)
		var refused *openai.Error
		if !errors.As(err, &refused) || refused.StatusCode != 429 || refused.Code != "rate_limit_exceeded" || refused.Response.Header.Get("x-ratelimit-limit-requests") != "1" || refused.Response.Header.Get("x-ratelimit-remaining-requests") != "0" {
			t.Errorf("the limit came as %v", err)
		}
		other := anthropic.NewClient(anthropicoption.WithBaseURL(counted.url), anthropicoption.WithAPIKey(key))
		_, err = other.Messages.New(ctx, anthropicQuestion)
		var limited *anthropic.Error
		if !errors.As(err, &limited) || limited.StatusCode != 429 || gjson.Get(limited.RawJSON(), "error.type").Str != "rate_limit_error" || limited.Response.Header.Get("anthropic-ratelimit-requests-limit") != "1" {
			t.Errorf("the limit came as %v", err)
		}
		if n := counted.count.Load(); n != 2 {
			t.Errorf("two clients tried %d times", n)
		}
	})
	t.Run("money is not, with another's status", func(t *testing.T) {
		key := r.forCustomer(usd("poor", "0.000000001"))
		counted := countBefore(t, r.url)
		client := openai.NewClient(option.WithBaseURL(counted.url+"/v1"), option.WithAPIKey(key))
		_, err := client.Chat.Completions.New(ctx, question)
		var refused *openai.Error
		if !errors.As(err, &refused) || refused.StatusCode != 429 || refused.Type != "budget_exceeded" || refused.Code != "429" {
			t.Errorf("the refusal came as %v", err)
		}
		_, err = client.Completions.New(ctx, openai.CompletionNewParams{Model: "gpt-3.5-turbo-instruct", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("A purser is")}})
		if !errors.As(err, &refused) || refused.StatusCode != 412 || refused.Code != "insufficient_quota" {
			t.Errorf("the refusal came as %v", err)
		}
		other := anthropic.NewClient(anthropicoption.WithBaseURL(counted.url), anthropicoption.WithAPIKey(key))
		_, err = other.Messages.New(ctx, anthropicQuestion)
		var broke *anthropic.Error
		if !errors.As(err, &broke) || broke.StatusCode != 429 || gjson.Get(broke.RawJSON(), "error.type").Str != "billing_error" {
			t.Errorf("the refusal came as %v", err)
		}
		if n := counted.count.Load(); n != 3 {
			t.Errorf("three calls were tried %d times", n)
		}
	})
}

// TestAnswersSayWhatTheyCost: what the clients of a node are told, added up, is
// what the provider bills; and what is left of the budget goes down by it.
func TestAnswersSayWhatTheyCost(t *testing.T) {
	r := answersRig(t)
	key := r.forCustomer(usd("rich", "5"))
	var told int64
	add := func(what, cost string) {
		t.Helper()
		n, err := strconv.ParseInt(cost, 10, 64)
		if err != nil {
			t.Fatalf("%s: the cost is %q", what, cost)
		}
		told += n
	}
	const chat = `{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":"How much?"}]}`
	const message = `{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"How much?"}]}`
	for path, body := range map[string]string{"/v1/chat/completions": chat, "/v1/messages": message} {
		status, answer, header := r.post(path, key, body, "x-purser-usage-cost", "true", "x-purser-cache", "off")
		if status != 200 {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
		add(path, header.Get("x-purser-cost-nanousd"))
		if got := gjson.Get(answer, "usage.cost").Raw; got == "" || got != header.Get("x-litellm-response-cost") {
			t.Errorf("%s: the usage says %q, the header %q", path, got, header.Get("x-litellm-response-cost"))
		}
		// A stream, of which the cost follows in the trailer.
		req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(strings.Replace(body, `{"model"`, `{"stream":true,"model"`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": "Bearer " + key, "TE": "trailers", "x-purser-usage-cost": "true", "x-purser-cache": "off"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		events, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %d %s, %v", path, res.StatusCode, events, err)
		}
		add(path+" as a stream", res.Trailer.Get("x-purser-cost-nanousd"))
		if want := `"cost":` + res.Trailer.Get("x-litellm-response-cost"); strings.Count(string(events), want) != 1 {
			t.Errorf("%s: %s is not once in %s", path, want, events)
		}
	}
	var left string
	r.eventually("the node was told what is left", func() error {
		status, _, header := r.ask(key, chat) // fills the cache, then comes from it
		if left = header.Get("x-purser-budget-remaining-nanousd"); status != 200 || left == "" {
			return errors.New("no such header")
		}
		add("asked again", header.Get("x-purser-cost-nanousd"))
		if header.Get("x-purser-budget") != "rich" || header.Get("x-purser-budget-limit-nanousd") != "5000000000" {
			t.Errorf("headers: %v", header)
		}
		return nil
	})
	if want := strconv.FormatInt(5_000_000_000-told, 10); left != want {
		t.Errorf("%s is left of 5 USD, not %s", left, want)
	}
	r.stopNode()
	if billed := sum(r.billRows()); billed != told || told == 0 {
		t.Errorf("the provider bills %d, the clients were told %d", billed, told)
	}
}
