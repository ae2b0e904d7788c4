package anthropic

import (
	"strings"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// message reads one message. Those of the system that come before any other are
// of the system prompt.
func (r *reading) message(m jsontree.Node) {
	turn := conversation.Turn{At: m.At()}
	role := m.Get("role")
	switch role.String() {
	case "user":
		turn.Role = conversation.User
	case "assistant":
		turn.Role = conversation.Assistant
	case "system":
		turn.Role = conversation.System
	default:
		role.Refuse("", "")
	}
	content := m.Get("content")
	if content.Kind() == jsonscan.String {
		turn.Parts = append(turn.Parts, conversation.Part{Kind: conversation.Text, Text: content.String(), At: content.At()})
	} else {
		content.Each(func(_ int, b jsontree.Node) {
			if turn.Role == conversation.System {
				turn.Parts = append(turn.Parts, r.onlyText(b))
			} else {
				turn.Parts = append(turn.Parts, r.block(b))
			}
		})
	}
	m.Rest()
	if turn.Role == conversation.System && len(r.q.Turns) == 0 {
		r.q.System = append(r.q.System, turn.Parts...)
		return
	}
	r.q.Turns = append(r.q.Turns, turn)
}

// onlyText reads a block where no other than a text can be.
func (r *reading) onlyText(b jsontree.Node) conversation.Part {
	if kind := b.Get("type"); kind.String() != "text" {
		kind.Refuse("", "")
		return conversation.Part{}
	}
	return r.block(b)
}

// block reads one block of content.
func (r *reading) block(b jsontree.Node) conversation.Part {
	p := conversation.Part{At: b.At()}
	switch kind := b.Get("type"); kind.String() {
	case "text":
		p.Kind, p.Text = conversation.Text, b.Get("text").String()
		if c := b.Get("citations"); c.Len() > 0 {
			r.q.Leave(c.At())
		}
	case "image":
		r.image(b, &p)
	case "document":
		r.document(b, &p)
	case "tool_use":
		r.toolUse(b, &p)
	case "tool_result":
		r.toolResult(b, &p)
	case "thinking":
		p.Kind, p.Text, p.Seal = conversation.Thought, b.Get("thinking").String(), sealOf(b.Get("signature").String())
	case "redacted_thinking":
		p.Kind, p.Seal = conversation.Thought, sealRedacted+b.Get("data").String()
	default:
		kind.Refuse("", "")
		return p
	}
	p.Cache = r.lifetime(b.Get("cache_control"))
	b.Rest()
	return p
}

// Seals that are Anthropic's own begin with its name.
const (
	own          = "anthropic"
	sealOwn      = own + ":"
	sealRedacted = sealOwn + "redacted:"
)

// sealOf is the seal that a signature stands for.
func sealOf(signature string) string { return conversation.SealIn(signature, own) }

// signature is sealOf the other way: what a client is given to return. That of
// redacted thinking has its name, to be told from a signature.
func signature(seal string) string {
	if strings.HasPrefix(seal, sealRedacted) {
		return seal
	}
	return conversation.SealFor(seal, own)
}

func (r *reading) image(b jsontree.Node, p *conversation.Part) {
	p.Kind = conversation.Image
	source := b.Get("source")
	switch kind := source.Get("type"); kind.String() {
	case "base64":
		p.Media = conversation.Media{Type: source.Get("media_type").String(), Data: source.Get("data").String()}
	case "url":
		p.Media.URL = source.Get("url").String()
	default:
		kind.Refuse("", "")
	}
	source.Rest()
	if too := b.Get("transformations").Get("oversized_image"); too.Has() && too.String() != "downsize" {
		too.Refuse("", "")
	}
	b.Get("transformations").Rest()
}

func (r *reading) document(b jsontree.Node, p *conversation.Part) {
	p.Kind = conversation.Document
	source := b.Get("source")
	switch kind := source.Get("type"); kind.String() {
	case "base64":
		p.Media = conversation.Media{Type: source.Get("media_type").String(), Data: source.Get("data").String()}
	case "text":
		p.Media = conversation.Media{Type: source.Get("media_type").String(), Plain: source.Get("data").String()}
	case "url":
		p.Media.URL = source.Get("url").String()
	default:
		kind.Refuse("", "")
	}
	source.Rest()
	p.Media.Name = b.Get("title").String()
	if c := b.Get("citations"); c.Get("enabled").Bool() {
		c.Refuse("", "")
	}
}

func (r *reading) toolUse(b jsontree.Node, p *conversation.Part) {
	p.Kind = conversation.ToolUse
	p.Call = conversation.Call{ID: b.Get("id").String(), Name: b.Get("name").String(), Arguments: b.Get("input").Object()}
	if p.Call.Arguments == nil {
		p.Call.Arguments = []byte("{}")
	}
	if c := b.Get("caller"); c.Has() && c.Get("type").String() != "direct" {
		c.Refuse("", "")
	}
}

func (r *reading) toolResult(b jsontree.Node, p *conversation.Part) {
	p.Kind = conversation.ToolResult
	p.Result = conversation.Result{ID: b.Get("tool_use_id").String(), Failed: b.Get("is_error").Bool()}
	content := b.Get("content")
	if content.Kind() == jsonscan.String {
		p.Result.Parts = append(p.Result.Parts, conversation.Part{Kind: conversation.Text, Text: content.String(), At: content.At()})
		return
	}
	content.Each(func(_ int, c jsontree.Node) {
		switch kind := c.Get("type"); kind.String() {
		case "text", "image", "document":
			p.Result.Parts = append(p.Result.Parts, r.block(c))
		default:
			kind.Refuse("", "")
		}
	})
}
