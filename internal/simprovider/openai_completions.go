package simprovider

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// OpenAI's legacy completions: text that goes on.
var openAICompletions = endpoint{
	name: "completions", decode: decodeCompletion,
	answer: answerCompletion, stream: streamCompletion, tail: tailCompletion,
}

// usualCompletion is max_tokens where a request names none.
const usualCompletion = 16

func decodeCompletion(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "We could not parse the JSON body of your request.")
	}
	if err := x.findModel(root.Get("model"), false); err != nil {
		return err
	}
	if root.Get("best_of").Int() > 1 {
		return invalid("invalid_value", "best_of", "best_of is not simulated.")
	}
	f := chatFields{
		n: given(root, "n"), maxTokens: given(root, "max_tokens"),
		stream: given(root, "stream"), streamOptions: given(root, "stream_options"),
	}
	if err := x.readLimits(&f); err != nil {
		return err
	}
	g := &x.gen
	if g.limit == 0 {
		g.limit = usualCompletion
	}
	x.embed.inputs = x.embed.inputs[:0]
	if err := x.readInputs(root.Get("prompt")); err != nil {
		return err
	}
	x.echo = root.Get("echo").Bool()
	g.input = 0
	for _, text := range x.embed.inputs {
		tokens := x.p.count(text)
		if strings.HasPrefix(text, "[") {
			tokens = int64(len(gjson.Parse(text).Array())) // ready made
		}
		x.addPrompt(text, tokens)
	}
	g.n *= len(x.embed.inputs)
	if g.n > maxChoices {
		return invalid("integer_above_max_value", "n", "Too many completions.")
	}
	g.seed = x.hash()
	return nil
}

// given is a field that is there and not null.
func given(root gjson.Result, name string) gjson.Result {
	if v := root.Get(name); v.Type != gjson.Null {
		return v
	}
	return gjson.Result{}
}

// said is the text of a choice, behind its prompt if that was asked for.
func (x *call) said(i int) []byte {
	var b []byte
	if x.echo {
		b = append(b, x.embed.inputs[i*len(x.embed.inputs)/x.gen.n]...)
	}
	return append(b, x.gen.choices[i].parts[0].text...)
}

func (x *call) appendCompletionOpening(b []byte) []byte {
	b = append(append(b, `{"id":"cmpl-`...), x.id...)
	b = append(b, `","object":"text_completion","created":`...)
	b = strconv.AppendInt(b, x.at.Unix(), 10)
	b = append(b, `,"model":`...)
	b = appendJSONString(b, x.gen.model.served())
	return append(b, `,"choices":[`...)
}

func appendCompletionChoice(b, text []byte, index int, finish string) []byte {
	b = appendJSONString(append(b, `{"text":`...), text)
	b = strconv.AppendInt(append(b, `,"index":`...), int64(index), 10)
	b = append(b, `,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		return append(b, "null}"...)
	}
	return append(append(append(b, '"'), finish...), `"}`...)
}

func answerCompletion(x *call, b []byte) []byte {
	b = x.appendCompletionOpening(b)
	for i := range x.gen.choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCompletionChoice(b, x.said(i), i, x.gen.finishReason(&x.gen.choices[i]))
	}
	b = append(b, ']')
	switch x.plan.usage {
	case usageMissing:
	case usageNull:
		b = append(b, `,"usage":null`...)
	case usageHonest, usageTwice:
		b = x.appendChatUsage(append(b, `,"usage":`...))
	}
	return append(b, '}')
}

// streamCompletion sends each choice in pieces, one choice after another.
func streamCompletion(x *call) {
	size := x.p.cfg.ChunkTokens
	for i := range x.gen.choices {
		c := &x.gen.choices[i]
		p := &c.parts[0]
		if x.echo && !x.completionChunk(i, []byte(x.embed.inputs[i*len(x.embed.inputs)/x.gen.n]), "", 0) {
			return
		}
		start := 0
		for from := 0; from < len(p.ends); from += size {
			to := min(from+size, len(p.ends))
			if !x.completionChunk(i, p.text[start:p.ends[to-1]], "", int64(to-from)) {
				return
			}
			start = p.ends[to-1]
		}
		if !x.completionChunk(i, nil, x.gen.finishReason(c), 0) {
			return
		}
	}
}

func (x *call) completionChunk(i int, text []byte, finish string, tokens int64) bool {
	b := appendCompletionChoice(x.appendCompletionOpening(x.chunk[:0]), text, i, finish)
	b = append(b, ']')
	if x.includeUsage && x.plan.usage != usageMissing {
		b = append(b, `,"usage":null`...)
	}
	x.chunk = append(b, '}')
	if !x.w.event(x.chunk) {
		return false
	}
	x.sent += tokens
	return true
}

func tailCompletion(x *call, send func([]byte) bool) int {
	return x.tailUsage(send, func(b []byte) []byte { return x.appendCompletionOpening(b) })
}

// openAIModerations costs nothing.
var openAIModerations = endpoint{name: "moderations", decode: decodeModeration, free: answerModeration}

func decodeModeration(x *call) *apiError {
	root, ok := x.root()
	if !ok || !root.Get("input").Exists() {
		return invalid("missing_required_parameter", "input", "Missing required parameter: 'input'.")
	}
	return nil
}

func answerModeration(x *call, b []byte) []byte {
	b = append(append(b, `{"id":"modr-`...), x.id...)
	return append(b, `","model":"omni-moderation-latest","results":[{"flagged":false,"categories":{},"category_scores":{},"category_applied_input_types":{}}]}`...)
}
