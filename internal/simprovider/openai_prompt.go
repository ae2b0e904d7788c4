package simprovider

import (
	"encoding/base64"
	"fmt"
	"image"
	_ "image/gif"  // sizes of pictures in data URLs
	_ "image/jpeg" // the same
	_ "image/png"  // the same
	"strings"

	"github.com/tidwall/gjson"
)

// promptReader reads and counts messages.
type promptReader struct {
	x        *call
	lastRole string
	lastUser string // text of the last user message
}

func (p *promptReader) read(f *chatFields) *apiError {
	if !f.messages.Exists() {
		return invalid("missing_required_parameter", "messages", "Missing required parameter: 'messages'.")
	}
	if !f.messages.IsArray() {
		return wrongType("messages", "an array of objects", f.messages)
	}
	var err *apiError
	i := 0
	f.messages.ForEach(func(_, m gjson.Result) bool {
		err = p.message(i, m)
		i++
		return err == nil
	})
	if err == nil && i == 0 {
		return invalid("empty_array", "messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	p.x.gen.input += ReplyOverhead
	return err
}

func (p *promptReader) message(i int, m gjson.Result) *apiError {
	if !m.IsObject() {
		return wrongType(fmt.Sprintf("messages[%d]", i), "an object", m)
	}
	var role, content, name, calls gjson.Result
	m.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "role":
			role = value
		case "content":
			content = value
		case "name":
			name = value
		case "tool_calls":
			calls = value
		}
		return true
	})
	switch role.Str {
	case "system", "developer", "user", "assistant", "tool", "function":
	default:
		return invalid("invalid_value", fmt.Sprintf("messages[%d].role", i), fmt.Sprintf("Invalid value for 'messages[%d].role'.", i))
	}
	x := p.x
	p.lastRole = role.Str
	if role.Str == "user" {
		p.lastUser = ""
	}
	x.addPrompt(role.Str, MessageOverhead+x.p.count(role.Str))
	if name.Str != "" {
		x.addPrompt(name.Str, NameOverhead+x.p.count(name.Str))
	}
	if calls.IsArray() {
		x.addPrompt(calls.Raw, x.p.count(calls.Raw))
	}
	switch {
	case content.Type == gjson.String:
		p.text(content.Str)
	case content.IsArray():
		return p.parts(i, content)
	case content.Type == gjson.Null && role.Str == "assistant":
	default:
		return wrongType(fmt.Sprintf("messages[%d].content", i), "one of a string or array of objects", content)
	}
	return nil
}

func (p *promptReader) text(s string) {
	p.x.addPrompt(s, p.x.p.count(s))
	if p.lastRole == "user" {
		p.lastUser = s
	}
}

func (p *promptReader) parts(i int, parts gjson.Result) *apiError {
	var err *apiError
	parts.ForEach(func(_, part gjson.Result) bool {
		switch kind := part.Get("type").Str; kind {
		case "text", "refusal":
			p.text(part.Get(kind).Str)
		case "image_url":
			err = p.image(i, part.Get("image_url.url").Str, part.Get("image_url.detail").Str)
		default:
			err = invalid("invalid_value", fmt.Sprintf("messages[%d].content", i),
				"Invalid content type. This model takes 'text' and 'image_url'.")
		}
		return err == nil
	})
	return err
}

// image counts a picture by the documented formula. A picture behind a URL is
// never fetched: its size follows from the URL.
func (p *promptReader) image(i int, url, detail string) *apiError {
	x := p.x
	rule := x.gen.model.Image
	if rule == (ImageRule{}) {
		return invalid("invalid_value", fmt.Sprintf("messages[%d].content", i), "This model does not take images.")
	}
	width, height, ok := 0, 0, true
	if data, isData := strings.CutPrefix(url, "data:"); isData {
		width, height, ok = dataImageSize(data)
	} else {
		s := stream(len(url))
		for _, c := range []byte(url) {
			s = stream(s.next()) + stream(c)
		}
		width, height = s.between(64, 4096), s.between(64, 4096)
		ok = strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
	}
	if !ok {
		return invalid("invalid_image_url", fmt.Sprintf("messages[%d].content", i), "The image cannot be read.")
	}
	x.addPrompt(url, rule.tokens(width, height, detail == "low"))
	return nil
}

func dataImageSize(data string) (width, height int, ok bool) {
	_, encoded, ok := strings.Cut(data, ";base64,")
	if !ok {
		return 0, 0, false
	}
	cfg, _, err := image.DecodeConfig(base64.NewDecoder(base64.StdEncoding, strings.NewReader(encoded)))
	return cfg.Width, cfg.Height, err == nil && cfg.Width > 0 && cfg.Height > 0
}

// ImageRule is how a model counts pictures, as OpenAI documents: by tiles of
// 512 pixels, or by patches of 32. The zero rule takes none.
type ImageRule struct {
	Base, Tile int64 // tokens of a picture and of each tile, after fitting it into 2048 by 2048 and its shorter side into 768
	PatchMille int64 // thousandths of a token for each patch, of at most 1,536
}

func (r ImageRule) tokens(width, height int, low bool) int64 {
	if r.PatchMille > 0 {
		patches := min(int64((width+31)/32)*int64((height+31)/32), 1536)
		return (patches*r.PatchMille + 999) / 1000
	}
	if low {
		return r.Base
	}
	w, h := float64(width), float64(height)
	if scale := 2048 / max(w, h); scale < 1 {
		w, h = w*scale, h*scale
	}
	if scale := 768 / min(w, h); scale < 1 {
		w, h = w*scale, h*scale
	}
	tiles := ((int64(w) + 511) / 512) * ((int64(h) + 511) / 512)
	return r.Base + r.Tile*max(tiles, 1)
}
