package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pixels"
)

// The members of a message and of a content block that the gateway reads.
const (
	bOther = iota
	bRole
	bContent
	bType
	bText
	bSource
	bCacheControl
	bFileID
	bTransformations
)

var blockNames = [...]string{
	bRole: ".role", bContent: ".content", bType: ".type", bText: ".text", bSource: ".source",
	bCacheControl: ".cache_control", bFileID: ".file_id", bTransformations: ".transformations",
}

func blockField(name []byte) int {
	switch string(name) {
	case "role":
		return bRole
	case "content":
		return bContent
	case "type":
		return bType
	case "text":
		return bText
	case "source":
		return bSource
	case "cache_control":
		return bCacheControl
	case "file_id":
		return bFileID
	case "transformations":
		return bTransformations
	}
	return bOther
}

func (d *decoder) messages() error {
	err := d.elements("messages", func() error {
		d.list, d.message, d.block = "messages", d.call.Messages, -1
		if d.call.Messages++; d.call.Messages > MaxMessages {
			return tooMany("messages", MaxMessages)
		}
		return d.oneMessage()
	})
	if err == nil && d.call.Messages == 0 {
		return invalid("messages", "it is empty")
	}
	return err
}

func (d *decoder) oneMessage() error {
	var seen fields
	err := d.members("", func(_ jsonscan.Str, name []byte) error {
		d.block = -1
		f := blockField(name)
		switch f {
		case bRole, bContent:
			if err := d.once(&seen, f, blockNames[f]); err != nil {
				return err
			}
			if f == bRole {
				return d.role()
			}
			return d.content(".content")
		}
		if err := lookalike(name, "role", "content"); err != nil {
			return err
		}
		// Whatever else a message carries may end up in the prompt.
		return d.call.AddStrings(&d.cur)
	})
	d.block = -1
	if err == nil && !seen.has(bRole) {
		return missing(d.at(".role"))
	}
	return err
}

func (d *decoder) role() error {
	role, err := d.word(".role", maxWord)
	switch {
	case err != nil:
		return err
	case role == "user", role == "assistant", role == "system":
		return nil
	}
	return invalid(d.at(".role"), "supported values are 'user', 'assistant' and 'system'")
}

// content reads a text or a list of blocks.
func (d *decoder) content(field string) error {
	switch d.cur.Kind() {
	case jsonscan.String:
		return d.call.AddStrings(&d.cur)
	case jsonscan.Null:
		return d.cur.Null()
	case jsonscan.Array:
	default:
		return d.expect(jsonscan.Array, field, "a string or an array of objects")
	}
	return d.elements(field, func() error {
		d.block++
		b, err := d.oneBlock()
		if err != nil {
			return err
		}
		return d.checkBlock(&b)
	})
}

// block is what was met in one object that may be a content block.
type block struct {
	kind        string
	source      source
	hasSource   bool
	hasText     bool
	transformed bool
}

// oneBlock reads an object as a content block: every string in it counts, and
// what stands for other content is noted. Objects within it are read as blocks
// too, since results of tools nest them.
func (d *decoder) oneBlock() (b block, err error) {
	if d.blocks++; d.blocks > MaxBlocks {
		return b, tooMany("messages", MaxBlocks)
	}
	var seen fields
	err = d.members("", func(key jsonscan.Str, name []byte) error {
		f := blockField(name)
		if f == bOther || f == bRole {
			if err := lookalike(name, "type", "content", "source", "cache_control", "file_id", "text"); err != nil {
				return err
			}
			d.call.AddText(key)
			d.call.RawMembers++
			return d.call.AddStrings(&d.cur)
		}
		if err := d.once(&seen, f, blockNames[f]); err != nil {
			return err
		}
		return d.blockMember(f, &b)
	})
	if err != nil {
		return b, err
	}
	return b, d.take(&b)
}

func (d *decoder) blockMember(f int, b *block) (err error) {
	switch f {
	case bType:
		b.kind, err = d.word(".type", maxWord)
		return err
	case bText:
		b.hasText = true
	case bContent:
		return d.nested()
	case bSource:
		if d.cur.Kind() == jsonscan.Object {
			b.hasSource = true
			b.source, err = d.source()
			return err
		}
	case bCacheControl:
		return d.cacheControl()
	case bFileID:
		if !d.cur.TakeNull() {
			d.call.Hide(d.at(".file_id"))
			return d.cur.Skip()
		}
		return nil
	case bTransformations:
		b.transformed = d.cur.Kind() != jsonscan.Null
		return d.cur.Skip()
	}
	return d.call.AddStrings(&d.cur)
}

