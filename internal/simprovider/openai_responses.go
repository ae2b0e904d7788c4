package simprovider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// OpenAI's Responses, as openai-go v3.96 and openai 7.57 read it.
var (
	openAIResponses = endpoint{
		name: "responses", decode: decodeResponse,
		answer: answerResponse, stream: streamResponse, tail: tailResponse, failure: responseErrorEvent,
	}
	openAICompact     = endpoint{name: "responses.compact", decode: decodeCompact, answer: answerCompact}
	openAIInputTokens = endpoint{name: "responses.input_tokens", decode: decodeResponse, free: answerInputTokens}
)

// responseCall is what a Responses call is beyond a generation.
type responseCall struct {
	number       int64 // of the next event
	index        int   // of the next item of the output
	store        bool
	sealed       bool // reasoning comes with its content, encrypted
	previous     string
	searches     int // of the web, which the provider ran
	fileSearches int
	most         int // calls of such tools that the request allows
}

// responseFields are the parameters that change an answer; others pass unread.
type responseFields struct {
	model, input, instructions, tools, toolChoice, parallel gjson.Result
	maxOutput, maxCalls, stream, text, tier, effort         gjson.Result
	store, previous, background, include                    gjson.Result
}

func (f *responseFields) read(root gjson.Result) {
	places := map[string]*gjson.Result{
		"model": &f.model, "input": &f.input, "instructions": &f.instructions, "tools": &f.tools,
		"tool_choice": &f.toolChoice, "parallel_tool_calls": &f.parallel, "max_output_tokens": &f.maxOutput,
		"max_tool_calls": &f.maxCalls, "stream": &f.stream, "text": &f.text, "service_tier": &f.tier,
		"store": &f.store, "previous_response_id": &f.previous, "background": &f.background, "include": &f.include,
	}
	root.ForEach(func(key, value gjson.Result) bool {
		if p := places[key.Str]; p != nil && value.Type != gjson.Null {
			*p = value
		}
		if key.Str == "reasoning" {
			f.effort = value.Get("effort")
		}
		return true
	})
}

const (
	leastOutput      = 16  // OpenAI's lowest max_output_tokens
	searchedTokens   = 500 // what a search adds to the prompt
	maxServerCalls   = 2   // searches the model wants to make
	sealedTokenBytes = 4   // of encrypted reasoning, for each of its tokens
)

func decodeResponse(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly.)")
	}
	var f responseFields
	f.read(root)
	if err := x.findModel(f.model, false); err != nil {
		return err
	}
	if err := x.readResponseLimits(&f); err != nil {
		return err
	}
	for _, v := range []gjson.Result{f.tools, f.text} {
		if v.Exists() {
			x.addPrompt(v.Raw, x.p.count(v.Raw))
		}
	}
	if f.previous.Exists() {
		kept := x.p.responses.get(x.account.fingerprint, f.previous.Str)
		if kept == nil {
			return invalid("previous_response_not_found", "previous_response_id", "Previous response with id '"+f.previous.Str+"' not found.")
		}
		x.reply.previous = strings.Clone(f.previous.Str)
		x.addPrompt(kept.prompt, kept.tokens)
	}
	p := promptReader{x: x}
	if err := p.readInput(&f); err != nil {
		return err
	}
	if err := x.chooseResponseForm(&f, &p); err != nil {
		return err
	}
	g := &x.gen
	if g.input > g.model.ContextWindow {
		return invalid("context_length_exceeded", "input", "Your input exceeds the context window of this model. Please adjust your input and try again.")
	}
	g.seed, g.writes = x.hash(), price.CacheWrite30m
	// The model reads everything again after each search, and what was found.
	once := g.input
	for i := range x.reply.searches + x.reply.fileSearches {
		g.input += once + int64(i+1)*searchedTokens
	}
	g.webSearches, g.fileSearches = int64(x.reply.searches), int64(x.reply.fileSearches)
	return nil
}

func decodeCompact(x *call) *apiError {
	if err := decodeResponse(x); err != nil {
		return err
	}
	if x.gen.stream {
		return invalid("unknown_parameter", "stream", "Unknown parameter: 'stream'.")
	}
	x.gen.form, x.gen.calls = formText, nil
	return nil
}

// readResponseLimits reads the small parameters, with OpenAI's rules for them.
func (x *call) readResponseLimits(f *responseFields) *apiError {
	g := &x.gen
	x.reply = responseCall{store: !f.store.Exists() || f.store.Bool(), most: maxServerCalls}
	if f.maxOutput.Exists() {
		if f.maxOutput.Type != gjson.Number || f.maxOutput.Num != float64(f.maxOutput.Int()) {
			return wrongType("max_output_tokens", "an integer", f.maxOutput)
		}
		if g.limit = f.maxOutput.Int(); g.limit < leastOutput {
			return invalid("integer_below_min_value", "max_output_tokens", fmt.Sprintf(
				"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= %d, but got %d instead.", leastOutput, g.limit))
		}
		if g.limit > g.model.MaxOutput {
			return invalid("invalid_value", "max_output_tokens", fmt.Sprintf("max_output_tokens is too large: %d. This model supports at most %d.", g.limit, g.model.MaxOutput))
		}
	}
	if f.maxCalls.Exists() {
		if f.maxCalls.Type != gjson.Number || f.maxCalls.Int() < 1 {
			return invalid("integer_below_min_value", "max_tool_calls", "Invalid 'max_tool_calls': integer below minimum value. Expected a value >= 1.")
		}
		x.reply.most = min(x.reply.most, int(f.maxCalls.Int()))
	}
	if f.stream.Exists() && !f.stream.IsBool() {
		return wrongType("stream", "a boolean", f.stream)
	}
	if f.background.Bool() {
		return invalid("unsupported_parameter", "background", "Background mode is not simulated.")
	}
	g.stream, g.effort = f.stream.Bool(), f.effort.Str
	for _, v := range f.include.Array() {
		x.reply.sealed = x.reply.sealed || v.Str == "reasoning.encrypted_content"
	}
	var err *apiError
	g.tier, err = tierOf(f.tier)
	return err
}

