package simprovider

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/tidwall/gjson"
)

var openAIChat = endpoint{
	name: "chat.completions", decode: decodeChat,
	answer: answerChat, stream: streamChat, tail: tailChat,
}

// chatFields are the parameters that change an answer; others pass unread.
type chatFields struct {
	model, messages, tools, toolChoice, parallel       gjson.Result
	n, maxTokens, maxCompletion, stream, streamOptions gjson.Result
	format, tier, effort                               gjson.Result
}

func (f *chatFields) read(root gjson.Result) {
	root.ForEach(func(key, value gjson.Result) bool {
		if value.Type == gjson.Null {
			return true // null is as good as absent
		}
		switch key.Str {
		case "model":
			f.model = value
		case "messages":
			f.messages = value
		case "tools":
			f.tools = value
		case "tool_choice":
			f.toolChoice = value
		case "parallel_tool_calls":
			f.parallel = value
		case "n":
			f.n = value
		case "max_tokens":
			f.maxTokens = value
		case "max_completion_tokens":
			f.maxCompletion = value
		case "stream":
			f.stream = value
		case "stream_options":
			f.streamOptions = value
		case "response_format":
			f.format = value
		case "service_tier":
			f.tier = value
		case "reasoning_effort":
			f.effort = value
		}
		return true
	})
}

const maxChoices = 128 // OpenAI's limit of n

func decodeChat(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly.)")
	}
	var f chatFields
	f.read(root)
	if err := x.findModel(f.model, false); err != nil {
		return err
	}
	if err := x.readLimits(&f); err != nil {
		return err
	}
	// What is the same from turn to turn comes first, for the prompt cache.
	for _, v := range []gjson.Result{f.tools, f.format} {
		if v.Exists() {
			x.addPrompt(v.Raw, x.p.count(v.Raw))
		}
	}
	p := promptReader{x: x}
	if err := p.read(&f); err != nil {
		return err
	}
	if err := x.chooseForm(&f, &p); err != nil {
		return err
	}
	g := &x.gen
	if g.input > g.model.ContextWindow {
		return invalid("context_length_exceeded", "messages", fmt.Sprintf(
			"This model's maximum context length is %d tokens. However, your messages resulted in %d tokens. Please reduce the length of the messages.",
			g.model.ContextWindow, g.input))
	}
	g.seed = x.hash()
	return nil
}

// readLimits reads the small parameters, with OpenAI's rules for them.
func (x *call) readLimits(f *chatFields) *apiError {
	g := &x.gen
	for _, v := range []struct {
		name  string
		value gjson.Result
	}{{"n", f.n}, {"max_tokens", f.maxTokens}, {"max_completion_tokens", f.maxCompletion}} {
		if v.value.Exists() && (v.value.Type != gjson.Number || v.value.Num != float64(v.value.Int())) {
			return wrongType(v.name, "an integer", v.value)
		}
		if v.value.Exists() && v.value.Int() < 1 {
			return invalid("integer_below_min_value", v.name, "Invalid '"+v.name+"': integer below minimum value. Expected a value >= 1.")
		}
	}
	if f.n.Exists() {
		if f.n.Int() > maxChoices {
			return invalid("integer_above_max_value", "n", "Invalid 'n': integer above maximum value. Expected a value <= 128.")
		}
		g.n = int(f.n.Int())
	}
	name, limit := "max_completion_tokens", f.maxCompletion
	if f.maxTokens.Exists() {
		if limit.Exists() {
			return invalid("invalid_parameter_combination", "max_tokens",
				"Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
		}
		if g.model.Reasoning {
			return invalid("unsupported_parameter", "max_tokens",
				"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
		}
		name, limit = "max_tokens", f.maxTokens
	}
	if g.limit = limit.Int(); g.limit > g.model.MaxOutput {
		return invalid("invalid_value", name, fmt.Sprintf(
			"%s is too large: %d. This model supports at most %d completion tokens, whereas you provided %d.", name, g.limit, g.model.MaxOutput, g.limit))
	}
	if f.stream.Exists() && !f.stream.IsBool() {
		return wrongType("stream", "a boolean", f.stream)
	}
	g.stream = f.stream.Bool()
	if f.streamOptions.Exists() && !g.stream {
		return invalid("", "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	x.includeUsage = f.streamOptions.Get("include_usage").Bool()
	g.effort = f.effort.Str
	var err *apiError
	g.tier, err = tierOf(f.tier)
	return err
}

// chooseForm decides what the answer is made of.
func (x *call) chooseForm(f *chatFields, p *promptReader) *apiError {
	g := &x.gen
	if kind := f.format.Get("type").Str; kind == "json_object" || kind == "json_schema" {
		g.form = formObject
		g.schema = f.format.Get("json_schema.schema")
	}
	if f.tools.Exists() && !f.tools.IsArray() {
		return wrongType("tools", "an array of objects", f.tools)
	}
	var tools []tool
	for _, t := range f.tools.Array() {
		if custom := t.Get("custom"); custom.Exists() {
			tools = append(tools, tool{name: custom.Get("name").Str, custom: true})
			continue
		}
		name := t.Get("function.name").Str
		if name == "" {
			return invalid("missing_required_parameter", "tools[0].function.name", "Missing required parameter: 'tools[].function.name'.")
		}
		tools = append(tools, tool{name: name, schema: t.Get("function.parameters")})
	}
	named := f.toolChoice.Get("function.name").Str + f.toolChoice.Get("custom.name").Str
	switch {
	case f.toolChoice.Str == "none":
		return nil
	case named != "":
		for _, t := range tools {
			if t.name == named {
				g.form, g.calls, g.forced = formTools, []tool{t}, true
				return nil
			}
		}
		return invalid("invalid_value", "tool_choice", "Tool choice '"+named+"' not found in 'tools' parameter.")
	case p.lastRole != "user" && f.toolChoice.Str != "required":
		return nil // the results are in: say something
	}
	parallel := !f.parallel.Exists() || f.parallel.Bool()
	if g.calls = wanted(tools, p.lastUser, f.toolChoice.Str == "required", parallel); len(g.calls) > 0 {
		g.form = formTools
	}
	return nil
}

func (x *call) addPrompt(text string, tokens int64) {
	x.gen.prompt = append(x.gen.prompt, segment{text, tokens})
	x.gen.input += tokens
}

// hash is where everything random about an answer comes from: the seed, the
// model and the prompt; not caps, not streaming, so that these only cut an
// answer short or up.
func (x *call) hash() stream {
	h := sha256.New()
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], x.p.cfg.Seed)
	h.Write(head[:8])
	h.Write([]byte(x.gen.model.ID))
	for _, s := range x.gen.prompt {
		binary.LittleEndian.PutUint64(head[8:], uint64(len(s.text)))
		h.Write(head[8:])
		h.Write(unsafeBytes(s.text))
	}
	var sum [sha256.Size]byte
	return stream(binary.LittleEndian.Uint64(h.Sum(sum[:0])))
}
