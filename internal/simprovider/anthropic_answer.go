package simprovider

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// answerMessages renders a message.
func answerMessages(x *call, b []byte) []byte {
	g := &x.gen
	c := &g.choices[0]
	b = x.appendMessageHead(b)
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	b = append(b, `,"content":[`...)
	for i := range x.blocks() {
		if i > 0 {
			b = append(b, ',')
		}
		b = x.appendBlock(b, i, true)
	}
	b = append(append(append(b, `],"stop_reason":"`...), g.stopReason(c)...), `","stop_sequence":null`...)
	if x.plan.usage != usageMissing {
		b = x.appendMessageUsage(append(b, `,"usage":`...), true)
	}
	return append(b, '}')
}

func (x *call) appendMessageHead(b []byte) []byte {
	b = append(append(b, `{"id":"msg_`...), x.id...)
	b = append(b, `","type":"message","role":"assistant","model":`...)
	return appendJSONString(b, x.gen.model.served())
}

// thought is what a thinking block shows: a summary, of no fixed length.
const thought = "Let me think about what was asked."

// blocks is how many content blocks the answer has: searches with their results,
// thinking, then the parts.
func (x *call) blocks() int {
	g := &x.gen
	n := 2*int(g.webSearches) + len(g.choices[0].parts)
	if g.choices[0].reasoning > 0 {
		n++
	}
	return n
}

// blockPart is the part that block i tells, nil for thinking and searches.
func (x *call) blockPart(i int) *part {
	if i -= x.blocks() - len(x.gen.choices[0].parts); i >= 0 {
		return &x.gen.choices[0].parts[i]
	}
	return nil
}

// appendBlock appends block i, whole or as it begins in a stream.
func (x *call) appendBlock(b []byte, i int, whole bool) []byte {
	p := x.blockPart(i)
	switch {
	case p == nil && i < 2*int(x.gen.webSearches):
		id := x.id + strconv.Itoa(i/2)
		if i%2 == 0 {
			b = append(append(b, `{"type":"server_tool_use","id":"srvtoolu_`...), id...)
			return append(b, `","name":"web_search","input":{"query":"purser"}}`...)
		}
		b = append(append(b, `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_`...), id...)
		return append(b, `","content":[{"type":"web_search_result","url":"https://example.com/","title":"Purser","encrypted_content":"AAAA","page_age":null}]}`...)
	case p == nil && whole:
		return append(b, `{"type":"thinking","thinking":"`+thought+`","signature":"c2lnbmF0dXJl"}`...)
	case p == nil:
		return append(b, `{"type":"thinking","thinking":"","signature":""}`...)
	case p.tool != nil:
		b = append(b, `{"type":"tool_use","id":"toolu_`...)
		b = strconv.AppendUint(b, p.id, 36)
		b = append(b, `","name":`...)
		b = append(appendJSONString(b, p.tool.name), `,"input":`...)
		if whole && gjson.ValidBytes(p.text) {
			return append(append(b, p.text...), '}')
		}
		return append(b, `{}}`...)
	case whole:
		return append(appendJSONString(append(b, `{"type":"text","text":`...), p.text), '}')
	}
	return append(b, `{"type":"text","text":""}`...)
}

func (g *generation) stopReason(c *choice) string {
	switch {
	case c.limited:
		return "max_tokens"
	case g.form == formTools:
		return "tool_use"
	}
	return "end_turn"
}

// appendMessageUsage appends the usage as it is at the answer's end, or at its
// beginning, when of the output there is one token.
func (x *call) appendMessageUsage(b []byte, end bool) []byte {
	if x.plan.usage == usageNull {
		return append(b, "null"...)
	}
	g := &x.gen
	shown, reasoning := g.output()
	number := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	number(`{"input_tokens":`, g.input-g.cached-g.written)
	number(`,"cache_creation_input_tokens":`, g.written)
	number(`,"cache_read_input_tokens":`, g.cached)
	number(`,"cache_creation":{"ephemeral_5m_input_tokens":`, g.written-g.long)
	number(`,"ephemeral_1h_input_tokens":`, g.long)
	if !end {
		number(`},"output_tokens":`, min(1, shown+reasoning))
	} else {
		number(`},"output_tokens":`, shown+reasoning)
		number(`,"output_tokens_details":{"thinking_tokens":`, reasoning)
		b = append(b, '}')
		if g.webSearches > 0 {
			number(`,"server_tool_use":{"web_search_requests":`, g.webSearches)
			b = append(b, `,"web_fetch_requests":0}`...)
		}
		if g.compacted > 0 {
			number(`,"iterations":[{"type":"compaction","input_tokens":`, g.compacted)
			number(`,"output_tokens":`, g.summary)
			number(`,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":null},{"type":"message","model":null,"input_tokens":`, g.input)
			number(`,"output_tokens":`, shown+reasoning)
			b = append(b, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":null}]`...)
		}
	}
	speed := "standard"
	if g.tier == "fast" {
		speed = "fast"
	}
	b = append(append(b, `,"service_tier":"standard","inference_geo":"global","speed":"`...), speed...)
	return append(b, `"}`...)
}
