package openai

import (
	"bytes"
	"slices"
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
	"purser/proxy/dialect/sse"
)

// Fold appends to dst the JSON answer that a whole stream amounts to: what the
// provider would have said had it not been asked to stream. The stream is the
// upstream's own, usage chunk included, up to [DONE].
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
	done    bool
	id      []byte
	usage   []byte
	extra   []pieces.Pair // other members of the chunks, in order of first appearance; the last value counts
	choices []*foldedChoice
	joins   int      // what the event at hand appends to texts and lists of the answer
	last    template // of the event before, if it can serve as one
}

type foldedChoice struct {
	of       *folding
	index    int64
	role     []byte
	texts    []pieces.Pair // string members; the value is the inside of the string
	arrays   []pieces.Pair // array members; the value is the inside of the array
	tools    []*foldedTool
	function *foldedTool // the deprecated function_call
	logprobs []pieces.Pair
	finish   []byte
	extra    []pieces.Pair
}

// foldedTool is a tool call: inner is its function or custom member.
type foldedTool struct {
	index int64
	outer []pieces.Pair
	kind  []byte
	inner []pieces.Pair // string members; the value is the inside of the string
}

func (f *folding) event(e sse.Event) error {
	data := bytes.TrimSpace(e.Data)
	switch {
	case e.Lines == 0:
		return nil
	case f.done:
		return pieces.NotFoldable("an event after [DONE]")
	case string(data) == "[DONE]":
		f.done = true
		return nil
	case len(e.Type) > 0:
		return pieces.NotFoldable("an event of another type")
	}
	if text, ok := f.last.match(data); ok {
		c := f.last.choice
		var err error
		c.texts, err = join(c.texts, contentKey, text, "")
		return err
	}
	cur := jsonscan.Cursor{Doc: data}
	if cur.Skip() != nil || cur.End() != nil {
		return pieces.NotFoldable("an event that is not JSON")
	}
	f.joins, f.last = 0, template{}
	if err := pieces.Members(data, f.member); err != nil {
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
		if pieces.IsNull(value) {
			return nil
		}
		return pieces.NotFoldable("an error")
	case "usage":
		if !pieces.IsNull(value) {
			f.usage = value
		}
		return nil
	case "choices":
		if pieces.IsNull(value) {
			return nil
		}
		return pieces.Elements(value, f.choice)
	case "id":
		if f.id == nil {
			f.id = value
		}
		return nil
	}
	if !pieces.IsNull(value) {
		f.extra, err = pieces.Set(f.extra, key, value)
	}
	return err
}

func (f *folding) choice(raw []byte) error {
	index, err := pieces.Index(raw, -1)
	if err != nil || index < 0 || index >= MaxAnswers {
		return pieces.NotFoldable("a choice without index")
	}
	at := slices.IndexFunc(f.choices, func(c *foldedChoice) bool { return c.index == index })
	if at < 0 {
		at = len(f.choices)
		f.choices = append(f.choices, &foldedChoice{index: index, of: f})
	}
	c := f.choices[at]
	return pieces.Members(raw, func(key, value []byte) (err error) {
		switch string(key) {
		case "index":
		case "delta":
			if !pieces.IsNull(value) {
				return pieces.Members(value, c.delta)
			}
		case "finish_reason":
			if !pieces.IsNull(value) {
				c.finish = value
			}
		case "logprobs":
			if !pieces.IsNull(value) {
				f.joins++
				return pieces.Members(value, func(key, value []byte) (err error) {
					c.logprobs, err = joinArray(c.logprobs, key, value)
					return err
				})
			}
		default:
			if !pieces.IsNull(value) {
				c.extra, err = pieces.Set(c.extra, key, value)
			}
		}
		return err
	})
}

func (c *foldedChoice) delta(key, value []byte) (err error) {
	switch string(key) {
	case "role":
		if c.role == nil && !pieces.IsNull(value) {
			c.role = value
		}
		return nil
	case "tool_calls":
		if pieces.IsNull(value) {
			return nil
		}
		c.of.joins++
		return pieces.Elements(value, c.tool)
	case "function_call":
		if pieces.IsNull(value) {
			return nil
		}
		c.of.joins++
		if c.function == nil {
			c.function = &foldedTool{}
		}
		return pieces.Members(value, func(key, value []byte) error {
			c.function.inner, err = joinText(c.function.inner, key, value)
			return err
		})
	case "content", "refusal", "reasoning_content", "reasoning":
		if pieces.IsNull(value) {
			return nil
		}
		c.of.joins++
		if string(key) == string(contentKey) {
			c.of.last = template{choice: c, text: value}
		}
		c.texts, err = joinText(c.texts, key, value)
		return err
	case "annotations":
		if pieces.IsNull(value) {
			return nil
		}
		c.of.joins++
		c.arrays, err = joinArray(c.arrays, key, value)
		return err
	}
	if !pieces.IsNull(value) {
		return pieces.NotFoldable("a delta with an unknown member")
	}
	return nil
}

