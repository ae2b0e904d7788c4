package proxy

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/openai"
)

// Wire is the wire format of a client or an upstream.
type Wire uint8

// The wire formats.
const (
	OpenAI Wire = iota
	Anthropic
	OpenAIResponses
	wires
)

// formats are the wire formats by their number.
var formats = [wires]dialect.Format{OpenAI: openai.Format{}, OpenAIResponses: openai.ResponsesFormat{}, Anthropic: anthropic.Format{}}

// wireNames are those of records and of the configuration: the one of OpenAI is
// that of the provider's dialect, whatever a client speaks of it.
var wireNames = [wires]string{OpenAI: "openai", OpenAIResponses: "openai", Anthropic: "anthropic"}

// String names the format as records do.
func (w Wire) String() string { return wireNames[w] }

// ParseWire is the inverse of [Wire.String].
func ParseWire(name string) (Wire, bool) {
	for w, n := range wireNames {
		if n == name {
			return Wire(w), true
		}
	}
	return 0, false
}

// Headers of Anthropic's dialect.
const (
	headerVersion  = "anthropic-version"
	headerFeatures = "anthropic-beta"
	defaultVersion = "2023-06-01" // what a request without a version gets upstream
)

// KeyHeader is the header that carries a key in this format, besides
// Authorization; "" where there is none.
func (w Wire) KeyHeader() string { return keyHeaders[w] }

var keyHeaders = [wires]string{Anthropic: "x-api-key"}

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
	query  bool // the client's query goes upstream
	below  bool // what is below the path, and not the path itself
}

// endpoints are all routes there are. A path takes the first that fits.
var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/responses", speaks: OpenAIResponses, kind: dialect.Responses},
	{path: "/v1/responses/compact", speaks: OpenAIResponses, kind: dialect.Compact},
	{path: "/v1/responses/input_tokens", speaks: OpenAIResponses, kind: dialect.CountTokens},
	{path: "/v1/responses/", speaks: OpenAIResponses, kind: dialect.Lookup, below: true, query: true},
	{path: "/v1/completions", kind: dialect.Completions},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1/moderations", kind: dialect.Moderations},
	{path: "/v1/models", models: true},
	{path: "/v1/messages", speaks: Anthropic, kind: dialect.Chat, query: true},
	{path: "/v1/messages/count_tokens", speaks: Anthropic, kind: dialect.CountTokens, query: true},
}

// anthropicModels is the list of models in Anthropic's shape, which has the same
// path as OpenAI's.
var anthropicModels = endpoint{path: "/v1/models", speaks: Anthropic, models: true}

func endpointOf(r *Request) *endpoint {
	for i := range endpoints {
		e := &endpoints[i]
		if e.fits(r.Path) {
			if e.models && speaksOf(r) == Anthropic {
				return &anthropicModels
			}
			return e
		}
	}
	return nil
}

// fits says whether a path is the endpoint's.
func (e *endpoint) fits(path string) bool {
	return path == e.path || e.models && strings.HasPrefix(path, e.path+"/") || e.below && strings.HasPrefix(path, e.path)
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
	return dialect.NewError(dialect.CodeRouteNotFound, "", "no route %s %s; this node speaks OpenAI's /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings and /v1/moderations, Anthropic's /v1/messages and /v1/messages/count_tokens, and /v1/models", method, quotePath(path))
}

// speaksOf tells the client's format where the path does not.
func speaksOf(r *Request) Wire {
	if len(r.Header.Peek(headerVersion)) > 0 || strings.HasPrefix(r.Path, "/v1/messages") {
		return Anthropic
	}
	return OpenAI
}

// speaks is the format of the client.
func (x *exchange) speaks() Wire {
	if x.endpoint == nil {
		return speaksOf(x.req)
	}
	return x.endpoint.speaks
}

func (x *exchange) wire() dialect.Format { return formats[x.speaks()] }

// features are what the client's headers switch on, "" for nothing.
func (x *exchange) features() string {
	if x.endpoint.speaks != Anthropic {
		return ""
	}
	all := ""
	x.req.Header.Each(func(name, value []byte) {
		if strings.EqualFold(string(name), headerFeatures) {
			all += "," + string(value)
		}
	})
	return strings.TrimPrefix(all, ",")
}

// meter is one for a stream of the present format. An exchange keeps those it had.
func (x *exchange) meter() dialect.Meter {
	w := x.endpoint.speaks
	if x.readers[w] == nil {
		x.readers[w] = formats[w].NewMeter()
	}
	return x.readers[w]
}
