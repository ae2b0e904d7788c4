package gemini

import (
	"bytes"
	"slices"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
)

// Fold appends to dst the JSON answer that a whole stream amounts to: what
// Google would have said had it not been asked to stream. The stream is the
// upstream's own.
func Fold(dst, stream []byte) ([]byte, error) {
	f := folding{}
	if err := pieces.Events(stream, f.event); err != nil {
		return nil, err
	}
	return f.append(dst)
}

// folding is an answer being put together. Its slices are JSON, parts of the
// stream or copies.
type folding struct {
	ends       ends
	extra      []pieces.Pair // members of the chunks but the candidates; the last value counts
	candidates []*candidate
}

type candidate struct {
	index  int64
	role   []byte
	parts  []part
	finish []byte
	extra  []pieces.Pair
}

// part is one part of an answer: raw, or text that may grow.
type part struct {
	raw     []byte // nil for text
	text    []byte // the inside of a string
	thought bool
}

func (f *folding) event(e sse.Event) error {
	switch {
	case e.Lines == 0:
		return nil
	case len(e.Type) > 0:
		return pieces.NotFoldable("an event of another type")
	}
	data := e.Data
	if e.DataAt < 0 { // joined in memory that the next event may use
		data = bytes.Clone(data)
	}
	var report dialect.Report
	a := reader{cur: jsonscan.Cursor{Doc: data}, report: &report, ends: f.ends}
	if a.chunk() != nil || a.cur.End() != nil {
		return pieces.NotFoldable("an event that is not JSON")
	}
	f.ends = a.ends
	return pieces.Members(data, f.member)
}

func (f *folding) member(key, value []byte) (err error) {
	switch {
	case pieces.IsNull(value):
		return nil
	case string(key) == "error":
		return pieces.NotFoldable("an error")
	case string(key) == "candidates":
		place := int64(0)
		return pieces.Elements(value, func(raw []byte) error {
			place++
			return f.candidate(raw, place-1)
		})
	}
	f.extra, err = pieces.Set(f.extra, key, value)
	return err
}

// agree puts value under key, where no other value is under it.
func agree(list []pieces.Pair, key, value []byte) ([]pieces.Pair, error) {
	for i := range list {
		if !bytes.Equal(list[i].Key, key) {
			continue
		}
		if !bytes.Equal(list[i].Value, value) {
			return list, pieces.NotFoldable("a member with two values")
		}
		return list, nil
	}
	return pieces.Add(list, key, value)
}

func (f *folding) candidate(raw []byte, place int64) error {
	index, err := pieces.Index(raw, place)
	if err != nil || index < 0 || index >= 64 {
		return pieces.NotFoldable("a candidate without index")
	}
	at := slices.IndexFunc(f.candidates, func(c *candidate) bool { return c.index == index })
	if at < 0 {
		at = len(f.candidates)
		f.candidates = append(f.candidates, &candidate{index: index})
	}
	c := f.candidates[at]
	return pieces.Members(raw, func(key, value []byte) (err error) {
		switch name := string(key); {
		case name == "index" || pieces.IsNull(value):
		case name == "content":
			return pieces.Members(value, c.content)
		case name == "finishReason":
			c.finish = value
		case name == "safetyRatings":
			c.extra, err = pieces.Set(c.extra, key, value)
		default:
			c.extra, err = agree(c.extra, key, value)
		}
		return err
	})
}

func (c *candidate) content(key, value []byte) error {
	switch {
	case pieces.IsNull(value):
		return nil
	case string(key) == "role":
		c.role = value
		return nil
	case string(key) == "parts":
		return pieces.Elements(value, c.part)
	}
	return pieces.NotFoldable("a content with an unknown member")
}

// part adds a part, or its text to the part before it if both are of text alone.
func (c *candidate) part(raw []byte) error {
	p := part{raw: raw}
	var text []byte
	plain, thought := true, false
	err := pieces.Members(raw, func(key, value []byte) error {
		switch {
		case string(key) == "text" && value[0] == '"':
			text = value[1 : len(value)-1]
		case string(key) == "thought" && (value[0] == 't' || value[0] == 'f'):
			thought = value[0] == 't'
		default:
			plain = false
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !plain || text == nil {
		c.parts = append(c.parts, p)
		return nil
	}
	if n := len(c.parts); n > 0 && c.parts[n-1].raw == nil && c.parts[n-1].thought == thought {
		c.parts[n-1].text = append(c.parts[n-1].text, text...)
		return nil
	}
	// The stream's own bytes are never written to.
	c.parts = append(c.parts, part{text: append(make([]byte, 0, 2*len(text)+64), text...), thought: thought})
	return nil
}

// append writes the answer.
func (f *folding) append(dst []byte) ([]byte, error) {
	if f.ends.blocked || f.ends.paused || !f.ends.whole() {
		return nil, pieces.NotFoldable("a candidate that is not finished")
	}
	slices.SortFunc(f.candidates, func(a, b *candidate) int { return int(a.index - b.index) })
	dst = append(dst, `{"candidates":[`...)
	for i, c := range f.candidates {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c.finish == nil {
			return nil, pieces.NotFoldable("a candidate that is not finished")
		}
		dst = c.append(dst)
	}
	return append(pieces.AppendPairs(append(dst, ']'), f.extra), '}'), nil
}

func (c *candidate) append(dst []byte) []byte {
	dst = append(dst, `{"content":{`...)
	if len(c.parts) > 0 {
		dst = append(dst, `"parts":[`...)
		for i := range c.parts {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = c.parts[i].append(dst)
		}
		dst = append(dst, "],"...)
	}
	if c.role == nil {
		c.role = []byte(`"model"`)
	}
	dst = append(append(append(dst, `"role":`...), c.role...), '}')
	dst = append(append(dst, `,"finishReason":`...), c.finish...)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, c.index, 10)
	return append(pieces.AppendPairs(dst, c.extra), '}')
}

func (p *part) append(dst []byte) []byte {
	if p.raw != nil {
		return append(dst, p.raw...)
	}
	dst = append(append(append(dst, `{"text":"`...), p.text...), '"')
	if p.thought {
		dst = append(dst, `,"thought":true`...)
	}
	return append(dst, '}')
}

// Replay appends to dst the stream that tells a stored JSON answer to c: one
// event with all of it, or an array of it. Folding the stream gives the answer
// back, but for its white space.
func Replay(dst, answer []byte, c *dialect.Call) ([]byte, error) {
	var report dialect.Report
	a := reader{cur: jsonscan.Cursor{Doc: answer}, report: &report}
	if a.chunk() != nil || a.cur.End() != nil || !a.failure.Empty() || !a.ends.whole() {
		return nil, pieces.NotFoldable("not a whole answer")
	}
	if c.StreamType != "" {
		return append(append(append(dst, '['), bytes.TrimSpace(answer)...), ']'), nil
	}
	dst = pieces.AppendCompact(append(dst, "data: "...), answer)
	return append(dst, "\r\n\r\n"...), nil
}