// readInput reads and counts instructions and items.
func (p *promptReader) readInput(f *responseFields) *apiError {
	x := p.x
	if f.instructions.Str != "" {
		x.addPrompt(f.instructions.Str, MessageOverhead+x.p.count("developer")+x.p.count(f.instructions.Str))
	}
	x.gen.input += ReplyOverhead
	switch {
	case f.input.Type == gjson.String:
		p.lastRole = "user"
		x.addPrompt("user", MessageOverhead+x.p.count("user"))
		p.text(f.input.Str)
		return nil
	case f.input.IsArray():
	case !f.input.Exists():
		return invalid("missing_required_parameter", "input", "Missing required parameter: 'input'.")
	default:
		return wrongType("input", "one of a string or array of input items", f.input)
	}
	var err *apiError
	i := 0
	f.input.ForEach(func(_, item gjson.Result) bool {
		err = p.readItem(i, item)
		i++
		return err == nil
	})
	return err
}

func (p *promptReader) readItem(i int, item gjson.Result) *apiError {
	x := p.x
	kind := item.Get("type").Str
	if kind == "" && item.Get("role").Exists() {
		kind = "message"
	}
	switch kind {
	case "message":
		return p.readItemMessage(i, item)
	case "function_call_output", "custom_tool_call_output":
		p.lastRole = "tool"
		return p.itemParts(i, item.Get("output"))
	case "reasoning", "compaction":
		sealed := item.Get("encrypted_content").Str
		x.addPrompt(sealed, int64(len(sealed))/sealedTokenBytes)
		return nil
	case "", "item_reference":
		kept := x.p.responses.get(x.account.fingerprint, item.Get("id").Str)
		if kept == nil {
			return &apiError{status: 404, kind: "invalid_request_error", param: "input", message: "Item with id '" + item.Get("id").Str + "' not found."}
		}
		x.addPrompt(kept.item, x.p.count(kept.item))
		return nil
	}
	p.lastRole = "assistant"
	x.addPrompt(item.Raw, x.p.count(item.Raw))
	return nil
}

func (p *promptReader) readItemMessage(i int, item gjson.Result) *apiError {
	role := item.Get("role").Str
	switch role {
	case "user", "assistant", "system", "developer":
	default:
		return invalid("invalid_value", fmt.Sprintf("input[%d].role", i), "Invalid value for 'role'.")
	}
	p.lastRole = role
	if role == "user" {
		p.lastUser = ""
	}
	p.x.addPrompt(role, MessageOverhead+p.x.p.count(role))
	return p.itemParts(i, item.Get("content"))
}

func (p *promptReader) itemParts(i int, content gjson.Result) *apiError {
	if content.Type == gjson.String {
		p.text(content.Str)
		return nil
	}
	if !content.IsArray() {
		return wrongType(fmt.Sprintf("input[%d].content", i), "one of a string or array of objects", content)
	}
	var err *apiError
	content.ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "input_text", "output_text":
			p.text(part.Get("text").Str)
		case "refusal":
			p.text(part.Get("refusal").Str)
		case "input_image":
			err = p.image(i, part.Get("image_url").Str, part.Get("detail").Str)
		default:
			err = invalid("invalid_value", fmt.Sprintf("input[%d].content", i), "Invalid content type.")
		}
		return err == nil
	})
	return err
}

// chooseResponseForm decides what the answer is made of.
func (x *call) chooseResponseForm(f *responseFields, p *promptReader) *apiError {
	g := &x.gen
	if kind := f.text.Get("format.type").Str; kind == "json_object" || kind == "json_schema" {
		g.form = formObject
		g.schema = f.text.Get("format.schema")
	}
	var tools []tool
	for i, t := range f.tools.Array() {
		kind, name := t.Get("type").Str, t.Get("name").Str
		switch kind {
		case "function", "custom":
			if name == "" {
				return invalid("missing_required_parameter", fmt.Sprintf("tools[%d].name", i), "Missing required parameter: 'tools[].name'.")
			}
			tools = append(tools, tool{name: name, custom: kind == "custom", schema: t.Get("parameters")})
		case "web_search":
			if strings.Contains(p.lastUser, "search") {
				x.reply.searches = x.reply.most
			}
		case "file_search":
			if strings.Contains(p.lastUser, "files") {
				x.reply.fileSearches = min(1, x.reply.most-x.reply.searches)
			}
		}
	}
	named := f.toolChoice.Get("name").Str
	switch {
	case f.toolChoice.Str == "none":
		return nil
	case named != "":
		for _, t := range tools {
			if t.name == named {
				g.form, g.calls = formTools, []tool{t}
				return nil
			}
		}
		return invalid("invalid_value", "tool_choice", "Tool choice '"+named+"' not found in 'tools' parameter.")
	case p.lastRole != "user" && f.toolChoice.Str != "required":
		return nil
	}
	parallel := !f.parallel.Exists() || f.parallel.Bool()
	if g.calls = wanted(tools, p.lastUser, f.toolChoice.Str == "required", parallel); len(g.calls) > 0 {
		g.form = formTools
	}
	return nil
}
