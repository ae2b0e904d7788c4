package openai

import "purser/proxy/dialect"

// Format is OpenAI's wire format; see package dialect for what its methods do.
type Format struct{}

var _ dialect.Format = Format{}

// Decode implements dialect.Requests.
func (Format) Decode(c *dialect.Call, t dialect.Target, body []byte) *dialect.Error {
	return decode(c, t, body)
}

// AppendUpstream implements dialect.Requests.
func (Format) AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	return AppendUpstream(dst, c, ch)
}

// Path implements dialect.Requests.
func (Format) Path(c *dialect.Call, _ string) string {
	return paths[c.Endpoint]
}

var paths = [...]string{
	dialect.Chat: "/chat/completions", dialect.Embeddings: "/embeddings", dialect.Completions: "/completions",
	dialect.Responses: "/responses", dialect.Compact: "/responses/compact", dialect.CountTokens: "/responses/input_tokens",
	dialect.Moderations: "/moderations",
}

// ReadAnswer implements dialect.Answers.
func (Format) ReadAnswer(r *dialect.Report, e dialect.Endpoint, body []byte) { ReadAnswer(r, e, body) }

// NewMeter implements dialect.Answers.
func (Format) NewMeter() dialect.Meter { return &Meter{} }

// NewEnding implements dialect.Endings.
func (Format) NewEnding() dialect.Ending { return &Ending{} }

// ErrorAnswer implements dialect.Answers.
func (Format) ErrorAnswer(e *dialect.Error, c dialect.Client) (int, []dialect.Header, []byte) {
	return ErrorAnswer(e, c)
}

// AppendRateLimit implements dialect.Limits.
func (Format) AppendRateLimit(dst []dialect.Header, b *dialect.Budget, resetMillis int64) []dialect.Header {
	return appendRateLimit(dst, b, resetMillis)
}

// Cacheable implements dialect.Stored.
func (Format) Cacheable(c *dialect.Call) (bool, string) { return Cacheable(c) }

// AppendCanonical implements dialect.Stored.
func (Format) AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) {
	return AppendCanonical(dst, c)
}

// Fold implements dialect.Stored.
func (Format) Fold(dst, stream []byte) ([]byte, error) { return Fold(dst, stream) }

// Replay implements dialect.Stored.
func (Format) Replay(dst, answer []byte, c *dialect.Call) ([]byte, error) {
	return Replay(dst, answer, c.IncludeUsage)
}

// AppendModels implements dialect.Lists.
func (Format) AppendModels(dst []byte, list []dialect.Listed) []byte { return AppendModels(dst, list) }

// AppendModel implements dialect.Lists.
func (Format) AppendModel(dst []byte, m dialect.Listed) []byte { return AppendModel(dst, m) }
