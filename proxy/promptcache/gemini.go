package promptcache

// ReadGemini reads a body of Gemini's generateContent that was decoded without error.
// Its blocks take no marks: its cache works by itself.
func (p *Prompt) ReadGemini(body []byte, seed Hash) {
	p.reset(seed)
	var tools, system, contents span
	if !each(body, 0, func(name []byte, _, v span) {
		switch string(name) {
		case "tools":
			tools = v
		case "systemInstruction", "system_instruction":
			system = v
		case "contents":
			contents = v
		case "cachedContent", "cached_content":
			p.Marked = true
		}
	}) {
		return
	}
	for _, s := range []struct {
		v    span
		part Part
	}{{system, System}, {tools, Tools}} {
		if s.v.end > 0 {
			p.add(body[s.v.start:s.v.end])
			p.end(s.part, nowhere)
		}
	}
	var was speaker
	if contents.end > 0 && !elements(body, contents.start, func(m span) { p.geminiContent(body, m, &was) }) {
		p.geminiContent(body, contents, &was)
	}
	if was == caller {
		p.endTurn()
	}
}

func (p *Prompt) geminiContent(body []byte, m span, was *speaker) {
	now := caller
	each(body, m.start, func(name []byte, _, v span) {
		if string(name) == "role" && is(body, v, "model") {
			now = model
		}
	})
	p.speak(was, now)
	p.add(body[m.start:m.end])
	p.end(Messages, nowhere)
}
