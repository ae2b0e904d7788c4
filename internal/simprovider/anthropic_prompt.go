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
	nested   int // within the result of a tool
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
		p.endBlock()
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
	return checkMarks(x.gen.marks)
}

func (p *blockReader) content(content gjson.Result) *apiError {
	if content.Type == gjson.String {
		p.text(content.Str)
		p.endBlock()
		return nil
	}
	for _, b := range content.Array() {
		if err := p.block(b); err != nil {
			return err
		}
		p.endBlock()
		if err := p.takesMark(b); err != nil {
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
		p.nested++
		defer func() { p.nested-- }()
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

// mark is a breakpoint of the prompt cache: behind so many segments and blocks.
type mark struct {
	segments, blocks int
	long             bool // kept for an hour, else for five minutes
}

func (p *blockReader) mark(block gjson.Result) {
	if c := block.Get("cache_control"); c.IsObject() {
		p.markHere(c)
	}
}

func (p *blockReader) markHere(c gjson.Result) {
	g := &p.x.gen
	g.marks = append(g.marks, mark{segments: len(g.prompt), blocks: len(g.blocks), long: c.Get("ttl").Str == "1h"})
}

// endBlock notes the end of a block: of the blocks within the result of a tool, the
// result is one.
func (p *blockReader) endBlock() {
	if g := &p.x.gen; p.nested == 0 {
		g.blocks = append(g.blocks, len(g.prompt))
	}
}

// takesMark refuses a mark where Anthropic does.
func (p *blockReader) takesMark(b gjson.Result) *apiError {
	if !b.Get("cache_control").IsObject() {
		return nil
	}
	switch kind := b.Get("type").Str; {
	case kind == "thinking" || kind == "redacted_thinking":
		return invalid("", "", fmt.Sprintf("messages.%d.content: cache_control cannot be set on thinking blocks", p.index))
	case kind == "text" && b.Get("text").Str == "":
		return invalid("", "", fmt.Sprintf("messages.%d.content: cache_control cannot be set for empty text blocks", p.index))
	}
	return nil
}

// maxMarks is how many breakpoints Anthropic takes.
const maxMarks = 4

func checkMarks(marks []mark) *apiError {
	if len(marks) > maxMarks {
		return invalid("", "", fmt.Sprintf("A maximum of %d blocks with cache_control may be provided. Found %d.", maxMarks, len(marks)))
	}
	for i, m := range marks {
		if i > 0 && m.long && !marks[i-1].long {
			return invalid("", "", "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")
		}
	}
	return nil
}
