package simprovider

import "strconv"

// streamResponse renders a response as events, up to its completion.
func streamResponse(x *call) {
	for _, kind := range []string{"response.created", "response.in_progress"} {
		x.openEvent(kind)
		x.chunk = x.appendResponse(append(x.chunk, `,"response":`...), "in_progress")
		if !x.closeEvent(kind, 0) {
			return
		}
	}
	if x.plan.badJSON && !x.w.named("response.output_text.delta", []byte(`{"type":"response.output_text.delta","delta":"cont`)) {
		return
	}
	for _, it := range x.items() {
		if !x.streamItem(&it) {
			return
		}
		x.reply.index++
	}
}

// openEvent begins an event: its type and its number.
func (x *call) openEvent(kind string) {
	b := append(append(x.chunk[:0], `{"type":"`...), kind...)
	b = append(b, `","sequence_number":`...)
	x.chunk = strconv.AppendInt(b, x.reply.number, 10)
	x.reply.number++
}

// closeEvent ends an event and sends it.
func (x *call) closeEvent(kind string, tokens int64) bool {
	if x.plan.huge > 0 && x.w.events == 0 {
		x.chunk = appendPadding(x.chunk, x.plan.huge)
	}
	x.chunk = append(x.chunk, '}')
	if !x.w.named(kind, x.chunk) {
		return false
	}
	x.sent += tokens
	return true
}

// place appends which item an event is about.
func (x *call) place(it *item) {
	x.chunk = append(append(x.chunk, `,"item_id":"`...), it.id...)
	x.chunk = append(x.chunk, `","output_index":`...)
	x.chunk = strconv.AppendInt(x.chunk, int64(x.reply.index), 10)
}

func (x *call) itemEvent(kind string, it *item, done bool) bool {
	x.openEvent(kind)
	x.chunk = append(x.chunk, `,"output_index":`...)
	x.chunk = strconv.AppendInt(x.chunk, int64(x.reply.index), 10)
	x.chunk = x.appendItem(append(x.chunk, `,"item":`...), it, done)
	return x.closeEvent(kind, 0)
}

func (x *call) streamItem(it *item) bool {
	if !x.itemEvent("response.output_item.added", it, false) {
		return false
	}
	ok := true
	switch it.kind {
	case "web_search_call", "file_search_call":
		for _, stage := range []string{"in_progress", "searching", "completed"} {
			kind := "response." + it.kind + "." + stage
			x.openEvent(kind)
			x.place(it)
			ok = ok && x.closeEvent(kind, 0)
		}
	case "message":
		ok = x.partEvent("response.content_part.added", it, nil) &&
			x.streamText(it, "response.output_text", `,"content_index":0,"logprobs":[]`, "text") &&
			x.partEvent("response.content_part.done", it, it.part.text)
	case "function_call":
		x.sent += it.part.hidden
		ok = x.streamText(it, "response.function_call_arguments", "", "arguments")
	case "custom_tool_call":
		x.sent += it.part.hidden
		ok = x.streamText(it, "response.custom_tool_call_input", "", "input")
	}
	return ok && x.itemEvent("response.output_item.done", it, true)
}

func (x *call) partEvent(kind string, it *item, text []byte) bool {
	x.openEvent(kind)
	x.place(it)
	x.chunk = append(x.chunk, `,"content_index":0,"part":`...)
	x.chunk = appendTextPart(x.chunk, text)
	return x.closeEvent(kind, 0)
}

// streamText sends the text of an item in pieces, and then whole.
func (x *call) streamText(it *item, event, fields, whole string) bool {
	p, size := it.part, x.p.cfg.ChunkTokens
	start := 0
	for from := 0; from < len(p.ends); from += size {
		to := min(from+size, len(p.ends))
		x.openEvent(event + ".delta")
		x.place(it)
		x.chunk = append(append(x.chunk, fields...), `,"delta":`...)
		x.chunk = appendJSONString(x.chunk, p.text[start:p.ends[to-1]])
		start = p.ends[to-1]
		if !x.closeEvent(event+".delta", int64(to-from)) {
			return false
		}
	}
	x.openEvent(event + ".done")
	x.place(it)
	x.chunk = append(append(append(append(x.chunk, fields...), `,"`...), whole...), `":`...)
	x.chunk = appendJSONString(x.chunk, p.text)
	return x.closeEvent(event+".done", 0)
}

// tailResponse sends the last event, which carries the usage.
func tailResponse(x *call, send func([]byte) bool) int {
	count := 1
	switch {
	case x.plan.noDone:
		count = 0
	case x.plan.usage == usageTwice:
		count = 2
	}
	if send == nil {
		return count
	}
	for range count {
		kind := "response." + x.finalStatus()
		x.openEvent(kind)
		at := len(x.chunk)
		x.chunk = x.appendResponse(append(x.chunk, `,"response":`...), x.finalStatus())
		x.keepResponse(x.chunk[at+len(`,"response":`):])
		if !x.closeEvent(kind, 0) {
			return 0
		}
	}
	return 0
}

// responseErrorEvent is an error in the middle of a stream.
func responseErrorEvent(x *call) []byte {
	b := strconv.AppendInt([]byte(`{"type":"error","sequence_number":`), int64(x.w.events), 10)
	return append(b, `,"code":"server_error","message":"The server had an error while processing your request. Sorry about that!","param":null}`...)
}
