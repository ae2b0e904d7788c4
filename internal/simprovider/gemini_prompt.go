package simprovider

import (
	"encoding/base64"
	"fmt"
	"image"
	"strings"

	"github.com/tidwall/gjson"
)

// geminiCall is what a Gemini call says beyond a generation.
type geminiCall struct {
	model    string // of the path, with a mode suffix
	lastRole string
	lastUser string // text of the last user content
	batch    bool
}

// either is a field under its JSON name or under that of its protocol buffer.
func either(v gjson.Result, camel, snake string) gjson.Result {
	if f := v.Get(camel); f.Exists() && f.Type != gjson.Null {
		return f
	}
	return v.Get(snake)
}

// eitherSchema is a schema in Google's own words, or in those of JSON Schema, which
// has a field of its own.
func eitherSchema(v gjson.Result, camel, snake, jsonCamel, jsonSnake string) gjson.Result {
	if s := either(v, camel, snake); s.Exists() {
		return s
	}
	return either(v, jsonCamel, jsonSnake)
}

// list is the elements of an array, or one object as the only element.
func list(v gjson.Result) []gjson.Result {
	if v.IsObject() {
		return []gjson.Result{v}
	}
	return v.Array()
}

// geminiModel chooses the plan and the model by the name in the path.
func (x *call) geminiModel(embedding bool) *apiError {
	id, err := x.choosePlan(x.gemini.model)
	if err != nil {
		return err
	}
	m := x.p.models[id]
	if m == nil || m.API != x.d.api || embedding != (m.Dimensions > 0) {
		return &apiError{status: 404, kind: "NOT_FOUND", message: "models/" + id + " is not found for API version v1beta, or is not supported for this method."}
	}
	x.gen.model = m
	return nil
}

func decodeGemini(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return geminiInvalid("Invalid JSON payload received.")
	}
	if err := x.geminiModel(false); err != nil {
		return err
	}
	g, c := &x.gen, either(root, "generationConfig", "generation_config")
	if n := either(c, "candidateCount", "candidate_count"); n.Exists() {
		if n.Int() < 1 || n.Int() > 8 {
			return geminiInvalid("The candidateCount must be between 1 and 8.")
		}
		g.n = int(n.Int())
	}
	if limit := either(c, "maxOutputTokens", "max_output_tokens"); limit.Exists() {
		if g.limit = limit.Int(); g.limit < 1 || g.limit > g.model.MaxOutput {
			return geminiInvalid(fmt.Sprintf("Unable to submit request because it has a maxOutputTokens value of %d but the supported range is from 1 to %d.", g.limit, g.model.MaxOutput))
		}
	}
	if budget := either(either(c, "thinkingConfig", "thinking_config"), "thinkingBudget", "thinking_budget"); budget.Exists() && budget.Int() == 0 {
		g.effort = "none"
	}
	g.tier = geminiTier(strings.Clone(either(root, "serviceTier", "service_tier").Str))
	if err := x.geminiPrompt(root, c); err != nil {
		return err
	}
	if g.input > g.model.ContextWindow {
		return geminiInvalid(fmt.Sprintf("The input token count exceeds the maximum number of tokens allowed %d.", g.model.ContextWindow))
	}
	g.seed = x.hash()
	return nil
}

