package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

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

// TestWhatCannotBeMeteredIsRefusedInItsDialect: every route of the providers' SDKs
// that costs something and has no meter here, asked as its client asks.
func TestWhatCannotBeMeteredIsRefusedInItsDialect(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") }, nil)
	openai := []string{}
	anthropic := []string{headerVersion, defaultVersion}
	gemini := []string{"x-goog-api-key", "pk_good"}
	for _, x := range []struct {
		header []string
		code   string // where the dialect has the gateway's code
		paths  []string
	}{
		{openai, "error.code", []string{
			"POST /v1/images/generations", "POST /v1/images/edits", "POST /v1/images/variations",
			"POST /v1/audio/speech", "POST /v1/audio/transcriptions", "POST /v1/audio/translations", "POST /v1/audio/voices",
			"POST /v1/videos", "GET /v1/videos/v_1/content", "POST /v1/videos/v_1/remix",
			"GET /v1/realtime", "POST /v1/realtime/client_secrets", "POST /v1/realtime/calls",
			"POST /v1/batches", "GET /v1/batches/b_1", "POST /v1/files", "GET /v1/files/f_1/content", "DELETE /v1/files/f_1", "POST /v1/uploads", "POST /v1/uploads/u_1/parts",
			"POST /v1/vector_stores", "POST /v1/vector_stores/vs_1/search", "POST /v1/assistants", "POST /v1/threads", "POST /v1/threads/runs", "POST /v1/threads/t_1/messages",
			"POST /v1/fine_tuning/jobs", "POST /v1/evals", "POST /v1/evals/e_1/runs", "POST /v1/containers", "POST /v1/conversations", "POST /v1/conversations/c_1/items",
			"POST /v1/chatkit/sessions", "POST /v1/decisions", "POST /v1/agents", "POST /v1/skills",
		}},
		{anthropic, "error.details.error_code", []string{
			"POST /v1/messages/batches", "GET /v1/messages/batches/b_1/results", "POST /v1/complete", "POST /v1/files", "GET /v1/files", "POST /v1/skills",
			"POST /v1/skills/s_1/versions", "POST /v1/agents", "POST /v1/sessions/s_1/events", "POST /v1/environments", "POST /v1/memory_stores",
		}},
		{gemini, "error.details.0.metadata.code", []string{
			"POST /v1beta/interactions", "GET /v1beta/interactions/i_1", "POST /v1beta/models/imagen-4.0:predict", "POST /v1/models/imagen-4.0:predict",
			"POST /v1beta/models/veo-3:predictLongRunning", "POST /v1beta/models/m:batchGenerateContent", "POST /v1beta/models/m:asyncBatchEmbedContent",
			"POST /v1beta/models/m:bidiGenerateContent", "GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
			"POST /v1beta/cachedContents", "GET /v1beta/cachedContents/c", "POST /upload/v1beta/files", "GET /v1beta/files/f", "POST /v1beta/tunedModels",
			"POST /v1beta/tunedModels/t:generateContent", "POST /v1beta/fileSearchStores", "GET /v1beta/operations/o", "POST /v1beta/batches",
		}},
	} {
		for _, route := range x.paths {
			method, path, _ := strings.Cut(route, " ")
			a, body := w.send(method, path, `{}`, x.header...)
			if a.Status != 403 || gjson.Get(body, x.code).String() != "route_not_priced" || !strings.Contains(body, "cost cannot be capped") {
				t.Errorf("%s: %d %s", route, a.Status, body)
			}
		}
	}
	// What only begins like one of them is no route, and lists stay lists.
	for path, want := range map[string]int{"/v1/filesystem": 404, "/v1/completion": 404, "/v1/batchesx": 404, "/v1/models/ft:gpt-4o:predict-co": 404} {
		if a, body := w.send("GET", path, ""); a.Status != want {
			t.Errorf("%s: %d %s", path, a.Status, body)
		}
	}
}
