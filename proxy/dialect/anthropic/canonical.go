package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/canonical"
	"purser/proxy/dialect/jsonscan"
)

// Cacheable says whether a stored answer may serve this call, and if not, why:
// what the answer depends on must be in the request. See the openai dialect.
func Cacheable(c *dialect.Call) (ok bool, why string) {
	switch {
	case c.Endpoint != dialect.Chat:
		return false, "is free"
	case c.HiddenContext != "":
		return false, "refers to content outside the request"
	case c.Store:
		return false, "asks the provider to store the answer"
	case c.NoOutput:
		return false, "asks for a warm prompt cache"
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
const canonicalVersion = "anthropic.1 "

// AppendCanonical appends the canonical form of the call's body, for hashing:
// the same for any order of keys, white space, spelling of strings and numbers,
// and for any value of stream and metadata. What the client's headers switch on
// is part of it, since it changes answers. It fails with
// [canonical.ErrDuplicateKey].
//
// The first system text of Claude Code names its version and session. It stays in
// the form: whether the model sees it is the provider's affair and not known here.
func AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) {
	dst = append(dst, canonicalVersion...)
	dst = jsonscan.AppendString(dst, c.Features)
	return canonical.Append(append(dst, ' '), c.Raw, aside)
}

// aside says whether a field of the body has no part in its canonical form.
func aside(name []byte) bool { return string(name) == "stream" || string(name) == "metadata" }
