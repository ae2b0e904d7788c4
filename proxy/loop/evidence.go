package loop

import (
	"hash/maphash"
	"strings"

	"github.com/tidwall/gjson"
)

// Bounds of what is read of one request.
const (
	// maxSteps is how many of the latest steps are looked at.
	maxSteps = 128
	// maxText is how many bytes of a step's text are hashed: the beginning.
	maxText = 8 << 10
	// maxTools is how many tools of a step are remembered by name.
	maxTools = 8
)

// Evidence is what a request says of what came before it. It refers to the body it
// was read from.
type Evidence struct {
	steps []*step // the latest, oldest first
	total int     // of the conversation
	whole uint64  // a hash of all that is asked
}

// step is one turn of the model and what came back for it.
type step struct {
	calls  uint64 // of its tool calls with their arguments; 0 for none
	tools  []string
	said   []gjson.Result // contents of its messages, in order
	sketch *sketch        // of what they say; nil until somebody asks
}

// Read takes the evidence of a request's body, in whichever format: messages of
// OpenAI's chat API, of Anthropic's or of Converse, items of Responses, contents of
// Gemini. A body of another form is evidence of nothing but itself.
func Read(body []byte) Evidence {
	var h maphash.Hash
	h.SetSeed(seed)
	var r reading
	gjson.ParseBytes(body).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "messages", "input", "contents":
			_, _ = h.WriteString(v.Raw) // a Hash takes everything
			if v.IsArray() {
				v.ForEach(func(_, m gjson.Result) bool {
					r.message(m)
					return true
				})
			}
		case "prompt", "previous_response_id", "conversation":
			_, _ = h.WriteString(v.Raw)
		}
		return true
	})
	return Evidence{steps: r.steps, total: r.total, whole: h.Sum64()}
}

// reading goes through the messages of a conversation.
type reading struct {
	steps []*step
	total int
	model bool // the message before was the model's
}

// begin begins a step; of those before it the latest stay.
func (r *reading) begin() {
	r.total++
	if len(r.steps) == maxSteps {
		copy(r.steps, r.steps[1:])
		r.steps = r.steps[:maxSteps-1]
	}
	r.steps = append(r.steps, &step{})
}

// message is one of the list, each member of it looked at once.
func (r *reading) message(m gjson.Result) {
	var role, kind, name string
	var arguments, calls, said gjson.Result
	m.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			role = v.Str
		case "type":
			kind = v.Str
		case "name":
			name = v.Str
		case "arguments":
			arguments = v
		case "tool_calls":
			calls = v
		case "content", "parts", "output", "input":
			said = v
		}
		return true
	})
	byModel := false
	switch {
	case role == "assistant", role == "model", kind == "function_call", kind == "custom_tool_call", kind == "reasoning":
		byModel = true
	}
	if byModel && !r.model {
		r.begin()
	}
	if r.model = byModel; len(r.steps) == 0 {
		return // before the first turn of the model
	}
	s := r.steps[len(r.steps)-1]
	switch kind {
	case "function_call":
		s.call(name, arguments)
		return
	case "custom_tool_call":
		s.call(name, said)
		return
	}
	calls.ForEach(func(_, c gjson.Result) bool {
		f := c.Get("function")
		s.call(f.Get("name").Str, f.Get("arguments"))
		return true
	})
	if said.IsArray() && byModel {
		said.ForEach(func(_, p gjson.Result) bool {
			s.callIn(p)
			return true
		})
	}
	s.said = append(s.said, said)
}

// callIn takes the tool call that a part is, if it is one.
func (s *step) callIn(p gjson.Result) {
	if p.Get("type").Str == "tool_use" {
		s.call(p.Get("name").Str, p.Get("input"))
		return
	}
	for _, of := range [...]struct{ name, arguments string }{{"functionCall", "args"}, {"toolUse", "input"}} {
		if c := p.Get(of.name); c.Exists() {
			s.call(c.Get("name").Str, c.Get(of.arguments))
		}
	}
}

// call takes a tool call: what is the same in each repetition. Its id is not.
func (s *step) call(name string, arguments gjson.Result) {
	text := arguments.Raw
	if arguments.Type == gjson.String {
		text = arguments.Str
	}
	s.calls += mix(maphash.String(seed, name+"\x00"+compact(text))) // in whatever order
	if len(s.tools) < maxTools {
		s.tools = append(s.tools, name)
	}
}

// compact takes white space out that stands around the tokens of JSON; what is no
// JSON stays as it is.
func compact(text string) string {
	if !strings.ContainsAny(text, " \t\r\n") || !gjson.Valid(text) {
		return text
	}
	return gjson.Get(text, "@ugly").Raw
}

// text is the sketch of what a step says.
func (s *step) text() *sketch {
	if s.sketch == nil {
		w := words{left: maxText}
		for _, v := range s.said {
			w.value(v)
		}
		s.sketch, s.said = &w.sketch, nil
	}
	return s.sketch
}

// value takes a content: a string, or parts of it.
func (w *words) value(v gjson.Result) {
	if v.Type == gjson.String {
		w.add(v.Str)
		return
	}
	v.ForEach(func(_, p gjson.Result) bool {
		w.part(p)
		return w.left > 0
	})
}

// part takes what one part says: a text, or a result, as each format has them.
func (w *words) part(p gjson.Result) {
	if p.Type == gjson.String {
		w.add(p.Str)
		return
	}
	if p.Get("type").Str == "tool_result" {
		w.value(p.Get("content"))
		return
	}
	for _, name := range [...]string{"text", "functionResponse.response", "toolResult.content"} {
		switch v := p.Get(name); {
		case v.IsArray():
			w.value(v)
		case v.Exists():
			w.add(v.String())
		}
	}
}

// like reports whether two steps do the same.
func (s *step) like(o *step, similarity float64) bool {
	if s.calls != o.calls {
		return false
	}
	a, b := s.text(), o.text()
	return (s.calls != 0 || a.words > 0) && a.alike(b) >= similarity
}
