package responses

import (
	"strings"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// input reads a text, or the items of a conversation.
func (rd *reading) input(n jsontree.Node) {
	if n.Kind() == jsonscan.String {
		rd.say(conversation.User, n, conversation.Part{Kind: conversation.Text, Text: n.String()})
		return
	}
	n.Each(func(_ int, item jsontree.Node) {
		kind := item.Get("type")
		item.Ignore("id", "status") // of the response that it was a part of
		switch name := kind.String(); {
		case name == "message", name == "" && item.Get("role").Has():
			rd.message(item)
		case name == "function_call":
			rd.call(item)
		case name == "function_call_output":
			result := conversation.Result{ID: item.Get("call_id").String(), Name: item.Get("name").String(), Parts: rd.content(item.Get("output"))}
			rd.say(conversation.User, item, conversation.Part{Kind: conversation.ToolResult, Result: result})
		case name == "reasoning":
			rd.thought(item)
		case name == "item_reference":
			kind.Refuse("", "nothing is kept that it could name: with store false clients send the items themselves")
		default:
			kind.Refuse("", "")
		}
		item.Rest()
	})
}

// say adds parts to the conversation as a turn of its own.
func (rd *reading) say(role conversation.Role, at jsontree.Node, parts ...conversation.Part) {
	for i := range parts {
		if parts[i].At == "" {
			parts[i].At = at.At()
		}
	}
	rd.q.Turns = append(rd.q.Turns, conversation.Turn{Role: role, Parts: parts, At: at.At()})
}

func (rd *reading) message(item jsontree.Node) {
	item.Ignore("phase") // of an assistant's message: what it was for
	parts := rd.content(item.Get("content"))
	switch role := item.Get("role"); role.String() {
	case "system", "developer":
		if len(rd.q.Turns) == 0 {
			rd.q.System = append(rd.q.System, parts...)
			return
		}
		rd.say(conversation.System, item, parts...)
	case "user":
		rd.say(conversation.User, item, parts...)
	case "assistant":
		rd.say(conversation.Assistant, item, parts...)
	default:
		role.Refuse("", "")
	}
}

func (rd *reading) call(item jsontree.Node) {
	text := item.Get("arguments")
	arguments, ok := conversation.Arguments(text.String())
	if !ok {
		text.Invalid("is not a JSON object.")
	}
	name := item.Get("name").String()
	if group := item.Get("namespace").String(); group != "" {
		name = conversation.Grouped(group, name)
	}
	rd.say(conversation.Assistant, item, conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{
		ID: item.Get("call_id").String(), Name: name, Arguments: arguments,
	}})
}

// thought reads an item of reasoning: what is shown of it, and what is sealed.
func (rd *reading) thought(item jsontree.Node) {
	var shown []string
	for _, list := range [...]string{"summary", "content"} {
		item.Get(list).Each(func(_ int, p jsontree.Node) {
			p.Ignore("type")
			shown = append(shown, p.Get("text").String())
			p.Rest()
		})
	}
	p := conversation.Part{Kind: conversation.Thought, Text: strings.Join(shown, "\n")}
	p.Seal = conversation.SealIn(item.Get("encrypted_content").String(), own)
	rd.say(conversation.Assistant, item, p)
}

// content reads a text or a list of parts.
func (rd *reading) content(n jsontree.Node) (parts []conversation.Part) {
	if n.Kind() == jsonscan.String {
		return []conversation.Part{{Kind: conversation.Text, Text: n.String(), At: n.At()}}
	}
	n.Each(func(_ int, p jsontree.Node) { parts = append(parts, rd.part(p)) })
	return parts
}

func (rd *reading) part(n jsontree.Node) conversation.Part {
	p := conversation.Part{At: n.At()}
	switch kind := n.Get("type"); kind.String() {
	case "input_text", "text":
		p.Kind, p.Text = conversation.Text, n.Get("text").String()
	case "output_text":
		p.Kind, p.Text = conversation.Text, n.Get("text").String()
		n.Ignore("logprobs")
		if a := n.Get("annotations"); a.Len() > 0 {
			rd.q.Leave(a.At())
		}
	case "refusal":
		p.Kind, p.Text = conversation.Refusal, n.Get("refusal").String()
	case "input_image":
		p.Kind = conversation.Image
		p.Media = media(n.Get("image_url"))
		p.Media.Detail = n.Get("detail").String()
	case "input_file":
		p.Kind = conversation.Document
		p.Media = media(n.Either("file_data", "file_url"))
		p.Media.Name = n.Get("filename").String()
	default:
		kind.Refuse("", "")
	}
	n.Rest()
	return p
}

// media reads content that is in the request or linked. An id stands for what only
// OpenAI has: it stays as a member that nobody asked for.
func media(n jsontree.Node) conversation.Media {
	m, ok := conversation.MediaOf(n.String())
	if n.Has() && !ok {
		n.Invalid("is neither a URL nor a data URL in base64.")
	}
	return m
}
