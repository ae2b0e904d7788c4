package simprovider

import "strconv"

// named sends one event under its name.
func (x *call) named(kind string, data []byte, tokens int64) bool {
	x.chunk = data
	if !x.w.named(kind, data) {
		return false
	}
	x.sent += tokens
	return true
}

// streamMessages renders a message as events, up to the end of its content.
func streamMessages(x *call) {
	b := append(x.chunk[:0], `{"type":"message_start","message":`...)
	b = append(x.appendMessageHead(b), `,"content":[],"stop_reason":null,"stop_sequence":null`...)
	if x.plan.usage != usageMissing {
		b = x.appendMessageUsage(append(b, `,"usage":`...), false)
	}
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	if !x.named("message_start", append(b, "}}"...), 0) || !x.named("ping", append(x.chunk[:0], `{"type":"ping"}`...), 0) {
		return
	}
	if x.plan.badJSON && !x.named("content_block_delta", append(x.chunk[:0], `{"type":"content_block_delta","index":0,"delta":{"te`...), 0) {
		return
	}
	for i := range x.blocks() {
		if !x.tellBlock(i) {
			return
		}
	}
}

func (x *call) tellBlock(i int) bool {
	b := append(x.blockEvent("content_block_start", i), `,"content_block":`...)
	hidden := int64(0)
	p := x.blockPart(i)
	if p != nil {
		hidden = p.hidden
	}
	if !x.named("content_block_start", append(x.appendBlock(b, i, false), '}'), hidden) {
		return false
	}
	switch {
	case p != nil:
		if !x.tellPart(i, p) {
			return false
		}
	case i >= 2*int(x.gen.webSearches):
		if !x.tellDelta(i, "thinking_delta", "thinking", []byte(thought), 0) || !x.tellDelta(i, "signature_delta", "signature", []byte("c2lnbmF0dXJl"), 0) {
			return false
		}
	}
	return x.named("content_block_stop", append(x.blockEvent("content_block_stop", i), '}'), 0)
}

// tellPart sends a part in pieces.
func (x *call) tellPart(i int, p *part) bool {
	kind, field := "text_delta", "text"
	if p.tool != nil {
		kind, field = "input_json_delta", "partial_json"
	}
	size := x.p.cfg.ChunkTokens
	start := 0
	for from := 0; from < len(p.ends); from += size {
		to := min(from+size, len(p.ends))
		if !x.tellDelta(i, kind, field, p.text[start:p.ends[to-1]], int64(to-from)) {
			return false
		}
		start = p.ends[to-1]
	}
	return true
}

func (x *call) tellDelta(i int, kind, field string, text []byte, tokens int64) bool {
	b := append(append(x.blockEvent("content_block_delta", i), `,"delta":{"type":"`...), kind...)
	b = append(append(append(b, `","`...), field...), `":`...)
	return x.named("content_block_delta", append(appendJSONString(b, text), "}}"...), tokens)
}

func (x *call) blockEvent(kind string, i int) []byte {
	b := append(append(x.chunk[:0], `{"type":"`...), kind...)
	return strconv.AppendInt(append(b, `","index":`...), int64(i), 10)
}

// tailMessages sends why the answer ended, with its usage, and the end.
func tailMessages(x *call, send func([]byte) bool) int {
	deltas, done := 1, 1
	if x.plan.usage == usageTwice {
		deltas = 2
	}
	if x.plan.noDone {
		done = 0
	}
	if send == nil {
		return deltas + done
	}
	g := &x.gen
	b := append(append(x.chunk[:0], `{"type":"message_delta","delta":{"stop_reason":"`...), g.stopReason(&g.choices[0])...)
	b = append(b, `","stop_sequence":null}`...)
	if x.plan.usage != usageMissing {
		b = x.appendMessageUsage(append(b, `,"usage":`...), true)
	}
	x.chunk = append(b, '}')
	x.w.name = "message_delta"
	for range deltas {
		if !send(x.chunk) {
			return 0
		}
	}
	if done > 0 {
		x.w.name = "message_stop"
		send([]byte(`{"type":"message_stop"}`))
	}
	return 0
}
