package openai

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

var _ dialect.Counter = ResponsesFormat{}

// AppendCount implements dialect.Counter: of a response's fields, those that
// /v1/responses/input_tokens takes. OpenAI counts no other calls.
func (ResponsesFormat) AppendCount(dst []byte, c *dialect.Call, model string) ([]byte, bool) {
	if c.Endpoint != dialect.Responses {
		return dst, false
	}
	return c.AppendCounted(dst, model, inCount, besideCount)
}

// inCount says whether a field is part of what is counted.
func inCount(name []byte) bool {
	switch string(name) {
	case "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "truncation":
		return true
	}
	return false
}

// besideCount says whether a field adds nothing to the prompt.
func besideCount(name []byte) bool {
	switch string(name) {
	case "model", "max_output_tokens", "stream", "stream_options", "temperature", "top_p", "top_logprobs", "include", "store", "metadata",
		"user", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention":
		return true
	}
	return false
}

// CountPath implements dialect.Counter.
func (ResponsesFormat) CountPath(string) string { return paths[dialect.CountTokens] }

// ReadCount implements dialect.Counter.
func (ResponsesFormat) ReadCount(body []byte) (int64, bool) {
	return jsonscan.Count(body, "input_tokens")
}
