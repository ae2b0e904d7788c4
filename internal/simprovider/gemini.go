package simprovider

import (
	"net/url"
	"strconv"
	"strings"
)

// Gemini's dialect: https://ai.google.dev/api, as google.golang.org/genai reads it.
var gemini = dialect{api: "gemini", key: geminiKey, headers: geminiHeaders, errorBody: geminiError, cache: cachePrefix}

// geminiPrefix begins the paths that name a model and what is asked of it.
const geminiPrefix = "/v1beta/models/"

// geminiOperations are what a model can be asked, by the end of the path.
var geminiOperations = map[string]*endpoint{
	"generateContent":       &geminiGenerate,
	"streamGenerateContent": &geminiStream,
	"embedContent":          &geminiEmbed,
	"batchEmbedContents":    &geminiEmbedBatch,
	"countTokens":           &geminiCount,
}

func geminiKey(x *call) string {
	if key := x.c.req.Header.Peek("x-goog-api-key"); len(key) > 0 {
		return unsafeString(key)
	}
	return string(x.c.req.URI().QueryArgs().Peek("key"))
}

func geminiHeaders(x *call) {
	x.w.header("X-Gemini-Service-Tier", geminiTier(x.gen.tier))
	x.w.header("Server-Timing", "gfet4t7; dur="+strconv.FormatInt(x.p.now().Sub(x.at).Milliseconds(), 10))
}

// geminiTier is a tier as Gemini names it.
func geminiTier(tier string) string {
	if tier == "" || tier == "default" {
		return "standard"
	}
	return tier
}

// routeGemini answers what is below the models of Gemini's API.
func (x *call) routeGemini(path, method string) *apiError {
	x.d = &gemini
	if err := x.authenticate(); err != nil {
		return &apiError{status: 400, kind: "INVALID_ARGUMENT", message: "API key not valid. Please pass a valid API key."}
	}
	name := strings.TrimPrefix(path, geminiPrefix)
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return &apiError{status: 404, kind: "NOT_FOUND", message: "Requested entity was not found."}
	}
	model, err := url.PathUnescape(name[:colon])
	if err != nil {
		return geminiInvalid("The model's name cannot be read.")
	}
	x.gemini.model = model
	operation := name[colon+1:]
	e := geminiOperations[operation]
	switch {
	case method != "POST":
		return &apiError{status: 404, kind: "NOT_FOUND", message: "Not found."}
	case e == nil:
		return &apiError{status: 404, kind: "NOT_FOUND", message: "models/" + model + " has no method " + operation + "."}
	}
	return x.serve(e)
}

// geminiError writes an error in Google's form.
func geminiError(b []byte, e *apiError) []byte {
	status := e.status
	if e.status == 0 { // within a stream
		status = 500
	}
	b = append(b, `{"error":{"code":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"message":`...)
	b = appendJSONString(b, e.message)
	b = append(b, `,"status":"`...)
	b = append(append(b, geminiStatus(status)...), '"')
	if e.status == 429 && e.code == "insufficient_quota" {
		b = append(b, `,"details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]`...)
	} else if e.retryAfter > 0 {
		b = append(b, `,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		b = strconv.AppendFloat(b, e.retryAfter.Seconds(), 'f', -1, 64)
		b = append(b, `s"}]`...)
	}
	return append(b, "}}"...)
}

func geminiStatus(status int) string {
	switch status {
	case 404:
		return "NOT_FOUND"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 500:
		return "INTERNAL"
	case 503, 529:
		return "UNAVAILABLE"
	}
	return "INVALID_ARGUMENT"
}

func geminiInvalid(message string) *apiError {
	return &apiError{status: 400, kind: "INVALID_ARGUMENT", message: message}
}
