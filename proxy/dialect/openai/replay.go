package openai

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// Replay appends to dst the stream that tells a stored JSON answer: for each
// choice its role, its text, its tool calls and why it finished, then [DONE].
// With usage, the answer's usage goes in a chunk of its own before that, and
// every other chunk says "usage":null, as the provider does it. Folding the
// stream gives the answer back.
func Replay(dst, answer []byte, usage bool) ([]byte, error) {
	cur := jsonscan.Cursor{Doc: answer}
	if cur.Kind() != jsonscan.Object || cur.Skip() != nil || cur.End() != nil {
		return nil, pieces.NotFoldable("not a JSON object")
	}
	answer = pieces.OneLine(answer)
	r := replaying{out: dst, usage: usage}
	if err := r.envelope(answer); err != nil {
		return nil, err
	}
	if r.choices == nil {
		return nil, pieces.NotFoldable("no choices")
	}
	if err := pieces.Elements(r.choices, r.choice); err != nil {
		return nil, err
	}
	if usage && r.tokens != nil {
		r.open()
		r.out = append(append(r.out, `],"usage":`...), r.tokens...)
		r.out = append(r.out, "}\n\n"...)
	}
	return append(r.out, "data: [DONE]\n\n"...), nil
}

type replaying struct {
	out     []byte
	head    []byte // of every chunk: all members up to the choices
	choices []byte
	tokens  []byte // the usage
	usage   bool
	index   int64 // of the choice being told
}

// envelope takes apart what all chunks share.
func (r *replaying) envelope(answer []byte) error {
	r.head = append(r.head, `data: {"object":"chat.completion.chunk"`...)
	return pieces.Members(answer, func(key, value []byte) error {
		switch string(key) {
		case "object":
		case "choices":
			r.choices = value
		case "usage":
			if !pieces.IsNull(value) {
				r.tokens = value
			}
		case "error":
			if !pieces.IsNull(value) {
				return pieces.NotFoldable("an error")
			}
		default:
			if !pieces.IsNull(value) {
				r.head = pieces.AppendPair(r.head, key, value)
			}
		}
		return nil
	})
}

// open begins a chunk, up to what is in its choices.
func (r *replaying) open() {
	r.out = append(append(r.out, r.head...), `,"choices":[`...)
}

// chunk writes a chunk with one choice.
func (r *replaying) chunk(delta func([]byte) []byte, finish, logprobs []byte, extra []pieces.Pair) {
	r.open()
	r.out = append(r.out, `{"index":`...)
	r.out = strconv.AppendInt(r.out, r.index, 10)
	r.out = append(r.out, `,"delta":`...)
	r.out = appendObject(r.out, delta)
	r.out = append(append(r.out, `,"logprobs":`...), orNull(logprobs)...)
	r.out = append(append(r.out, `,"finish_reason":`...), orNull(finish)...)
	r.out = append(pieces.AppendPairs(r.out, extra), "}]"...)
	if r.usage {
		r.out = append(r.out, `,"usage":null`...)
	}
	r.out = append(r.out, "}\n\n"...)
}

func orNull(value []byte) []byte {
	if value == nil {
		return []byte("null")
	}
	return value
}

func (r *replaying) choice(raw []byte) error {
	var message, finish, logprobs []byte
	var extra []pieces.Pair
	err := pieces.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "index":
			cur := jsonscan.Cursor{Doc: value}
			n, whole, err := cur.Int()
			if err != nil || !whole || n < 0 || n >= MaxAnswers {
				return pieces.NotFoldable("a choice without index")
			}
			r.index = n
		case "message":
			message = value
		case "finish_reason":
			finish = value
		case "logprobs":
			logprobs = value
		default:
			extra = append(extra, pieces.Pair{Key: key, Value: value})
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case message == nil || finish == nil || pieces.IsNull(finish):
		return pieces.NotFoldable("a choice that is not whole")
	}
	return r.message(message, finish, logprobs, extra)
}

// message writes the chunks of one choice.
func (r *replaying) message(raw, finish, logprobs []byte, extra []pieces.Pair) error {
	var text, tools, function []byte
	var opening []pieces.Pair
	err := pieces.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "content":
			text = value
			if value[0] == '"' {
				value = []byte(`""`)
			} else if !pieces.IsNull(value) {
				return pieces.NotFoldable("content that is not a string")
			}
		case "tool_calls":
			tools = value
			return nil
		case "function_call":
			function = value
			return nil
		case "role", "refusal", "reasoning_content", "reasoning", "annotations":
		default:
			if !pieces.IsNull(value) {
				return pieces.NotFoldable("a message with an unknown member")
			}
		}
		opening = append(opening, pieces.Pair{Key: key, Value: value})
		return nil
	})
	if err != nil {
		return err
	}
	pairs := func(list ...pieces.Pair) func([]byte) []byte {
		return func(dst []byte) []byte { return pieces.AppendPairs(dst, list) }
	}
	r.chunk(pairs(opening...), nil, logprobs, nil)
	if len(text) > len(`""`) && text[0] == '"' {
		r.chunk(pairs(pieces.Named("content", text)), nil, nil, nil)
	}
	if tools != nil && !pieces.IsNull(tools) {
		if err := r.tools(tools); err != nil {
			return err
		}
	}
	if function != nil && !pieces.IsNull(function) {
		r.chunk(pairs(pieces.Named("function_call", function)), nil, nil, nil)
	}
	r.chunk(pairs(), finish, nil, extra)
	return nil
}

// tools writes one chunk for each tool call.
func (r *replaying) tools(raw []byte) error {
	index := int64(0)
	return pieces.Elements(raw, func(call []byte) error {
		if call[0] != '{' {
			return pieces.NotFoldable("a tool call that is not an object")
		}
		r.chunk(func(dst []byte) []byte {
			dst = append(dst, `,"tool_calls":[{"index":`...)
			dst = strconv.AppendInt(dst, index, 10)
			_ = pieces.Members(call, func(key, value []byte) error { // checked before
				if string(key) != "index" {
					dst = pieces.AppendPair(dst, key, value)
				}
				return nil
			})
			return append(dst, "}]"...)
		}, nil, nil, nil)
		index++
		return nil
	})
}
