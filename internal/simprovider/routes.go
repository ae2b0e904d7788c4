package simprovider

import (
	"strconv"
	"strings"
)

// dialect is how a provider speaks: where its key is, its headers, its errors.
type dialect struct {
	api        string // of the models that speak it
	key        func(x *call) string
	headers    func(x *call)
	errorBody  func(b []byte, e *apiError) []byte
	errorEvent string        // the name of an error event, "" where events have none
	cache      func(x *call) // reads and fills the prompt cache
	frames     bool          // streams are AWS's event streams
}

// endpoint is one billable route of a dialect.
type endpoint struct {
	name   string                            // in the bill
	decode func(x *call) *apiError           // reads the request into x.gen and chooses the plan
	answer func(x *call, body []byte) []byte // renders x.gen as JSON
	stream func(x *call)                     // renders it as events, up to the end of the content
	// tail sends the events after that, to the end; it returns how many there
	// are, and sends none if send is nil.
	tail    func(x *call, send func([]byte) bool) int
	failure func(x *call) []byte              // an error event within a stream; nil for the dialect's body
	free    func(x *call, body []byte) []byte // answers at no charge, in the place of all the above
}

// routes are the paths that exist, by method. Another dialect adds its own.
var routes = map[string]struct {
	method   string
	dialect  *dialect
	endpoint *endpoint
}{
	"/v1/chat/completions": {"POST", &openAI, &openAIChat},
	"/v1/embeddings":       {"POST", &openAI, &openAIEmbeddings},
	"/v1/completions":      {"POST", &openAI, &openAICompletions},
	"/v1/moderations":      {"POST", &openAI, &openAIModerations},

	"/v1/responses":              {"POST", &openAI, &openAIResponses},
	"/v1/responses/compact":      {"POST", &openAI, &openAICompact},
	"/v1/responses/input_tokens": {"POST", &openAI, &openAIInputTokens},

	"/v1/messages":              {"POST", &anthropic, &anthropicMessages},
	"/v1/messages/count_tokens": {"POST", &anthropic, &anthropicCount},
}

// keptPath is where responses are that are kept.
const keptPath = "/v1/responses/"

// route finds what answers, checks the key, and lets it answer.
func (x *call) route(path string) *apiError {
	method := unsafeString(x.c.req.Header.Method())
	if strings.HasPrefix(path, geminiPrefix) {
		return x.routeGemini(path, method)
	}
	if strings.HasPrefix(path, conversePrefix) {
		return x.routeConverse(path, method)
	}
	r, known := routes[path]
	models := path == "/v1/models" || strings.HasPrefix(path, "/v1/models/")
	if known {
		x.d = r.dialect
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	switch {
	case models && method == "GET":
		return x.serveModels(strings.TrimPrefix(strings.TrimPrefix(path, "/v1/models"), "/"))
	case models:
		return &apiError{status: 405, kind: "invalid_request_error", code: "method_not_supported", allow: "GET",
			message: "Not allowed to " + method + " on " + path + "."}
	case !known && strings.HasPrefix(path, keptPath):
		return x.serveKept(method, strings.TrimPrefix(path, keptPath))
	case !known:
		return &apiError{status: 404, kind: "invalid_request_error", code: "unknown_url",
			message: "Unknown request URL: " + method + " " + path + ". Please check the URL for typos, or see the docs at https://platform.openai.com/docs/api-reference/."}
	case method != r.method:
		return &apiError{status: 405, kind: "invalid_request_error", code: "method_not_supported", allow: r.method,
			message: "Not allowed to " + method + " on " + path + "."}
	}
	return x.serve(r.endpoint)
}

func (x *call) authenticate() *apiError {
	key := x.d.key(x)
	if key == "" {
		return &apiError{status: 401, kind: "invalid_request_error", message: "You didn't provide an API key. " +
			"You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."}
	}
	account, ok := x.p.keys[key]
	if !ok {
		return &apiError{status: 401, kind: "invalid_request_error", code: "invalid_api_key",
			message: "Incorrect API key provided (" + strconv.Itoa(len(key)) + " characters). You can find your API key at https://platform.openai.com/account/api-keys."}
	}
	x.account = account
	limit := x.p.cfg.RequestsPerMinute
	if limit == 0 {
		limit = shownRequestLimit
	}
	x.left = account.take(x.at, limit)
	return nil
}

// shownRequestLimit is the limit in headers when there is none.
const shownRequestLimit = 1_000_000
