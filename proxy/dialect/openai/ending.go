package openai

import (
	"bytes"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// Ending ends a chat stream, or one of a legacy completion, in the middle: each
// choice that goes on finishes for its length, then come the usage and [DONE].
// The zero Ending needs Reset.
type Ending struct {
	head        []byte // of every chunk: the members of the first but for choices and usage
	usage       bool   // the client asked for it: chunks have the member
	text        bool   // of a legacy completion
	parts       int64  // that have begun
	seen, ended choiceSet
}

// Reset implements dialect.Ending.
func (e *Ending) Reset(c *dialect.Call) {
	*e = Ending{head: e.head[:0], usage: c.IncludeUsage, text: c.Endpoint == dialect.Completions}
}

// Frames implements dialect.Ending: for the choices and the calls of tools, whose
// names the meter counts.
func (e *Ending) Frames() int64 { return dialect.FrameTokens * e.parts }

// See implements dialect.Ending.
func (e *Ending) See(data []byte) {
	a := reader{cur: jsonscan.Cursor{Doc: data, LoneSurrogates: true}, message: "delta", seen: e.seen, ended: e.ended}
	if a.chunk() != nil || a.cur.End() != nil {
		return
	}
	before := e.seen.size()
	e.seen, e.ended = a.seen, a.ended
	e.parts += int64(e.seen.size() - before)
	if bytes.Contains(data, []byte(`"tool_calls"`)) || bytes.Contains(data, []byte(`"function_call"`)) {
		e.parts += callsBegun(data)
	}
	if len(e.head) == 0 && a.hasChoices {
		e.head = commonMembers(e.head, data)
	}
}

// commonMembers appends the members of a chunk that all of a stream have.
func commonMembers(dst, data []byte) []byte {
	_ = pieces.Members(pieces.OneLine(data), func(key, value []byte) error { // read before without error
		switch string(key) {
		case "choices", "usage", "obfuscation":
		default:
			dst = pieces.AppendPair(dst, key, value)
		}
		return nil
	})
	return dst
}

// callsBegun counts the calls of tools that a chunk begins: a name comes once.
func callsBegun(data []byte) (n int64) {
	r := jsonscan.Cursor{Doc: data, LoneSurrogates: true}
	var value func() error
	value = func() error {
		switch r.Kind() {
		case jsonscan.Object:
			return r.EachMember(func(key jsonscan.Str) error {
				if string(data[key.Start:key.End]) == "name" {
					n++
				}
				return value()
			})
		case jsonscan.Array:
			return r.EachElement(func(int) error { return value() })
		}
		return r.Skip()
	}
	_ = value() // read before without error
	return n
}

// Append implements dialect.Ending.
func (e *Ending) Append(dst []byte, in, out int64) []byte {
	if e.seen.size() == 0 {
		e.seen.add(0)
	}
	for i := range int64(MaxAnswers) {
		if !e.seen.has(i) || e.ended.has(i) {
			continue
		}
		dst = append(e.open(dst), `{"index":`...)
		dst = strconv.AppendInt(dst, i, 10)
		if e.text {
			dst = append(dst, `,"text":""`...)
		} else {
			dst = append(dst, `,"delta":{}`...)
		}
		dst = append(dst, `,"logprobs":null,"finish_reason":"length"}]`...)
		if e.usage {
			dst = append(dst, `,"usage":null`...)
		}
		dst = append(dst, "}\n\n"...)
	}
	dst = append(e.open(dst), `],"usage":{"prompt_tokens":`...)
	dst = strconv.AppendInt(dst, in, 10)
	dst = append(dst, `,"completion_tokens":`...)
	dst = strconv.AppendInt(dst, out, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendInt(dst, in+out, 10)
	return append(dst, "}}\n\ndata: [DONE]\n\n"...)
}

// open begins a chunk, up to what is in its choices.
func (e *Ending) open(dst []byte) []byte {
	dst = append(dst, `data: {`...)
	if len(e.head) > 0 {
		dst = append(append(dst, e.head[1:]...), ',') // without its first comma
	}
	return append(dst, `"choices":[`...)
}
