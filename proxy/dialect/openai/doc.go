// Package openai speaks OpenAI's wire format: it decodes the bodies of
// /v1/chat/completions and /v1/embeddings into a dialect.Call, rewrites them for
// the upstream, meters answers and streams, encodes errors, and turns stored
// answers from JSON into events and back.
//
// The shapes are those of openai-go v3.96 and openai 7.57 (Chat Completions and
// Embeddings); SSE is WHATWG's.
package openai

import "purser/proxy/dialect"

// Change is what the gateway sets in the upstream's body.
type Change struct {
	Model        string // the upstream's name of the model; "" keeps the client's
	MaxOutput    int64  // cap in tokens per answer; 0 leaves the body's own
	CapField     string // "max_completion_tokens" (also when empty) or "max_tokens"
	IncludeUsage bool   // make a stream report its usage
}

// AppendUpstream appends the body to send upstream to dst.
func AppendUpstream(dst []byte, c *dialect.Call, ch Change) []byte { panic("not built") }

// Meter reads one stream as it passes. Feed and Finish give the bytes to send
// to the client, valid until the next call; chunk must stay unchanged until then.
type Meter struct{ report dialect.Report }

// Reset readies the meter for a stream; usage says that the client asked for it.
func (m *Meter) Reset(usage bool) { panic("not built") }

// Feed takes the next bytes of the upstream.
func (m *Meter) Feed(chunk []byte) ([]byte, error) { panic("not built") }

// Finish ends the stream: the upstream has no more bytes.
func (m *Meter) Finish() []byte { panic("not built") }

// Report is what the stream has said until now.
func (m *Meter) Report() *dialect.Report { return &m.report }

// ReadAnswer reads a whole JSON answer of status 200.
func ReadAnswer(r *dialect.Report, e dialect.Endpoint, body []byte) { panic("not built") }

// ReadError reads the body of an answer whose status is not 2xx.
func ReadError(body []byte) dialect.UpstreamError { panic("not built") }

// Client tells apart clients that want an answer in a form of their own.
type Client uint8

// The clients.
const (
	AnyClient Client = iota
	Codex
)

// ClientOf names the client from its User-Agent and originator headers.
func ClientOf(userAgent, originator []byte) Client { panic("not built") }

// ErrorAnswer gives status, headers (content-type included) and body of e.
func ErrorAnswer(e *dialect.Error, c Client) (int, []dialect.Header, []byte) { panic("not built") }

// AppendStreamError appends e as an event, for a stream that has begun.
func AppendStreamError(dst []byte, e *dialect.Error) []byte { panic("not built") }

// Model is one row of the models list.
type Model struct {
	ID, OwnedBy string
	Created     int64 // Unix seconds
}

// AppendModels appends the answer of GET /v1/models.
func AppendModels(dst []byte, models []Model) []byte { panic("not built") }

// AppendModel appends the answer of GET /v1/models/{id}.
func AppendModel(dst []byte, m Model) []byte { panic("not built") }

// Cacheable says whether a stored answer may serve this call; why names the
// first reason against it.
func Cacheable(c *dialect.Call) (ok bool, why string) { panic("not built") }

// AppendCanonical appends the canonical form of the call to dst, for hashing.
func AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) { panic("not built") }

// Fold makes the JSON answer out of a complete stream.
func Fold(dst, stream []byte) ([]byte, error) { panic("not built") }

// Replay makes the events of a stream out of a JSON answer; usage adds the usage chunk.
func Replay(dst, answer []byte, usage bool) ([]byte, error) { panic("not built") }
