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
	wires
)

// formats are the wire formats by their number.
var formats = [wires]dialect.Format{OpenAI: openai.Format{}}

var wireNames = [wires]string{OpenAI: "openai"}

// String names the format as records do.
func (w Wire) String() string { return wireNames[w] }

// endpoint is one route of a client dialect.
type endpoint struct {
	path   string
	speaks Wire
	kind   dialect.Endpoint
	models bool // a list of models, and each of them below it
}

var endpoints = []endpoint{
	{path: "/v1/chat/completions", kind: dialect.Chat},
	{path: "/v1/embeddings", kind: dialect.Embeddings},
	{path: "/v1/models", models: true},
}

func endpointOf(path string) *endpoint {
	for i := range endpoints {
		e := &endpoints[i]
		if path == e.path || e.models && strings.HasPrefix(path, e.path+"/") {
			return e
		}
	}
	return nil
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
