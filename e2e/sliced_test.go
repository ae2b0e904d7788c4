package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
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

// vouched is what an operator says of an upstream whose streams may be sliced.
const vouched = "    hold: %s\n    sliced_models: [%q]\n    slice_tokens: 200\n    ahead_tokens: 200\n"

// slicedRig is a provider that writes 200 tokens a second and stops with its
// connection, and a gateway to it in every dialect.
func slicedRig(t *testing.T, hold string) *rig {
	t.Helper()
	models := fmt.Sprintf(vouched, hold, "*")
	return newRig(t, rigOptions{
		provider: []string{"--output-min", "600", "--output-max", "600", "--chunk-gap", "5ms", "--bill-to-cut"},
		config: models + "  - name: anthropic\n    api: anthropic\n    base_url: PROVIDER/v1\n    key: sk-e2e\n" + models +
			"  - name: gemini\n    api: gemini\n    base_url: PROVIDER/v1beta\n    key: sk-e2e\n" + models,
	})
}

// sliced compares each call's record with its bill: what was charged covers it.
func (r *rig) sliced() (outcomes map[record.Outcome]int) {
	r.t.Helper()
	r.stopNode()
	records, rows := r.records(), r.billRows()
	outcomes = map[record.Outcome]int{}
	for _, rec := range records {
		outcomes[rec.Outcome]++
		if rec.Overrun != 0 || rec.Outcome == record.CutShort && (rec.Basis != record.Estimated || rec.Cost > rec.Hold) {
			r.t.Errorf("%+v", rec)
		}
	}
	if len(rows) != len(records) {
		r.t.Errorf("%d calls billed, %d recorded", len(rows), len(records))
	}
	for _, row := range rows {
		if rec := records[row.ClientRequestID]; rec == nil || rec.Cost < row.Cost || rec.Basis == record.Reported && rec.Cost != row.Cost {
			r.t.Errorf("billed %d (%v), recorded %+v", row.Cost, row.Usage, rec)
		}
	}
	return outcomes
}

// TestSlicedStreamsShareASmallBudget: a budget that has room for three whole holds
// runs all of two dozen streams at once. Some are ended before their end, by what
// their clients take for their cap, and the provider's bill keeps to the budget.
func TestSlicedStreamsShareASmallBudget(t *testing.T) {
	const streams, limit = 24, 500_000_000 // nano-dollars; a whole hold is 0.16 USD
	r := slicedRig(t, "offered")
	run := func(hold string) (together, completed, cut int64) {
		b := usd(hold, "0.5")
		b.Match = map[string][]string{"customer": {hold}}
		r.budget(b)
		key := r.key(admin.NewKey{Name: hold, Bound: map[string]string{"customer": hold}, CacheOff: true}).Secret
		var running, most, done, short atomic.Int64
		var wg sync.WaitGroup
		for i := range streams {
			wg.Go(func() {
				tokens := int64(600)
				if i%3 == 0 {
					tokens = 100 // a short answer leaves room for others
				}
				client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0),
					option.WithHeader("x-purser-hold", hold), option.WithHeader("x-sim-mode", fmt.Sprintf("tokens=%d", tokens)))
				stream := client.Chat.Completions.NewStreaming(context.Background(), openai.ChatCompletionNewParams{
					Model: "gpt-4o", ServiceTier: "default", MaxCompletionTokens: openai.Int(16_000), StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
					Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(fmt.Sprint("a long story ", i))},
				})
				var all openai.ChatCompletionAccumulator
				for first := true; stream.Next(); first = false {
					if first {
						n := running.Add(1)
						defer running.Add(-1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
					}
					if !all.AddChunk(stream.Current()) {
						t.Errorf("the client does not take %s", stream.Current().RawJSON())
					}
				}
				switch err := stream.Err(); {
				case err == nil && all.Choices[0].FinishReason == "stop" && all.Usage.CompletionTokens == tokens:
					done.Add(1)
				case err == nil && all.Choices[0].FinishReason == "length" && all.Usage.CompletionTokens >= 400:
					short.Add(1)
				case err != nil && len(all.Choices) == 0: // refused
				default:
					t.Errorf("%s: %v, %+v", hold, err, all.ChatCompletion)
				}
			})
		}
		wg.Wait()
		if a := r.settled(hold); a.Spent > limit || a.Overrun != 0 {
			t.Errorf("%s: %+v", hold, a)
		}
		return most.Load(), done.Load(), short.Load()
	}
	whole, done, short := run("whole")
	if whole != 3 || done != 3 || short != 0 {
		t.Errorf("whole holds: %d at once, %d completed, %d cut", whole, done, short)
	}
	together, completed, cut := run("sliced")
	t.Logf("%d streams: %d at once with whole holds; %d with slices, of which %d completed and %d were cut", streams, whole, together, completed, cut)
	if together != streams || completed == 0 || cut == 0 || completed+cut != streams {
		t.Errorf("sliced: %d at once, %d completed, %d cut", together, completed, cut)
	}
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
	if billed := sum(r.billRows()); billed > 2*limit { // of both budgets; what each was charged covers its calls
		t.Errorf("billed %d", billed)
	}
	if got := r.sliced(); got[record.CutShort] != int(cut) || got[record.Completed] != int(completed+done) {
		t.Errorf("recorded %v", got)
	}
}

