// Package openai speaks OpenAI's wire format: it decodes the bodies of
// /v1/chat/completions and /v1/embeddings into a dialect.Call, rewrites them for
// the upstream, meters answers and streams, encodes errors, and turns stored
// answers from JSON into events and back.
//
// The shapes are those of openai-go v3.96 and openai 7.57 (Chat Completions and
// Embeddings); SSE is WHATWG's.
package openai

import "purser/proxy/dialect"

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

// Cacheable says whether a stored answer may serve this call; why names the
// first reason against it.
func Cacheable(c *dialect.Call) (ok bool, why string) { panic("not built") }

// AppendCanonical appends the canonical form of the call to dst, for hashing.
func AppendCanonical(dst []byte, c *dialect.Call) ([]byte, error) { panic("not built") }

// Fold makes the JSON answer out of a complete stream.
func Fold(dst, stream []byte) ([]byte, error) { panic("not built") }

// Replay makes the events of a stream out of a JSON answer; usage adds the usage chunk.
func Replay(dst, answer []byte, usage bool) ([]byte, error) { panic("not built") }
