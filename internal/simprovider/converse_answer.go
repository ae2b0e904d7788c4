package simprovider

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// answerConverse renders a whole answer.
func answerConverse(x *call, b []byte) []byte {
	g := &x.gen
	b = append(b, `{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[`...)
	for i := range x.blocks() {
		if i > 0 {
			b = append(b, ',')
		}
		p := x.blockPart(i)
		switch {
		case p == nil:
			b = append(b, `{"reasoningContent":{"reasoningText":{"text":"`+thought+`","signature":"c2lnbmF0dXJl"}}}`...)
		case p.tool != nil:
			b = p.appendToolUse(append(b, `{"toolUse":`...))
			b = append(b, `,"input":`...)
			if gjson.ValidBytes(p.text) {
				b = append(b, p.text...)
			} else {
				b = append(b, "{}"...)
			}
			b = append(b, "}}"...)
		default:
			b = append(appendJSONString(append(b, `{"text":`...), p.text), '}')
		}
	}
	b = append(append(append(b, `]}},"stopReason":"`...), g.stopReason(&g.choices[0])...), '"')
	if x.plan.usage != usageMissing {
		b = x.appendConverseUsage(append(b, `,"usage":`...))
	}
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	return append(b, '}')
}

// appendToolUse appends the beginning of a tool's call.
func (p *part) appendToolUse(b []byte) []byte {
	b = strconv.AppendUint(append(b, `{"toolUseId":"tooluse_`...), p.id, 36)
	return appendJSONString(append(b, `","name":`...), p.tool.name)
}

func (x *call) appendConverseUsage(b []byte) []byte {
	if x.plan.usage == usageNull {
		return append(b, "null"...)
	}
	g := &x.gen
	shown, reasoning := g.output()
	number := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	number(`{"inputTokens":`, g.input-g.cached-g.written)
	number(`,"outputTokens":`, shown+reasoning)
	number(`,"totalTokens":`, g.input+shown+reasoning)
	number(`,"cacheReadInputTokens":`, g.cached)
	number(`,"cacheWriteInputTokens":`, g.written)
	if g.written > 0 {
		number(`,"cacheDetails":[{"ttl":"5m","inputTokens":`, g.written-g.long)
		number(`},{"ttl":"1h","inputTokens":`, g.long)
		b = append(b, "}]"...)
	}
	return append(b, '}')
}

// streamConverse renders an answer as events, up to the end of its content.
func streamConverse(x *call) {
	if !x.named("messageStart", append(x.chunk[:0], `{"role":"assistant"}`...), 0) {
		return
	}
	if x.plan.badJSON && !x.named("contentBlockDelta", append(x.chunk[:0], `{"contentBlockIndex":0,"delta":{"te`...), 0) {
		return
	}
	for i := range x.blocks() {
		if !x.tellConverseBlock(i) {
			return
		}
	}
}

func (x *call) tellConverseBlock(i int) bool {
	p := x.blockPart(i)
	switch {
	case p == nil:
		if !x.converseDelta(i, `{"reasoningContent":{"text":`, []byte(thought), "}}", 0) || !x.converseDelta(i, `{"reasoningContent":{"signature":`, []byte("c2lnbmF0dXJl"), "}}", 0) {
			return false
		}
	case p.tool != nil:
		b := p.appendToolUse(append(x.chunk[:0], `{"start":{"toolUse":`...))
		b = strconv.AppendInt(append(b, `}},"contentBlockIndex":`...), int64(i), 10)
		if !x.named("contentBlockStart", append(b, '}'), p.hidden) || !x.tellConverse(i, p, `{"toolUse":{"input":`, "}}") {
			return false
		}
	default:
		if !x.tellConverse(i, p, `{"text":`, "}") {
			return false
		}
	}
	b := strconv.AppendInt(append(x.chunk[:0], `{"contentBlockIndex":`...), int64(i), 10)
	return x.named("contentBlockStop", append(b, '}'), 0)
}

// tellConverse sends a part in pieces.
func (x *call) tellConverse(i int, p *part, before, after string) bool {
	size, start := x.p.cfg.ChunkTokens, 0
	for from := 0; from < len(p.ends); from += size {
		to := min(from+size, len(p.ends))
		if !x.converseDelta(i, before, p.text[start:p.ends[to-1]], after, int64(to-from)) {
			return false
		}
		start = p.ends[to-1]
	}
	return true
}

func (x *call) converseDelta(i int, before string, text []byte, after string, tokens int64) bool {
	b := strconv.AppendInt(append(x.chunk[:0], `{"contentBlockIndex":`...), int64(i), 10)
	b = appendJSONString(append(append(b, `,"delta":`...), before...), text)
	return x.named("contentBlockDelta", append(append(b, after...), '}'), tokens)
}

// tailConverse sends why the answer ended, and its usage.
func tailConverse(x *call, send func([]byte) bool) int {
	times := 1
	switch {
	case x.plan.noDone || x.plan.usage == usageMissing:
		times = 0
	case x.plan.usage == usageTwice:
		times = 2
	}
	if send == nil {
		return 1 + times
	}
	g := &x.gen
	b := append(append(x.chunk[:0], `{"stopReason":"`...), g.stopReason(&g.choices[0])...)
	x.chunk = append(b, `"}`...)
	x.w.name = "messageStop"
	if !send(x.chunk) {
		return 0
	}
	b = x.appendConverseUsage(append(x.chunk[:0], `{"usage":`...))
	x.chunk = append(b, `,"metrics":{"latencyMs":1}}`...)
	x.w.name = "metadata"
	for range times {
		if !send(x.chunk) {
			return 0
		}
	}
	return 0
}
