package openai

import (
	"slices"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// ResponsesEnding ends the stream of a response in the middle: what is open of its
// output is done as far as it was written, and the last event is
// response.incomplete for max_output_tokens, with all of the output. The zero
// ResponsesEnding needs Reset.
//
// It keeps what was written, which the hold bounds: a token for each byte.
type ResponsesEnding struct {
	response []byte // as the last event with one gave it
	number   int64  // of the next event
	items    []endedItem
	frames   int64
}

// endedItem is an item of the output. Of one that is not done, text is what was
// written of its open part, or of its arguments or input: the inside of a string.
type endedItem struct {
	index   int64
	raw     []byte
	done    bool
	id      []byte
	kind    string
	content [][]byte // parts that are done
	part    []byte   // the open one; nil for none
	text    []byte
	told    bool // that the text is done
}

// Reset implements dialect.Ending.
func (e *ResponsesEnding) Reset(*dialect.Call) { *e = ResponsesEnding{} }

// Frames implements dialect.Ending: for the items of the output and their parts,
// with the names of tools.
func (e *ResponsesEnding) Frames() int64 { return e.frames }

// maxItems bounds the items kept of a response, far above what a model without
// tools of the provider makes.
const maxItems = 1_024

// See implements dialect.Ending.
func (e *ResponsesEnding) See(data []byte) {
	check := jsonscan.Cursor{Doc: data, LoneSurrogates: true}
	if check.Skip() != nil || check.End() != nil {
		return
	}
	v := map[string][]byte{}
	if pieces.Members(pieces.OneLine(data), func(key, value []byte) error { v[string(key)] = value; return nil }) != nil {
		return
	}
	if n, err := strconv.ParseInt(string(v["sequence_number"]), 10, 64); err == nil {
		e.number = n + 1
	}
	switch inside(v["type"]) {
	case "response.created", "response.in_progress", "response.queued":
		e.response = slices.Clone(v["response"])
	case "response.output_item.added":
		e.frames += dialect.FrameTokens
		e.add(v)
	case "response.output_item.done":
		if it := e.at(v); it != nil && v["item"] != nil {
			it.raw, it.done = slices.Clone(v["item"]), true
			it.content, it.part, it.text, it.told = nil, nil, nil, false
		}
	case "response.content_part.added":
		e.frames += dialect.FrameTokens
		if it := e.at(v); it != nil {
			it.part, it.text, it.told = slices.Clone(v["part"]), nil, false
		}
	case "response.content_part.done":
		if it := e.at(v); it != nil && v["part"] != nil {
			it.content, it.part, it.text = append(it.content, slices.Clone(v["part"])), nil, nil
		}
	case "response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta",
		"response.custom_tool_call_input.delta":
		if it := e.at(v); it != nil {
			it.text = append(it.text, inside(v["delta"])...)
		}
	case "response.output_text.done", "response.refusal.done", "response.function_call_arguments.done",
		"response.custom_tool_call_input.done":
		if it := e.at(v); it != nil {
			it.told = true
		}
	}
}

// inside is the inside of a string; "" for anything else.
func inside(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	return string(value[1 : len(value)-1])
}

func (e *ResponsesEnding) add(v map[string][]byte) {
	_ = pieces.Members(v["item"], func(key, value []byte) error { // checked before, or not there
		if string(key) == "name" {
			e.frames += int64(len(value))
		}
		return nil
	})
	index, err := strconv.ParseInt(string(v["output_index"]), 10, 64)
	if err != nil || len(e.items) == maxItems {
		return
	}
	it, err := takeItem(v["item"])
	if err != nil || it.id == nil || it.kind == nil {
		return
	}
	e.items = append(e.items, endedItem{index: index, raw: slices.Clone(v["item"]), id: slices.Clone(it.id), kind: inside(it.kind)})
}

// at is the open item that an event is about; nil for none.
func (e *ResponsesEnding) at(v map[string][]byte) *endedItem {
	index, err := strconv.ParseInt(string(v["output_index"]), 10, 64)
	for i := range e.items {
		if it := &e.items[i]; err == nil && it.index == index && !it.done {
			return it
		}
	}
	return nil
}

// Append implements dialect.Ending.
func (e *ResponsesEnding) Append(dst []byte, in, out int64) []byte {
	r := responseReplay{out: dst, number: e.number}
	output := []byte{'['}
	for i := range e.items {
		it := e.items[i] // a copy: the stream is not changed by a look at its end
		if !it.done {
			r.index, it.content = it.index, slices.Clip(it.content)
			r.cutItem(&it)
		}
		if i > 0 {
			output = append(output, ',')
		}
		output = append(output, it.raw...)
	}
	output = append(output, ']')
	r.open("response.incomplete")
	r.field("response", e.whole(output, in, out))
	r.close()
	return r.out
}

// whole is the response as it is when it ends here.
func (e *ResponsesEnding) whole(output []byte, in, out int64) []byte {
	usage := append(strconv.AppendInt([]byte(`{"input_tokens":`), in, 10), `,"input_tokens_details":{"cached_tokens":0},"output_tokens":`...)
	usage = append(strconv.AppendInt(usage, out, 10), `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`...)
	usage = append(strconv.AppendInt(usage, in+out, 10), '}')
	return replaced(e.response, []pieces.Pair{
		pieces.Named("status", []byte(`"incomplete"`)),
		pieces.Named("incomplete_details", []byte(`{"reason":"max_output_tokens"}`)),
		pieces.Named("output", output),
		pieces.Named("usage", usage),
	})
}

// replaced is an object with other values for some of its members, or those added.
func replaced(raw []byte, with []pieces.Pair) []byte {
	return appendObject(nil, func(b []byte) []byte {
		var there [8]bool // with is short
		if raw != nil {
			_ = pieces.Members(raw, func(key, value []byte) error { // checked before
				for i, p := range with {
					if string(p.Key) == string(key) {
						value, there[i] = p.Value, true
					}
				}
				b = pieces.AppendPair(b, key, value)
				return nil
			})
		}
		for i, p := range with {
			if !there[i] {
				b = pieces.AppendPair(b, p.Key, p.Value)
			}
		}
		return b
	})
}

// cutItem tells that an item is done as far as it was written, and leaves it so.
func (r *responseReplay) cutItem(it *endedItem) {
	text := slices.Concat([]byte{'"'}, it.text, []byte{'"'})
	changed := []pieces.Pair{pieces.Named("status", []byte(`"incomplete"`))}
	switch it.kind {
	case "message":
		if it.part != nil {
			it.content = append(it.content, r.cutPart(it, text))
		}
		content := append(append([]byte{'['}, slices.Concat(separated(it.content)...)...), ']')
		changed = append(changed, pieces.Named("content", content))
	case "function_call":
		r.cutWhole(it, text, "response.function_call_arguments.done", "arguments")
		changed = append(changed, pieces.Named("arguments", text))
	case "custom_tool_call":
		r.cutWhole(it, text, "response.custom_tool_call_input.done", "input")
		changed = append(changed, pieces.Named("input", text))
	}
	it.raw = replaced(it.raw, changed)
	r.open("response.output_item.done")
	r.count("output_index", r.index)
	r.field("item", it.raw)
	r.close()
}

// cutPart tells that the open part of a message is done, and gives it so.
func (r *responseReplay) cutPart(it *endedItem, text []byte) []byte {
	kind := ""
	_ = pieces.Members(it.part, func(key, value []byte) error { // checked before
		if string(key) == "type" {
			kind = string(value)
		}
		return nil
	})
	told := contentText(kind)
	if told.field == "" {
		return it.part
	}
	part := replaced(it.part, []pieces.Pair{pieces.Named(told.field, text)})
	at := func(kind string) {
		r.open(kind)
		r.field("item_id", it.id)
		r.count("output_index", r.index)
		r.count("content_index", int64(len(it.content)))
	}
	if !it.told {
		at(told.event + ".done")
		r.field(told.field, text)
		r.logprobs(told)
		r.close()
	}
	at("response.content_part.done")
	r.field("part", part)
	r.close()
	return part
}

func (r *responseReplay) cutWhole(it *endedItem, text []byte, event, field string) {
	if it.told {
		return
	}
	r.open(event)
	r.field("item_id", it.id)
	r.count("output_index", r.index)
	r.field(field, text)
	r.close()
}

// separated puts commas between the elements of an array.
func separated(list [][]byte) [][]byte {
	var out [][]byte
	for i, v := range list {
		if i > 0 {
			out = append(out, []byte{','})
		}
		out = append(out, v)
	}
	return out
}
