package openai

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/pieces"
)

// replayResponse appends the stream that tells a stored response: its creation,
// each item of its output with its text in one piece, and its completion. Folding
// the stream gives the response back, byte for byte but for its line ends.
func replayResponse(dst, answer []byte) ([]byte, error) {
	cur := jsonscan.Cursor{Doc: answer}
	if cur.Kind() != jsonscan.Object || cur.Skip() != nil || cur.End() != nil {
		return nil, pieces.NotFoldable("not a JSON object")
	}
	answer = pieces.OneLine(answer)
	r := responseReplay{out: dst}
	output, opening, err := takeResponse(answer)
	if err != nil {
		return nil, err
	}
	for _, kind := range [...]string{"response.created", "response.in_progress"} {
		r.open(kind)
		r.field("response", opening)
		r.close()
	}
	if err := pieces.Elements(output, r.item); err != nil {
		return nil, err
	}
	r.open("response.completed")
	r.field("response", answer)
	r.close()
	return r.out, nil
}

// takeResponse gives the output of a response, and the response as it was when
// nothing had been written.
func takeResponse(answer []byte) (output, opening []byte, err error) {
	status := ""
	opening = appendObject(nil, func(b []byte) []byte {
		err = pieces.Members(answer, func(key, value []byte) error {
			switch string(key) {
			case "status":
				status = string(value)
				value = []byte(`"in_progress"`)
			case "output":
				output = value
				value = []byte("[]")
			case "usage", "completed_at":
				value = []byte("null")
			case "output_text", "tool_usage":
				return nil
			}
			b = pieces.AppendPair(b, key, value)
			return nil
		})
		return b
	})
	switch {
	case err != nil:
		return nil, nil, err
	case status != `"completed"`:
		return nil, nil, pieces.NotFoldable("a response that is not complete")
	case output == nil:
		return nil, nil, pieces.NotFoldable("no output")
	}
	return output, opening, nil
}

type responseReplay struct {
	out    []byte
	number int64 // of the next event
	index  int64 // of the item being told
}

// open begins an event of a kind; close ends it.
func (r *responseReplay) open(kind string) {
	r.out = append(append(r.out, "event: "...), kind...)
	r.out = append(append(r.out, "\ndata: {\"type\":\""...), kind...)
	r.out = append(r.out, `","sequence_number":`...)
	r.out = strconv.AppendInt(r.out, r.number, 10)
	r.number++
}

func (r *responseReplay) field(name string, value []byte) {
	r.out = append(append(append(r.out, `,"`...), name...), `":`...)
	r.out = append(r.out, value...)
}

func (r *responseReplay) count(name string, n int64) {
	r.field(name, strconv.AppendInt(nil, n, 10))
}

func (r *responseReplay) close() { r.out = append(r.out, "}\n\n"...) }

// replayedItem is what the events of an item are made of.
type replayedItem struct {
	id, kind, content, summary, arguments, input []byte
}

func takeItem(raw []byte) (it replayedItem, err error) {
	err = pieces.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "id":
			it.id = value
		case "type":
			it.kind = value
		case "content":
			it.content = value
		case "summary":
			it.summary = value
		case "arguments":
			it.arguments = value
		case "input":
			it.input = value
		}
		return nil
	})
	return it, err
}

// item tells one item of the output.
func (r *responseReplay) item(raw []byte) error {
	it, err := takeItem(raw)
	if err != nil {
		return err
	}
	if it.id == nil || it.kind == nil {
		return pieces.NotFoldable("an item without id or type")
	}
	r.open("response.output_item.added")
	r.count("output_index", r.index)
	r.field("item", emptied(raw))
	r.close()
	switch string(it.kind) {
	case `"message"`:
		err = r.parts(it.id, it.content, "content_index", "response.content_part", contentText)
	case `"reasoning"`:
		err = r.parts(it.id, it.summary, "summary_index", "response.reasoning_summary_part", summaryText)
	case `"function_call"`, `"mcp_call"`:
		r.whole(it.id, it.arguments, "response."+string(it.kind[1:len(it.kind)-1])+"_arguments", "arguments")
	case `"custom_tool_call"`:
		r.whole(it.id, it.input, "response.custom_tool_call_input", "input")
	}
	if err != nil {
		return err
	}
	r.open("response.output_item.done")
	r.count("output_index", r.index)
	r.field("item", raw)
	r.close()
	r.index++
	return nil
}

