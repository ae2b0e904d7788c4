package simprovider

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// Anthropic's dialect: https://platform.claude.com/docs/en/api/messages, as its Go
// SDK v1.84 reads it.
var anthropic = dialect{
	api: "anthropic", key: anthropicKey, headers: anthropicHeaders, errorBody: anthropicError, errorEvent: "error", cache: cacheMarked,
}

var anthropicMessages = endpoint{
	name: "messages", decode: decodeMessages, answer: answerMessages, stream: streamMessages, tail: tailMessages,
}

var anthropicCount = endpoint{name: "messages.count_tokens", decode: decodeCount, free: answerCount}

func anthropicKey(x *call) string {
	if key := x.c.req.Header.Peek("X-Api-Key"); len(key) > 0 {
		return unsafeString(key)
	}
	return bearerKey(x)
}

func anthropicHeaders(x *call) {
	w := &x.w
	w.out = append(append(w.out, "Request-Id: req_"...), x.id...)
	w.out = append(w.out, "\r\nAnthropic-Organization-Id: simulated\r\n"...)
	limit := x.p.cfg.RequestsPerMinute
	if limit == 0 {
		limit = shownRequestLimit
	}
	w.headerInt("Anthropic-Ratelimit-Requests-Limit", int64(limit))
	w.headerInt("Anthropic-Ratelimit-Requests-Remaining", int64(max(x.left, 0)))
}

// anthropicError names the kind by the status, as Anthropic does.
func anthropicError(b []byte, e *apiError) []byte {
	kind := "invalid_request_error"
	switch {
	case e.status == 401:
		kind = "authentication_error"
	case e.status == 404:
		kind = "not_found_error"
	case e.status == 413:
		kind = "request_too_large"
	case e.status == 429:
		kind = "rate_limit_error"
	case e.status == 529 || e.status == 503:
		kind = "overloaded_error"
	case e.status >= 500 || e.status <= 200: // 0 in a stream that has begun
		kind = "api_error"
	}
	b = append(b, `{"type":"error","error":{"type":"`...)
	b = append(append(b, kind...), `","message":`...)
	b = appendJSONString(b, e.message)
	return append(b, `},"request_id":null}`...)
}

// required reads the fields that every request must have.
func (x *call) required(root gjson.Result, fields ...string) *apiError {
	for _, name := range fields {
		if !root.Get(name).Exists() {
			return invalid("", name, name+": Field required")
		}
	}
	return x.findModel(root.Get("model"), false)
}

func decodeMessages(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "The request body is not valid JSON")
	}
	if len(x.c.req.Header.Peek("Anthropic-Version")) == 0 {
		return invalid("", "", "anthropic-version: header is required")
	}
	if err := x.required(root, "model", "messages", "max_tokens"); err != nil {
		return err
	}
	if err := x.readCap(root); err != nil {
		return err
	}
	p := blockReader{x: x}
	if err := p.prompt(root); err != nil {
		return err
	}
	g := &x.gen
	if err := x.chooseBlocks(root, &p); err != nil {
		return err
	}
	if g.input > g.model.ContextWindow {
		return invalid("", "", fmt.Sprintf("prompt is too long: %d tokens > %d maximum", g.input, g.model.ContextWindow))
	}
	g.seed = x.hash()
	x.rounds(root, p.lastUser)
	return nil
}

// readCap reads what limits and prices the answer.
func (x *call) readCap(root gjson.Result) *apiError {
	g := &x.gen
	limit := root.Get("max_tokens")
	if limit.Type != gjson.Number || limit.Int() < 1 {
		return invalid("", "", "max_tokens: Input should be a positive integer")
	}
	if g.limit = limit.Int(); g.limit > g.model.MaxOutput {
		return invalid("", "", fmt.Sprintf("max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s", g.limit, g.model.MaxOutput, g.model.ID))
	}
	g.stream = root.Get("stream").Bool()
	g.writes = price.CacheWrite5m
	g.tier = "standard"
	if root.Get("speed").Str == "fast" {
		g.tier = "fast"
	}
	switch thinking := root.Get("thinking"); thinking.Get("type").Str {
	case "adaptive":
		g.thinks = true
	case "enabled":
		g.thinks, g.thinkLimit = true, thinking.Get("budget_tokens").Int()
		if g.thinkLimit < 1024 || g.thinkLimit >= g.limit {
			return invalid("", "", "thinking.budget_tokens: it must be at least 1024 and less than max_tokens")
		}
	}
	g.effort = root.Get("output_config.effort").Str
	return nil
}

// chooseBlocks decides what the answer is made of.
func (x *call) chooseBlocks(root gjson.Result, p *blockReader) *apiError {
	g := &x.gen
	if format := root.Get("output_config.format"); format.Get("type").Str == "json_schema" {
		g.form, g.schema = formObject, format.Get("schema")
	}
	var tools []tool
	for _, t := range root.Get("tools").Array() {
		if kind := t.Get("type").Str; kind == "" || kind == "custom" {
			tools = append(tools, tool{name: t.Get("name").Str, schema: t.Get("input_schema")})
		}
	}
	choice := root.Get("tool_choice")
	kind := choice.Get("type").Str
	switch {
	case kind == "none":
		return nil
	case kind == "tool":
		for _, t := range tools {
			if t.name == choice.Get("name").Str {
				g.form, g.calls = formTools, []tool{t}
				return nil
			}
		}
		return invalid("", "", "tool_choice.name: the tool is not found in 'tools'")
	case p.answered && kind != "any":
		return nil // the results are in: say something
	}
	if g.calls = wanted(tools, p.lastUser, kind == "any", !choice.Get("disable_parallel_tool_use").Bool()); len(g.calls) > 0 {
		g.form = formTools
	}
	return nil
}

// rounds adds what the provider does by itself: searches, each followed by another
// run over a longer prompt, and a compaction, whose tokens are not in the totals.
func (x *call) rounds(root gjson.Result, asked string) {
	const found = 400 // tokens of one search's results
	g := &x.gen
	for _, t := range root.Get("tools").Array() {
		if strings.HasPrefix(t.Get("type").Str, "web_search_") && strings.Contains(asked, "web_search") {
			g.webSearches = min(t.Get("max_uses").Int(), 2)
		}
	}
	once := g.input
	for i := range g.webSearches {
		g.input += once + (i+1)*found
	}
	for _, e := range root.Get("context_management.edits").Array() {
		trigger := int64(150_000)
		if v := e.Get("trigger.value"); v.Exists() {
			trigger = v.Int()
		}
		if strings.HasPrefix(e.Get("type").Str, "compact_") && once >= trigger {
			g.compacted, g.summary = once, once/10+1
		}
	}
}

func decodeCount(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return invalid("", "", "The request body is not valid JSON")
	}
	if err := x.required(root, "model", "messages"); err != nil {
		return err
	}
	p := blockReader{x: x}
	return p.prompt(root)
}

func answerCount(x *call, b []byte) []byte {
	return append(strconv.AppendInt(append(b, `{"input_tokens":`...), x.gen.input, 10), '}')
}
