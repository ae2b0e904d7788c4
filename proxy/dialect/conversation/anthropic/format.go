package anthropic

import (
	"purser/proxy/dialect"
	wire "purser/proxy/dialect/anthropic"
	"purser/proxy/dialect/conversation"
)

// Dialect is Anthropic's Messages; see package conversation for what its methods do.
type Dialect struct{}

var _ conversation.Dialect = Dialect{}

// ReadError implements conversation.Provider.
func (Dialect) ReadError(body []byte) dialect.UpstreamError {
	var r dialect.Report
	if wire.ReadAnswer(&r, body); r.Failed != nil {
		return *r.Failed
	}
	return dialect.UpstreamError{Message: string(body[:min(len(body), maxError)])}
}

// maxError bounds what is kept of an error that is not one of the dialect's.
const maxError = 2_048

// NewWriter implements conversation.Client.
func (Dialect) NewWriter() conversation.Writer { return &Writer{} }

// NewReader implements conversation.Provider.
func (Dialect) NewReader() conversation.Reader { return &Reader{} }
