package openai

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// ErrNotFoldable says that a stream is not a whole answer, or has in it what
// cannot be put together or taken apart without guessing. Such an answer is not
// stored.
var ErrNotFoldable = errors.New("answer has no other form")

func notFoldable(why string) error { return fmt.Errorf("%w: %s", ErrNotFoldable, why) }

// Fold appends to dst the JSON answer that a whole stream amounts to: what the
// provider would have said had it not been asked to stream. The stream is the
// upstream's own, usage chunk included, up to [DONE].
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

// folding is an answer being put together. Its slices are JSON, parts of the
// stream or copies.
type folding struct {
	done    bool
	id      []byte
	usage   []byte
	extra   []pair // other members of the chunks, in order of first appearance; the last value counts
	choices []*foldedChoice
	joins   int      // what the event at hand appends to texts and lists of the answer
	last    template // of the event before, if it can serve as one
}

// pair is a member: its key without quotes, and its value.
type pair struct {
	key, value []byte
}

// maxPairs bounds the members kept of one object of a stream.
const maxPairs = 64

// set puts value under key, keeping the place of a key that is there.
func set(list []pair, key, value []byte) ([]pair, error) {
	for i := range list {
		if bytes.Equal(list[i].key, key) {
			list[i].value = value
			return list, nil
		}
	}
	if len(list) == maxPairs {
		return list, notFoldable("too many members")
	}
	return append(list, pair{key, value}), nil
}

type foldedChoice struct {
	of       *folding
	index    int64
	role     []byte
	texts    []pair // string members; the value is the inside of the string
	arrays   []pair // array members; the value is the inside of the array
	tools    []*foldedTool
	function *foldedTool // the deprecated function_call
	logprobs []pair
	finish   []byte
	extra    []pair
}

// foldedTool is a tool call: inner is its function or custom member.
type foldedTool struct {
	index int64
	outer []pair
	kind  []byte
	inner []pair // string members; the value is the inside of the string
}

func (f *folding) event(e sse.Event) error {
	data := bytes.TrimSpace(e.Data)
	switch {
	case e.Lines == 0:
		return nil
	case f.done:
		return notFoldable("an event after [DONE]")
	case string(data) == "[DONE]":
		f.done = true
		return nil
	case len(e.Type) > 0:
		return notFoldable("an event of another type")
	}
	if text, ok := f.last.match(data); ok {
		c := f.last.choice
		var err error
		c.texts, err = join(c.texts, contentKey, text, "")
		return err
	}
	cur := jsonscan.Cursor{Doc: data}
	if cur.Skip() != nil || cur.End() != nil {
		return notFoldable("an event that is not JSON")
	}
	f.joins, f.last = 0, template{}
	if err := members(data, f.member); err != nil {
		return err
	}
	if f.joins == 1 && f.last.choice != nil {
		f.last.complete(data)
	} else {
		f.last = template{}
	}
	return nil
}

func (f *folding) member(key, value []byte) (err error) {
	switch string(key) {
	case "object", "obfuscation":
		return nil
	case "error":
		if isNull(value) {
			return nil
		}
		return notFoldable("an error")
	case "usage":
		if !isNull(value) {
			f.usage = value
		}
		return nil
	case "choices":
		if isNull(value) {
			return nil
		}
		return elements(value, f.choice)
	case "id":
		if f.id == nil {
			f.id = value
		}
		return nil
	}
	if !isNull(value) {
		f.extra, err = set(f.extra, key, value)
	}
	return err
}

func (f *folding) choice(raw []byte) error {
	index, err := indexOf(raw, -1)
	if err != nil || index < 0 || index >= MaxAnswers {
		return notFoldable("a choice without index")
	}
	at := slices.IndexFunc(f.choices, func(c *foldedChoice) bool { return c.index == index })
	if at < 0 {
		at = len(f.choices)
		f.choices = append(f.choices, &foldedChoice{index: index, of: f})
	}
	c := f.choices[at]
	return members(raw, func(key, value []byte) (err error) {
		switch string(key) {
		case "index":
		case "delta":
			if !isNull(value) {
				return members(value, c.delta)
			}
		case "finish_reason":
			if !isNull(value) {
				c.finish = value
			}
		case "logprobs":
			if !isNull(value) {
				f.joins++
				return members(value, func(key, value []byte) (err error) {
					c.logprobs, err = joinArray(c.logprobs, key, value)
					return err
				})
			}
		default:
			if !isNull(value) {
				c.extra, err = set(c.extra, key, value)
			}
		}
		return err
	})
}

func (c *foldedChoice) delta(key, value []byte) (err error) {
	switch string(key) {
	case "role":
		if c.role == nil && !isNull(value) {
			c.role = value
		}
		return nil
	case "tool_calls":
		if isNull(value) {
			return nil
		}
		c.of.joins++
		return elements(value, c.tool)
	case "function_call":
		if isNull(value) {
			return nil
		}
		c.of.joins++
		if c.function == nil {
			c.function = &foldedTool{}
		}
		return members(value, func(key, value []byte) error {
			c.function.inner, err = joinText(c.function.inner, key, value)
			return err
		})
	case "content", "refusal", "reasoning_content", "reasoning":
		if isNull(value) {
			return nil
		}
		c.of.joins++
		if string(key) == string(contentKey) {
			c.of.last = template{choice: c, text: value}
		}
		c.texts, err = joinText(c.texts, key, value)
		return err
	case "annotations":
		if isNull(value) {
			return nil
		}
		c.of.joins++
		c.arrays, err = joinArray(c.arrays, key, value)
		return err
	}
	if !isNull(value) {
		return notFoldable("a delta with an unknown member")
	}
	return nil
}

