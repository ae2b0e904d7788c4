package body

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"

	"purser/proxy/dialect/jsonscan"
)

// Limits of what is read within a body.
const (
	maxNested = 3  // JSON in strings in JSON
	minNumber = 8  // digits of a number that is worth a look
	minMedia  = 64 // bytes of base64 that count as media
)

// leaf is a string, or a number, that is text.
type leaf struct {
	start, end int    // in its document: the inside of the string, or the number
	raw        []byte // as it stands there
	escaped    bool
	number     bool
	text       []byte
	context    []byte    // the key, where it says something of the value
	nested     *document // what the text holds, where that is JSON
	base64     int       // where in text base64 begins that was decoded; -1 for none
	inner      []byte    // what it decodes to
	inJSON     bool      // the text is a piece of JSON that cannot be read as such
}

// document is JSON: a body, or the text of a leaf.
type document struct {
	doc    []byte
	leaves []*leaf
	nulled [][2]int // values that are to become null
	skip   func(start int) bool
	answer bool
	depth  int
}

func read(doc []byte, depth int, m mode, answer bool, skip func(int) bool) (*document, error) {
	d := &document{doc: doc, depth: depth, answer: answer, skip: skip}
	c := jsonscan.Cursor{Doc: doc, LoneSurrogates: true}
	if err := d.value(&c, m, nil, 0); err != nil {
		return nil, err
	}
	return d, c.End()
}

// value reads the value at the cursor. key is that of the member it is of, if any.
func (d *document) value(c *jsonscan.Cursor, m mode, key []byte, level int) error {
	switch c.Kind() {
	case jsonscan.Object:
		return d.object(c, m, level+1)
	case jsonscan.Array:
		return c.EachElement(func(int) error { return d.value(c, m, key, level+1) })
	case jsonscan.String:
		s, err := c.String()
		if err == nil {
			d.text(c, s, m, key)
		}
		return err
	case jsonscan.Number:
		start, end, err := c.Number()
		if err == nil && m == data && end-start >= minNumber {
			raw := c.Doc[start:end]
			d.leaves = append(d.leaves, &leaf{start: start, end: end, raw: raw, text: raw, number: true, context: key, base64: -1})
		}
		return err
	default:
		return c.Skip()
	}
}

func (d *document) object(c *jsonscan.Cursor, m mode, level int) error {
	from := *c
	return c.EachMember(func(k jsonscan.Str) error {
		name := c.Name(k)
		if m == data {
			d.add(&leaf{start: k.Start, end: k.End, raw: c.Doc[k.Start:k.End], escaped: k.Escaped, text: name, base64: -1})
		}
		below, look := m.under(string(name), c.Kind(), level, d.answer)
		if d.answer && m == normal && shown[string(name)] {
			start, end, err := c.Value()
			d.nulled = append(d.nulled, [2]int{start, end})
			return err
		}
		if !look {
			return c.Skip()
		}
		if m == normal && media[string(name)] && c.Kind() == jsonscan.String {
			s, err := c.String()
			if err == nil {
				d.media(c, s, name, isText(from))
			}
			return err
		}
		return d.value(c, below, name, level)
	})
}

// under is how the value of a member is read, and whether it is.
func (m mode) under(name string, kind jsonscan.Kind, level int, answer bool) (mode, bool) {
	switch m {
	case data:
		return data, true
	case schema:
		if kind == jsonscan.String {
			return data, described[name]
		}
		if name == "default" || name == "example" || name == "examples" {
			return data, true
		}
		return schema, name != "enum" && name != "required"
	}
	switch {
	case schemas[name] && (kind == jsonscan.Object || kind == jsonscan.Array):
		return schema, true
	case name == "metadata", own[name] && level > 1 && kind == jsonscan.Object:
		return data, true
	case structure[name] && kind == jsonscan.String, settings[name]:
		return normal, false
	}
	return normal, true
}

