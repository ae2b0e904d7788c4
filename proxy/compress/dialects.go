package compress

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// chat reads OpenAI's chat completions.
func (t *talk) chat(root *node) {
	t.functions(root.get("tools"))
	for _, f := range root.get("functions").each() {
		t.schema(f.get("parameters"))
	}
	t.list = root.get("messages")
	for _, m := range t.list.each() {
		u := turn{node: m, fixed: m.has("cache_control")}
		content := m.get("content")
		switch role := m.get("role").text(t.doc); role {
		case "user":
			u.voice = user
			t.parts(&u, user, content)
		case "assistant":
			u.voice = model
			t.parts(&u, model, content)
			for _, c := range m.get("tool_calls").each() {
				switch f := c.get("function"); {
				case f != nil:
					t.calling(&u, c.get("id").text(t.doc), f.get("name").text(t.doc), f.get("arguments"))
				default:
					t.calling(&u, c.get("id").text(t.doc), c.get("custom").get("name").text(t.doc), c.get("custom").get("input"))
				}
			}
			if f := m.get("function_call"); f.is(jsonscan.Object) {
				t.calling(&u, "function "+f.get("name").text(t.doc), f.get("name").text(t.doc), f.get("arguments"))
			}
		case "tool":
			t.parts(&u, result, content)
			t.resulting(&u, m.get("tool_call_id").text(t.doc), 0)
		case "function":
			t.parts(&u, result, content)
			t.resulting(&u, "function "+m.get("name").text(t.doc), 0)
		default:
			u.voice, u.fixed = system, true
			t.parts(&u, system, content)
		}
		t.turns = append(t.turns, u)
	}
}

// functions are the schemas of OpenAI's tools, in either of its forms.
func (t *talk) functions(tools *node) {
	for _, f := range tools.each() {
		if f.get("type").text(t.doc) != "function" {
			continue
		}
		if inner := f.get("function"); inner != nil {
			f = inner
		}
		t.schema(f.get("parameters"))
	}
}

// responses reads OpenAI's responses.
func (t *talk) responses(root *node) {
	t.functions(root.get("tools"))
	t.prompt(root.get("instructions"))
	t.list = root.get("input")
	if t.list.is(jsonscan.String) {
		u := turn{node: t.list, voice: user, fixed: true}
		t.add(&u, user, t.list)
		t.turns = append(t.turns, u)
		t.list = nil
		return
	}
	for _, m := range t.list.each() {
		u := turn{node: m}
		switch m.get("type").text(t.doc) {
		case "", "message":
			t.spoken(&u, m)
		case "function_call":
			u.voice = model
			t.calling(&u, m.get("call_id").text(t.doc), m.get("name").text(t.doc), m.get("arguments"))
		case "custom_tool_call":
			u.voice = model
			t.calling(&u, m.get("call_id").text(t.doc), m.get("name").text(t.doc), m.get("input"))
		case "function_call_output", "custom_tool_call_output":
			t.parts(&u, result, m.get("output"))
			t.resulting(&u, m.get("call_id").text(t.doc), 0)
		case "reasoning":
			u.voice = model
		default: // what the provider ran, shells, media: with ids of its own
			u.voice, u.fixed = model, true
		}
		t.turns = append(t.turns, u)
	}
}

// spoken is a message of responses.
func (t *talk) spoken(u *turn, m *node) {
	switch m.get("role").text(t.doc) {
	case "user":
		u.voice = user
	case "assistant":
		u.voice = model
	default:
		u.voice, u.fixed = system, true
	}
	t.parts(u, u.voice, m.get("content"))
}

// messages reads Anthropic's messages.
func (t *talk) messages(root *node) {
	for _, f := range root.get("tools").each() {
		t.schema(f.get("input_schema"))
	}
	t.prompt(root.get("system"))
	t.list = root.get("messages")
	for _, m := range t.list.each() {
		u := turn{node: m, voice: user, fixed: m.has("cache_control")}
		switch m.get("role").text(t.doc) {
		case "user":
		case "assistant":
			u.voice = model
		default:
			u.voice, u.fixed = system, true
		}
		content := m.get("content")
		if content.is(jsonscan.String) {
			t.add(&u, u.voice, content)
		}
		for _, b := range content.each() {
			t.block(&u, b)
		}
		t.turns = append(t.turns, u)
	}
}

// block is one of a message of Anthropic's.
func (t *talk) block(u *turn, b *node) {
	switch b.get("type").text(t.doc) {
	case "text":
		voice := u.voice
		if voice == result { // beside results in a message of the user
			voice = user
		}
		if b.get("citations") == nil {
			t.add(u, voice, b.get("text"))
		}
	case "tool_use":
		t.calling(u, b.get("id").text(t.doc), b.get("name").text(t.doc), b.get("input"))
	case "tool_result":
		from := len(u.texts)
		t.parts(u, result, b.get("content"))
		t.resulting(u, b.get("tool_use_id").text(t.doc), from)
	case "thinking", "redacted_thinking":
	default:
		u.fixed = true
	}
}

// gemini reads Gemini's contents.
func (t *talk) gemini(root *node) {
	for _, f := range root.get("tools").each() {
		for _, d := range f.get("functionDeclarations", "function_declarations").each() {
			t.schema(d.get("parameters"))
			t.schema(d.get("parametersJsonSchema", "parameters_json_schema"))
		}
	}
	for _, p := range root.get("systemInstruction", "system_instruction").get("parts").each() {
		t.prompt(p.get("text"))
	}
	t.list = root.get("contents")
	for _, c := range t.list.each() {
		u := turn{node: c, voice: user}
		switch c.get("role").text(t.doc) {
		case "", "user":
		case "model":
			u.voice = model
		case "function":
			u.voice = result
		default:
			u.voice, u.fixed = system, true
		}
		for _, p := range c.get("parts").each() {
			t.part(&u, p)
		}
		t.turns = append(t.turns, u)
	}
}

// part is one of Gemini's.
func (t *talk) part(u *turn, p *node) {
	switch {
	case p.get("text") != nil:
		if u.voice != model {
			t.add(u, user, p.get("text"))
		} else if p.get("thought") == nil {
			t.add(u, model, p.get("text"))
		}
	case p.get("functionCall", "function_call") != nil:
		f := p.get("functionCall", "function_call")
		t.calling(u, t.geminiID(f, t.asked), f.get("name").text(t.doc), f.get("args"))
	case p.get("functionResponse", "function_response") != nil:
		f := p.get("functionResponse", "function_response")
		from := len(u.texts)
		f.get("response").strings(func(s *node) {
			if s.str.Len >= minGeminiText {
				t.add(u, result, s)
			}
		})
		t.resulting(u, t.geminiID(f, t.answered), from)
		for _, x := range u.texts[from:] {
			x.tool = f.get("name").text(t.doc)
		}
		if f.get("parts") != nil {
			u.fixed = true
		}
	default:
		u.fixed = true
	}
}

// minGeminiText is how long a string of a structured result is to be to count as a text.
const minGeminiText = 64 // bytes

// geminiID is the id of a call, or else which of the tool's calls it is: results
// without ids are in the order of the calls.
func (t *talk) geminiID(f *node, seen map[string]int) string {
	if id := f.get("id").text(t.doc); id != "" {
		return "id " + id
	}
	name := f.get("name").text(t.doc)
	seen[name]++
	return strconv.Itoa(seen[name]) + " of " + name
}
