package proxy

import (
	"net/url"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"
)

// Wire is the wire format of a client or an upstream.
type Wire uint8

// The wire formats.
const (
	OpenAI Wire = iota
	Gemini
	wires
)

// formats are the wire formats by their number.
var formats = [wires]dialect.Format{OpenAI: openai.Format{}, Gemini: gemini.Format{}}

var wireNames = [wires]string{OpenAI: "openai", Gemini: "gemini"}

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

// KeyHeader is the header that carries a key in this format, besides
// Authorization; "" where there is none.
func (w Wire) KeyHeader() string { return keyHeaders[w] }

var keyHeaders = [wires]string{Gemini: "x-goog-api-key"}

// keyParameters are where a client may have its key in the query, by format.
var keyParameters = [wires]string{Gemini: "key"}

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string // with {model} where the path names the model
	speaks Wire
	kind   dialect.Endpoint
	models bool // a list of models, and each of them below it
	free   bool // the provider charges nothing for it

	operation string // as the dialect calls it, where the path says it
	stream    bool
}

const inPath = "{model}"

var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1beta/models/{model}:generateContent", speaks: Gemini, kind: dialect.Chat, operation: gemini.Generate},
	{path: "/v1beta/models/{model}:streamGenerateContent", speaks: Gemini, kind: dialect.Chat, operation: gemini.Stream, stream: true},
	{path: "/v1beta/models/{model}:countTokens", speaks: Gemini, kind: dialect.CountTokens, operation: gemini.Count, free: true},
	{path: "/v1beta/models/{model}:embedContent", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.Embed},
	{path: "/v1beta/models/{model}:batchEmbedContents", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.EmbedBatch},
	{path: "/v1beta/models", speaks: Gemini, models: true},
	{path: "/v1/models", models: true},
}

// scope is the endpoint as the cache knows it: answers of a stream serve calls
// for whole ones.
func (e *endpoint) scope() string {
	if e.operation == gemini.Stream {
		return "/v1beta/models/{model}:generateContent"
	}
	return e.path
}

// geminiModels is the list of models in Gemini's shape, which in the stable version
// of its API has the same path as OpenAI's.
var geminiModels = endpoint{path: "/v1/models", speaks: Gemini, models: true}

// endpointOf finds what a request asks for, and the model that its path names.
func endpointOf(r *Request) (*endpoint, string) {
	for i := range endpoints {
		e := &endpoints[i]
		if before, after, ok := strings.Cut(e.path, inPath); ok {
			// The same routes are in the stable version of the API.
			for _, before := range [...]string{before, strings.Replace(before, "/v1beta/", "/v1/", 1)} {
				if model, ok := modelOf(r.Path, before, after); ok {
					return e, model
				}
			}
		} else if r.Path == e.path || e.models && strings.HasPrefix(r.Path, e.path+"/") {
			if e.path == geminiModels.path && speaksOf(r) == Gemini {
				e = &geminiModels
			}
			return e, ""
		}
	}
	return nil, ""
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

// speaksOf tells the client's format where no endpoint does.
func speaksOf(r *Request) Wire {
	if len(r.Header.Peek(Gemini.KeyHeader())) > 0 || strings.HasPrefix(r.Path, "/v1beta/") {
		return Gemini
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

// meter is one for a stream of the present format. An exchange keeps those it had.
func (x *exchange) meter() dialect.Meter {
	w := x.endpoint.speaks
	if x.readers[w] == nil {
		x.readers[w] = formats[w].NewMeter()
	}
	return x.readers[w]
}