// maxToolCalls bounds the tool calls of one choice.
const maxToolCalls = 1_024

func (c *foldedChoice) tool(raw []byte) error {
	index, err := pieces.Index(raw, -1)
	if err != nil || index < 0 || index >= maxToolCalls {
		return pieces.NotFoldable("a tool call without index")
	}
	at := slices.IndexFunc(c.tools, func(t *foldedTool) bool { return t.index == index })
	if at < 0 {
		at = len(c.tools)
		c.tools = append(c.tools, &foldedTool{index: index})
	}
	t := c.tools[at]
	return pieces.Members(raw, func(key, value []byte) (err error) {
		switch {
		case string(key) == "index" || pieces.IsNull(value):
			return nil
		case value[0] == '{':
			if t.kind != nil && !bytes.Equal(t.kind, key) {
				return pieces.NotFoldable("a tool call of two kinds")
			}
			t.kind = key
			return pieces.Members(value, func(key, value []byte) (err error) {
				t.inner, err = joinText(t.inner, key, value)
				return err
			})
		}
		t.outer, err = pieces.Set(t.outer, key, value)
		return err
	})
}

// joinText appends the text of a string value to that under key.
func joinText(list []pieces.Pair, key, value []byte) ([]pieces.Pair, error) {
	if pieces.IsNull(value) {
		return list, nil
	}
	if value[0] != '"' {
		return list, pieces.NotFoldable("a text that is not a string")
	}
	return join(list, key, value[1:len(value)-1], "")
}

// joinArray appends the elements of an array value to those under key.
func joinArray(list []pieces.Pair, key, value []byte) ([]pieces.Pair, error) {
	if pieces.IsNull(value) {
		return list, nil
	}
	if value[0] != '[' {
		return list, pieces.NotFoldable("a list that is not an array")
	}
	return join(list, key, bytes.TrimSpace(value[1:len(value)-1]), ",")
}

// join appends part to the value under key, with between in the middle of two
// that are not empty. The stream's own bytes are never written to.
func join(list []pieces.Pair, key, part []byte, between string) ([]pieces.Pair, error) {
	for i := range list {
		if !bytes.Equal(list[i].Key, key) {
			continue
		}
		v := list[i].Value
		if len(v) > 0 && len(part) > 0 {
			v = append(v, between...)
		}
		list[i].Value = append(v, part...)
		return list, nil
	}
	return pieces.Add(list, key, append(make([]byte, 0, 2*len(part)+64), part...))
}

// append writes the answer.
func (f *folding) append(dst []byte) ([]byte, error) {
	switch {
	case !f.done:
		return nil, pieces.NotFoldable("no [DONE]")
	case len(f.choices) == 0:
		return nil, pieces.NotFoldable("no choices")
	case f.id == nil:
		return nil, pieces.NotFoldable("no id")
	}
	slices.SortFunc(f.choices, func(a, b *foldedChoice) int { return int(a.index - b.index) })
	dst = append(append(dst, `{"id":`...), f.id...)
	dst = append(dst, `,"object":"chat.completion","choices":[`...)
	for i, c := range f.choices {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c.finish == nil {
			return nil, pieces.NotFoldable("a choice that is not finished")
		}
		dst = c.append(dst)
	}
	dst = append(dst, ']')
	if f.usage != nil {
		dst = append(append(dst, `,"usage":`...), f.usage...)
	}
	return append(pieces.AppendPairs(dst, f.extra), '}'), nil
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
		if !slices.ContainsFunc(c.texts, func(p pieces.Pair) bool { return string(p.Key) == name }) {
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
	return append(pieces.AppendPairs(dst, c.extra), '}')
}

func (t *foldedTool) append(dst []byte) []byte {
	return appendObject(dst, func(dst []byte) []byte {
		dst = pieces.AppendPairs(dst, t.outer)
		if t.kind != nil {
			dst = append(append(append(dst, `,"`...), t.kind...), `":`...)
			dst = appendObject(dst, func(dst []byte) []byte { return appendWrapped(dst, t.inner, '"', '"') })
		}
		return dst
	})
}
