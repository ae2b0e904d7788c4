package proxy

import "testing"

// TestRoutes: what a path asks for, in whose dialect, and the model that it names.
func TestRoutes(t *testing.T) {
	for _, x := range []struct {
		path, header string // a header that only one dialect has
		want         string // path of the endpoint and its dialect
		model        string
	}{
		{"/v1/chat/completions", "", "/v1/chat/completions openai", ""},
		{"/v1/chat/completions", headerVersion, "/v1/chat/completions openai", ""},
		{"/v1/responses", "", "/v1/responses openai", ""},
		{"/v1/responses/compact", "", "/v1/responses/compact openai", ""},
		{"/v1/responses/resp_1/input_items", "", "/v1/responses/ openai", ""},
		{"/v1/messages", "", "/v1/messages anthropic", ""},
		{"/v1/messages/count_tokens", "x-goog-api-key", "/v1/messages/count_tokens anthropic", ""},
		{"/v1/messages/batches", "", "", ""},
		{"/v1beta/models/m:generateContent", "", "/v1beta/models/{model}:generateContent gemini", "m"},
		{"/v1beta/models/m:generateContent", headerVersion, "/v1beta/models/{model}:generateContent gemini", "m"},
		{"/v1/models/m:generateContent", "", "/v1beta/models/{model}:generateContent gemini", "m"},
		{"/v1beta/models/a:b:countTokens", "", "/v1beta/models/{model}:countTokens gemini", "a:b"},
		{"/v1beta/models/a%20b:embedContent", "", "/v1beta/models/{model}:embedContent gemini", "a b"},
		{"/v1beta/models", "", "/v1beta/models gemini", ""},
		{"/v1beta/models/m", headerVersion, "/v1beta/models gemini", ""},
		{"/v1/models", "", "/v1/models openai", ""},
		{"/v1/models/ft:gpt-4o:org", "", "/v1/models openai", ""},
		{"/v1/models", "x-goog-api-key", "/v1/models gemini", ""},
		{"/v1/models/m", headerVersion, "/v1/models anthropic", ""},
		{"/v1beta/models/a/b:generateContent", "", "/v1beta/models gemini", ""}, // and takes no POST
		{"/v1beta/models/:generateContent", "", "/v1beta/models gemini", ""},
		{"/v1beta/models/%zz:generateContent", "", "/v1beta/models gemini", ""},
		{"/v1beta/tunedModels/m:generateContent", "", "", ""},
		{"/v1beta/cachedContents", "", "", ""},
		{"/v1alpha/models/m:generateContent", "", "", ""},
		{"/openai/deployments/my%20gpt/chat/completions", "api-key", "/openai/deployments/{model}/chat/completions openai", "my gpt"},
		{"/openai/deployments/m/embeddings", "", "/openai/deployments/{model}/embeddings openai", "m"},
		{"/openai/deployments/m/images/generations", "", "", ""},
		{"/openai/deployments/a/b/completions", "", "", ""},
		{"/v1/models/m/chat/completions", "", "/v1/models openai", ""}, // and takes no POST
	} {
		e, model := endpointOf(&Request{Path: x.path, Header: headerList{x.header, "1"}})
		got := ""
		if e != nil {
			got = e.path + " " + e.speaks.String()
		}
		if got != x.want || model != x.model {
			t.Errorf("%s: %q of %q", x.path, got, model)
		}
	}
}
