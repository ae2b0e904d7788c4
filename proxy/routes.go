package proxy

import (
	"net/url"
	"slices"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/gemini"
)

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string // with {model} where the path names the model
	speaks Wire
	kind   dialect.Endpoint
	models bool     // a list of models, and each of them below it
	own    ownRoute // about the key that it is asked with
	below  bool     // what is below the path, and not the path itself
	query  bool     // the client's query goes upstream

	operation string // as the dialect calls it, where the path says it
	stream    bool   // the path asks for a stream
}

const inPath = "{model}"

// endpoints are all routes there are. A path takes the first that fits.
var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/responses", speaks: OpenAIResponses, kind: dialect.Responses},
	{path: "/v1/messages", speaks: Anthropic, kind: dialect.Chat, query: true},
	{path: "/v1/messages/count_tokens", speaks: Anthropic, kind: dialect.CountTokens, query: true},
	{path: "/v1/responses/compact", speaks: OpenAIResponses, kind: dialect.Compact},
	{path: "/v1/responses/input_tokens", speaks: OpenAIResponses, kind: dialect.CountTokens},
	{path: "/v1/responses/", speaks: OpenAIResponses, kind: dialect.Lookup, below: true, query: true},
	{path: "/v1/completions", kind: dialect.Completions},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1/moderations", kind: dialect.Moderations},
	{path: "/openai/deployments/{model}/chat/completions", kind: dialect.Chat}, // as Azure's clients ask
	{path: "/openai/deployments/{model}/completions", kind: dialect.Completions},
	{path: "/openai/deployments/{model}/embeddings", kind: dialect.Embeddings},
	{path: geminiGenerate, speaks: Gemini, kind: dialect.Chat, operation: gemini.Generate},
	{path: "/v1beta/models/{model}:streamGenerateContent", speaks: Gemini, kind: dialect.Chat, operation: gemini.Stream, stream: true},
	{path: "/v1beta/models/{model}:countTokens", speaks: Gemini, kind: dialect.CountTokens, operation: gemini.Count},
	{path: "/v1beta/models/{model}:embedContent", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.Embed},
	{path: "/v1beta/models/{model}:batchEmbedContents", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.EmbedBatch},
	{path: "/v1beta/models", speaks: Gemini, models: true},
	{path: "/v1/keys/self", own: ownSelf},
	{path: "/v1/keys/children", own: ownChildren},
	{path: "/v1/outcomes", own: ownOutcome},
	{path: "/v1/outcomes/stripe", own: ownStripe},
	{path: "/v1/outcomes/langfuse", own: ownLangfuse},
	{path: "/v1/models", models: true},
	{path: "/v1/models", speaks: Anthropic, models: true},
	{path: "/v1/models", speaks: Gemini, models: true},
}

const geminiGenerate = "/v1beta/models/{model}:generateContent"

// endpointOf finds what a request asks for, and the model that its path names.
func endpointOf(r *Request) (*endpoint, string) {
	for i := range endpoints {
		if model, ok := endpoints[i].fits(r); ok {
			return &endpoints[i], model
		}
	}
	return nil, ""
}

// fits says whether the endpoint is what a request asks for, and the model that
// its path names, if it does. Lists of models have one path in several dialects.
func (e *endpoint) fits(r *Request) (model string, ok bool) {
	switch {
	case e.models:
		return "", (r.Path == e.path || strings.HasPrefix(r.Path, e.path+"/")) && e.speaks == speaksOf(r)
	case e.below:
		return "", strings.HasPrefix(r.Path, e.path)
	}
	before, after, named := strings.Cut(e.path, inPath)
	if !named {
		return "", r.Path == e.path
	}
	if model, ok = modelOf(r.Path, before, after); !ok && e.speaks == Gemini {
		model, ok = modelOf(r.Path, "/v1/models/", after) // the same routes are in the stable version of the API
	}
	return model, ok
}

// modelOf is what stands between two parts of a path: one segment.
func modelOf(path, before, after string) (string, bool) {
	name, ok := strings.CutPrefix(path, before)
	if !ok {
		return "", false
	}
	if name, ok = strings.CutSuffix(name, after); !ok || strings.Contains(name, "/") {
		return "", false
	}
	name, err := url.PathUnescape(name)
	return name, err == nil && name != ""
}

// scope is the endpoint as the cache knows it: answers of a stream serve calls
// for whole ones.
func (e *endpoint) scope() string {
	if e.operation == gemini.Stream {
		return geminiGenerate
	}
	return e.path
}

// takes says whether the endpoint is asked with such a method.
func (e *endpoint) takes(method string) bool {
	return e.kind == dialect.Lookup || method == e.method()
}

func (e *endpoint) method() string {
	if e.models || e.own == ownSelf {
		return "GET"
	}
	return "POST"
}

// charges says whether a path of the table is one whose calls cost something.
func charges(path string) bool {
	for i := range endpoints {
		if e := &endpoints[i]; e.path == path && !e.models && e.own == ownNothing && !e.kind.Free() {
			return true
		}
	}
	return false
}

// unpriced are paths of providers that are known and not served, since nothing
// bounds or meters what they cost: pictures are priced by size and quality, sound
// by the minute, jobs by what is in files, and what is stored by the day. Each
// stands for what is below it too.
var unpriced = []string{
	// OpenAI's
	"/v1/images", "/v1/audio", "/v1/videos", "/v1/realtime", "/v1/live", "/v1/batches", "/v1/files", "/v1/uploads", "/v1/fine_tuning",
	"/v1/vector_stores", "/v1/containers", "/v1/assistants", "/v1/threads", "/v1/evals", "/v1/conversations", "/v1/decisions", "/v1/chatkit",
	"/v1/agents", "/v1/skills",
	// Anthropic's, beside files, agents and skills
	"/v1/messages/batches", "/v1/complete", "/v1/sessions", "/v1/environments", "/v1/deployments", "/v1/dreams", "/v1/memory_stores",
	// Gemini's
	"/v1beta/interactions", "/v1beta/cachedContents", "/v1beta/files", "/upload/v1beta", "/v1beta/batches", "/v1beta/tunedModels",
	"/v1beta/corpora", "/v1beta/fileSearchStores", "/v1beta/operations", "/v1beta/auth_tokens", "/ws",
}

// unpricedMethods are those of Gemini's models for which the same holds.
var unpricedMethods = []string{
	"predict", "predictLongRunning", "batchGenerateContent", "asyncBatchEmbedContent", "bidiGenerateContent",
	"generateAnswer", "generateMessage", "generateText", "embedText", "batchEmbedText",
}

// isUnpriced says whether a path is known and not served for its cost.
func isUnpriced(path string) bool {
	for _, p := range unpriced {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return isUnpricedMethod(path)
}

func isUnpricedMethod(path string) bool {
	models := strings.HasPrefix(path, "/v1beta/models/") || strings.HasPrefix(path, "/v1/models/")
	return models && slices.Contains(unpricedMethods, path[strings.LastIndexByte(path, ':')+1:])
}

// noRoute is the answer to a path that no endpoint has.
func noRoute(method, path string) *dialect.Error {
	if isUnpriced(path) {
		return dialect.NewError(dialect.CodeUnpricedRoute, "", "%s %s is not served: nothing here meters what it costs, so its cost cannot be capped", method, quotePath(path))
	}
	return dialect.NewError(dialect.CodeRouteNotFound, "", "no route %s %s; this node speaks OpenAI's /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings and /v1/moderations, Anthropic's /v1/messages and /v1/messages/count_tokens, Gemini's /v1beta/models, and /v1/models", method, quotePath(path))
}
