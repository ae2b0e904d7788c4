package simprovider

import "strconv"

// streamChat renders a completion as chunks, up to the finish reasons. Several
// choices take turns.
func streamChat(x *call) {
	g := &x.gen
	x.opening = append(x.appendOpening(x.opening[:0], "chat.completion.chunk"), `,"choices":[{"index":`...)
	for i := range g.choices {
		if !x.delta(i, `"role":"assistant","content":"","refusal":null`, "", 0) {
			return
		}
	}
	if x.plan.badJSON && !x.w.event([]byte(`{"id":"chatcmpl-`+x.id+`","choices":[{"index":0,"delta":{"cont`)) {
		return
	}
	for step := 0; ; step++ {
		more := false
		for i := range g.choices {
			had, goOn := x.step(i, step)
			if !goOn {
				return
			}
			more = more || had
		}
		if !more {
			break
		}
	}
	for i := range g.choices {
		if !x.delta(i, "", g.finishReason(&g.choices[i]), 0) {
			return
		}
	}
}

// step sends the step-th piece of a choice: had is false when it had none left.
func (x *call) step(i, step int) (had, goOn bool) {
	c, size := &x.gen.choices[i], x.p.cfg.ChunkTokens
	for n := range c.parts {
		p := &c.parts[n]
		steps := (len(p.ends) + size - 1) / size
		if p.tool != nil {
			if step == 0 {
				return true, x.openCall(i, n, p)
			}
			step--
		}
		if step >= steps {
			step -= steps
			continue
		}
		from, to := step*size, min((step+1)*size, len(p.ends))
		start := 0
		if from > 0 {
			start = p.ends[from-1]
		}
		return true, x.piece(i, n, p, p.text[start:p.ends[to-1]], int64(to-from))
	}
	return false, true
}

// piece sends a stretch of text or of arguments.
func (x *call) piece(i, n int, p *part, text []byte, tokens int64) bool {
	b := x.openDelta(i)
	switch {
	case p.tool == nil:
		b = append(b, `"content":"`...)
		b = append(appendEscaped(b, text), '"')
	default:
		name := `,"function":{"arguments":"`
		if p.tool.custom {
			name = `,"custom":{"input":"`
		}
		b = append(b, `"tool_calls":[{"index":`...)
		b = append(strconv.AppendInt(b, int64(n), 10), name...)
		b = append(appendEscaped(b, text), `"}}]`...)
	}
	return x.closeDelta(b, "", tokens)
}

func (x *call) openCall(i, n int, p *part) bool {
	b := append(x.openDelta(i), `"tool_calls":[{"index":`...)
	b = append(strconv.AppendInt(b, int64(n), 10), ',')
	b = append(p.appendCall(b), `"}}]`...)
	return x.closeDelta(b, "", p.hidden)
}

func (x *call) delta(i int, fields, finish string, tokens int64) bool {
	return x.closeDelta(append(x.openDelta(i), fields...), finish, tokens)
}

func (x *call) openDelta(i int) []byte {
	b := append(x.chunk[:0], x.opening...)
	return append(strconv.AppendInt(b, int64(i), 10), `,"delta":{`...)
}

// closeDelta ends a chunk and sends it.
func (x *call) closeDelta(b []byte, finish string, tokens int64) bool {
	b = append(b, `},"logprobs":null,"finish_reason":`...)
	if finish == "" {
		b = append(b, "null}]"...)
	} else {
		b = append(append(append(b, '"'), finish...), `"}]`...)
	}
	if x.includeUsage && x.plan.usage != usageMissing {
		b = append(b, `,"usage":null`...)
	}
	if x.plan.huge > 0 && x.w.events == 0 {
		b = appendPadding(b, x.plan.huge)
	}
	x.chunk = append(b, '}')
	if !x.w.event(x.chunk) {
		return false
	}
	x.sent += tokens
	return true
}

// tailChat sends the usage chunk, if asked for, and the end.
func tailChat(x *call, send func([]byte) bool) int {
	return x.tailUsage(send, func(b []byte) []byte {
		return append(x.appendOpening(b, "chat.completion.chunk"), `,"choices":[`...)
	})
}

// tailUsage sends the usage chunk, which opening begins, and the end.
func (x *call) tailUsage(send func([]byte) bool, opening func([]byte) []byte) int {
	usages := 0
	if x.includeUsage {
		usages = map[usageForm]int{usageHonest: 1, usageNull: 1, usageTwice: 2}[x.plan.usage]
	}
	done := 1
	if x.plan.noDone {
		done = 0
	}
	if send == nil {
		return usages + done
	}
	b := append(opening(x.chunk[:0]), `],"usage":`...)
	if x.plan.usage == usageNull {
		b = append(b, "null}"...)
	} else {
		b = append(x.appendChatUsage(b), '}')
	}
	x.chunk = b
	for range usages {
		if !send(b) {
			return 0
		}
	}
	if done > 0 {
		send([]byte("[DONE]"))
	}
	return 0
}
