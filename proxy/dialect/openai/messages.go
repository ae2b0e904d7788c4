package openai

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// The fields of a message and of a content part that the gateway reads.
const (
	fRole = iota + 1
	fContent
	fName
	fToolCalls
	fMessageAudio

	fType
	fText
	fImageURL
	fInputAudio
	fFile
)

func (d *decoder) messages() error {
	if err := d.expect(jsonscan.Array, "messages", "an array of objects"); err != nil {
		return err
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		d.message = d.call.Messages
		if d.call.Messages++; d.call.Messages > MaxMessages {
			return tooMany("messages", MaxMessages)
		}
		if err := d.oneMessage(); err != nil {
			return err
		}
	}
	if d.call.Messages == 0 {
		return invalidValue("messages", "it is empty")
	}
	return nil
}

// at names a field of the message being read.
func (d *decoder) at(field string) string {
	return fmt.Sprintf("messages[%d].%s", d.message, field)
}

func messageField(name []byte) int {
	switch string(name) {
	case "role":
		return fRole
	case "content":
		return fContent
	case "name":
		return fName
	case "tool_calls":
		return fToolCalls
	case "audio":
		return fMessageAudio
	}
	return fUnknown
}

func (d *decoder) oneMessage() error {
	if d.cur.Kind() != jsonscan.Object {
		return d.expect(jsonscan.Object, fmt.Sprintf("messages[%d]", d.message), "an object")
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	var seen fields
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name := d.cur.Name(key)
		f := messageField(name)
		if f == fUnknown {
			if err := lookalike(name, "role", "content", "tool_calls", "audio"); err != nil {
				return err
			}
		} else if seen.has(f) {
			return ambiguous(d.at(string(name)), "is given twice")
		}
		seen |= 1 << f
		if err := d.messageMember(f); err != nil {
			return err
		}
	}
	if !seen.has(fRole) {
		return missing(d.at("role"))
	}
	return nil
}

func (d *decoder) messageMember(f int) error {
	switch f {
	case fRole:
		if d.cur.Kind() != jsonscan.String {
			return d.expect(jsonscan.String, d.at("role"), "a string")
		}
		role, err := d.cur.String()
		if err != nil {
			return err
		}
		switch string(d.cur.Name(role)) {
		case "system", "developer", "user", "assistant", "tool", "function":
			return nil
		}
		return invalidValue(d.at("role"), "supported values are 'system', 'developer', 'user', 'assistant', 'tool' and 'function'")
	case fContent:
		return d.content()
	case fName:
		d.call.Names++
	case fToolCalls:
		return d.toolCalls()
	case fMessageAudio:
		if d.cur.TakeNull() {
			return nil
		}
		d.call.Hide(d.at("audio"))
	}
	// Whatever else a message carries may end up in the prompt.
	return d.deepText()
}

func (d *decoder) toolCalls() error {
	if d.cur.TakeNull() {
		return nil
	}
	if d.cur.Kind() != jsonscan.Array {
		return d.expect(jsonscan.Array, d.at("tool_calls"), "an array")
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if !more || err != nil {
			return err
		}
		d.call.ToolCalls++
		if err := d.deepText(); err != nil {
			return err
		}
	}
}

func (d *decoder) content() error {
	switch k := d.cur.Kind(); k {
	case jsonscan.String:
		s, err := d.cur.String()
		if err == nil {
			d.call.AddText(s)
		}
		return err
	case jsonscan.Null:
		return d.cur.Null()
	case jsonscan.Array:
	case jsonscan.Invalid:
		return d.cur.Skip()
	default:
		return invalidType(d.at("content"), "a string or an array of objects", k)
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	d.part = -1
	for first := true; ; first = false {
		more, err := d.cur.Element(first)
		if !more || err != nil {
			return err
		}
		if d.part++; d.part >= MaxParts {
			return tooMany(d.at("content"), MaxParts)
		}
		if err := d.contentPart(); err != nil {
			return err
		}
	}
}

// atPart names a field of the content part being read.
func (d *decoder) atPart(field string) string {
	return fmt.Sprintf("messages[%d].content[%d]%s", d.message, d.part, field)
}

func partField(name []byte) int {
	switch string(name) {
	case "type":
		return fType
	case "text":
		return fText
	case "image_url":
		return fImageURL
	case "input_audio":
		return fInputAudio
	case "file":
		return fFile
	}
	return fUnknown
}

func (d *decoder) contentPart() error {
	if d.cur.Kind() != jsonscan.Object {
		return d.expect(jsonscan.Object, d.atPart(""), "an object")
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	var seen fields
	kind := fUnknown
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name := d.cur.Name(key)
		f := partField(name)
		if f == fUnknown {
			if err := lookalike(name, "type", "text", "image_url", "input_audio", "file"); err != nil {
				return err
			}
		} else if seen.has(f) {
			return ambiguous(d.atPart("."+string(name)), "is given twice")
		}
		seen |= 1 << f
		if f == fType {
			kind, err = d.partType()
		} else {
			err = d.partMember(f)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !seen.has(fType):
		return missing(d.atPart(".type"))
	case kind != fUnknown && !seen.has(kind):
		return missing(d.atPart("." + partNames[kind]))
	}
	return nil
}

var partNames = map[int]string{fText: "text", fImageURL: "image_url", fFile: "file"}

// partType reads the type of a content part and gives the field it requires.
func (d *decoder) partType() (int, error) {
	if d.cur.Kind() != jsonscan.String {
		return 0, d.expect(jsonscan.String, d.atPart(".type"), "a string")
	}
	s, err := d.cur.String()
	if err != nil {
		return 0, err
	}
	switch string(d.cur.Name(s)) {
	case "text":
		return fText, nil
	case "image_url":
		return fImageURL, nil
	case "file":
		return fFile, nil
	case "refusal": // its text is counted as any unknown member is
		return fUnknown, nil
	case "input_audio":
		return 0, d.noAudio()
	}
	return 0, dialect.NewError(dialect.CodeUnsupportedPart, d.atPart(".type"),
		"This type of content is not supported here. Supported are 'text', 'image_url', 'file' and 'refusal'.")
}

func (d *decoder) noAudio() error {
	return dialect.NewError(dialect.CodeUnsupportedPart, d.atPart(""),
		"Audio input is not supported here: its cost cannot be bounded beforehand.")
}

func (d *decoder) partMember(f int) error {
	switch f {
	case fText:
		if d.cur.Kind() != jsonscan.String {
			return d.expect(jsonscan.String, d.atPart(".text"), "a string")
		}
		s, err := d.cur.String()
		if err == nil {
			d.call.AddText(s)
		}
		return err
	case fImageURL:
		return d.image()
	case fInputAudio:
		return d.noAudio()
	case fFile:
		d.call.Files++
		d.call.Hide(d.atPart(".file"))
		return d.cur.Skip()
	}
	return d.deepText()
}
