package gemini

import (
	"fmt"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pixels"
)

func (d *decoder) contents(at string) error {
	return d.each(at, MaxContents, func(i int) error {
		d.within, d.content = at, i
		d.call.Messages++
		return d.oneContent()
	})
}

// at names a field of the content being read.
func (d *decoder) at(field string) string {
	if d.content < 0 {
		return d.within + field
	}
	return fmt.Sprintf("%s[%d]%s", d.within, d.content, field)
}

// atPart names a field of the part being read.
func (d *decoder) atPart(field string) string {
	return d.at(fmt.Sprintf(".parts[%d]%s", d.part, field))
}

const cParts = 1

var contentNames = newNames("parts")

func (d *decoder) oneContent() error {
	_, err := d.object(contentNames, place{of: thisContent}, func(field int, _ []byte) error {
		if field != cParts {
			return d.call.AddStrings(&d.cur) // the role, and what is unknown
		}
		return d.each(d.within, MaxParts, func(i int) error {
			d.part = i
			return d.onePart()
		})
	})
	return err
}

// The fields of a part that the gateway reads.
const (
	pText = iota + 1
	pInline
	pFile
	pCall
	pResponse
	pResolution
)

var partNames = newNames("text", "inlineData", "fileData", "functionCall", "functionResponse", "mediaResolution")

func (d *decoder) onePart() error {
	_, err := d.object(partNames, place{of: thisPart}, func(field int, _ []byte) error { return d.partMember(field) })
	return err
}

func (d *decoder) partMember(field int) error {
	if field != 0 && d.cur.TakeNull() {
		return nil
	}
	switch field {
	case pText:
		if d.cur.Kind() != jsonscan.String {
			return d.expect(jsonscan.String, d.atPart(".text"), "a string")
		}
	case pInline:
		return d.blob()
	case pFile:
		d.call.Files++
		d.call.Hide(d.atPart(".fileData"))
		return d.cur.Skip()
	case pCall:
		d.call.ToolCalls++
	case pResponse:
		d.call.ToolCalls++
		return d.functionResponse()
	case pResolution:
		return d.mediaResolution()
	}
	// Whatever else a part carries may end up in the prompt.
	return d.call.AddStrings(&d.cur)
}

const fParts = 1

var responseNames = newNames("parts")

// functionResponse reads the result of a function, which may have media beside it.
func (d *decoder) functionResponse() error {
	_, err := d.object(responseNames, place{".functionResponse", thisPart}, func(field int, _ []byte) error {
		if field != fParts {
			return d.call.AddStrings(&d.cur)
		}
		return d.each(d.within, MaxParts, func(int) error { return d.onePart() })
	})
	return err
}

var resolutionNames = newNames("numTokens")

// mediaResolution reads how finely a part's media are read. The levels are
// within the bounds of each model's formula; a count of tokens is beyond them.
func (d *decoder) mediaResolution() error {
	if d.cur.Kind() != jsonscan.Object {
		return d.cur.Skip()
	}
	_, err := d.object(resolutionNames, place{".mediaResolution", thisPart}, func(field int, _ []byte) error {
		if field != 0 && !d.cur.TakeNull() {
			d.call.Hide(d.atPart(".mediaResolution.numTokens"))
		}
		return d.cur.Skip()
	})
	return err
}

const (
	iData = iota + 1
	iType
)

var blobNames = newNames("data", "mimeType")

// blob reads media in the request: a picture by its size, all else only as a
// file, which the context window bounds.
func (d *decoder) blob() error {
	var data jsonscan.Str
	kind := ""
	met, err := d.object(blobNames, place{".inlineData", thisPart}, func(field int, _ []byte) (err error) {
		switch field {
		case iData:
			data, err = d.string(d.atPart(".inlineData.data"))
		case iType:
			kind, err = d.short(d.atPart(".inlineData.mimeType"), 256)
		default:
			err = d.call.AddStrings(&d.cur)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !met.has(iData):
		return missing(d.atPart(".inlineData.data"))
	case !strings.HasPrefix(strings.ToLower(kind), "image/"):
		d.call.Files++
		return nil
	case len(d.call.Images) == MaxImages:
		return tooMany(d.within, MaxImages)
	}
	payload := d.cur.Doc[data.Start:data.End]
	if data.Escaped {
		payload = jsonscan.AppendText(make([]byte, 0, data.Len), payload)
	}
	img := dialect.Image{Bytes: data.Len}
	img.Width, img.Height, _ = pixels.SizeBase64(payload[:min(len(payload), headBytes)])
	d.call.Images = append(d.call.Images, img)
	return nil
}

// headBytes is how much of an encoded image is looked at for its size: a JPEG
// may carry this much metadata before it. A size further in counts as unknown.
const headBytes = 256 << 10

const tFunctions = 1

var toolNames = newNames("functionDeclarations")

// tools reads the tools. Only functions run at the client; every other tool,
// known or not, runs at Google as often as the model likes.
func (d *decoder) tools(at string) error {
	return d.each(at, MaxTools, func(i int) error {
		here := fmt.Sprintf("%s[%d]", at, i)
		_, err := d.object(toolNames, place{name: here}, func(field int, key []byte) error {
			switch {
			case d.cur.TakeNull():
				return nil
			case field != tFunctions:
				return unbounded(param(here, string(key[:min(len(key), maxName)])))
			}
			return d.each(param(here, "functionDeclarations"), MaxTools, func(int) error {
				if d.call.Tools++; d.call.Tools > MaxTools {
					return tooMany(at, MaxTools)
				}
				return d.call.AddRaw(&d.cur)
			})
		})
		return err
	})
}
