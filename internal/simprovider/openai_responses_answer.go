package simprovider

import (
	"strconv"
	"strings"

	"purser/proxy/price"
)

// answerResponse renders a response.
func answerResponse(x *call, b []byte) []byte {
	b = x.appendResponse(b, x.finalStatus())
	x.keepResponse(b)
	return b
}

// finalStatus is how the response ends.
func (x *call) finalStatus() string {
	if x.gen.choices[0].limited {
		return "incomplete"
	}
	return "completed"
}

// appendResponse appends the response as it is at a status.
func (x *call) appendResponse(b []byte, status string) []byte {
	g := &x.gen
	ended := status != "in_progress"
	b = append(append(b, `{"id":"resp_`...), x.id...)
	b = append(b, `","object":"response","created_at":`...)
	b = strconv.AppendInt(b, x.at.Unix(), 10)
	b = append(append(b, `,"status":"`...), status...)
	b = append(b, `","background":false,"error":null,"incomplete_details":`...)
	if status == "incomplete" {
		b = append(b, `{"reason":"max_output_tokens"}`...)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"instructions":null,"max_output_tokens":`...)
	if g.limit > 0 {
		b = strconv.AppendInt(b, g.limit, 10)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"max_tool_calls":null,"model":`...)
	b = appendJSONString(b, g.model.served())
	b = append(b, `,"output":[`...)
	if ended {
		b = x.appendOutput(b)
	}
	b = append(b, `],"parallel_tool_calls":true,"previous_response_id":`...)
	if x.reply.previous == "" {
		b = append(b, "null"...)
	} else {
		b = appendJSONString(b, x.reply.previous)
	}
	b = append(append(b, `,"reasoning":{"effort":null,"summary":null},"service_tier":"`...), g.tier...)
	b = append(b, `","store":`...)
	b = strconv.AppendBool(b, x.reply.store)
	b = append(b, `,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled"`...)
	if ended && x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	if g.webSearches > 0 && ended {
		b = append(b, `,"tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0,"total_tokens":0},"web_search":{"num_requests":`...)
		b = append(strconv.AppendInt(b, g.webSearches, 10), "}}"...)
	}
	if x.plan.usage != usageMissing {
		b = append(b, `,"usage":`...)
		if !ended || x.plan.usage == usageNull {
			b = append(b, "null"...)
		} else {
			b = x.appendResponseUsage(b)
		}
	}
	return append(b, `,"user":null,"metadata":{}}`...)
}

func (x *call) appendResponseUsage(b []byte) []byte {
	shown, reasoning := x.gen.output()
	u := x.gen.usage(shown, reasoning)
	number := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	number(`{"input_tokens":`, x.gen.input)
	number(`,"input_tokens_details":{"cached_tokens":`, u[price.CacheRead])
	number(`,"cache_write_tokens":`, x.gen.written)
	if x.gen.model.CacheWrite {
		number(`,"cache_write_tokens_details":{"ttl_12h_tokens":0,"ttl_30m_tokens":`, u[price.CacheWrite30m])
		b = append(b, '}')
	}
	number(`},"output_tokens":`, shown+reasoning)
	number(`,"output_tokens_details":{"reasoning_tokens":`, reasoning)
	number(`},"total_tokens":`, x.gen.input+shown+reasoning)
	return append(x.appendCost(b, u), '}')
}

// item is one item of a response's output.
type item struct {
	kind string // as in its type
	id   string
	part *part // of a message or a call
}

// items are the output in order: what was thought, looked up, and said.
func (x *call) items() []item {
	var out []item
	c := &x.gen.choices[0]
	if c.reasoning > 0 {
		out = append(out, item{kind: "reasoning", id: "rs_" + x.id})
	}
	for i := range x.reply.searches {
		out = append(out, item{kind: "web_search_call", id: "ws_" + x.id + strconv.Itoa(i)})
	}
	for i := range x.reply.fileSearches {
		out = append(out, item{kind: "file_search_call", id: "fs_" + x.id + strconv.Itoa(i)})
	}
	for i := range c.parts {
		p := &c.parts[i]
		it := item{kind: "message", id: "msg_" + x.id, part: p}
		if p.tool != nil {
			it.kind, it.id = "function_call", "fc_"+x.id+strconv.Itoa(i)
			if p.tool.custom {
				it.kind, it.id = "custom_tool_call", "ctc_"+x.id+strconv.Itoa(i)
			}
		}
		out = append(out, it)
	}
	return out
}

func (x *call) appendOutput(b []byte) []byte {
	for i, it := range x.items() {
		if i > 0 {
			b = append(b, ',')
		}
		b = x.appendItem(b, &it, true)
	}
	return b
}

// appendItem appends an item, with what it says if it is done.
func (x *call) appendItem(b []byte, it *item, done bool) []byte {
	b = append(append(b, `{"id":"`...), it.id...)
	b = append(append(b, `","type":"`...), it.kind...)
	b = append(b, '"')
	if it.kind == "reasoning" {
		b = append(b, `,"summary":[]`...)
		if x.reply.sealed && done {
			b = append(append(b, `,"encrypted_content":"`...), strings.Repeat("gAAA", int(x.gen.choices[0].reasoning))...)
			b = append(b, '"')
		}
		return append(b, '}')
	}
	status := "in_progress"
	if done {
		status = "completed"
		if x.gen.choices[0].limited {
			status = "incomplete"
		}
	}
	b = append(append(append(b, `,"status":"`...), status...), '"')
	switch it.kind {
	case "web_search_call":
		b = append(b, `,"action":{"type":"search","query":"purser"}`...)
	case "file_search_call":
		b = append(b, `,"queries":["purser"],"results":null`...)
	case "message":
		b = append(b, `,"role":"assistant","content":[`...)
		if done {
			b = appendTextPart(b, it.part.text)
		}
		b = append(b, ']')
	default:
		field := `,"arguments":`
		if it.part.tool.custom {
			field = `,"input":`
		}
		b = append(b, `,"call_id":"call_`...)
		b = strconv.AppendUint(b, it.part.id, 36)
		b = append(b, `","name":`...)
		b = appendJSONString(b, it.part.tool.name)
		b = append(b, field...)
		if done {
			b = appendJSONString(b, it.part.text)
		} else {
			b = append(b, `""`...)
		}
	}
	return append(b, '}')
}

func appendTextPart(b, text []byte) []byte {
	b = append(b, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...)
	b = appendJSONString(b, text)
	return append(b, '}')
}

// answerCompact renders a compaction: one sealed item.
func answerCompact(x *call, b []byte) []byte {
	shown, _ := x.gen.output()
	b = append(append(b, `{"id":"resp_`...), x.id...)
	b = append(b, `","object":"response.compaction","created_at":`...)
	b = strconv.AppendInt(b, x.at.Unix(), 10)
	b = append(append(b, `,"output":[{"id":"cmp_`...), x.id...)
	b = append(append(b, `","type":"compaction","encrypted_content":"`...), strings.Repeat("gAAA", int(shown))...)
	b = append(append(b, `"}],"service_tier":"`...), x.gen.tier...)
	b = append(b, '"')
	if x.plan.usage == usageHonest || x.plan.usage == usageTwice {
		b = x.appendResponseUsage(append(b, `,"usage":`...))
	}
	return append(b, '}')
}

func answerInputTokens(x *call, b []byte) []byte {
	b = append(b, `{"object":"response.input_tokens","input_tokens":`...)
	return append(strconv.AppendInt(b, x.gen.input, 10), '}')
}
