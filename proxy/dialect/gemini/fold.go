package gemini

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// ErrNotFoldable says that a stream is not a whole answer, or has in it what
// cannot be put together or taken apart without guessing. Such an answer is not
// stored.
var ErrNotFoldable = errors.New("answer has no other form")

func notFoldable(why string) error { return fmt.Errorf("%w: %s", ErrNotFoldable, why) }

// Fold appends to dst the JSON answer that a whole stream amounts to: what
// Google would have said had it not been asked to stream. The stream is the
// upstream's own.
func Fold(dst, stream []byte) ([]byte, error) {
	var scan sse.Scanner
	scan.Feed(stream)
	f := folding{}
	for {
		e, ok, err := scan.Next()
		if err != nil {
			return nil, notFoldable(err.Error())
		}
		if !ok {
			break
		}
		if err := f.event(e); err != nil {
			return nil, err
		}
	}
	if e, ok := scan.Rest(); ok {
		if err := f.event(e); err != nil {
			return nil, err
		}
	}
	return f.append(dst)
}

// pair is a member: its key without quotes, and its value.
type pair struct {
	key, value []byte
}

// maxPairs bounds the members kept of one object of a stream.
const maxPairs = 64

// folding is an answer being put together. Its slices are JSON, parts of the
// stream or copies.
type folding struct {
	ends       ends
	extra      []pair // members of the chunks but the candidates; the last value counts
	candidates []*candidate
}

type candidate struct {
	index  int64
	role   []byte
	parts  []part
	finish []byte
	extra  []pair
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
		return notFoldable("an event of another type")
	}
	data := e.Data
	if e.DataAt < 0 { // joined in memory that the next event may use
		data = bytes.Clone(data)
	}
	var report dialect.Report
	a := reader{cur: jsonscan.Cursor{Doc: data}, report: &report, ends: f.ends}
	if a.chunk() != nil || a.cur.End() != nil {
		return notFoldable("an event that is not JSON")
	}
	f.ends = a.ends
	return members(data, f.member)
}

func (f *folding) member(key, value []byte) (err error) {
	switch {
	case isNull(value):
		return nil
	case string(key) == "error":
		return notFoldable("an error")
	case string(key) == "candidates":
		place := int64(0)
		return elements(value, func(raw []byte) error {
			place++
			return f.candidate(raw, place-1)
		})
	}
	f.extra, err = set(f.extra, key, value, true)
	return err
}

// set puts value under key, keeping the place of a key that is there. Another
// value takes the place of an earlier one only if it may.
func set(list []pair, key, value []byte, replaces bool) ([]pair, error) {
	for i := range list {
		if !bytes.Equal(list[i].key, key) {
			continue
		}
		if !replaces && !bytes.Equal(list[i].value, value) {
			return list, notFoldable("a member with two values")
		}
		list[i].value = value
		return list, nil
	}
	if len(list) == maxPairs {
		return list, notFoldable("too many members")
	}
	return append(list, pair{key, value}), nil
}

func (f *folding) candidate(raw []byte, place int64) error {
	index, err := indexOf(raw, place)
	if err != nil || index < 0 || index >= 64 {
		return notFoldable("a candidate without index")
	}
	at := slices.IndexFunc(f.candidates, func(c *candidate) bool { return c.index == index })
	if at < 0 {
		at = len(f.candidates)
		f.candidates = append(f.candidates, &candidate{index: index})
	}
	c := f.candidates[at]
	return members(raw, func(key, value []byte) (err error) {
		switch name := string(key); {
		case name == "index" || isNull(value):
		case name == "content":
			return members(value, c.content)
		case name == "finishReason":
			c.finish = value
		default:
			c.extra, err = set(c.extra, key, value, name == "safetyRatings")
		}
		return err
	})
}

func (c *candidate) content(key, value []byte) error {
	switch {
	case isNull(value):
		return nil
	case string(key) == "role":
		c.role = value
		return nil
	case string(key) == "parts":
		return elements(value, c.part)
	}
	return notFoldable("a content with an unknown member")
}

// part adds a part, or its text to the part before it if both are of text alone.
func (c *candidate) part(raw []byte) error {
	p := part{raw: raw}
	var text []byte
	plain, thought := true, false
	err := members(raw, func(key, value []byte) error {
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
		return nil, notFoldable("a candidate that is not finished")
	}
	slices.SortFunc(f.candidates, func(a, b *candidate) int { return int(a.index - b.index) })
	dst = append(dst, `{"candidates":[`...)
	for i, c := range f.candidates {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c.finish == nil {
			return nil, notFoldable("a candidate that is not finished")
		}
		dst = c.append(dst)
	}
	return append(appendPairs(append(dst, ']'), f.extra), '}'), nil
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
	return append(appendPairs(dst, c.extra), '}')
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
		return nil, notFoldable("not a whole answer")
	}
	if c.StreamType != "" {
		return append(append(append(dst, '['), bytes.TrimSpace(answer)...), ']'), nil
	}
	dst = appendCompact(append(dst, "data: "...), answer)
	return append(dst, "\r\n\r\n"...), nil
}

// appendCompact appends JSON, which was checked before, without the white space
// between its tokens: an event's data has no line breaks.
func appendCompact(dst, raw []byte) []byte {
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case quoted && b == '\\':
			dst = append(dst, b)
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && (b == ' ' || b == '\t' || b == '\n' || b == '\r'):
			continue
		}
		dst = append(dst, raw[i])
	}
	return dst
}

// The helpers below work on JSON that has been checked before.

// members calls do with each member of the object raw: its key as written,
// without quotes, and its value.
func members(raw []byte, do func(key, value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Kind() != jsonscan.Object {
		return notFoldable("something that is not an object")
	}
	return cur.EachMember(func(key jsonscan.Str) error {
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return err
		}
		return do(raw[key.Start:key.End], raw[start:cur.Pos])
	})
}

// elements calls do with each element of the array raw.
func elements(raw []byte, do func(value []byte) error) error {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Kind() != jsonscan.Array {
		return notFoldable("something that is not an array")
	}
	return cur.EachElement(func(int) error {
		cur.Kind()
		start := cur.Pos
		if err := cur.Skip(); err != nil {
			return err
		}
		return do(raw[start:cur.Pos])
	})
}

// indexOf gives the index member of the object raw, or none.
func indexOf(raw []byte, none int64) (int64, error) {
	index := none
	err := members(raw, func(key, value []byte) error {
		if string(key) == "index" {
			cur := jsonscan.Cursor{Doc: value}
			if n, whole, err := cur.Int(); err == nil && whole {
				index = n
			}
		}
		return nil
	})
	return index, err
}

func isNull(value []byte) bool { return value[0] == 'n' }

// appendPairs appends members, each after a comma.
func appendPairs(dst []byte, list []pair) []byte {
	for _, p := range list {
		dst = append(append(append(dst, `,"`...), p.key...), `":`...)
		dst = append(dst, p.value...)
	}
	return dst
}
