package converse

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/converse"
)

// Dialect is Bedrock's Converse; see package conversation for what its methods do.
type Dialect struct{}

var _ conversation.Provider = Dialect{}

// ReadError implements conversation.Provider.
func (Dialect) ReadError(body []byte) dialect.UpstreamError { return wire.ReadError(body) }

// NewReader implements conversation.Provider.
func (Dialect) NewReader() conversation.Reader { return &Reader{} }

// Seals that are Converse's own begin with its name.
const (
	own          = "converse"
	sealOwn      = own + ":"
	sealRedacted = sealOwn + "redacted:"
)
