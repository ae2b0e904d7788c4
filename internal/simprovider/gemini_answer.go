package simprovider

import (
	"strconv"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

var (
	geminiGenerate = endpoint{name: "generateContent", decode: decodeGemini, answer: answerGemini}
	geminiStream   = endpoint{name: "streamGenerateContent", decode: decodeGeminiStream, answer: answerGemini, stream: streamGemini, tail: tailGemini}
)

func decodeGeminiStream(x *call) *apiError {
	if string(x.c.req.URI().QueryArgs().Peek("alt")) != "sse" {
		return geminiInvalid("This double streams only with alt=sse.")
	}
	err := decodeGemini(x)
	x.gen.stream = true
	return err
}

// answerGemini renders a whole answer, in lines as Google does.
func answerGemini(x *call, b []byte) []byte {
	g := &x.gen
	b = append(b, "{\n  \"candidates\": ["...)
	for i := range g.choices {
		if i > 0 {
			b = append(b, ',')
		}
		c := &g.choices[i]
		b = append(b, "\n    {\"content\": {\"parts\": ["...)
		for n := range c.parts {
			b = c.parts[n].appendGemini(b, n, c.parts[n].text)
		}
		b = append(b, "], \"role\": \"model\"}"...)
		b = appendGeminiEnd(b, i, c)
	}
	b = append(b, "],\n  "...)
	b = x.appendGeminiUsage(b, true)
	b = x.appendGeminiClose(b)
	if x.plan.huge > 0 {
		b = appendPadding(b, x.plan.huge)
	}
	return append(b, "\n}\n"...)
}

// appendGemini appends the n-th part of a candidate with this much of its text.
// Arguments that the cap cut are left out: they are no object.
func (p *part) appendGemini(b []byte, n int, text []byte) []byte {
	if n > 0 {
		b = append(b, ',')
	}
	if p.tool == nil {
		b = append(b, `{"text":`...)
		return append(appendJSONString(b, text), '}')
	}
	args := []byte("{}")
	if gjson.ValidBytes(text) {
		args = text
	}
	b = append(b, `{"functionCall":{"name":`...)
	b = appendJSONString(b, p.tool.name)
	return append(append(append(b, `,"args":`...), args...), "}}"...)
}

// appendGeminiEnd appends what follows a candidate's content and closes it.
func appendGeminiEnd(b []byte, i int, c *choice) []byte {
	reason := "STOP"
	if c.limited {
		reason = "MAX_TOKENS"
	}
	b = append(append(append(b, `,"finishReason":"`...), reason...), '"')
	b = append(b, `,"index":`...)
	return append(strconv.AppendInt(b, int64(i), 10), '}')
}

// appendGeminiUsage appends usageMetadata and the comma after it: the whole, or
// what is known before the answer's end.
func (x *call) appendGeminiUsage(b []byte, whole bool) []byte {
	switch x.plan.usage {
	case usageMissing:
		return b
	case usageNull:
		return append(b, `"usageMetadata":null,`...)
	case usageHonest, usageTwice:
	}
	g := &x.gen
	shown, reasoning := g.output()
	if !whole {
		shown, reasoning = x.sent, x.thought
	}
	u := g.usage(shown, reasoning)
	number := func(name string, n int64) {
		b = strconv.AppendInt(append(b, name...), n, 10)
	}
	number(`"usageMetadata":{"promptTokenCount":`, g.input)
	if shown > 0 {
		number(`,"candidatesTokenCount":`, shown)
	}
	number(`,"totalTokenCount":`, g.input+shown+reasoning)
	if n := u[price.CacheRead]; n > 0 {
		number(`,"cachedContentTokenCount":`, n)
		number(`,"cacheTokensDetails":[{"modality":"TEXT","tokenCount":`, n)
		b = append(b, "}]"...)
	}
	number(`,"promptTokensDetails":[{"modality":"TEXT","tokenCount":`, g.input-g.images)
	if g.images > 0 {
		number(`},{"modality":"IMAGE","tokenCount":`, g.images)
	}
	b = append(b, "}]"...)
	if reasoning > 0 {
		number(`,"thoughtsTokenCount":`, reasoning)
	}
	b = append(append(b, `,"serviceTier":"`...), geminiTier(g.tier)...)
	return append(b, `"},`...)
}

func (x *call) appendGeminiClose(b []byte) []byte {
	b = append(b, `"modelVersion":`...)
	b = appendJSONString(b, x.gen.model.served())
	return append(append(append(b, `,"responseId":"`...), x.id...), '"')
}

// streamGemini renders the content as chunks, candidates in turns.
func streamGemini(x *call) {
	if x.plan.badJSON && !x.w.event([]byte(`{"candidates":[{"content":{"par`)) {
		return
	}
	for step := 0; ; step++ {
		more := false
		for i := range x.gen.choices {
			had, goOn := x.geminiStep(i, step)
			if !goOn {
				return
			}
			more = more || had
		}
		if !more {
			return
		}
	}
}

// geminiStep sends the step-th piece of a candidate; a tool call is one piece.
func (x *call) geminiStep(i, step int) (had, goOn bool) {
	size := x.p.cfg.ChunkTokens
	for n := range x.gen.choices[i].parts {
		p := &x.gen.choices[i].parts[n]
		steps := (len(p.ends) + size - 1) / size
		if p.tool != nil {
			steps = 1
		}
		if step >= steps {
			step -= steps
			continue
		}
		if p.tool != nil {
			return true, x.geminiPiece(i, p, p.text, p.hidden+int64(len(p.ends)))
		}
		from, to := step*size, min((step+1)*size, len(p.ends))
		start := 0
		if from > 0 {
			start = p.ends[from-1]
		}
		return true, x.geminiPiece(i, p, p.text[start:p.ends[to-1]], int64(to-from))
	}
	return false, true
}

func (x *call) geminiPiece(i int, p *part, text []byte, tokens int64) bool {
	x.sent += tokens
	b := append(x.chunk[:0], `{"candidates":[{"content":{"parts":[`...)
	b = p.appendGemini(b, 0, text)
	b = append(b, `],"role":"model"},"index":`...)
	b = append(strconv.AppendInt(b, int64(i), 10), "}],"...)
	b = x.appendGeminiUsage(b, false)
	b = x.appendGeminiClose(b)
	if x.plan.huge > 0 && x.w.events == 0 {
		b = appendPadding(b, x.plan.huge)
	}
	x.chunk = append(b, '}')
	if !x.w.event(x.chunk) {
		x.sent -= tokens
		return false
	}
	return true
}

// tailGemini sends why the candidates ended, with the usage. A plan without an
// end leaves that out; one that says it twice says the whole chunk twice.
func tailGemini(x *call, send func([]byte) bool) int {
	times := 1
	switch {
	case x.plan.noDone:
		times = 0
	case x.plan.usage == usageTwice:
		times = 2
	}
	if send == nil {
		return times
	}
	b := append(x.chunk[:0], `{"candidates":[`...)
	for i := range x.gen.choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"content":{"parts":[{"text":""}],"role":"model"}`...)
		b = appendGeminiEnd(b, i, &x.gen.choices[i])
	}
	b = append(b, "],"...)
	b = x.appendGeminiUsage(b, true)
	b = append(x.appendGeminiClose(b), '}')
	x.chunk = b
	for range times {
		if !send(b) {
			return 0
		}
	}
	return 0
}
