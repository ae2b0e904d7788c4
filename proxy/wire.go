package proxy

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/openai"
)

// Wire is the wire format of a client or an upstream.
type Wire uint8

// The wire formats.
const (
	OpenAI Wire = iota
	OpenAIResponses
	wires
)

// formats are the wire formats by their number.
var formats = [wires]dialect.Format{OpenAI: openai.Format{}, OpenAIResponses: openai.ResponsesFormat{}}

var wireNames = [wires]string{OpenAI: "openai", OpenAIResponses: "openai"}

// String names the format as records do.
func (w Wire) String() string { return wireNames[w] }

// upstream is the format an upstream must be configured with to take calls of w.
func (w Wire) upstream() Wire {
	if w == OpenAIResponses {
		return OpenAI
	}
	return w
}

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string
	speaks Wire
	kind   dialect.Endpoint
	models bool // a list of models, and each of them below it
	below  bool // what is below the path, and not the path itself
}

// endpoints are all routes there are. A path takes the first that fits.
var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/responses", speaks: OpenAIResponses, kind: dialect.Responses},
	{path: "/v1/responses/compact", speaks: OpenAIResponses, kind: dialect.Compact},
	{path: "/v1/responses/input_tokens", speaks: OpenAIResponses, kind: dialect.InputTokens},
	{path: "/v1/responses/", speaks: OpenAIResponses, kind: dialect.Lookup, below: true},
	{path: "/v1/completions", kind: dialect.Completions},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1/moderations", kind: dialect.Moderations},
	{path: "/v1/models", models: true},
}

func endpointOf(path string) *endpoint {
	for i := range endpoints {
		e := &endpoints[i]
		if path == e.path || e.models && strings.HasPrefix(path, e.path+"/") || e.below && strings.HasPrefix(path, e.path) {
			return e
		}
	}
	return nil
}

// takes says whether the endpoint is asked with such a method.
func (e *endpoint) takes(method string) bool {
	return e.kind == dialect.Lookup || method == e.method()
}

func (e *endpoint) method() string {
	if e.models {
		return "GET"
	}
	return "POST"
}

// unpriced are routes of OpenAI that are known and not served, since nothing
// bounds or meters what they cost: pictures are priced by size and quality, sound
// by the minute, jobs by what is in files.
var unpriced = []string{
	"/v1/images/", "/v1/audio/", "/v1/videos", "/v1/realtime", "/v1/live", "/v1/batches", "/v1/fine_tuning/",
	"/v1/vector_stores", "/v1/containers", "/v1/assistants", "/v1/threads", "/v1/evals", "/v1/conversations", "/v1/decisions",
}

// noRoute is the answer to a path that no endpoint has.
func noRoute(method, path string) *dialect.Error {
	for _, p := range unpriced {
		if strings.HasPrefix(path, p) {
			return dialect.NewError(dialect.CodeUnpricedRoute, "", "%s %s is not served: the price catalogue has no meter for what it costs, so its cost cannot be capped", method, quotePath(path))
		}
	}
	return dialect.NewError(dialect.CodeRouteNotFound, "", "no route %s %s; this node speaks OpenAI's /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings, /v1/moderations and /v1/models", method, quotePath(path))
}

// wire is the format the client speaks; OpenAI's before that is known.
func (x *exchange) wire() dialect.Format {
	if x.endpoint == nil {
		return formats[OpenAI]
	}
	return formats[x.endpoint.speaks]
}

// meter is one for a stream of the present format. An exchange keeps those it had.
func (x *exchange) meter() dialect.Meter {
	w := x.endpoint.speaks
	if x.readers[w] == nil {
		x.readers[w] = formats[w].NewMeter()
	}
	return x.readers[w]
}