// nested reads the content of a block: a text, one block, or several.
func (d *decoder) nested() error {
	switch d.cur.Kind() {
	case jsonscan.Object:
		_, err := d.oneBlock()
		return err
	case jsonscan.Array:
		return d.elements("", d.nested)
	}
	return d.call.AddStrings(&d.cur)
}

// source is where an image or a document comes from.
type source struct {
	kind  string
	media string
	data  jsonscan.Str
}

func (d *decoder) source() (s source, err error) {
	var seen fields
	err = d.members("", func(_ jsonscan.Str, name []byte) (err error) {
		f := -1
		for i, known := range sourceFields {
			if string(name) == known {
				f = i
			}
		}
		if f < 0 {
			if err := lookalike(name, sourceFields[:]...); err != nil {
				return err
			}
			return d.call.AddStrings(&d.cur)
		}
		if err := d.once(&seen, f, ".source"); err != nil {
			return err
		}
		switch sourceFields[f] {
		case "type":
			s.kind, err = d.word(".source.type", maxWord)
		case "media_type":
			s.media, err = d.word(".source.media_type", 4*maxWord)
		case "data":
			if err = d.expect(jsonscan.String, ".source.data", "a string"); err == nil {
				s.data, err = d.cur.String()
			}
		case "content":
			err = d.nested()
		case "file_id":
			d.call.Hide(d.at(".source.file_id"))
			err = d.cur.Skip()
		default:
			err = d.cur.Skip()
		}
		return err
	})
	return s, err
}

var sourceFields = [...]string{"type", "media_type", "data", "content", "file_id", "url"}

// take counts what a block's source amounts to, once its type is known.
func (d *decoder) take(b *block) error {
	if !b.hasSource {
		return nil
	}
	s := &b.source
	switch {
	case s.kind == "text":
		d.call.AddText(s.data)
	case s.kind == "content":
	case s.kind == "file":
		d.call.Hide(d.at(".source"))
	case b.kind == "image" && (s.kind == "base64" || s.kind == "url"):
		return d.image(b)
	case b.kind == "document" && s.kind == "base64":
		d.call.Files++
		d.call.Hide(d.at(".source"))
	case b.kind == "document" && s.kind == "url":
		d.call.Hide(d.at(".source.url"))
	default:
		return dialect.NewError(dialect.CodeUnsupportedPart, d.at(".source.type"),
			"%s: supported are base64, url, file, text and content.", d.at(".source.type"))
	}
	return nil
}

// headBytes is how much of an encoded image is looked at for its size: a JPEG
// may carry this much metadata before it. A size further in counts as unknown.
const headBytes = 256 << 10

func (d *decoder) image(b *block) error {
	if len(d.call.Images) == MaxImages {
		return tooMany("messages", MaxImages)
	}
	img := dialect.Image{Link: b.source.kind == "url"}
	if b.transformed {
		img.Detail = dialect.DetailOriginal
	}
	if s := b.source.data; !img.Link {
		data := d.cur.Doc[s.Start:s.End]
		if s.Escaped {
			data = jsonscan.AppendText(make([]byte, 0, s.Len), data)
		}
		img.Bytes = len(data)
		img.Width, img.Height, _ = pixels.SizeBase64(data[:min(len(data), headBytes)])
	}
	d.call.Images = append(d.call.Images, img)
	return nil
}

// checkBlock refuses a block of a message that is of no known type, or lacks what
// its type is for.
func (d *decoder) checkBlock(b *block) error {
	switch b.kind {
	case "":
		return missing(d.at(".type"))
	case "text":
		if !b.hasText {
			return missing(d.at(".text"))
		}
	case "image", "document":
		if !b.hasSource {
			return missing(d.at(".source"))
		}
	case "tool_use", "tool_result", "server_tool_use", "mcp_tool_use", "mcp_tool_result":
		d.call.ToolCalls++
	case "thinking", "redacted_thinking", "search_result", "compaction", "fallback", "tool_reference",
		"web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
		"text_editor_code_execution_tool_result", "tool_search_tool_result", "advisor_tool_result",
		"tool_addition", "tool_removal", "mcp_tool_listing", "browser_state":
	case "container_upload": // its file_id is hidden context
	default:
		return dialect.NewError(dialect.CodeUnsupportedPart, d.at(".type"), "%s: this type of content is not known here, so its cost cannot be bounded.", d.at(".type"))
	}
	return nil
}
