package proxy

import (
	"fmt"
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

// keyHeaders are where the clients of a format may have their key, beside
// Authorization. They never go upstream.
var keyHeaders = [wires]string{Gemini: "X-Goog-Api-Key"}

// keyParameters are where they may have it in the query.
var keyParameters = [wires]string{Gemini: "key"}

// ParseWire reads a format's name.
func ParseWire(name string) (Wire, error) {
	for w, n := range wireNames {
		if n == name {
			return Wire(w), nil
		}
	}
	return 0, fmt.Errorf("wire format %q is not one of %s", name, strings.Join(wireNames[:], ", "))
}

// String names the format as records do.
func (w Wire) String() string { return wireNames[w] }

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string // with {model} where the path names the model
	speaks Wire
	kind   dialect.Endpoint
	models bool // a list of models, and each of them below it

	operation string // as the dialect calls it, where the path says it
	stream    bool
	with      string // a header that the request must have, "" for none
}

const inPath = "{model}"

var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1beta/models/{model}:generateContent", speaks: Gemini, kind: dialect.Chat, operation: gemini.Generate},
	{path: "/v1beta/models/{model}:streamGenerateContent", speaks: Gemini, kind: dialect.Chat, operation: gemini.Stream, stream: true},
	{path: "/v1beta/models/{model}:countTokens", speaks: Gemini, kind: dialect.Count, operation: gemini.Count},
	{path: "/v1beta/models/{model}:embedContent", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.Embed},
	{path: "/v1beta/models/{model}:batchEmbedContents", speaks: Gemini, kind: dialect.Embeddings, operation: gemini.EmbedBatch},
	{path: "/v1beta/models", speaks: Gemini, models: true},
	{path: "/v1/models", speaks: Gemini, models: true, with: "X-Goog-Api-Key"},
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

// pathOf is a request's path in the form the endpoints have. Google's routes are
// the same in its stable version.
func pathOf(path string) string {
	const stable = "/v1/models/"
	if strings.HasPrefix(path, stable) && strings.Contains(path, ":") {
		return "/v1beta/models/" + path[len(stable):]
	}
	return path
}

// endpointOf finds what a request asks for, and the model that its path names.
func endpointOf(r *Request) (*endpoint, string) {
	path := pathOf(r.Path)
	for i := range endpoints {
		e := &endpoints[i]
		if e.with != "" && len(r.Header.Peek(e.with)) == 0 {
			continue
		}
		if before, after, ok := strings.Cut(e.path, inPath); ok {
			if model, ok := modelOf(path, before, after); ok {
				return e, model
			}
		} else if path == e.path || e.models && strings.HasPrefix(path, e.path+"/") {
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

// wire is the format the client speaks. Before that is known it is the one that
// such paths belong to, else OpenAI's.
func (x *exchange) wire() dialect.Format {
	switch {
	case x.endpoint != nil:
		return formats[x.endpoint.speaks]
	case strings.HasPrefix(x.req.Path, "/v1beta/"):
		return formats[Gemini]
	}
	return formats[OpenAI]
}

// meter is one for a stream of the present format. An exchange keeps those it had.
func (x *exchange) meter() dialect.Meter {
	w := x.endpoint.speaks
	if x.readers[w] == nil {
		x.readers[w] = formats[w].NewMeter()
	}
	return x.readers[w]
}
