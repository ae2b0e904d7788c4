package proxy

// conversed is an answer of Bedrock's Converse, whole: the calculator reads no frames.
// The client speaks Messages.
func (d draw) conversed() shape {
	s := shape{provider: "aws", flavor: "default", path: "/v1/messages", foreign: true}
	s.model = d.of("global.anthropic.claude-haiku-4-5-20251001-v1:0", "global.anthropic.claude-sonnet-4-6-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "meta.llama3-3-70b-instruct-v1:0")
	s.request = object{"model": s.model, "max_tokens": 100, "messages": []any{object{"role": "user", "content": []any{
		object{"type": "text", "text": "hello", "cache_control": object{"type": "ephemeral"}}}}}}
	in, out, read, written := d.tokens(), d.tokens(), d.part(d.tokens()), d.part(d.tokens())
	usage := object{"inputTokens": in, "outputTokens": out, "totalTokens": in + out + read + written, "cacheReadInputTokens": read, "cacheWriteInputTokens": written}
	if written > 0 && d.IntN(2) == 0 {
		usage["cacheDetails"] = []any{object{"ttl": "5m", "inputTokens": written}}
	}
	s.answer = encode(object{"output": object{"message": object{"role": "assistant", "content": []any{object{"text": "Hi."}}}}, "stopReason": "end_turn", "usage": usage, "metrics": object{"latencyMs": 1}})
	return s
}