// maxToolCalls bounds the tool calls of one choice.
const maxToolCalls = 1_024

func (c *foldedChoice) tool(raw []byte) error {
	index, err := indexOf(raw, -1)
	if err != nil || index < 0 || index >= maxToolCalls {
		return notFoldable("a tool call without index")
	}
	at := slices.IndexFunc(c.tools, func(t *foldedTool) bool { return t.index == index })
	if at < 0 {
		at = len(c.tools)
		c.tools = append(c.tools, &foldedTool{index: index})
	}
	t := c.tools[at]
	return members(raw, func(key, value []byte) (err error) {
		switch {
		case string(key) == "index" || isNull(value):
			return nil
		case value[0] == '{':
			if t.kind != nil && !bytes.Equal(t.kind, key) {
				return notFoldable("a tool call of two kinds")
			}
			t.kind = key
			return members(value, func(key, value []byte) (err error) {
				t.inner, err = joinText(t.inner, key, value)
				return err
			})
		}
		t.outer, err = set(t.outer, key, value)
		return err
	})
}

// joinText appends the text of a string value to that under key.
func joinText(list []pair, key, value []byte) ([]pair, error) {
	if isNull(value) {
		return list, nil
	}
	if value[0] != '"' {
		return list, notFoldable("a text that is not a string")
	}
	return join(list, key, value[1:len(value)-1], "")
}

// joinArray appends the elements of an array value to those under key.
func joinArray(list []pair, key, value []byte) ([]pair, error) {
	if isNull(value) {
		return list, nil
	}
	if value[0] != '[' {
		return list, notFoldable("a list that is not an array")
	}
	return join(list, key, bytes.TrimSpace(value[1:len(value)-1]), ",")
}

// join appends part to the value under key, with between in the middle of two
// that are not empty. The stream's own bytes are never written to.
func join(list []pair, key, part []byte, between string) ([]pair, error) {
	for i := range list {
		if !bytes.Equal(list[i].key, key) {
			continue
		}
		v := list[i].value
		if len(v) > 0 && len(part) > 0 {
			v = append(v, between...)
		}
		list[i].value = append(v, part...)
		return list, nil
	}
	if len(list) == maxPairs {
		return list, notFoldable("too many members")
	}
	return append(list, pair{key, append(make([]byte, 0, 2*len(part)+64), part...)}), nil
}

// append writes the answer.
func (f *folding) append(dst []byte) ([]byte, error) {
	switch {
	case !f.done:
		return nil, notFoldable("no [DONE]")
	case len(f.choices) == 0:
		return nil, notFoldable("no choices")
	case f.id == nil:
		return nil, notFoldable("no id")
	}
	slices.SortFunc(f.choices, func(a, b *foldedChoice) int { return int(a.index - b.index) })
	dst = append(append(dst, `{"id":`...), f.id...)
	dst = append(dst, `,"object":"chat.completion","choices":[`...)
	for i, c := range f.choices {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c.finish == nil {
			return nil, notFoldable("a choice that is not finished")
		}
		dst = c.append(dst)
	}
	dst = append(dst, ']')
	if f.usage != nil {
		dst = append(append(dst, `,"usage":`...), f.usage...)
	}
	return append(appendPairs(dst, f.extra), '}'), nil
}

func (c *foldedChoice) append(dst []byte) []byte {
	dst = append(dst, `{"index":`...)
	dst = strconv.AppendInt(dst, c.index, 10)
	dst = append(dst, `,"message":{"role":`...)
	if c.role == nil {
		c.role = []byte(`"assistant"`)
	}
	dst = append(dst, c.role...)
	for _, name := range []string{"content", "refusal"} {
		if !slices.ContainsFunc(c.texts, func(p pair) bool { return string(p.key) == name }) {
			dst = append(append(append(dst, `,"`...), name...), `":null`...)
		}
	}
	dst = appendWrapped(dst, c.texts, '"', '"')
	dst = appendWrapped(dst, c.arrays, '[', ']')
	if len(c.tools) > 0 {
		slices.SortFunc(c.tools, func(a, b *foldedTool) int { return int(a.index - b.index) })
		dst = append(dst, `,"tool_calls":[`...)
		for i, t := range c.tools {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.append(dst)
		}
		dst = append(dst, ']')
	}
	if c.function != nil {
		dst = append(dst, `,"function_call":`...)
		dst = appendObject(dst, func(dst []byte) []byte { return appendWrapped(dst, c.function.inner, '"', '"') })
	}
	dst = append(dst, `},"logprobs":`...)
	if c.logprobs == nil {
		dst = append(dst, "null"...)
	} else {
		dst = appendObject(dst, func(dst []byte) []byte { return appendWrapped(dst, c.logprobs, '[', ']') })
	}
	dst = append(append(dst, `,"finish_reason":`...), c.finish...)
	return append(appendPairs(dst, c.extra), '}')
}

func (t *foldedTool) append(dst []byte) []byte {
	return appendObject(dst, func(dst []byte) []byte {
		dst = appendPairs(dst, t.outer)
		if t.kind != nil {
			dst = append(append(append(dst, `,"`...), t.kind...), `":`...)
			dst = appendObject(dst, func(dst []byte) []byte { return appendWrapped(dst, t.inner, '"', '"') })
		}
		return dst
	})
}