// isText says whether an object has a type of media that is text.
func isText(c jsonscan.Cursor) bool {
	text := false
	err := c.EachMember(func(k jsonscan.Str) error {
		if kinds[string(c.Name(k))] && c.Kind() == jsonscan.String {
			s, err := c.String()
			text = text || err == nil && textType(c.Name(s))
			return err
		}
		return c.Skip()
	})
	return err == nil && text
}

func textType(t []byte) bool {
	return bytes.HasPrefix(t, []byte("text/")) || bytes.HasPrefix(t, []byte("application/json"))
}

func (d *document) add(l *leaf) {
	if len(l.text) > 0 {
		d.leaves = append(d.leaves, l)
	}
}

// text adds a string that is text.
func (d *document) text(c *jsonscan.Cursor, s jsonscan.Str, m mode, key []byte) {
	if d.skip != nil && d.skip(s.Start) {
		return
	}
	l := &leaf{start: s.Start, end: s.End, raw: c.Doc[s.Start:s.End], escaped: s.Escaped, text: c.Name(s), base64: -1}
	if m == data {
		l.context = key
	}
	if at, is, isText := link(l.text); is {
		if !isText {
			return
		}
		l.decode(at) // else it is searched as it stands
	}
	if d.nest(l) {
		return
	}
	d.add(l)
}

// nest reads a text that is JSON, and says whether it is.
func (d *document) nest(l *leaf) bool {
	t := bytes.TrimSpace(l.text)
	if len(t) < 2 || t[0] != '{' && t[0] != '[' || d.depth == maxNested {
		return false
	}
	n, err := read(l.text, d.depth+1, data, d.answer, nil)
	if err != nil {
		l.inJSON = t[0] == '{'
		return false
	}
	l.nested = n
	d.add(l)
	return true
}

// media adds a string that may be media in base64, unless it is.
func (d *document) media(c *jsonscan.Cursor, s jsonscan.Str, key []byte, isText bool) {
	if d.skip != nil && d.skip(s.Start) {
		return
	}
	l := &leaf{start: s.Start, end: s.End, raw: c.Doc[s.Start:s.End], escaped: s.Escaped, text: c.Name(s), base64: -1}
	at, is, linked := link(l.text)
	switch {
	case is:
		if !linked {
			return
		}
		l.decode(at)
	case onlyBase64(l.text):
		if len(l.text) >= minMedia && !isText {
			return
		}
		if isText {
			l.decode(0)
		}
	}
	d.add(l)
}

// link says whether a text is a data link in base64, where that begins, and whether
// it holds text.
func link(t []byte) (at int, is, isText bool) {
	rest, is := bytes.CutPrefix(t, []byte("data:"))
	if !is {
		return 0, false, false
	}
	const mark = ";base64,"
	i := bytes.Index(rest[:min(len(rest), 128)], []byte(mark))
	if i < 0 {
		return 0, false, false
	}
	return len(t) - len(rest) + i + len(mark), true, textType(rest)
}

func onlyBase64(t []byte) bool {
	for _, b := range t {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '+', b == '/', b == '=', b == '-', b == '_', b == '\n', b == '\r':
		default:
			return false
		}
	}
	return len(t) > 0
}

// decode reads the text from at on as base64 of text, if it is.
func (l *leaf) decode(at int) {
	if inner, err := base64.StdEncoding.DecodeString(string(l.text[at:])); err == nil && utf8.Valid(inner) {
		l.base64, l.inner = at, inner
	}
}

// searched is what of the leaf is searched.
func (l *leaf) searched() []byte {
	if l.base64 >= 0 {
		return l.inner
	}
	return l.text
}

// each calls do with every leaf that is searched, in order.
func (d *document) each(do func(*leaf) error) error {
	for _, l := range d.leaves {
		if l.nested != nil {
			if err := l.nested.each(do); err != nil {
				return err
			}
			continue
		}
		if err := do(l); err != nil {
			return err
		}
	}
	return nil
}
