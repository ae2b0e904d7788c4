package gemini

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/gemini"
	"purser/proxy/price"

	"google.golang.org/genai"
)

func answer(parts, finish string) string {
	return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"finishReason":"` + finish + `","index":0}],"modelVersion":"gemini-3-pro","responseId":"r"}`
}

func TestReadAnswer(t *testing.T) {
	thought := func(text, seal string) conversation.Part {
		return conversation.Part{Kind: conversation.Thought, Text: text, Seal: seal}
	}
	for name, x := range map[string]struct {
		body string
		want conversation.Answer
	}{
		"text":      {answer(`{"text":"Hel"},{"text":"lo"}`, "STOP"), conversation.Answer{Parts: []conversation.Part{text("Hello")}, Stop: conversation.StopEnd}},
		"length":    {answer(`{"text":"Hel"}`, "MAX_TOKENS"), conversation.Answer{Parts: []conversation.Part{text("Hel")}, Stop: conversation.StopLength}},
		"nothing":   {`{"candidates":[{"finishReason":"SAFETY"}],"modelVersion":"gemini-3-pro","responseId":"r"}`, conversation.Answer{Stop: conversation.StopFiltered}},
		"thoughts":  {answer(`{"text":"hm","thought":true},{"text":"yes","thoughtSignature":"c2ln"}`, "STOP"), conversation.Answer{Parts: []conversation.Part{thought("hm", ""), text("yes"), thought("", "gemini:c2ln")}, Stop: conversation.StopEnd}},
		"signed":    {answer(`{"text":"hm","thought":true,"thoughtSignature":"c2ln"},{"text":"so","thought":true},{"text":"yes"}`, "STOP"), conversation.Answer{Parts: []conversation.Part{thought("hm", "gemini:c2ln"), thought("so", ""), text("yes")}, Stop: conversation.StopEnd}},
		"calls":     {answer(`{"text":"ok"},{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"g-1","name":"g"}}`, "STOP"), conversation.Answer{Parts: []conversation.Part{text("ok"), use("call_r_0-gemini-c2ln", "f", `{"a":1}`), use("g-1", "g", "{}")}, Stop: conversation.StopTools}},
		"cut call":  {answer(`{"functionCall":{"name":"f"}}`, "MAX_TOKENS"), conversation.Answer{Parts: []conversation.Part{use("call_r_0", "f", "{}")}, Stop: conversation.StopLength}},
		"malformed": {answer(``, "MALFORMED_FUNCTION_CALL"), conversation.Answer{Stop: conversation.StopUnknown}},
		"blocked":   {`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"modelVersion":"gemini-3-pro","responseId":"r"}`, conversation.Answer{Stop: conversation.StopFiltered}},
		"blocked, why": {`{"promptFeedback":{"blockReason":"OTHER","blockReasonMessage":"No."},"modelVersion":"gemini-3-pro","responseId":"r"}`, conversation.Answer{
			Parts: []conversation.Part{{Kind: conversation.Refusal, Text: "No."}}, Stop: conversation.StopFiltered}},
		"more than there is a word for": {`{"candidates":[{"content":{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":""}},{"executableCode":{"code":""}}]},"finishReason":"STOP","groundingMetadata":{},"safetyRatings":[]},{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"modelVersion":"gemini-3-pro","responseId":"r"}`, conversation.Answer{
			Parts: []conversation.Part{text("a")}, Stop: conversation.StopEnd,
			Left: []string{"candidates[0].content.parts[1].inlineData", "candidates[0].content.parts[2].executableCode", "candidates[0].groundingMetadata", "candidates[1]"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			x.want.ID, x.want.Model = "r", "gemini-3-pro"
			got, err := Dialect{}.ReadAnswer([]byte(x.body))
			if err != nil || !reflect.DeepEqual(got, &x.want) {
				t.Errorf("%v\n got %+v\nwant %+v", err, got, x.want)
			}
		})
	}
	for body, want := range map[string]error{
		``: nil, `[]`: nil, `{"candidates":7}`: nil, `{"candidates":[{"content":{"parts":[{"text":7}]},"finishReason":"STOP"}]}`: nil,
		`{}`: errNoAnswer, `{"usageMetadata":{}}`: errNoAnswer, `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`: errUnfinished,
		`{"error":{"code":500,"message":"no","status":"INTERNAL"}}`: errFailed,
	} {
		if a, err := (Dialect{}).ReadAnswer([]byte(body)); err == nil || a != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %+v %v", body, a, err)
		}
	}
}

// TestFinishReasons: every reason of the SDK is one that is known.
func TestFinishReasons(t *testing.T) {
	for reason, want := range map[genai.FinishReason]conversation.Stop{
		genai.FinishReasonStop: conversation.StopEnd, genai.FinishReasonMaxTokens: conversation.StopLength,
		genai.FinishReasonSafety: conversation.StopFiltered, genai.FinishReasonRecitation: conversation.StopFiltered,
		genai.FinishReasonLanguage: conversation.StopFiltered, genai.FinishReasonBlocklist: conversation.StopFiltered,
		genai.FinishReasonProhibitedContent: conversation.StopFiltered, genai.FinishReasonSPII: conversation.StopFiltered,
		genai.FinishReasonImageSafety: conversation.StopFiltered, genai.FinishReasonImageProhibitedContent: conversation.StopFiltered,
		genai.FinishReasonImageRecitation: conversation.StopFiltered, genai.FinishReasonContinuation: conversation.StopPaused,
		genai.FinishReasonOther: conversation.StopUnknown, genai.FinishReasonMalformedFunctionCall: conversation.StopUnknown,
		genai.FinishReasonUnexpectedToolCall: conversation.StopUnknown, genai.FinishReasonTooManyToolCalls: conversation.StopUnknown,
		genai.FinishReasonNoImage: conversation.StopUnknown, genai.FinishReasonImageOther: conversation.StopUnknown,
	} {
		if got := stopOf(string(reason)); got != want {
			t.Errorf("%s: %d", reason, got)
		}
	}
}

