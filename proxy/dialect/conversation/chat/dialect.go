package chat

import "purser/proxy/dialect/conversation"

// Dialect implements conversation.Dialect.
type Dialect struct{}

var _ conversation.Dialect = Dialect{}

// NewWriter implements conversation.Client.
func (Dialect) NewWriter() conversation.Writer { return new(writer) }

// NewReader implements conversation.Provider.
func (Dialect) NewReader() conversation.Reader { return new(reader) }
