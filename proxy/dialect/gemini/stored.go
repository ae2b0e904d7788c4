package gemini

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/canonical"
)

// Cacheable says whether a stored answer may serve this call, and if not, why.
// What an answer depends on must be in the request; sampling is no reason
// against it. See openai.Cacheable.
func Cacheable(c *dialect.Call) (ok bool, why string) {
	switch {
	case c.Endpoint == dialect.CountTokens:
		return false, "costs nothing"
	case c.HiddenContext != "":
		return false, "refers to content outside the request"
	case c.Store:
		return false, "asks the provider to store the answer"
	}
	return true, ""
}

// canonicalVersion begins every canonical form. It changes whenever the same
// request would get other bytes, so that old entries are not found.
const canonicalVersion = "gemini.1 "

// AppendCanonical appends the canonical form of the call's body, for hashing:
// the same for any order of keys, white space, spelling of strings and numbers,
// for a stream and for a whole answer, and for any value of store and labels,
// which do not change the answer's content. A field in its other spelling is
// another request. It fails with [canonical.ErrDuplicateKey].
func AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) {
	operation := c.Operation
	if operation == Stream {
		operation = Generate
	}
	dst = append(append(append(dst, canonicalVersion...), operation...), ' ')
	return canonical.Append(dst, c.Raw, aside)
}

// aside says whether a field of the body has no part in its canonical form.
func aside(name []byte) bool {
	switch string(name) {
	case "store", "labels":
		return true
	}
	return false
}
