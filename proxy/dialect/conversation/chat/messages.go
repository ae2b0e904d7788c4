package chat

import (
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

func (rd *reading) message(m jsontree.Node) {
	q := rd.q
	turn := conversation.Turn{At: m.At(), Name: m.Get("name").String()}
	cache := lifetime(m.Get("cache_control"))
	switch role := m.Get("role"); role.String() {
	case "system", "developer":
		turn.Role, turn.Parts = conversation.System, cached(rd.content(m.Get("content")), cache)
		if len(q.Turns) == 0 {
			if turn.Name != "" {
				m.Refuse("name", "")
			}
			q.System = append(q.System, turn.Parts...)
			m.Rest()
			return
		}
	case "user":
		turn.Role, turn.Parts = conversation.User, cached(rd.content(m.Get("content")), cache)
	case "assistant":
		turn.Role, turn.Parts = conversation.Assistant, cached(rd.assistant(m), cache)
	case "tool":
		turn.Role = conversation.User
		result := conversation.Result{ID: m.Get("tool_call_id").String(), Parts: rd.content(m.Get("content"))}
		turn.Parts = []conversation.Part{{Kind: conversation.ToolResult, Result: result, At: m.At(), Cache: cache}}
	default:
		role.Refuse("", "")
	}
	m.Rest()
	q.Turns = append(q.Turns, turn)
}

// cached has the hint of a message stand at its last part, up to which it is meant.
func cached(parts []conversation.Part, l conversation.Lifetime) []conversation.Part {
	if n := len(parts); n > 0 && l != conversation.NotCached {
		parts[n-1].Cache = l
	}
	return parts
}

// assistant reads an earlier answer. What it thought came first.
func (rd *reading) assistant(m jsontree.Node) (parts []conversation.Part) {
	if n := thought(m); n.String() != "" {
		parts = append(parts, conversation.Part{Kind: conversation.Thought, Text: n.String(), At: n.At()})
	}
	parts = append(parts, rd.content(m.Get("content"))...)
	if n := m.Get("refusal"); n.String() != "" {
		parts = append(parts, conversation.Part{Kind: conversation.Refusal, Text: n.String(), At: n.At()})
	}
	m.Get("tool_calls").Each(func(_ int, c jsontree.Node) {
		if kind := c.Get("type"); kind.Has() && kind.String() != "function" {
			kind.Refuse("", "")
		}
		f := c.Get("function")
		call := conversation.Call{ID: c.Get("id").String(), Name: f.Get("name").String(), Arguments: rd.arguments(f.Get("arguments"))}
		cache := lifetime(c.Get("cache_control"))
		f.Rest()
		c.Ignore("index") // of the stream that it was put together from
		c.Rest()
		parts = append(parts, conversation.Part{Kind: conversation.ToolUse, Call: call, Cache: cache, At: c.At()})
	})
	if n := m.Get("annotations"); n.Len() > 0 { // sources of what was said, told by the provider
		rd.q.Leave(n.At())
	}
	return parts
}

// arguments reads those of a call. Only an answer may have some that are cut off, or
// broken by the model: whoever tells it has to look at them.
func (rd *reading) arguments(n jsontree.Node) []byte {
	arguments, ok := conversation.Arguments(n.String())
	switch {
	case ok:
		return arguments
	case !rd.answer:
		n.Invalid("is not a JSON object.")
	}
	return []byte(n.String())
}

// thought is the reasoning of a message or a delta. Some providers give it under
// both names.
func thought(m jsontree.Node) jsontree.Node {
	n, other := m.Get("reasoning_content"), m.Get("reasoning")
	if n.Has() {
		return n
	}
	return other
}

// content reads a string or a list of parts.
func (rd *reading) content(n jsontree.Node) (parts []conversation.Part) {
	if n.Kind() == jsonscan.String {
		if n.String() == "" {
			return nil
		}
		return []conversation.Part{{Kind: conversation.Text, Text: n.String(), At: n.At()}}
	}
	n.Each(func(_ int, p jsontree.Node) { parts = append(parts, rd.part(p)) })
	return parts
}

func (rd *reading) part(n jsontree.Node) conversation.Part {
	p := conversation.Part{At: n.At(), Cache: lifetime(n.Get("cache_control"))}
	switch kind := n.Get("type"); kind.String() {
	case "text":
		p.Kind, p.Text = conversation.Text, n.Get("text").String()
	case "refusal":
		p.Kind, p.Text = conversation.Refusal, n.Get("refusal").String()
	case "image_url":
		image := n.Get("image_url")
		p.Kind = conversation.Image
		p.Media = media(image.Get("url"))
		p.Media.Detail = image.Get("detail").String()
		image.Rest()
	case "input_audio":
		audio := n.Get("input_audio")
		p.Kind = conversation.Audio
		p.Media = conversation.Media{Type: "audio/" + audio.Get("format").String(), Data: audio.Get("data").String()}
		audio.Rest()
	case "file":
		file := n.Get("file")
		p.Kind = conversation.Document
		p.Media = media(file.Get("file_data"))
		p.Media.Name = file.Get("filename").String()
		file.Rest() // file_id: what only OpenAI has
	default:
		kind.Refuse("", "")
	}
	n.Rest()
	return p
}

func media(n jsontree.Node) conversation.Media {
	m, ok := conversation.MediaOf(n.String())
	if !ok {
		n.Invalid("is neither a URL nor a data URL in base64.")
	}
	return m
}