func TestReadError(t *testing.T) {
	e := Dialect{}.ReadError([]byte(`{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}`))
	if e != (dialect.UpstreamError{Type: "RESOURCE_EXHAUSTED", Code: "429", Message: "slow down"}) {
		t.Errorf("%+v", e)
	}
	if e := (Dialect{}).ReadError([]byte("<html>")); e != (dialect.UpstreamError{}) {
		t.Errorf("%+v", e)
	}
}

// report is one of another dialect's meter.
func report() *dialect.Report {
	r := &dialect.Report{ID: "metered", Model: "served", State: dialect.UsageReported, Done: true}
	r.Usage[price.InputText], r.Usage[price.CacheRead], r.Usage[price.CacheWrite5m] = 10, 4, 2
	r.Usage[price.OutputText], r.Usage[price.OutputReasoning] = 7, 5
	return r
}

func setting(array bool) *conversation.Setting {
	c := &dialect.Call{Model: "asked", Stream: true}
	if array {
		c.StreamType = "application/json"
	}
	return &conversation.Setting{Call: c, ID: "req", Unix: 1}
}

// told are answers of other dialects.
var told = map[string]conversation.Answer{
	"text":              {ID: "a", Model: "m", Parts: []conversation.Part{text("Hello \"you\"\n")}, Stop: conversation.StopEnd},
	"nothing":           {Stop: conversation.StopUnknown},
	"length":            {ID: "a", Model: "m", Parts: []conversation.Part{text("Hel")}, Stop: conversation.StopLength},
	"stop sequence":     {ID: "a", Model: "m", Parts: []conversation.Part{text("Hel")}, Stop: conversation.StopSequence, Sequence: "lo"},
	"refusal":           {ID: "a", Model: "m", Parts: []conversation.Part{{Kind: conversation.Refusal, Text: "No."}}, Stop: conversation.StopEnd},
	"filtered":          {ID: "a", Model: "m", Parts: []conversation.Part{text("Hel")}, Stop: conversation.StopFiltered},
	"paused":            {ID: "a", Model: "m", Parts: []conversation.Part{text("Hel")}, Stop: conversation.StopPaused},
	"tool call":         {ID: "a", Model: "m", Parts: []conversation.Part{use("toolu_1", "f", `{"a":1}`)}, Stop: conversation.StopTools},
	"parallel calls":    {ID: "a", Model: "m", Parts: []conversation.Part{text("I look."), use("toolu_1", "f", `{"a":"é"}`), use("toolu_2", "g", "")}, Stop: conversation.StopTools},
	"cut call":          {ID: "a", Model: "m", Parts: []conversation.Part{text("I look."), use("toolu_1", "f", `{"a":`)}, Stop: conversation.StopLength},
	"broken call":       {ID: "a", Model: "m", Parts: []conversation.Part{use("toolu_1", "f", `[1]`)}, Stop: conversation.StopTools},
	"thinking":          {ID: "a", Model: "m", Parts: []conversation.Part{{Kind: conversation.Thought, Text: "hm", Seal: "anthropic:abc"}, text("yes")}, Stop: conversation.StopEnd},
	"thinking and call": {ID: "a", Model: "m", Parts: []conversation.Part{{Kind: conversation.Thought, Text: "hm", Seal: "anthropic:abc"}, use("toolu_1", "f", "{}")}, Stop: conversation.StopTools},
	"hidden thoughts":   {ID: "a", Model: "m", Parts: []conversation.Part{{Kind: conversation.Thought, Seal: "openai:one"}, {Kind: conversation.Thought, Seal: "openai:two"}, text("yes"), {Kind: conversation.Thought, Seal: "openai:three"}}, Stop: conversation.StopEnd},
}

func TestAppendAnswer(t *testing.T) {
	for name, a := range told {
		t.Run(name, func(t *testing.T) {
			body := Dialect{}.AppendAnswer([]byte("+"), &a, setting(false), report())[1:]
			golden(t, "answer-"+name, indented(t, body))
			var r dialect.Report
			if wire.ReadAnswer(&r, dialect.Chat, body); !r.Done || r.State != dialect.UsageReported || r.Usage.TotalInput() != 16 || r.Usage[price.CacheRead] != 4 || r.Usage[price.OutputText] != 7 || r.Usage[price.OutputReasoning] != 5 {
				t.Errorf("metered as %+v", r)
			}
			var sdk genai.GenerateContentResponse
			if err := json.Unmarshal(body, &sdk); err != nil || sdk.UsageMetadata.TotalTokenCount != 28 || sdk.Candidates[0].Content.Role != "model" {
				t.Errorf("%v %s", err, body)
			}
			if want := "a"; a.ID != "" && sdk.ResponseID != want || a.ID == "" && (sdk.ResponseID != "metered" || sdk.ModelVersion != "served") {
				t.Errorf("%s", body)
			}
		})
	}
	a := told["text"]
	if body := string(Dialect{}.AppendAnswer(nil, &a, setting(false), &dialect.Report{})); strings.Contains(body, "usage") {
		t.Errorf("a usage that is not known: %s", body)
	}
	huge := report()
	huge.Usage[price.InputText] = 1 << 40
	var sdk genai.GenerateContentResponse
	if err := json.Unmarshal(Dialect{}.AppendAnswer(nil, &a, setting(false), huge), &sdk); err != nil {
		t.Errorf("a count that Google's SDK cannot hold: %v", err)
	}
}
