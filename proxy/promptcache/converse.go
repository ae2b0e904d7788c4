package promptcache

// ReadConverse reads a body of Bedrock's Converse that was decoded without error.
func (p *Prompt) ReadConverse(body []byte, seed Hash) {
	p.reset(seed)
	var config, tools, system, messages span
	ok := each(body, 0, func(name []byte, _, v span) {
		switch string(name) {
		case "toolConfig":
			config = v
		case "system":
			system = v
		case "messages":
			messages = v
		}
	})
	if !ok {
		return
	}
	if config.end > 0 {
		each(body, config.start, func(name []byte, _, v span) {
			if string(name) == "tools" {
				tools = v
			}
		})
	}
	list := func(v span, part Part) {
		if v.end > 0 {
			elements(body, v.start, func(b span) { p.converseBlock(body, b, part) })
		}
	}
	list(tools, Tools)
	list(system, System)
	var was speaker
	if messages.end > 0 {
		elements(body, messages.start, func(m span) {
			var role, content span
			each(body, m.start, func(name []byte, _, v span) {
				switch string(name) {
				case "role":
					role = v
				case "content":
					content = v
				}
			})
			now := caller
			if is(body, role, "assistant") {
				now = model
			}
			p.speak(&was, now)
			p.add(body[role.start:role.end])
			list(content, Messages)
		})
	}
	if was == caller {
		p.endTurn()
	}
}

// converseBlock reads one element of a list of Converse's. A mark of the client's is an
// element of its own.
func (p *Prompt) converseBlock(body []byte, b span, part Part) {
	at := place{open: -1, at: b.end, next: true}
	point := false
	each(body, b.start, func(name []byte, _, _ span) {
		switch string(name) {
		case "cachePoint":
			point = true
		case "reasoningContent":
			at = nowhere
		}
	})
	if point {
		p.Marked = true
		return
	}
	if part == Tools {
		p.tools = append(p.tools, b)
	}
	p.add(body[b.start:b.end])
	p.end(part, at)
}
