package openai

import (
	"fmt"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// items reads the input of a Responses request: a text, or a list of items.
func (d *decoder) items() error {
	switch k := d.cur.Kind(); k {
	case jsonscan.Null:
		return d.cur.Null()
	case jsonscan.String:
		d.call.Messages++
		s, err := d.cur.String()
		if err == nil {
			d.call.AddText(s)
		}
		return err
	case jsonscan.Array:
		return d.itemList("input")
	case jsonscan.Invalid:
		return d.cur.Skip()
	default:
		return invalidType("input", "a string or an array of objects", k)
	}
}

func (d *decoder) itemList(field string) error {
	d.list = field
	return d.cur.EachElement(func(i int) error {
		d.message = i
		if d.call.Messages++; d.call.Messages > MaxMessages {
			return tooMany(field, MaxMessages)
		}
		if err := d.expect(jsonscan.Object, d.atItem(""), "an object"); err != nil {
			return err
		}
		kind, err := d.itemKind()
		if err != nil {
			return err
		}
		return d.item(kind)
	})
}

// atItem names a field of the item being read.
func (d *decoder) atItem(field string) string {
	return fmt.Sprintf("%s[%d]%s", d.list, d.message, field)
}

// atItemPart names a field of the content part being read.
func (d *decoder) atItemPart(field string) string {
	return fmt.Sprintf("%s[%d].%s[%d]%s", d.list, d.message, d.holder, d.part, field)
}

// itemKind is how an item is to be read.
type itemKind uint8

const (
	itemUnknown   itemKind = iota
	itemMessage            // has a role and content
	itemReference          // an id alone
	itemCall               // a call that the model made, by its text
	itemOutput             // what a call gave, as content
	itemReasoning          // sealed, or known to the provider by its id
	itemText               // all its texts
	itemTools              // brings tools
	itemHidden             // the provider may put in more than it shows
)

func itemKindOf(name []byte) itemKind {
	switch string(name) {
	case "message":
		return itemMessage
	case "item_reference":
		return itemReference
	case "function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call",
		"apply_patch_call", "tool_search_call", "mcp_call", "program":
		return itemCall
	case "function_call_output", "custom_tool_call_output", "computer_call_output":
		return itemOutput
	case "reasoning":
		return itemReasoning
	case "compaction", "compaction_trigger", "configuration_update", "local_shell_call_output", "shell_call_output",
		"apply_patch_call_output", "program_output", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response":
		return itemText
	case "additional_tools", "tool_search_output":
		return itemTools
	case "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call":
		return itemHidden
	}
	return itemUnknown
}

// itemKind looks ahead for the type of the item, which may stand anywhere in it.
// An item without one is a message, or a reference if it has no role.
func (d *decoder) itemKind() (itemKind, error) {
	look := d.cur
	if err := look.Open(); err != nil {
		return itemUnknown, err
	}
	role := false
	for first := true; ; first = false {
		key, more, err := look.Member(first)
		if err != nil {
			return itemUnknown, err
		}
		if !more {
			break
		}
		name := look.Name(key)
		if string(name) == "type" && look.Kind() == jsonscan.String {
			s, err := look.String()
			if err != nil {
				return itemUnknown, err
			}
			if kind := itemKindOf(look.Name(s)); kind != itemUnknown {
				return kind, nil
			}
			return itemUnknown, dialect.NewError(dialect.CodeUnsupportedPart, d.atItem(".type"),
				"This type of item is not known here, so its cost cannot be bounded beforehand.")
		}
		role = role || string(name) == "role"
		if err := look.Skip(); err != nil {
			return itemUnknown, err
		}
	}
	if role {
		return itemMessage, nil
	}
	return itemReference, nil
}

// The fields of an item that the gateway reads.
const (
	iType = iota + 1
	iRole
	iID
	iContent
	iOutput
	iTools
	iSealed
)

var itemFields = []string{"type", "role", "id", "content", "output", "tools", "encrypted_content"}

func (d *decoder) item(kind itemKind) error {
	switch kind {
	case itemCall:
		d.call.ToolCalls++
	case itemHidden:
		d.call.Hide(d.atItem(""))
	}
	var seen, given fields
	var id jsonscan.Str
	err := d.cur.EachMember(func(key jsonscan.Str) (err error) {
		name := d.cur.Name(key)
		f := fieldOf(name, itemFields)
		if f == fUnknown {
			err = lookalike(name, itemFields...)
		} else if seen.has(f) {
			err = ambiguous(d.atItem("."+string(name)), "is given twice")
		}
		if err != nil {
			return err
		}
		seen |= 1 << f
		if d.cur.Kind() != jsonscan.Null {
			given |= 1 << f
		}
		return d.itemMember(kind, f, &id)
	})
	switch {
	case err != nil:
		return err
	case kind == itemMessage && !given.has(iRole):
		return missing(d.atItem(".role"))
	case kind == itemReference && !given.has(iID):
		return missing(d.atItem(".id"))
	case kind == itemReference, kind == itemReasoning && given.has(iID) && !given.has(iSealed):
		return d.referTo(d.cur.Text(id), d.atItem(".id"))
	}
	return nil
}

func (d *decoder) itemMember(kind itemKind, f int, id *jsonscan.Str) error {
	switch {
	case f == iType:
		return d.cur.Skip()
	case f == iRole && kind == itemMessage:
		return d.role()
	case f == iID:
		if d.cur.TakeNull() {
			return nil
		}
		s, err := d.string(d.atItem(".id"))
		if err == nil && s.Len > MaxID {
			err = invalidValue(d.atItem(".id"), "it is longer than %d bytes", MaxID)
		}
		*id = s
		return err
	case f == iContent && kind == itemMessage:
		return d.itemContent("content")
	case f == iOutput && kind == itemOutput:
		return d.itemContent("output")
	case f == iTools && kind == itemTools:
		return d.responseTools(d.atItem(".tools"))
	case f == iSealed:
		return d.sealed()
	}
	return d.deepText()
}

func (d *decoder) role() error {
	s, err := d.string(d.atItem(".role"))
	if err != nil {
		return err
	}
	switch string(d.cur.Name(s)) {
	case "user", "assistant", "system", "developer":
		return nil
	}
	return invalidValue(d.atItem(".role"), "supported values are 'assistant', 'system', 'developer' and 'user'")
}

// itemContent reads what an item says under field: a text, a content part, or
// a list of them.
func (d *decoder) itemContent(field string) error {
	d.holder, d.part = field, 0
	switch d.cur.Kind() {
	case jsonscan.Object:
		return d.itemPart()
	case jsonscan.Array:
	default:
		return d.deepText()
	}
	return d.cur.EachElement(func(i int) error {
		if d.part = i; i >= MaxParts {
			return tooMany(d.atItem("."+field), MaxParts)
		}
		if err := d.expect(jsonscan.Object, d.atItemPart(""), "an object"); err != nil {
			return err
		}
		return d.itemPart()
	})
}

// The fields of a content part that the gateway reads.
const (
	pType = iota + 1
	pImage
	pDetail
	pFileID
	pFileURL
	pFileData
)

var itemPartFields = []string{"type", "image_url", "detail", "file_id", "file_url", "file_data"}

// fieldOf is the number of a name in a list, from 1; 0 when it is not there.
func fieldOf(name []byte, names []string) int {
	for i, n := range names {
		if string(name) == n {
			return i + 1
		}
	}
	return fUnknown
}

// itemPart reads one content part. Whatever its type, a picture or file in it
// counts as one.
func (d *decoder) itemPart() error {
	var seen, given fields
	var img dialect.Image
	err := d.cur.EachMember(func(key jsonscan.Str) (err error) {
		name := d.cur.Name(key)
		f := fieldOf(name, itemPartFields)
		if f == fUnknown {
			err = lookalike(name, itemPartFields...)
		} else if seen.has(f) {
			err = ambiguous(d.atItemPart("."+string(name)), "is given twice")
		}
		if err != nil {
			return err
		}
		seen |= 1 << f
		if d.cur.Kind() != jsonscan.Null {
			given |= 1 << f
		}
		return d.itemPartMember(f, &img)
	})
	switch {
	case err != nil:
		return err
	case !seen.has(pType):
		return missing(d.atItemPart(".type"))
	case given.has(pFileID) || given.has(pFileURL) || given.has(pFileData):
		d.call.Files++
		d.call.Hide(d.atItemPart(""))
	}
	if given.has(pImage) {
		if len(d.call.Images) == MaxImages {
			return tooMany(d.list, MaxImages)
		}
		d.call.Images = append(d.call.Images, img)
	}
	return nil
}

func (d *decoder) itemPartMember(f int, img *dialect.Image) error {
	switch f {
	case pType:
		return d.itemPartType()
	case pImage:
		if d.cur.TakeNull() {
			return nil
		}
		return d.imageURL(img, d.atItemPart(".image_url"))
	case pDetail:
		return d.imageDetail(img, d.atItemPart(".detail"))
	case pFileID, pFileURL, pFileData:
		return d.cur.Skip()
	}
	return d.deepText()
}

func (d *decoder) itemPartType() error {
	s, err := d.string(d.atItemPart(".type"))
	if err != nil {
		return err
	}
	switch string(d.cur.Name(s)) {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal",
		"input_image", "input_file", "computer_screenshot", "encrypted_content":
		return nil
	}
	return dialect.NewError(dialect.CodeUnsupportedPart, d.atItemPart(".type"),
		"This type of content is not supported here. Supported are 'input_text', 'output_text', 'refusal', 'input_image' and 'input_file'.")
}
