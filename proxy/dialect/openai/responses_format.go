package openai

import "purser/proxy/dialect"

// ResponsesFormat is the wire format of /v1/responses and the routes below it.
// Errors, lists and the canonical form are those of [Format].
type ResponsesFormat struct{ Format }

var _ dialect.Format = ResponsesFormat{}

// NewMeter implements dialect.Answers.
func (ResponsesFormat) NewMeter() dialect.Meter { return &ResponsesMeter{} }

// NewEnding implements dialect.Endings.
func (ResponsesFormat) NewEnding() dialect.Ending { return &ResponsesEnding{} }

// Fold implements dialect.Stored.
func (ResponsesFormat) Fold(dst, stream []byte) ([]byte, error) { return foldResponse(dst, stream) }

// Replay implements dialect.Stored.
func (ResponsesFormat) Replay(dst, answer []byte, _ *dialect.Call) ([]byte, error) {
	return replayResponse(dst, answer)
}
