package events

import (
	"cmp"
	"slices"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
)

// lookBack is the bytes that are kept of what was decided, as context.
const lookBack = 96

// piece is the part of a channel's text that one event has.
type piece struct {
	raw     []byte // as it stands in the event
	escaped bool
	size    int // bytes of its text
	from    int // where it begins in the channel
	edits   []body.Edit
	decided bool
}

// channel is a text that comes in pieces.
type channel struct {
	name   string
	inJSON bool
	pieces []*piece
	from   int    // where text begins in the channel
	text   []byte // of which it is not decided what becomes of it
	before []byte // what came before, as it was said
}

func (c *channel) add(raw []byte, escaped bool) *piece {
	text := raw
	if escaped {
		text = jsonscan.AppendText(nil, raw)
	}
	p := &piece{raw: raw, escaped: escaped, size: len(text), from: c.from + len(c.text)}
	c.text = append(c.text, text...)
	c.pieces = append(c.pieces, p)
	return p
}

// decide makes the edits of as much of the text as can be told; of all of it at the
// channel's end.
func (s *Stream) decide(c *channel, end bool) error {
	if len(c.pieces) == 0 {
		return nil
	}
	upto := len(c.text)
	if !end {
		upto = s.values.Pending(c.text, 0, c.inJSON)
	}
	var edits []body.Edit
	if s.plan != nil {
		var err error
		if edits, upto, err = s.search(c, upto, end); err != nil {
			return err
		}
	}
	edits, upto = s.restore(c, edits, upto)
	c.place(edits, upto)
	return nil
}

// search finds what the plan looks for. It gives the edits for it and up to where the
// text is decided.
func (s *Stream) search(c *channel, upto int, end bool) ([]body.Edit, int, error) {
	v := seen{text: append(slices.Clone(c.before), c.text...)}
	if c.inJSON {
		v = unescaped(c.before, c.text, end)
	}
	before := len(c.before)
	if !end {
		upto = min(upto, v.raw(s.plan.Undecided(v.text, before))-before)
	}
	found, full := s.scanner.Scan(v.text)
	if full {
		return nil, 0, redaction.ErrTooMany
	}
	var edits []body.Edit
	for i := range found {
		f := &found[i]
		start, stop := v.raw(f.Start)-before, v.raw(f.End)-before
		if stop <= 0 {
			continue
		}
		if start = max(start, 0); start >= upto {
			break
		}
		if s.values.Pending(c.text[:stop], 0, c.inJSON) < stop && !end {
			upto = start // a placeholder that is not whole is in it
			break
		}
		upto = max(upto, stop)
		s.Counts.Add(f)
		if f.Action == redaction.Block {
			return nil, 0, &body.Blocked{Finding: f.Name(), Spec: f.Spec}
		}
		with, changed, err := f.Replacement(v.text[f.Start:f.End], s.hasher, nil)
		if err != nil {
			return nil, 0, err
		}
		if changed {
			if c.inJSON {
				with = string(redaction.AppendEscaped(nil, with))
			}
			edits = append(edits, body.Edit{Start: start, End: stop, Text: with})
		}
	}
	return edits, upto, nil
}

// restore adds the placeholders before upto, as far as they are in no edit. One that
// goes beyond it is decided too.
func (s *Stream) restore(c *channel, edits []body.Edit, upto int) ([]body.Edit, int) {
	own := len(edits)
	s.values.Each(c.text, c.inJSON, func(start, stop int, value string) {
		if start >= upto || slices.ContainsFunc(edits[:own], func(e body.Edit) bool { return e.Start < stop && start < e.End }) {
			return
		}
		edits = append(edits, body.Edit{Start: start, End: stop, Text: value})
		upto = max(upto, stop)
	})
	slices.SortFunc(edits, func(a, b body.Edit) int { return cmp.Compare(a.Start, b.Start) })
	return edits, upto
}

// place gives edits to the pieces, and lets go of what is decided. An edit's text goes
// to the piece where it begins; from others it takes what it covers.
func (c *channel) place(edits []body.Edit, upto int) {
	for _, e := range edits {
		first := true
		for _, p := range c.pieces {
			start, stop := max(e.Start+c.from-p.from, 0), min(e.End+c.from-p.from, p.size)
			if start >= stop {
				continue
			}
			with := ""
			if first {
				with, first = e.Text, false
			}
			p.edits = append(p.edits, body.Edit{Start: start, End: stop, Text: with})
		}
	}
	c.before = append(c.before, c.text[:upto]...)
	c.before = keepTail(c.before)
	c.text = append(c.text[:0], c.text[upto:]...)
	c.from += upto
	n := 0
	for n < len(c.pieces) && c.pieces[n].from+c.pieces[n].size <= c.from {
		c.pieces[n].decided = true
		n++
	}
	c.pieces = c.pieces[n:]
}

// keepTail keeps the end of what was decided, from the beginning of a character on.
func keepTail(b []byte) []byte {
	if len(b) <= lookBack {
		return b
	}
	b = b[len(b)-lookBack:]
	for len(b) > 0 && b[0]&0xc0 == 0x80 {
		b = b[1:]
	}
	return slices.Clone(b)
}

// seen is a text as it is searched, and where its bytes come from.
type seen struct {
	text []byte
	from []int // in what was unescaped, by byte, and its end; nil where they are the same
}

func (v *seen) raw(i int) int {
	if v.from == nil {
		return i
	}
	return v.from[i]
}

// unescaped reads the escapes of a piece of JSON, so that what stands behind one is
// not read as a part of what follows. An escape that is not whole is left out, but at
// the end.
func unescaped(before, text []byte, end bool) seen {
	var v seen
	v.text = append(v.text, before...)
	for i := range before {
		v.from = append(v.from, i)
	}
	for i := 0; i < len(text); {
		n, out := 1, text[i:i+1]
		if text[i] == '\\' {
			if n = escapeSize(text[i:]); n == 0 && !end {
				v.from = append(v.from, len(before)+i)
				return v
			}
			if n == 0 {
				n = 1
			} else {
				out = jsonscan.AppendText(nil, text[i:i+n])
			}
		}
		for range out {
			v.from = append(v.from, len(before)+i)
		}
		v.text = append(v.text, out...)
		i += n
	}
	v.from = append(v.from, len(before)+len(text))
	return v
}

// escapeSize is the bytes of the escape at the start of b; 0 if it is not whole or is
// none.
func escapeSize(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != 'u' {
		return 2
	}
	if len(b) < 6 {
		return 0
	}
	for _, c := range b[2:6] {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return 2
		}
	}
	return 6
}
