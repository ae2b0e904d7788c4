package openai

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pixels"
)

// image reads an image_url object.
func (d *decoder) image() error {
	if d.cur.Kind() != jsonscan.Object {
		return d.expect(jsonscan.Object, d.atPart(".image_url"), "an object")
	}
	if err := d.cur.Open(); err != nil {
		return err
	}
	if len(d.call.Images) == MaxImages {
		return tooMany("messages", MaxImages)
	}
	var img dialect.Image
	var hasURL, hasDetail bool
	for first := true; ; first = false {
		key, more, err := d.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		switch name := d.cur.Name(key); string(name) {
		case "url":
			if hasURL {
				return ambiguous(d.atPart(".image_url.url"), "is given twice")
			}
			hasURL = true
			err = d.imageURL(&img, d.atPart(".image_url.url"))
		case "detail":
			if hasDetail {
				return ambiguous(d.atPart(".image_url.detail"), "is given twice")
			}
			hasDetail = true
			err = d.imageDetail(&img, d.atPart(".image_url.detail"))
		default:
			if err = lookalike(name, "url", "detail"); err == nil {
				err = d.deepText()
			}
		}
		if err != nil {
			return err
		}
	}
	if !hasURL {
		return missing(d.atPart(".image_url.url"))
	}
	d.call.Images = append(d.call.Images, img)
	return nil
}

func (d *decoder) imageDetail(img *dialect.Image, param string) error {
	detail, err := d.short(param, 16)
	if err != nil {
		return err
	}
	switch detail {
	case "", "auto":
		img.Detail = dialect.DetailAuto
	case "low":
		img.Detail = dialect.DetailLow
	case "high":
		img.Detail = dialect.DetailHigh
	case "original":
		img.Detail = dialect.DetailOriginal
	default:
		return invalidValue(param, "supported values are 'auto', 'low', 'high' and 'original'")
	}
	return nil
}

// headBytes is how much of an encoded image is looked at for its size: a JPEG
// may carry this much metadata before it. A size further in counts as unknown.
const headBytes = 256 << 10

func (d *decoder) imageURL(img *dialect.Image, param string) error {
	if d.cur.Kind() != jsonscan.String {
		return d.expect(jsonscan.String, param, "a string")
	}
	s, err := d.cur.String()
	if err != nil {
		return err
	}
	url := d.cur.Doc[s.Start:s.End]
	if s.Escaped {
		url = jsonscan.AppendText(make([]byte, 0, s.Len), url)
	}
	switch {
	case hasPrefixFold(url, "https://"), hasPrefixFold(url, "http://"):
		img.Link = true
		return nil
	case !hasPrefixFold(url, "data:"):
		return invalidValue(param, "expected a link (https://) or a data URL (data:image/...;base64,...)")
	}
	comma := bytes.IndexByte(url[:min(len(url), 256)], ',')
	if comma < 0 || !bytes.HasSuffix(url[:comma], []byte(";base64")) {
		return invalidValue(param, "a data URL must be of the form data:image/...;base64,...")
	}
	payload := url[comma+1:]
	img.Bytes = len(payload)
	img.Width, img.Height, _ = pixels.SizeBase64(payload[:min(len(payload), headBytes)])
	return nil
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && bytes.EqualFold(b[:len(prefix)], []byte(prefix))
}
