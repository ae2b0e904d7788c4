package simprovider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// blockReader reads and counts a prompt in the order of Anthropic's cache: tools,
// system, messages.
type blockReader struct {
	x        *call
	lastUser string // text of the last user message
	answered bool   // the last message has results of tools
	index    int
}

// Tokens beyond those of the text.
const (
	turnTokens   = 4
	toolUseFrame = 346 // the system prompt for tools, as documented for Claude 4
	pdfBytes     = 400 // of base64 for a token
)

func (p *blockReader) prompt(root gjson.Result) *apiError {
	x := p.x
	tools := root.Get("tools").Array()
	for _, t := range tools {
		x.addPrompt(t.Raw, x.p.count(t.Raw))
		p.mark(t)
	}
	if len(tools) > 0 {
		x.gen.input += toolUseFrame
	}
	if err := p.content(root.Get("system")); err != nil {
		return err
	}
	messages := root.Get("messages")
	if !messages.IsArray() || len(messages.Array()) == 0 {
		return invalid("", "", "messages: at least one message is required")
	}
	for i, m := range messages.Array() {
		p.index = i
		role := m.Get("role").Str
		if role != "user" && role != "assistant" && role != "system" {
			return invalid("", "", fmt.Sprintf("messages.%d.role: Input should be 'user' or 'assistant'", i))
		}
		x.addPrompt(role, turnTokens)
		if role == "user" {
			p.lastUser, p.answered = "", false
		}
		if err := p.content(m.Get("content")); err != nil {
			return err
		}
	}
	if root.Get("cache_control").IsObject() {
		p.markHere(root.Get("cache_control"))
	}
	return nil
}

func (p *blockReader) content(content gjson.Result) *apiError {
	if content.Type == gjson.String {
		p.text(content.Str)
		return nil
	}
	for _, b := range content.Array() {
		if err := p.block(b); err != nil {
			return err
		}
		p.mark(b)
	}
	return nil
}

func (p *blockReader) text(s string) {
	p.x.addPrompt(s, p.x.p.count(s))
	p.lastUser = s
}

func (p *blockReader) block(b gjson.Result) *apiError {
	x := p.x
	switch kind := b.Get("type").Str; kind {
	case "text":
		p.text(b.Get("text").Str)
	case "image":
		return p.image(b.Get("source"))
	case "document":
		source := b.Get("source")
		if source.Get("type").Str == "text" {
			p.text(source.Get("data").Str)
			return nil
		}
		data := source.Get("data").Str
		x.addPrompt(data, int64(len(data))/pdfBytes+1)
	case "tool_result":
		p.answered = true
		return p.content(b.Get("content"))
	case "":
		return invalid("", "", fmt.Sprintf("messages.%d.content: a block has no type", p.index))
	default:
		x.addPrompt(b.Raw, x.p.count(b.Raw))
	}
	return nil
}

// image counts a picture by the documented patches of 28 pixels. One behind a URL
// is never fetched: its size follows from the URL.
func (p *blockReader) image(source gjson.Result) *apiError {
	const patch, most = 28, 4_784
	text, width, height, ok := source.Get("url").Str, 0, 0, true
	if source.Get("type").Str == "base64" {
		text = source.Get("data").Str
		width, height, ok = dataImageSize("image;base64," + text)
	} else {
		s := stream(len(text))
		for _, c := range []byte(text) {
			s = stream(s.next()) + stream(c)
		}
		width, height = s.between(64, 4096), s.between(64, 4096)
		ok = strings.HasPrefix(text, "https://")
	}
	if !ok {
		return invalid("", "", fmt.Sprintf("messages.%d.content: the image cannot be read", p.index))
	}
	tokens := min(((width+patch-1)/patch)*((height+patch-1)/patch), most)
	p.x.addPrompt(text, int64(tokens))
	return nil
}

// mark is a breakpoint of the prompt cache: behind so many segments.
type mark struct {
	segments int
	long     bool // kept for an hour, else for five minutes
}

func (p *blockReader) mark(block gjson.Result) {
	if c := block.Get("cache_control"); c.IsObject() {
		p.markHere(c)
	}
}

func (p *blockReader) markHere(c gjson.Result) {
	g := &p.x.gen
	g.marks = append(g.marks, mark{segments: len(g.prompt), long: c.Get("ttl").Str == "1h"})
}
