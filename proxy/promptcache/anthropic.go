package promptcache

import (
	"purser/proxy/dialect/jsonscan"
)

// ReadAnthropic reads a body of Anthropic's Messages that was decoded without error.
func (p *Prompt) ReadAnthropic(body []byte, seed Hash) {
	p.reset(seed)
	var tools, system, messages span
	ok := each(body, 0, func(name []byte, _, v span) {
		switch string(name) {
		case "tools":
			tools = v
		case "system":
			system = v
		case "messages":
			messages = v
		case "cache_control":
			p.Marked = p.Marked || kind(body, v) != jsonscan.Null
		}
	})
	if !ok {
		return
	}
	r := blocks{p: p, body: body}
	if tools.end > 0 {
		elements(body, tools.start, func(v span) {
			p.tools = append(p.tools, v)
			r.block(v, Tools)
		})
	}
	if system.end > 0 {
		r.content(system, System)
	}
	var was speaker
	if messages.end > 0 {
		elements(body, messages.start, func(m span) { r.message(m, &was) })
	}
	if was == caller {
		p.endTurn()
	}
}

// blocks reads content blocks of Anthropic's.
type blocks struct {
	p    *Prompt
	body []byte
	late bool // a tool that is loaded later stands before: no block of tools takes a mark
}

func (r *blocks) message(m span, was *speaker) {
	var role, content span
	each(r.body, m.start, func(name []byte, _, v span) {
		switch string(name) {
		case "role":
			role = v
		case "content":
			content = v
		}
	})
	now := caller
	if is(r.body, role, "assistant") {
		now = model
	}
	r.p.speak(was, now)
	r.p.add(r.body[role.start:role.end])
	r.content(content, Messages)
}

// content reads a text, which is short for one block, or a list of blocks.
func (r *blocks) content(v span, part Part) {
	switch kind(r.body, v) {
	case jsonscan.String:
		at := place{open: v.start, at: v.end}
		if v.end-v.start <= len(`""`) {
			at = nowhere // empty texts take no mark
		}
		r.p.add(r.body[v.start:v.end])
		r.p.end(part, at)
	case jsonscan.Array:
		elements(r.body, v.start, func(b span) { r.block(b, part) })
	}
}

// markable are the kinds of blocks that take a mark.
func markable(kind []byte) bool {
	switch string(kind) {
	case "text", "image", "document", "tool_use", "tool_result":
		return true
	}
	return false
}

// block reads one block or one tool. A text counts by its text alone, so that it is the
// same as the text it may be short for, and whatever has a mark as without.
func (r *blocks) block(b span, part Part) {
	var what, said, mark span
	members, last := 0, 0
	each(r.body, b.start, func(name []byte, key, v span) {
		switch string(name) {
		case "type":
			what = v
		case "text":
			said = v
		case "cache_control":
			mark = span{key.start, v.end}
			if r.p.Marked = r.p.Marked || kind(r.body, v) != jsonscan.Null; members > 0 {
				mark.start = last // with the comma before it
			}
		case "content":
			r.nested(v)
		case "defer_loading":
			r.late = r.late || kind(r.body, v) == jsonscan.Bool && r.body[v.start] == 't'
		}
		members++
		last = v.end
	})
	at := place{open: -1, at: last}
	switch {
	case mark.end > 0 || members == 0, part == Tools && r.late, part != Tools && !markable(text(r.body, what)),
		is(r.body, what, "text") && said.end-said.start <= len(`""`):
		at = nowhere
	}
	plain := 2
	if mark.end > 0 {
		plain++
	}
	switch {
	case part != Tools && is(r.body, what, "text") && members == plain && said.end > 0:
		r.p.add(r.body[said.start:said.end])
	case mark.end > 0:
		r.p.add(r.body[b.start:mark.start])
		r.p.add(r.body[mark.end:b.end])
	default:
		r.p.add(r.body[b.start:b.end])
	}
	r.p.end(part, at)
}

// nested looks for marks within the result of a tool.
func (r *blocks) nested(v span) {
	elements(r.body, v.start, func(b span) {
		each(r.body, b.start, func(name []byte, _, v span) {
			if string(name) == "cache_control" && kind(r.body, v) != jsonscan.Null {
				r.p.Marked = true
			}
		})
	})
}
