package body

import (
	"encoding/base64"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/redaction"
)

// Edit puts a text in the place of another's bytes from Start to End.
type Edit struct {
	Start, End int
	Text       string
}

// apply appends text with edits, which are in order and apart.
func apply(dst, text []byte, edits []Edit) []byte {
	at := 0
	for _, e := range edits {
		dst = append(append(dst, text[at:e.Start]...), e.Text...)
		at = e.End
	}
	return append(dst, text[at:]...)
}

// InString turns edits of a string's text into edits of its inside as it is written in
// JSON: raw, of which escaped says whether there are escapes in it. What is not edited
// keeps its form.
func InString(raw []byte, escaped bool, edits []Edit) []Edit {
	out := make([]Edit, len(edits))
	at, text := 0, 0
	forward := func(to int) int {
		for text < to && at < len(raw) {
			n, m := 1, 1
			if escaped && raw[at] == '\\' {
				n, m = escape(raw[at:])
			}
			at, text = at+n, text+m
		}
		return at
	}
	for i, e := range edits {
		if !escaped {
			out[i] = Edit{e.Start, e.End, string(redaction.AppendEscaped(nil, e.Text))}
			continue
		}
		start := forward(e.Start)
		out[i] = Edit{start, forward(e.End), string(redaction.AppendEscaped(nil, e.Text))}
	}
	return out
}

// escape measures the escape at the start of raw: as written, and as text.
func escape(raw []byte) (n, m int) {
	if len(raw) < 2 || raw[1] != 'u' {
		return 2, 1
	}
	n = min(6, len(raw))
	if pair(raw) {
		n = 12
	}
	return n, len(jsonscan.AppendText(nil, raw[:n]))
}

// pair says whether two halves of a surrogate pair stand at the start of raw.
func pair(raw []byte) bool {
	half := func(b []byte, low bool) bool {
		if b[0] != '\\' || b[1] != 'u' || b[2]|0x20 != 'd' {
			return false
		}
		isLow := b[3]|0x20 >= 'c' && b[3]|0x20 <= 'f'
		return isLow == low && b[3] >= '8'
	}
	return len(raw) >= 12 && half(raw, false) && half(raw[6:], true)
}

// edits are those of the document, from those of its leaves' texts.
func (d *document) edits(of func(*leaf) []Edit) (all []Edit) {
	nulled := d.nulled
	for _, l := range d.leaves {
		for len(nulled) > 0 && nulled[0][0] < l.start {
			all, nulled = append(all, Edit{nulled[0][0], nulled[0][1], "null"}), nulled[1:]
		}
		var inText []Edit
		switch {
		case l.nested != nil:
			inText = l.nested.edits(of)
		case l.base64 >= 0:
			if inner := of(l); len(inner) > 0 {
				inText = []Edit{{l.base64, len(l.text), base64.StdEncoding.EncodeToString(apply(nil, l.inner, inner))}}
			}
		default:
			inText = of(l)
		}
		all = append(all, l.place(inText)...)
	}
	for _, n := range nulled {
		all = append(all, Edit{n[0], n[1], "null"})
	}
	return all
}

// place turns edits of the leaf's text into edits of its document.
func (l *leaf) place(edits []Edit) []Edit {
	if len(edits) == 0 {
		return nil
	}
	if l.number { // becomes a string
		text := redaction.AppendEscaped([]byte{'"'}, string(apply(nil, l.text, edits)))
		return []Edit{{l.start, l.end, string(text) + `"`}}
	}
	out := InString(l.raw, l.escaped, edits)
	for i := range out {
		out[i].Start += l.start
		out[i].End += l.start
	}
	return out
}