// emptied is an item as it was when nothing of it had been written.
func emptied(raw []byte) []byte {
	return appendObject(nil, func(b []byte) []byte {
		_ = pieces.Members(raw, func(key, value []byte) error { // checked before
			switch string(key) {
			case "status":
				value = []byte(`"in_progress"`)
			case "content", "summary":
				if value[0] == '[' {
					value = []byte("[]")
				}
			case "arguments", "input":
				if value[0] == '"' {
					value = []byte(`""`)
				}
			}
			b = pieces.AppendPair(b, key, value)
			return nil
		})
		return b
	})
}

// textEvent is how the text of a part is told: the events' name, and the field.
type textEvent struct{ event, field string }

func contentText(kind string) textEvent {
	switch kind {
	case `"output_text"`:
		return textEvent{"response.output_text", "text"}
	case `"refusal"`:
		return textEvent{"response.refusal", "refusal"}
	}
	return textEvent{}
}

func summaryText(kind string) textEvent {
	if kind == `"summary_text"` {
		return textEvent{"response.reasoning_summary_text", "text"}
	}
	return textEvent{}
}

// parts tells the parts of an item.
func (r *responseReplay) parts(id, list []byte, index, event string, textOf func(kind string) textEvent) error {
	if list == nil || list[0] != '[' {
		return nil
	}
	var n int64
	at := func(kind string) {
		r.open(kind)
		r.field("item_id", id)
		r.count("output_index", r.index)
		r.count(index, n)
	}
	return pieces.Elements(list, func(part []byte) error {
		var kind string
		texts := map[string][]byte{}
		err := pieces.Members(part, func(key, value []byte) error {
			if string(key) == "type" {
				kind = string(value)
			} else if value[0] == '"' {
				texts[string(key)] = value
			}
			return nil
		})
		if err != nil {
			return err
		}
		told := textOf(kind)
		text := texts[told.field]
		if text == nil {
			return pieces.NotFoldable("a part of an unknown type")
		}
		at(event + ".added")
		r.field("part", emptyPart(part, told.field))
		r.close()
		if len(text) > len(`""`) {
			at(told.event + ".delta")
			r.field("delta", text)
			r.logprobs(told)
			r.close()
		}
		at(told.event + ".done")
		r.field(told.field, text)
		r.logprobs(told)
		r.close()
		at(event + ".done")
		r.field("part", part)
		r.close()
		n++
		return nil
	})
}

// logprobs adds the list that clients expect with output text.
func (r *responseReplay) logprobs(told textEvent) {
	if told.event == "response.output_text" {
		r.field("logprobs", []byte("[]"))
	}
}

// emptyPart is a part before its text was written.
func emptyPart(raw []byte, text string) []byte {
	return appendObject(nil, func(b []byte) []byte {
		_ = pieces.Members(raw, func(key, value []byte) error { // checked before
			switch {
			case string(key) == text:
				value = []byte(`""`)
			case value[0] == '[':
				value = []byte("[]")
			}
			b = pieces.AppendPair(b, key, value)
			return nil
		})
		return b
	})
}

// whole tells a text of an item that has no parts.
func (r *responseReplay) whole(id, text []byte, event, field string) {
	if text == nil || text[0] != '"' {
		return
	}
	for _, e := range [...]struct{ kind, field string }{{".delta", "delta"}, {".done", field}} {
		if e.kind == ".delta" && len(text) == len(`""`) {
			continue
		}
		r.open(event + e.kind)
		r.field("item_id", id)
		r.count("output_index", r.index)
		r.field(e.field, text)
		r.close()
	}
}