// TestACutStreamEndsWellInEveryDialect: the clients of the providers take it for an
// answer that has reached its cap.
func TestACutStreamEndsWellInEveryDialect(t *testing.T) {
	r := slicedRig(t, "sliced")
	key := func(name, limit string) string {
		b := usd(name, limit)
		b.Match = map[string][]string{"customer": {name}}
		r.budget(b)
		return r.key(admin.NewKey{Name: name, Bound: map[string]string{"customer": name}, CacheOff: true}).Secret
	}
	ctx := context.Background()
	t.Run("completions", func(t *testing.T) {
		client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key("completions", "0.002")))
		stream := client.Completions.NewStreaming(ctx, openai.CompletionNewParams{
			Model: "gpt-3.5-turbo-instruct", MaxTokens: openai.Int(3_000), Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("once")},
		})
		finish := ""
		for stream.Next() {
			for _, c := range stream.Current().Choices {
				finish += string(c.FinishReason)
			}
		}
		if err := stream.Err(); err != nil || finish != "length" {
			t.Errorf("finished for %q, %v", finish, err)
		}
	})
	t.Run("responses", func(t *testing.T) {
		client := openai.NewClient(option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(key("responses", "0.01")))
		stream := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{
			Model: "gpt-4o", ServiceTier: "default", MaxOutputTokens: openai.Int(16_000), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("a story")},
		})
		said, number := "", int64(0)
		var last responses.Response
		for ; stream.Next(); number++ {
			e := stream.Current()
			if e.SequenceNumber != number {
				t.Errorf("event %d is numbered %d", number, e.SequenceNumber)
			}
			if e.Type == "response.output_text.delta" {
				said += e.Delta
			}
			last = e.Response
		}
		if err := stream.Err(); err != nil || last.Status != "incomplete" || last.IncompleteDetails.Reason != "max_output_tokens" || last.OutputText() != said || said == "" || last.Usage.OutputTokens < 400 {
			t.Errorf("%v, said %q\n%s", err, said, last.RawJSON())
		}
	})
	t.Run("messages", func(t *testing.T) {
		client := anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(key("messages", "0.016")))
		stream := client.Messages.NewStreaming(ctx, anthropic.MessageNewParams{
			Model: "claude-sonnet-4-5", MaxTokens: 16_000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("a story"))},
		})
		var all anthropic.Message
		for stream.Next() {
			if err := all.Accumulate(stream.Current()); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.Err(); err != nil || all.StopReason != anthropic.StopReasonMaxTokens || all.Content[0].Text == "" || all.Usage.OutputTokens < 400 {
			t.Errorf("%v\n%+v", err, all)
		}
	})
	t.Run("generateContent", func(t *testing.T) {
		client := geminiClient(t, r.url, key("gemini", "0.00035"))
		var last *genai.GenerateContentResponse
		for res, err := range client.Models.GenerateContentStream(ctx, "gemini-2.0-flash", genai.Text("a story"), &genai.GenerateContentConfig{MaxOutputTokens: 8_000}) {
			if err != nil {
				t.Fatal(err)
			}
			last = res
		}
		if last == nil || len(last.Candidates) == 0 || last.Candidates[0].FinishReason != genai.FinishReasonMaxTokens || last.UsageMetadata.CandidatesTokenCount < 400 {
			t.Errorf("the last chunk is %+v", last)
		}
	})
	t.Run("generateContent as an array", func(t *testing.T) {
		status, body, _ := r.post("/v1beta/models/gemini-2.0-flash:streamGenerateContent", key("array", "0.00035"), `{"contents":[{"role":"user","parts":[{"text":"a story"}]}],"generationConfig":{"maxOutputTokens":8000}}`)
		var list []genai.GenerateContentResponse
		if err := json.Unmarshal([]byte(body), &list); status != 200 || err != nil || list[len(list)-1].Candidates[0].FinishReason != genai.FinishReasonMaxTokens {
			t.Errorf("%d, %v\n%s", status, err, body)
		}
	})
	if got := r.sliced(); got[record.CutShort] != 5 || len(got) != 1 {
		t.Errorf("recorded %v", got)
	}
}
