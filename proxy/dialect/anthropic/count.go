package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

var _ dialect.Counter = Format{}

// AppendCount implements dialect.Counter: of a message's fields, those that
// /v1/messages/count_tokens takes. It refuses any other.
func (Format) AppendCount(dst []byte, c *dialect.Call, model string) ([]byte, bool) {
	if c.Endpoint != dialect.Chat {
		return dst, false
	}
	return c.AppendCounted(dst, model, inCount, besideCount)
}

// inCount says whether a field is part of what is counted.
func inCount(name []byte) bool {
	switch string(name) {
	case "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "output_config", "output_format", "speed":
		return true
	}
	return false
}

// besideCount says whether a field adds nothing to the prompt.
func besideCount(name []byte) bool {
	switch string(name) {
	case "model", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "inference_geo":
		return true
	}
	return false
}

// CountPath implements dialect.Counter.
func (Format) CountPath(string) string { return "/messages/count_tokens" }

// ReadCount implements dialect.Counter.
func (Format) ReadCount(body []byte) (int64, bool) { return jsonscan.Count(body, "input_tokens") }
