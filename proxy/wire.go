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
	wires
)

// formats are the wire formats by their number.
var formats = [wires]dialect.Format{OpenAI: openai.Format{}, Anthropic: anthropic.Format{}}

var wireNames = [wires]string{OpenAI: "openai", Anthropic: "anthropic"}

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

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string
	speaks Wire
	kind   dialect.Endpoint
	models bool // a list of models, and each of them below it
	query  bool // the client's query goes upstream
	free   bool // the provider charges nothing for it
}

var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1/models", models: true},
	{path: "/v1/messages", speaks: Anthropic, kind: dialect.Chat, query: true},
	{path: "/v1/messages/count_tokens", speaks: Anthropic, kind: dialect.CountTokens, query: true, free: true},
}

// anthropicModels is the list of models in Anthropic's shape, which has the same
// path as OpenAI's.
var anthropicModels = endpoint{path: "/v1/models", speaks: Anthropic, models: true}

func endpointOf(r *Request) *endpoint {
	for i := range endpoints {
		e := &endpoints[i]
		if r.Path == e.path || e.models && strings.HasPrefix(r.Path, e.path+"/") {
			if e.models && speaksOf(r) == Anthropic {
				return &anthropicModels
			}
			return e
		}
	}
	return nil
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
