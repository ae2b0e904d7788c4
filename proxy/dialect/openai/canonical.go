package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/canonical"
)

// Cacheable says whether a stored answer may serve this call, and if not, why.
//
// What an answer depends on must be in the request: a call that refers to
// stored content, links to pictures that may change, or asks the provider to
// keep the answer is not served from a cache. Sampling is no reason against it:
// with a temperature above zero a stored answer is one sample of those the
// model could have given, and a client that wants a fresh one says so by
// bypassing the cache. n, tools and formats are part of the canonical form.
func Cacheable(c *dialect.Call) (ok bool, why string) {
	switch {
	case c.HiddenContext != "":
		return false, "refers to content outside the request"
	case c.Store:
		return false, "asks the provider to store the answer"
	case c.Endpoint == dialect.Compact, c.Endpoint.Free():
		return false, "not an answer worth keeping"
	case c.Endpoint == dialect.Completions && c.Stream:
		return false, "a stream of a form that has no other"
	case len(c.Paid) > 0:
		return false, "looks things up that may change"
	}
	for i := range c.Images {
		if c.Images[i].Link {
			return false, "links to a picture that may change"
		}
	}
	return true, ""
}

// canonicalVersion begins every canonical form. It changes whenever the same
// request would get other bytes, so that old entries are not found.
const canonicalVersion = "openai.1 "

// AppendCanonical appends the canonical form of the call's body, for hashing:
// the same for any order of keys, white space, spelling of strings and
// numbers, and for any value of the fields that do not change the answer's
// content (stream, stream_options, user, metadata, store, safety_identifier and
// the prompt_cache fields). Numbers are compared by their exact decimal value,
// not as floating point. It fails with [canonical.ErrDuplicateKey].
func AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) {
	dst = append(dst, canonicalVersion...)
	dst = append(append(dst, endpointNames[c.Endpoint]...), ' ')
	return canonical.Append(dst, c.Raw, aside)
}

var endpointNames = [...]string{
	dialect.Chat: "chat", dialect.Embeddings: "embeddings", dialect.Completions: "completions",
	dialect.Responses: "responses", dialect.Compact: "compact", dialect.CountTokens: "input_tokens",
	dialect.Moderations: "moderations",
}

// aside says whether a field of the body has no part in its canonical form.
func aside(name []byte) bool {
	switch string(name) {
	case "stream", "stream_options", "user", "metadata", "store", "safety_identifier",
		"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options":
		return true
	}
	return false
}
