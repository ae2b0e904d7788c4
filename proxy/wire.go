package proxy

import (
	"slices"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/converse"
	"purser/proxy/dialect/gemini"
	"purser/proxy/dialect/openai"
)

// Wire is the wire format of a client or an upstream.
type Wire uint8

// The wire formats.
const (
	OpenAI Wire = iota
	OpenAIResponses
	Anthropic
	Gemini
	Converse // upstreams alone speak it
	wires
)

// formats are the wire formats of clients by their number, providers those of
// upstreams.
var (
	formats = [wires]dialect.Format{
		OpenAI: openai.Format{}, OpenAIResponses: openai.ResponsesFormat{}, Anthropic: anthropic.Format{}, Gemini: gemini.Format{},
	}
	providers = [wires]dialect.Provider{
		OpenAI: openai.Format{}, OpenAIResponses: openai.ResponsesFormat{}, Anthropic: anthropic.Format{}, Gemini: gemini.Format{}, Converse: converse.Format{},
	}
)

// wireNames are those of records and of the configuration, which know providers'
// dialects: both formats of OpenAI's have one.
var wireNames = [wires]string{OpenAI: "openai", OpenAIResponses: "openai", Anthropic: "anthropic", Gemini: "gemini", Converse: "converse"}

// String names the format as records do.
func (w Wire) String() string { return wireNames[w] }

// ParseWire gives the format of an upstream that speaks the dialect named.
func ParseWire(name string) (Wire, bool) {
	for w, n := range wireNames {
		if n == name {
			return Wire(w), true
		}
	}
	return 0, false
}

// upstream is the format an upstream must be configured with to take calls of w.
func (w Wire) upstream() Wire {
	if w == OpenAIResponses {
		return OpenAI
	}
	return w
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

var keyHeaders = [wires]string{OpenAI: "api-key", Anthropic: "x-api-key", Gemini: "x-goog-api-key"} // OpenAI's is that of Azure's clients

// keyParameters are where a client may have its key in the query, by format.
var keyParameters = [wires]string{Gemini: "key"}

// speaksOf tells the client's format where no endpoint does: by the path, else by
// a header that only one has.
func speaksOf(r *Request) Wire {
	switch {
	case strings.HasPrefix(r.Path, "/v1/messages"), r.Path == "/v1/complete":
		return Anthropic
	case strings.HasPrefix(r.Path, "/v1beta/"), strings.HasPrefix(r.Path, "/upload/v1beta/"), strings.HasPrefix(r.Path, "/ws/"), isUnpricedMethod(r.Path):
		return Gemini
	case len(r.Header.Peek(headerVersion)) > 0:
		return Anthropic
	case len(r.Header.Peek(Gemini.KeyHeader())) > 0:
		return Gemini
	default:
		return OpenAI
	}
}

// ErrorBody tells an error of the edge's own in the dialect of the request that it
// answers. Of the request, Path and Header count.
func ErrorBody(r *Request, status int, code, message string) (contentType string, body []byte) {
	w := speaksOf(r)
	if e, _ := endpointOf(r); e != nil {
		w = e.speaks
	}
	e := dialect.Error{Status: status, Type: dialect.TypeOf(status), Code: dialect.Code(code), Message: message}
	_, headers, body := formats[w].ErrorAnswer(&e, dialect.AnyClient)
	return headers[slices.IndexFunc(headers, func(h dialect.Header) bool { return h.Name == "content-type" })].Value, body
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

// ending is one for a stream of the upstream's format, which has them. An exchange
// keeps those it had.
func (x *exchange) ending() dialect.Ending {
	w := x.route_.wire
	if x.endings[w] == nil {
		x.endings[w] = providers[w].(dialect.Endings).NewEnding()
	}
	return x.endings[w]
}

// meter is one for the stream that is to come. An exchange keeps those it had.
func (x *exchange) meter() dialect.Meter {
	w := x.route_.wire
	if x.readers[w] == nil {
		x.readers[w] = providers[w].NewMeter()
	}
	if x.translated() {
		return x.interpreter(x.readers[w])
	}
	return x.readers[w]
}
