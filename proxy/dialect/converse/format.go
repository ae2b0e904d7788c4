package converse

import (
	"net/url"
	"strings"

	"purser/proxy/dialect"
)

// Format is Converse's wire format, as upstreams speak it; see package dialect for
// what its methods do.
type Format struct{}

var _ dialect.Provider = Format{}

// Decode implements dialect.Requests.
func (Format) Decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	return Decode(c, t, body)
}

// AppendUpstream implements dialect.Requests.
func (Format) AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	return AppendUpstream(dst, c, ch)
}

// Path implements dialect.Requests. All but unreserved characters of the model are
// escaped, as AWS's clients do: its signatures are over the path.
func (Format) Path(c *dialect.Call, model string) string {
	path := "/model/" + strings.ReplaceAll(url.QueryEscape(model), "+", "%20") + "/converse"
	if c.Stream {
		path += "-stream"
	}
	return path
}

// ReadAnswer implements dialect.Answers.
func (Format) ReadAnswer(r *dialect.Report, _ dialect.Endpoint, body []byte) { ReadAnswer(r, body) }

// NewMeter implements dialect.Answers.
func (Format) NewMeter() dialect.Meter { return &Meter{} }
