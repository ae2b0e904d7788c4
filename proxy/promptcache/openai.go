package promptcache

import "purser/proxy/dialect/jsonscan"

// ReadChat reads a body of OpenAI's Chat Completions that was decoded without error.
// Its blocks take no marks.
func (p *Prompt) ReadChat(body []byte, seed Hash) {
	p.reset(seed)
	var messages span
	p.readOpenAI(body, func(name string, v span) {
		if name == "messages" {
			messages = v
		}
	})
	if messages.end == 0 {
		return
	}
	var was speaker
	elements(body, messages.start, func(m span) { p.item(body, m, &was) })
	if was == caller {
		p.endTurn()
	}
}

// ReadResponses is the same for OpenAI's Responses.
func (p *Prompt) ReadResponses(body []byte, seed Hash) {
	p.reset(seed)
	var instructions, input span
	p.readOpenAI(body, func(name string, v span) {
		switch name {
		case "instructions":
			instructions = v
		case "input":
			input = v
		}
	})
	if kind(body, instructions) == jsonscan.String {
		p.add(body[instructions.start:instructions.end])
		p.end(System, nowhere)
	}
	var was speaker
	switch kind(body, input) {
	case jsonscan.String:
		p.speak(&was, caller)
		p.add(body[input.start:input.end])
		p.end(Messages, nowhere)
	case jsonscan.Array:
		elements(body, input.start, func(m span) { p.item(body, m, &was) })
	}
	if was == caller {
		p.endTurn()
	}
}

// readOpenAI reads what both have: tools, which come first in the cache, and the key.
func (p *Prompt) readOpenAI(body []byte, other func(name string, v span)) {
	var tools span
	each(body, 0, func(name []byte, _, v span) {
		switch string(name) {
		case "tools":
			tools = v
		case "prompt_cache_key", "prompt_cache_options":
			p.Keyed = true
		default:
			other(string(name), v)
		}
	})
	if tools.end > 0 {
		elements(body, tools.start, func(v span) {
			p.tools = append(p.tools, v)
			p.add(body[v.start:v.end])
			p.end(Tools, nowhere)
		})
	}
}

// item reads one message, or one item of a response's input.
func (p *Prompt) item(body []byte, m span, was *speaker) {
	var role, what span
	each(body, m.start, func(name []byte, _, v span) {
		switch string(name) {
		case "role":
			role = v
		case "type":
			what = v
		}
	})
	part := Messages
	switch string(text(body, role)) {
	case "system", "developer":
		if *was == nobody {
			part = System
		}
	case "assistant":
		p.speak(was, model)
	case "":
		switch string(text(body, what)) {
		case "reasoning", "function_call", "custom_tool_call", "local_shell_call", "computer_call", "web_search_call", "item_reference":
			p.speak(was, model)
		default:
			p.speak(was, caller)
		}
	default:
		p.speak(was, caller)
	}
	p.add(body[m.start:m.end])
	p.end(part, nowhere)
}
