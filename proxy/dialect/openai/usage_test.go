package openai

import (
	"encoding/json"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

func answerWith(usage string) []byte {
	return []byte(`{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":` + usage + `}`)
}

func TestUsage(t *testing.T) {
	for usage, want := range map[string]price.Usage{
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`: {price.InputText: 10, price.OutputText: 5, price.Requests: 1},
		`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`:   {price.Requests: 1},
		`{"prompt_tokens":10,"total_tokens":10}`:                       {price.InputText: 10, price.Requests: 1},
		`{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
		  "prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20,"audio_tokens":7,"image_tokens":3,"text_tokens":90},
		  "completion_tokens_details":{"reasoning_tokens":25,"audio_tokens":5,"text_tokens":20,"rejected_prediction_tokens":4}}`: {
			price.InputText: 40, price.CacheRead: 30, price.CacheWriteOther: 20, price.AudioIn: 7, price.ImageIn: 3,
			price.OutputText: 20, price.OutputReasoning: 25, price.AudioOut: 5, price.Requests: 1},
		// Tokens of cached images are cached tokens.
		`{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":90,"image_tokens":50}}`: {
			price.CacheRead: 90, price.ImageIn: 10, price.OutputText: 1, price.Requests: 1},
		// Reasoning that only the total knows of.
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":40}`: {
			price.InputText: 10, price.OutputText: 5, price.OutputReasoning: 25, price.Requests: 1},
		// Reasoning that is beside completion_tokens, as xAI reports it.
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":109,"completion_tokens_details":{"reasoning_tokens":94}}`: {
			price.InputText: 10, price.OutputText: 5, price.OutputReasoning: 94, price.Requests: 1},
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":18,"completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":3}}`: {
			price.InputText: 10, price.OutputText: 1, price.OutputReasoning: 4, price.AudioOut: 3, price.Requests: 1},
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null},"cost":0.1,"x":{"y":[1]}}`: {
			price.InputText: 10, price.OutputText: 5, price.Requests: 1},
	} {
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, answerWith(usage))
		if r.State != dialect.UsageReported || r.Usage != want || !r.Complete() {
			t.Errorf("%s:\n got %v %v (%s)\nwant %v", usage, r.State, r.Usage, r.Why, want)
		}
	}
}

func TestUnusableUsage(t *testing.T) {
	for _, usage := range []string{
		`{}`, `[]`, `7`, `"none"`, `true`,
		`{"completion_tokens":5}`,
		`{"prompt_tokens":-1,"completion_tokens":5}`,
		`{"prompt_tokens":1.5,"completion_tokens":5}`,
		`{"prompt_tokens":1e3,"completion_tokens":5}`,
		`{"prompt_tokens":"10","completion_tokens":5}`,
		`{"prompt_tokens":99999999999999999999,"completion_tokens":5}`,
		`{"prompt_tokens":999999999999999999,"completion_tokens":5}`,
		`{"prompt_tokens":10,"prompt_tokens":20,"completion_tokens":5}`,
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":14}`,
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":11}}`,
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":6,"cache_write_tokens":5}}`,
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"audio_tokens":11}}`,
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":-1}}`,
		`{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}`,
		`{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":3}}`,
	} {
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, answerWith(usage))
		if r.State != dialect.UsageUnusable || r.Why == "" || r.Usage != (price.Usage{}) {
			t.Errorf("%s: %v %v %q", usage, r.State, r.Usage, r.Why)
		}
	}
}

// TestMetersAddUp: whatever a provider reports, meters are not negative, and
// sum to what it said it billed.
func TestMetersAddUp(t *testing.T) {
	count := rapid.Int64Range(-2, 300)
	rapid.Check(t, func(t *rapid.T) {
		u := map[string]any{"prompt_tokens": count.Draw(t, "prompt"), "completion_tokens": count.Draw(t, "completion"),
			"prompt_tokens_details":     map[string]any{"cached_tokens": count.Draw(t, "cached"), "cache_write_tokens": count.Draw(t, "written"), "audio_tokens": count.Draw(t, "audio"), "image_tokens": count.Draw(t, "image")},
			"completion_tokens_details": map[string]any{"reasoning_tokens": count.Draw(t, "reasoning"), "audio_tokens": count.Draw(t, "audio out")}}
		if rapid.Bool().Draw(t, "total") {
			u["total_tokens"] = count.Draw(t, "total tokens")
		}
		raw, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, answerWith(string(raw)))
		if r.State != dialect.UsageReported {
			return
		}
		var sum int64
		for m, n := range r.Usage {
			if n < 0 {
				t.Fatalf("meter %d is %d", m, n)
			}
			sum += n
		}
		prompt, completion := u["prompt_tokens"].(int64), u["completion_tokens"].(int64)
		want := prompt + completion
		if total, has := u["total_tokens"].(int64); has {
			want = max(want, total)
		}
		if sum != want+1 { // and the request
			t.Fatalf("meters %v sum to %d, want %d", r.Usage, sum-1, want)
		}
	})
}

func TestReadAnswer(t *testing.T) {
	var r dialect.Report
	ReadAnswer(&r, dialect.Chat, []byte(`{"id":"c2","model":"m","service_tier":"priority","choices":[
		{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_abc","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"},
		{"index":1,"message":{"role":"assistant","content":"héé"},"finish_reason":"length"}]}`))
	if r.ID != "c2" || r.ServiceTier != "priority" || r.Choices != 2 || r.Finished != 2 || r.Finish != "tool_calls" ||
		r.State != dialect.UsageMissing || r.OutputBytes != 3+5 || !r.Complete() {
		t.Errorf("%+v", r)
	}
	ReadAnswer(&r, dialect.Embeddings, []byte(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}`))
	if r.Model != "e" || !r.Complete() || r.Usage[price.InputText] != 3 || r.ID != "" {
		t.Errorf("%+v", r)
	}
	for _, body := range []string{``, `[]`, `<html>`, `{"choices":[`, `{"choices":[]} {}`, `{"error":{"message":"no"}}`, `{}`, `{"choices":[{"index":0,"message":{}}]}`} {
		ReadAnswer(&r, dialect.Chat, []byte(body))
		if r.Complete() || r.State != dialect.UsageMissing {
			t.Errorf("%s: %+v", body, r)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(answerWith(`{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":30}}`))
	f.Add([]byte(`{"error":{"message":"no"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r dialect.Report
		for _, e := range []dialect.Endpoint{dialect.Chat, dialect.Embeddings} {
			ReadAnswer(&r, e, body)
			for _, n := range r.Usage {
				if n < 0 {
					t.Fatalf("%v", r.Usage)
				}
			}
			if r.Finished > r.Choices && e == dialect.Chat || len(r.Model) > MaxModel {
				t.Fatalf("%+v", r)
			}
		}
		if e := ReadError(body); len(e.Message) > dialect.MaxErrorText+3 {
			t.Fatalf("%d bytes of message", len(e.Message))
		}
	})
}
