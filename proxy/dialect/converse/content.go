package converse

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pixels"
)

var messageFields = fields{
	"role":    (*decoder).passed,
	"content": func(d *decoder) error { return d.array(d.block) },
}

func (d *decoder) messages() error {
	return d.array(func() error {
		if d.call.Messages++; d.call.Messages > MaxMessages {
			return d.fail(dialect.CodeLimit, "there are too many messages, the limit is %d", MaxMessages)
		}
		return d.object(messageFields)
	})
}

var systemFields = fields{"text": (*decoder).text, "cachePoint": (*decoder).cachePoint}

func (d *decoder) system() error {
	return d.array(func() error { return d.object(systemFields) })
}

// blockFields are the kinds of blocks. They are filled in by init, since a result of
// a tool has blocks in it.
var blockFields fields

func init() {
	blockFields = fields{
		"text":             (*decoder).text,
		"image":            (*decoder).image,
		"document":         (*decoder).document,
		"toolUse":          (*decoder).toolUse,
		"toolResult":       (*decoder).toolResult,
		"reasoningContent": func(d *decoder) error { return d.object(reasoningFields) },
		"cachePoint":       (*decoder).cachePoint,
	}
}

func (d *decoder) block() error {
	if d.blocks++; d.blocks > MaxBlocks {
		return d.fail(dialect.CodeLimit, "there are too many blocks, the limit is %d", MaxBlocks)
	}
	return d.object(blockFields)
}

var useFields = fields{"toolUseId": (*decoder).text, "name": (*decoder).text, "input": (*decoder).raw}

func (d *decoder) toolUse() error {
	d.call.ToolCalls++
	return d.object(useFields)
}

func (d *decoder) toolResult() error {
	d.call.ToolCalls++
	return d.object(fields{
		"toolUseId": (*decoder).text, "status": (*decoder).passed,
		"content": func(d *decoder) error { return d.array(d.block) },
	})
}

// reasoningFields count by their bytes, the sealed ones too.
var reasoningFields = fields{
	"reasoningText": func(d *decoder) error {
		return d.object(fields{"text": (*decoder).text, "signature": (*decoder).text})
	},
	"redactedContent": (*decoder).text,
}

// bytesOf reads the source of an image or a document: its content in base64.
func (d *decoder) bytesOf(data *jsonscan.Str) func(*decoder) error {
	return func(d *decoder) error {
		return d.object(fields{"bytes": func(d *decoder) error {
			if err := d.expect(jsonscan.String, "a string"); err != nil {
				return err
			}
			s, err := d.cur.String()
			*data = s
			return err
		}})
	}
}

// headBytes is how much of an encoded image is looked at for its size: a JPEG may
// carry this much metadata before it. A size further in counts as unknown.
const headBytes = 256 << 10

func (d *decoder) image() error {
	if len(d.call.Images) == MaxImages {
		return d.fail(dialect.CodeLimit, "there are too many images, the limit is %d", MaxImages)
	}
	var data jsonscan.Str
	if err := d.object(fields{"format": (*decoder).passed, "source": d.bytesOf(&data)}); err != nil {
		return err
	}
	img := dialect.Image{Bytes: data.Len}
	payload := d.cur.Doc[data.Start:data.End]
	if data.Escaped {
		payload = jsonscan.AppendText(make([]byte, 0, data.Len), payload)
	}
	img.Width, img.Height, _ = pixels.SizeBase64(payload[:min(len(payload), headBytes)])
	d.call.Images = append(d.call.Images, img)
	return nil
}

// document reads a document. One of plain text has no more tokens than bytes; what
// becomes of any other is the provider's affair.
func (d *decoder) document() error {
	var data jsonscan.Str
	format := ""
	err := d.object(fields{
		"name": (*decoder).text, "source": d.bytesOf(&data),
		"format": func(d *decoder) (err error) {
			format, err = d.word()
			return err
		},
	})
	if format == "txt" || format == "md" {
		d.call.TokenInputs += int64(data.Len)/4*3 + 3
	} else {
		d.call.Files++
	}
	return err
}