// geminiPrompt counts what goes into the prompt, what is the same from turn to
// turn first, and decides what the answer is made of.
func (x *call) geminiPrompt(root, config gjson.Result) *apiError {
	g := &x.gen
	tools := list(root.Get("tools"))
	for _, t := range tools {
		x.addPrompt(t.Raw, x.p.count(t.Raw))
	}
	schema := eitherSchema(config, "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema")
	if schema.Exists() {
		x.addPrompt(schema.Raw, x.p.count(schema.Raw))
	}
	if either(config, "responseMimeType", "response_mime_type").Str == "application/json" {
		g.form, g.schema = formObject, schema
	}
	if s := either(root, "systemInstruction", "system_instruction"); s.Exists() {
		if err := x.geminiContent(s); err != nil {
			return err
		}
	}
	contents := list(root.Get("contents"))
	if len(contents) == 0 {
		return geminiInvalid("* GenerateContentRequest.contents: contents is not specified")
	}
	for _, c := range contents {
		if err := x.geminiContent(c); err != nil {
			return err
		}
	}
	var functions []tool
	for _, t := range tools {
		for _, f := range list(either(t, "functionDeclarations", "function_declarations")) {
			functions = append(functions, tool{name: f.Get("name").Str, schema: eitherSchema(f, "parameters", "parameters", "parametersJsonSchema", "parameters_json_schema")})
		}
	}
	mode := either(either(root, "toolConfig", "tool_config"), "functionCallingConfig", "function_calling_config").Get("mode").Str
	if mode == "NONE" || x.gemini.lastRole != "user" && mode != "ANY" {
		return nil // the results are in, or no tool is wanted: say something
	}
	if g.calls = wanted(functions, x.gemini.lastUser, mode == "ANY", true); len(g.calls) > 0 {
		g.form = formTools
	}
	return nil
}

func (x *call) geminiContent(c gjson.Result) *apiError {
	r := &x.gemini
	r.lastRole = strings.Clone(c.Get("role").Str)
	if r.lastRole == "" {
		r.lastRole = "user"
	}
	if r.lastRole == "user" {
		r.lastUser = ""
	}
	x.addPrompt(r.lastRole, MessageOverhead+x.p.count(r.lastRole))
	parts := list(c.Get("parts"))
	if len(parts) == 0 {
		return geminiInvalid("* contents.parts must not be empty.")
	}
	for _, p := range parts {
		if err := x.geminiPart(p); err != nil {
			return err
		}
	}
	return nil
}

func (x *call) geminiPart(p gjson.Result) *apiError {
	if text := p.Get("text"); text.Exists() {
		x.addPrompt(text.Str, x.p.count(text.Str))
		if x.gemini.lastRole == "user" {
			x.gemini.lastUser = text.Str
		}
		return nil
	}
	blob := either(p, "inlineData", "inline_data")
	if !blob.Exists() {
		if either(p, "functionResponse", "function_response").Exists() {
			x.gemini.lastRole = "function"
		}
		x.addPrompt(p.Raw, x.p.count(p.Raw))
		return nil
	}
	if kind := either(blob, "mimeType", "mime_type").Str; !strings.HasPrefix(kind, "image/") {
		return geminiInvalid("Unsupported MIME type: " + kind)
	}
	data := blob.Get("data").Str
	c, _, err := image.DecodeConfig(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil || c.Width < 1 || c.Height < 1 {
		return geminiInvalid("Unable to process input image.")
	}
	x.addPrompt(data, geminiImageTokens(c.Width, c.Height))
	x.gen.images += geminiImageTokens(c.Width, c.Height)
	return nil
}

// geminiImageTokens counts a picture as Gemini 2 documents it: small ones are 258
// tokens, others 258 for each tile of 768 pixels.
func geminiImageTokens(width, height int) int64 {
	const tile, side, small = 258, 768, 384
	if width <= small && height <= small {
		return tile
	}
	return tile * int64((width+side-1)/side) * int64((height+side-1)/side)
}

var geminiCount = endpoint{name: "countTokens", decode: decodeGeminiCount, free: answerGeminiCount}

func decodeGeminiCount(x *call) *apiError {
	root, ok := x.root()
	if !ok {
		return geminiInvalid("Invalid JSON payload received.")
	}
	if err := x.geminiModel(false); err != nil {
		return err
	}
	if r := either(root, "generateContentRequest", "generate_content_request"); r.Exists() {
		root = r
	}
	return x.geminiPrompt(root, gjson.Result{})
}

func answerGeminiCount(x *call, b []byte) []byte {
	return fmt.Appendf(b, `{"totalTokens":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]}`, x.gen.input, x.gen.input)
}
