package gemini

import (
	"encoding/json"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/price"

	"pgregory.net/rapid"
)

func TestUsage(t *testing.T) {
	for name, x := range map[string]struct {
		usage string
		tier  string
		want  map[price.Meter]int64
	}{
		"plain": {`{"promptTokenCount":8,"candidatesTokenCount":5,"totalTokenCount":13}`, "", map[price.Meter]int64{price.InputText: 8, price.OutputText: 5}},
		"thoughts come on top": {`{"promptTokenCount":8,"candidatesTokenCount":5,"thoughtsTokenCount":100,"totalTokenCount":113}`, "",
			map[price.Meter]int64{price.InputText: 8, price.OutputText: 5, price.OutputReasoning: 100}},
		"thoughts ate the cap": {`{"promptTokenCount":282,"thoughtsTokenCount":46,"totalTokenCount":328}`, "",
			map[price.Meter]int64{price.InputText: 282, price.OutputReasoning: 46}},
		"thoughts only in the total": {`{"promptTokenCount":282,"candidatesTokenCount":2,"totalTokenCount":328}`, "",
			map[price.Meter]int64{price.InputText: 282, price.OutputText: 2, price.OutputReasoning: 44}},
		"cached is within": {`{"promptTokenCount":2000,"cachedContentTokenCount":1500,"candidatesTokenCount":5,"totalTokenCount":2005,"cacheTokensDetails":[{"modality":"TEXT","tokenCount":1500}]}`, "",
			map[price.Meter]int64{price.InputText: 500, price.CacheRead: 1500, price.OutputText: 5}},
		"tools are not within": {`{"promptTokenCount":10,"toolUsePromptTokenCount":300,"candidatesTokenCount":5,"totalTokenCount":315,"toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":300}]}`, "",
			map[price.Meter]int64{price.InputText: 310, price.OutputText: 5}},
		"modalities": {`{"promptTokenCount":1000,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"IMAGE","tokenCount":258},{"modality":"VIDEO","tokenCount":263},{"modality":"AUDIO","tokenCount":320},{"modality":"DOCUMENT","tokenCount":149}],
			"candidatesTokenCount":1300,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}`, "",
			map[price.Meter]int64{price.InputText: 159, price.ImageIn: 521, price.AudioIn: 320, price.OutputText: 10, price.ImageOut: 1290}},
		"speech": {`{"promptTokenCount":10,"candidatesTokenCount":250,"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":250}]}`, "",
			map[price.Meter]int64{price.InputText: 10, price.AudioOut: 250}},
		"cached sound": {`{"promptTokenCount":1000,"cachedContentTokenCount":700,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":800},{"modality":"TEXT","tokenCount":200}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":600},{"modality":"TEXT","tokenCount":100}]}`, "",
			map[price.Meter]int64{price.CacheRead: 100, price.AudioIn: 800, price.InputText: 100}},
		"cached picture": {`{"promptTokenCount":1000,"cachedContentTokenCount":258,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":516}],"cacheTokensDetails":[{"modality":"IMAGE","tokenCount":258}]}`, "",
			map[price.Meter]int64{price.CacheRead: 258, price.ImageIn: 258, price.InputText: 484}},
		"tier":          {`{"promptTokenCount":1,"serviceTier":"PRIORITY","trafficType":"ON_DEMAND"}`, "priority", map[price.Meter]int64{price.InputText: 1}},
		"traffic":       {`{"promptTokenCount":1,"trafficType":"ON_DEMAND_FLEX"}`, "flex", map[price.Meter]int64{price.InputText: 1}},
		"usual traffic": {`{"promptTokenCount":1,"serviceTier":"unspecified","trafficType":"ON_DEMAND"}`, "standard", map[price.Meter]int64{price.InputText: 1}},
		"prepaid":       {`{"promptTokenCount":1,"trafficType":"PROVISIONED_THROUGHPUT"}`, "scale", map[price.Meter]int64{price.InputText: 1}},
		"new traffic":   {`{"promptTokenCount":1,"trafficType":"ON_DEMAND_LUNAR"}`, "ON_DEMAND_LUNAR", map[price.Meter]int64{price.InputText: 1}},
		"nulls":         {`{"promptTokenCount":1,"candidatesTokenCount":null,"promptTokensDetails":null,"novel":{"a":[1]}}`, "", map[price.Meter]int64{price.InputText: 1}},
		"other names":   {`{"prompt_token_count":3,"candidates_token_count":4}`, "", map[price.Meter]int64{price.InputText: 3, price.OutputText: 4}},
		"nothing asked": {`{"promptTokenCount":0,"totalTokenCount":0}`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var r dialect.Report
			ReadAnswer(&r, dialect.Chat, []byte(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":`+x.usage+`}`))
			want := price.Usage{price.Requests: 1}
			for m, n := range x.want {
				want[m] = n
			}
			if r.State != dialect.UsageReported || r.Usage != want || r.ServiceTier != x.tier || !r.Done {
				t.Errorf("%+v\nwant %v", r, want)
			}
		})
	}
}

func TestUnusableUsage(t *testing.T) {
	for name, usage := range map[string]string{
		"no prompt":           `{"candidatesTokenCount":5}`,
		"empty":               `{}`,
		"not an object":       `7`,
		"a list":              `[]`,
		"negative":            `{"promptTokenCount":-1}`,
		"a fraction":          `{"promptTokenCount":1.5}`,
		"a string":            `{"promptTokenCount":"8"}`,
		"too large":           `{"promptTokenCount":99999999999999}`,
		"twice":               `{"promptTokenCount":8,"promptTokenCount":8}`,
		"in both spellings":   `{"promptTokenCount":8,"prompt_token_count":8}`,
		"cached beyond":       `{"promptTokenCount":8,"cachedContentTokenCount":9}`,
		"total below":         `{"promptTokenCount":8,"candidatesTokenCount":5,"totalTokenCount":12}`,
		"details beyond":      `{"promptTokenCount":8,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":9}]}`,
		"detail out of range": `{"promptTokenCount":8,"promptTokensDetails":[{"modality":"TEXT","tokenCount":-9}]}`,
		"output details":      `{"promptTokenCount":8,"candidatesTokenCount":5,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":6}]}`,
		"cached kind":         `{"promptTokenCount":8,"cachedContentTokenCount":5,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":5}]}`,
	} {
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, []byte(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":`+usage+`}`))
		if r.State != dialect.UsageUnusable || r.Why == "" || r.Usage != (price.Usage{}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, body := range map[string]string{"absent": `{"candidates":[]}`, "null": `{"candidates":[],"usageMetadata":null}`, "broken": `{"candidates":[],"usageMetadata":{"promptTokenCount":1}`} {
		var r dialect.Report
		if ReadAnswer(&r, dialect.Chat, []byte(body)); r.State != dialect.UsageMissing {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestUsageIsDisjoint: whatever consistent figures there are, the meters sum to
// what is billed.
func TestUsageIsDisjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
		prompt, tool, out, thoughts := n("prompt", 5000), n("tool", 500), n("out", 5000), n("thoughts", 5000)
		cached := n("cached", prompt)
		audio := n("audio", prompt)
		image := n("image", prompt-audio)
		cachedAudio := n("cached audio", min(cached, audio))
		cachedImage := n("cached image", min(cached-cachedAudio, image))
		made := n("made", out)
		detail := func(kind string, tokens int) map[string]any {
			return map[string]any{"modality": kind, "tokenCount": tokens}
		}
		body, err := json.Marshal(map[string]any{"candidates": []any{}, "usageMetadata": map[string]any{
			"promptTokenCount": prompt, "toolUsePromptTokenCount": tool, "candidatesTokenCount": out, "thoughtsTokenCount": thoughts,
			"cachedContentTokenCount": cached, "totalTokenCount": prompt + tool + out + thoughts,
			"promptTokensDetails":     []any{detail("AUDIO", audio), detail("IMAGE", image)},
			"cacheTokensDetails":      []any{detail("AUDIO", cachedAudio), detail("IMAGE", cachedImage)},
			"candidatesTokensDetails": []any{detail("IMAGE", made)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var r dialect.Report
		ReadAnswer(&r, dialect.Chat, body)
		u := r.Usage
		if r.State != dialect.UsageReported || u.TotalInput() != int64(prompt+tool) || u.TotalOutput() != int64(out+thoughts) {
			t.Fatalf("%+v of %s", r, body)
		}
		for m, n := range u {
			if n < 0 {
				t.Fatalf("%v is %d", price.Meter(m), n)
			}
		}
		if u[price.OutputReasoning] != int64(thoughts) || u[price.ImageOut] != int64(made) || u[price.CacheRead] != int64(cached-cachedAudio) {
			t.Fatalf("%+v of %s", u, body)
		}
	})
}

func TestReadAnswer(t *testing.T) {
	var r dialect.Report
	ReadAnswer(&r, dialect.Chat, []byte(`{"candidates":[{"content":{"parts":[{"text":"héllo"},{"functionCall":{"id":"c1","name":"f","args":{"role":"x"}}}],"role":"model"},"finishReason":"STOP","index":0},{"index":1,"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"totalTokenCount":10},"modelVersion":"gemini-2.5-flash","responseId":"abc"}`))
	if r.ID != "abc" || r.Model != "gemini-2.5-flash" || r.Choices != 2 || r.Finished != 2 || r.Finish != "STOP" || !r.Complete() || r.OutputBytes != 6+1+1 || r.Deltas != 1 {
		t.Errorf("%+v", r)
	}
	for name, x := range map[string]struct {
		body                     string
		done, complete, reported bool
	}{
		"blocked":      {`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}`, true, false, true},
		"not blocked":  {`{"promptFeedback":{"safetyRatings":[]},"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8}}`, true, true, true},
		"unfinished":   {`{"candidates":[{"content":{}}],"usageMetadata":{"promptTokenCount":8}}`, false, false, true},
		"unspecified":  {`{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}],"usageMetadata":{"promptTokenCount":8}}`, false, false, true},
		"paused":       {`{"candidates":[{"finishReason":"CONTINUATION"}],"usageMetadata":{"promptTokenCount":8}}`, true, false, true},
		"an error":     {`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, false, false, false},
		"another body": {`[1]`, false, false, false},
		"text behind":  {`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8}} x`, false, false, false},
	} {
		ReadAnswer(&r, dialect.Chat, []byte(x.body))
		if r.Done != x.done || r.Complete() != x.complete || (r.State == dialect.UsageReported) != x.reported {
			t.Errorf("%s: %+v", name, r)
		}
	}
	ReadAnswer(&r, dialect.Chat, []byte(`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`))
	if r.Failed == nil || *r.Failed != (dialect.UpstreamError{Type: "UNAVAILABLE", Code: "503", Message: "busy"}) {
		t.Errorf("%+v", r.Failed)
	}
	ReadAnswer(&r, dialect.Embeddings, []byte(`{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":4,"promptTokenDetails":[{"modality":"TEXT","tokenCount":4}]}}`))
	if !r.Complete() || r.Usage != (price.Usage{price.InputText: 4, price.Requests: 1}) {
		t.Errorf("%+v", r)
	}
	ReadAnswer(&r, dialect.Embeddings, []byte(`{"embeddings":[{"values":[1]}]}`))
	if !r.Done || r.State != dialect.UsageMissing {
		t.Errorf("an embedding without usage: %+v", r)
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP","index":70}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":1}],"cacheTokensDetails":[{"modality":"VIDEO","token_count":1}]}}`)
	f.Add(`{"error":"x","promptFeedback":{"blockReason":"OTHER"},"usage_metadata":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, e := range []dialect.Endpoint{dialect.Chat, dialect.Embeddings} {
			var r dialect.Report
			ReadAnswer(&r, e, []byte(body))
			if r.State == dialect.UsageReported {
				for m, n := range r.Usage {
					if n < 0 || n > 8*maxCount {
						t.Fatalf("%v is %d", price.Meter(m), n)
					}
				}
			} else if r.Usage != (price.Usage{}) {
				t.Fatalf("usage that is not reported: %+v", r)
			}
		}
	})
}
