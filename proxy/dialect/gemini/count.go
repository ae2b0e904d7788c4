package gemini

import (
	"net/url"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

var _ dialect.Counter = Format{}

// AppendCount implements dialect.Counter: the whole call as countTokens takes it.
// Vertex AI has another form of it, which is not spoken here.
func (Format) AppendCount(dst []byte, c *dialect.Call, model string) ([]byte, bool) {
	if c.Endpoint != dialect.Chat {
		return dst, false
	}
	out := append(dst, `{"generateContentRequest":{"model":`...)
	out = append(jsonscan.AppendString(out, modelPrefix+model), ',')
	out, ok := jsonscan.AppendMembers(out, c.Raw, func(name []byte) bool { return string(name) != "model" })
	return append(out, "}}"...), ok
}

// CountPath implements dialect.Counter.
func (Format) CountPath(model string) string {
	return "/" + modelPrefix + url.PathEscape(model) + ":" + Count
}

// ReadCount implements dialect.Counter.
func (Format) ReadCount(body []byte) (int64, bool) { return jsonscan.Count(body, "totalTokens") }
