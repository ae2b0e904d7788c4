package gemini

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/genai"

	"purser/proxy/dialect"
)

// sdk is Google's client before a handler that decodes what it sends.
type sdk struct {
	client *genai.Client
	call   dialect.Call
	refuse *dialect.Error // what is answered, if set
	key    string
	tries  int
}

func newSDK(t *testing.T) *sdk {
	t.Helper()
	s := &sdk{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.tries++
		s.key = r.Header.Get("X-Goog-Api-Key")
		name, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		to := target(operation)
		to.Model, to.Query = name, r.URL.RawQuery
		e := s.refuse
		if e == nil {
			e = Decode(&s.call, to, bytes.Clone(body))
		}
		if e != nil {
			status, header, answer := ErrorAnswer(e, dialect.AnyClient)
			for _, h := range header {
				w.Header().Set(h.Name, h.Value)
			}
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		}
		s.answer(w, operation)
	}))
	t.Cleanup(server.Close)
	var err error
	s.client, err = genai.NewClient(context.Background(), &genai.ClientConfig{APIKey: "pk_1", Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sdk) answer(w http.ResponseWriter, operation string) {
	switch operation {
	case Stream:
		w.Header().Set("Content-Type", "text/event-stream")
		told, err := Replay(nil, []byte(`{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3}}`), &s.call)
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(told)
	case Count:
		fmt.Fprint(w, `{"totalTokens":3}`)
	case EmbedBatch:
		fmt.Fprint(w, `{"embeddings":[{"values":[1]}]}`)
	default:
		fmt.Fprint(w, `{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3}}`)
	}
}

// TestTheSDKsRequestsAreRead: what Google's own client makes of its options.
func TestTheSDKsRequestsAreRead(t *testing.T) {
	s := newSDK(t)
	ctx := context.Background()
	picture := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x84\x00\x00\x01\xf4\x08\x02\x00\x00\x00")
	for name, x := range map[string]struct {
		parts  []*genai.Part
		config *genai.GenerateContentConfig
		check  func(c *dialect.Call) bool
	}{
		"plain": {nil, nil, func(c *dialect.Call) bool { return c.N == 1 && strings.HasPrefix(texts(c), "hello") }},
		"options": {nil, &genai.GenerateContentConfig{
			MaxOutputTokens: 77, CandidateCount: 2, Temperature: genai.Ptr[float32](0.5), TopP: genai.Ptr[float32](1), TopK: genai.Ptr[float32](3), Seed: genai.Ptr[int32](1),
			StopSequences: []string{"end"}, PresencePenalty: genai.Ptr[float32](1), FrequencyPenalty: genai.Ptr[float32](1), ResponseLogprobs: true, Logprobs: genai.Ptr[int32](2),
			SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser), MediaResolution: genai.MediaResolutionHigh,
			SafetySettings: []*genai.SafetySetting{{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockNone}},
			ThinkingConfig: &genai.ThinkingConfig{ThinkingBudget: genai.Ptr[int32](0), IncludeThoughts: true}, ServiceTier: genai.ServiceTierFlex, Store: genai.Ptr(true),
		}, func(c *dialect.Call) bool {
			return c.MaxOutput == 77 && c.N == 2 && c.NoThinking && c.ServiceTier == "flex" && c.Store && c.Messages == 2 && strings.Contains(texts(c), "be brief")
		}},
		"tools": {nil, &genai.GenerateContentConfig{
			Tools:      []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "f", Parameters: &genai.Schema{Type: genai.TypeObject}}}}},
			ToolConfig: &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{Mode: genai.FunctionCallingConfigModeAny}},
		}, func(c *dialect.Call) bool { return c.Tools == 1 && strings.Contains(texts(c), `"name":"f"`) }},
		"schema": {nil, &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: map[string]any{"type": "string"}}, func(c *dialect.Call) bool {
			return strings.Contains(texts(c), `{"type":"string"}`)
		}},
		"modalities": {nil, &genai.GenerateContentConfig{ResponseModalities: []string{"TEXT", "IMAGE"}, ImageConfig: &genai.ImageConfig{AspectRatio: "1:1"}}, func(c *dialect.Call) bool { return c.Meters != 0 }},
		"cached":     {nil, &genai.GenerateContentConfig{CachedContent: "cachedContents/x"}, func(c *dialect.Call) bool { return c.HiddenContext == "cachedContent" }},
		"picture": {[]*genai.Part{genai.NewPartFromBytes(picture, "image/png")}, nil, func(c *dialect.Call) bool {
			return len(c.Images) == 1 && c.Images[0].Width == 900 && c.Images[0].Height == 500
		}},
		"sound": {[]*genai.Part{genai.NewPartFromBytes(picture, "audio/wav")}, nil, func(c *dialect.Call) bool { return c.Files == 1 }},
		"link":  {[]*genai.Part{genai.NewPartFromURI("https://example.com/x.pdf", "application/pdf")}, nil, func(c *dialect.Call) bool { return c.HiddenContext == "contents[0].parts[1].fileData" }},
		"results": {[]*genai.Part{genai.NewPartFromFunctionCall("f", map[string]any{"a": 1}), genai.NewPartFromFunctionResponse("f", map[string]any{"b": "two"})}, nil, func(c *dialect.Call) bool {
			return c.ToolCalls == 2 && strings.Contains(texts(c), "two")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			contents := []*genai.Content{genai.NewContentFromParts(append([]*genai.Part{genai.NewPartFromText("hello")}, x.parts...), genai.RoleUser)}
			res, err := s.client.Models.GenerateContent(ctx, "gemini-2.5-flash", contents, x.config)
			if err != nil || res.Text() != "hi" || s.key != "pk_1" {
				t.Fatalf("%+v %v", res, err)
			}
			if !x.check(&s.call) {
				t.Errorf("%+v\ntexts %q\nbody %s", s.call, texts(&s.call), s.call.Raw)
			}
			for res, err := range s.client.Models.GenerateContentStream(ctx, "gemini-2.5-flash", contents, x.config) {
				if err != nil || res.Text() != "hi" {
					t.Fatalf("%+v %v", res, err)
				}
			}
			if !s.call.Stream || s.call.StreamType != "" || !x.check(&s.call) {
				t.Errorf("as a stream: %+v", s.call)
			}
		})
	}
	if res, err := s.client.Models.CountTokens(ctx, "gemini-2.5-flash", genai.Text("hello"), nil); err != nil || res.TotalTokens != 3 {
		t.Errorf("%+v %v", res, err)
	}
	if res, err := s.client.Models.EmbedContent(ctx, "gemini-2.5-flash", genai.Text("hello"), nil); err != nil || len(res.Embeddings) != 1 || texts(&s.call) != "hello|user" || len(s.call.ModelSites) != 1 {
		t.Errorf("%+v %v: %s", res, err, s.call.Raw)
	}
}

// TestTheSDKStopsAtARefusal: also one that was told to retry.
func TestTheSDKStopsAtARefusal(t *testing.T) {
	s := newSDK(t)
	s.refuse = dialect.NewError(dialect.CodeQuota, "", "no room")
	s.refuse.Budget = &dialect.Budget{ID: "b", Unit: "usd"}
	retry := &genai.GenerateContentConfig{HTTPOptions: &genai.HTTPOptions{RetryOptions: &genai.HTTPRetryOptions{InitialDelay: genai.Ptr(0.001)}}}
	_, err := s.client.Models.GenerateContent(context.Background(), "m", genai.Text("x"), retry)
	e, ok := errors.AsType[genai.APIError](err)
	if !ok || e.Code != 402 || e.Status != "FAILED_PRECONDITION" || e.Message != "no room" || len(e.Details) != 2 || s.tries != 1 {
		t.Errorf("%v after %d tries", err, s.tries)
	}
}
