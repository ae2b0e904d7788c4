package simprovider

import (
	"fmt"
	"strconv"

	"purser/ledger"
	"purser/proxy/price"
)

// answerChat renders a chat completion.
func answerChat(x *call, b []byte) []byte {
	g := &x.gen
	b = x.appendOpening(b, "chat.completion")
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	b = append(b, `,"choices":[`...)
	for i := range g.choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"message":{"role":"assistant","content":`...)
		b = appendMessage(b, g, &g.choices[i])
		b = append(b, `,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"`...)
		b = append(b, g.finishReason(&g.choices[i])...)
		b = append(b, `"}`...)
	}
	b = append(b, ']')
	switch x.plan.usage {
	case usageMissing:
	case usageNull:
		b = append(b, `,"usage":null`...)
	case usageHonest, usageTwice:
		b = append(b, `,"usage":`...)
		b = x.appendChatUsage(b)
	}
	return append(b, '}')
}

// appendOpening appends what a completion and each chunk of one begin with.
func (x *call) appendOpening(b []byte, object string) []byte {
	g := &x.gen
	b = append(append(b, `{"id":"chatcmpl-`...), x.id...)
	b = append(append(b, `","object":"`...), object...)
	b = append(b, `","created":`...)
	b = strconv.AppendInt(b, x.at.Unix(), 10)
	b = append(b, `,"model":`...)
	b = appendJSONString(b, g.model.served())
	b = append(append(b, `,"service_tier":"`...), g.tier...)
	return append(b, `","system_fingerprint":"fp_5131e4d1e0"`...)
}

// appendPadding appends a field that clients pass over: OpenAI pads its chunks
// against traffic analysis under this name.
func appendPadding(b []byte, size int) []byte {
	b = append(b, `,"obfuscation":"`...)
	for range size {
		b = append(b, 'x')
	}
	return append(b, '"')
}

// appendMessage appends a message's content, and its tool calls behind it.
func appendMessage(b []byte, g *generation, c *choice) []byte {
	if g.form != formTools || len(c.parts) == 0 {
		if len(c.parts) == 0 {
			return append(b, `""`...)
		}
		return appendJSONString(b, c.parts[0].text)
	}
	b = append(b, `null,"tool_calls":[`...)
	for i := range c.parts {
		if i > 0 {
			b = append(b, ',')
		}
		p := &c.parts[i]
		b = p.appendCall(append(b, '{'))
		b = appendEscaped(b, p.text)
		b = append(b, `"}}`...)
	}
	return append(b, ']')
}

// appendCall appends a tool call, from its id up to the beginning of its arguments.
func (p *part) appendCall(b []byte) []byte {
	b = append(b, `"id":"call_`...)
	b = strconv.AppendUint(b, p.id, 36)
	kind, arguments := "function", `,"arguments":"`
	if p.tool.custom {
		kind, arguments = "custom", `,"input":"`
	}
	b = append(append(b, `","type":"`...), kind...)
	b = append(append(b, `","`...), kind...)
	b = append(b, `":{"name":`...)
	b = appendJSONString(b, p.tool.name)
	return append(b, arguments...)
}

func (g *generation) finishReason(c *choice) string {
	switch {
	case c.limited:
		return "length"
	case g.form == formTools && !g.forced:
		return "tool_calls" // a tool that was forced ends with "stop", at OpenAI too
	}
	return "stop"
}

func (x *call) appendChatUsage(b []byte) []byte {
	shown, reasoning := x.gen.output()
	u := x.gen.usage(shown, reasoning)
	number := func(name string, n int64) {
		b = strconv.AppendInt(append(b, name...), n, 10)
	}
	number(`{"prompt_tokens":`, x.gen.input)
	number(`,"completion_tokens":`, shown+reasoning)
	number(`,"total_tokens":`, x.gen.input+shown+reasoning)
	number(`,"prompt_tokens_details":{"cached_tokens":`, u[price.CacheRead])
	if x.gen.model.CacheWrite {
		number(`,"cache_write_tokens":`, u[price.CacheWriteOther])
	}
	number(`,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":`, reasoning)
	b = append(b, `,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}`...)
	return append(x.appendCost(b, u), '}')
}

// appendCost appends what the call is billed to its usage, where costs are
// reported. The amount has every digit, as a decimal.
func (x *call) appendCost(b []byte, u price.Usage) []byte {
	cost, priced := x.cost(u)
	if !x.p.cfg.ReportCost || !priced {
		return b
	}
	usd := fmt.Sprintf("%d.%09d", cost/ledger.NanoPerUSD, cost%ledger.NanoPerUSD)
	return fmt.Appendf(b, `,"cost":%s,"is_byok":false,"cost_details":{"upstream_inference_cost":%s}`, usd, usd)
}
