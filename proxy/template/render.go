package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// Form is the dialect of a body.
type Form uint8

// The forms.
const (
	Chat      Form = iota + 1 // OpenAI's chat completions
	Responses                 // OpenAI's responses
	Messages                  // Anthropic's messages
	Contents                  // Gemini's generateContent
)

// Member is the member of a body that names a template.
const Member = "purser_template"

// Native is the member of OpenAI's responses that does the same. Templates which the
// provider keeps have ids that begin with providers, and are left to it.
const (
	Native    = "prompt"
	providers = "pmpt_"
)

// Named is what a body says about a template.
type Named struct {
	ID        string
	Variables Values
}

// errTwice is a body that could be read in two ways.
var errTwice = errors.New("the body names the template twice")

// Find reads which template a body names; ID is "" if it names none. A body that is
// no JSON object names none: whoever decodes it says what is wrong with it.
func Find(f Form, body []byte) (n Named, err error) {
	c := jsonscan.Cursor{Doc: body, LoneSurrogates: true}
	if c.Kind() != jsonscan.Object {
		return n, nil
	}
	var twice error
	broken := c.EachMember(func(key jsonscan.Str) error {
		name := string(c.Name(key))
		from, to, err := c.Value()
		if err != nil || name != Member && (f != Responses || name != Native) {
			return err
		}
		found, ok, err := readNamed(body[from:to], name)
		if ok && n.ID != "" {
			twice = errTwice
		}
		if ok {
			n = found
		}
		return err
	})
	if wrong := (*malformed)(nil); errors.As(broken, &wrong) {
		return Named{}, wrong
	}
	if broken != nil {
		return Named{}, nil
	}
	return n, twice
}

// malformed is a member that does not say what it should.
type malformed struct{ member, why string }

// Error implements error.
func (m *malformed) Error() string { return m.member + ": " + m.why }

func readNamed(raw []byte, member string) (n Named, ok bool, err error) {
	var in struct {
		ID        string `json:"id"`
		Version   string `json:"version"`
		Variables Values `json:"variables"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		if member == Native {
			return n, false, nil // the provider's own, or the decoder's to refuse
		}
		return n, false, &malformed{member, `it takes {"id": "name@version", "variables": {...}}`}
	}
	if member == Native && (in.ID == "" || len(in.ID) >= len(providers) && in.ID[:len(providers)] == providers) {
		return n, false, nil
	}
	if in.ID == "" {
		return n, false, &malformed{member, "id is missing"}
	}
	if in.Version != "" {
		in.ID += "@" + in.Version
	}
	return Named{ID: in.ID, Variables: in.Variables}, true, nil
}

// Rendered is a body with a template in it.
type Rendered struct {
	Body []byte
	// Stable is how many bytes of text of the prompt come before the first value of a
	// variable that is not stable.
	Stable int
}

// layout is how a form says a prompt.
type layout struct {
	list              string // member with the messages
	system            string // member with the system prompt; "" where it is a message
	output            string // member with the cap
	assistant         string // role of the model's messages
	nested            string // member that has the parameters, "" for the body
	temperature, topP string // their names
}

var layouts = [...]layout{
	Chat:      {list: "messages", output: "max_completion_tokens", assistant: "assistant", temperature: "temperature", topP: "top_p"},
	Responses: {list: "input", system: "instructions", output: "max_output_tokens", assistant: "assistant", temperature: "temperature", topP: "top_p"},
	Messages:  {list: "messages", system: "system", output: "max_tokens", assistant: "assistant", temperature: "temperature", topP: "top_p"},
	Contents:  {list: "contents", system: "systemInstruction", output: "maxOutputTokens", assistant: "model", nested: "generationConfig", temperature: "temperature", topP: "topP"},
}

// aliases are other names under which a body may say the same.
var aliases = map[string]string{"max_tokens": "max_completion_tokens", "system_instruction": "systemInstruction", "generation_config": "generationConfig"}

// Render puts the template into a body that names it. What the body has itself comes
// after the template's: its system prompt, and its messages. An error names what is
// wrong, and quotes no value.
func (t *Template) Render(f Form, body []byte, values Values) (Rendered, error) {
	texts, err := t.texts(values)
	if err != nil {
		return Rendered{}, err
	}
	if n := t.size(texts); n > maxText {
		return Rendered{}, fmt.Errorf("its text would have %d bytes, the most is %d", n, maxText)
	}
	w := writer{layout: layouts[f], form: f, t: t, texts: texts, own: map[string][]byte{}}
	if err := w.take(body); err != nil {
		return Rendered{}, err
	}
	out, err := w.write(body)
	return Rendered{Body: out, Stable: t.stable(texts)}, err
}

// size is how many bytes of text the template makes of its variables' texts. A variable
// may stand in many places.
func (t *Template) size(texts map[string]string) (n int) {
	for _, pieces := range append([][]piece{t.system}, t.messages...) {
		for _, p := range pieces {
			n += len(p.text) + len(texts[p.variable])
		}
	}
	return n
}

// stable counts the text before the first value that changes.
func (t *Template) stable(texts map[string]string) (n int) {
	for _, pieces := range append([][]piece{t.system}, t.messages...) {
		for _, p := range pieces {
			if p.variable != "" && !t.spec.Variables[p.variable].Stable {
				return n
			}
			n += len(p.text) + len(texts[p.variable])
		}
	}
	return n
}

// Model is what a request asks for that names no model; "" for none.
func (t *Template) Model() string { return t.spec.Model }

type writer struct {
	layout
	form  Form
	t     *Template
	texts map[string]string
	own   map[string][]byte // what the body has of what the template speaks of
	named bool              // the body names it by [Native]
	out   []byte
}

// take reads the members of the body that the template speaks of.
func (w *writer) take(body []byte) error {
	c := jsonscan.Cursor{Doc: body, LoneSurrogates: true}
	if c.Kind() != jsonscan.Object {
		return errors.New("the body is not a JSON object")
	}
	return c.EachMember(func(key jsonscan.Str) error {
		name := string(c.Name(key))
		from, to, err := c.Value()
		if err != nil {
			return err
		}
		if a, ok := aliases[name]; ok && w.speaks(a) {
			name = a
		}
		if w.form == Responses && name == Native {
			_, ok, err := readNamed(body[from:to], Native)
			w.named = w.named || ok
			return err
		}
		if !w.speaks(name) {
			return nil
		}
		if _, twice := w.own[name]; twice {
			return fmt.Errorf("the body has %q twice", name)
		}
		w.own[name] = body[from:to]
		return nil
	})
}

func (w *writer) speaks(name string) bool {
	return name != "" && slices.Contains([]string{"model", w.list, w.system, w.output, w.nested, w.temperature, w.topP}, name)
}

// write writes the body anew: what the template does not speak of stays byte for byte.
func (w *writer) write(body []byte) ([]byte, error) {
	w.out = append(make([]byte, 0, len(body)+len(w.t.spec.System)+1024), '{')
	n := len(w.out)
	var ok bool
	w.out, ok = jsonscan.AppendMembers(w.out, body, func(name []byte) bool {
		switch string(name) {
		case Member, w.list:
			return false
		case Native:
			return !w.named
		case w.system, "system_instruction":
			return w.system == "" || w.t.spec.System == ""
		}
		return true
	})
	if !ok {
		return nil, errors.New("the body is not a JSON object")
	}
	first := len(w.out) == n
	member := func(name string) {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.out = append(append(append(w.out, '"'), name...), `":`...)
	}
	if w.own["model"] == nil && w.t.spec.Model != "" && w.form != Contents {
		member("model")
		w.out = jsonscan.AppendString(w.out, w.t.spec.Model)
	}
	if err := w.parameters(member); err != nil {
		return nil, err
	}
	if w.system != "" && w.t.spec.System != "" {
		member(w.system)
		if err := w.writeSystem(); err != nil {
			return nil, err
		}
	}
	member(w.list)
	if err := w.messages(); err != nil {
		return nil, err
	}
	return append(w.out, '}'), nil
}

// parameters writes those that the body does not have.
func (w *writer) parameters(member func(string)) error {
	s := &w.t.spec
	var set []struct{ name, value string }
	add := func(name, value string) {
		if value != "" && w.own[name] == nil {
			set = append(set, struct{ name, value string }{name, value})
		}
	}
	if s.MaxOutput > 0 {
		add(w.output, strconv.FormatInt(s.MaxOutput, 10))
	}
	add(w.temperature, s.Temperature.String())
	add(w.topP, s.TopP.String())
	if w.nested == "" {
		for _, p := range set {
			member(p.name)
			w.out = append(w.out, p.value...)
		}
		return nil
	}
	if w.own[w.nested] != nil || len(set) == 0 {
		return nil // the body's own say what there is
	}
	member(w.nested)
	for i, p := range set {
		w.out = append(append(append(append(w.out, "{,"[min(i, 1)], '"'), p.name...), `":`...), p.value...)
	}
	w.out = append(w.out, '}')
	return nil
}

// writeSystem writes the system prompt where it is a member: the template's, then the
// body's.
func (w *writer) writeSystem() error {
	text := fill(w.t.system, w.texts)
	own := w.own[w.system]
	switch {
	case w.form == Responses:
		if own != nil && string(own) != "null" {
			var s string
			if json.Unmarshal(own, &s) != nil {
				return errors.New("instructions is not a string")
			}
			text += "\n\n" + s
		}
		w.out = jsonscan.AppendString(w.out, text)
	case w.form == Messages && own == nil:
		w.out = jsonscan.AppendString(w.out, text)
	case w.form == Messages:
		w.out = append(w.out, `[{"type":"text","text":`...)
		w.out = append(jsonscan.AppendString(w.out, text), '}')
		return w.join(own, "system", func(raw []byte) { w.out = append(append(append(w.out, `{"type":"text","text":`...), raw...), '}') })
	default:
		w.out = append(w.out, `{"parts":[{"text":`...)
		w.out = append(jsonscan.AppendString(w.out, text), '}')
		var in struct {
			Parts json.RawMessage `json:"parts"`
		}
		if own != nil && json.Unmarshal(own, &in) != nil {
			return errors.New("systemInstruction is not an object with parts")
		}
		if err := w.join(in.Parts, "systemInstruction.parts", nil); err != nil {
			return err
		}
		w.out = append(w.out, '}')
	}
	return nil
}

// join appends the elements of a list that the body has to one that is open, and
// closes it. A string, where one may stand for the list, is written by single.
func (w *writer) join(own []byte, name string, single func(raw []byte)) error {
	c := jsonscan.Cursor{Doc: own, LoneSurrogates: true}
	kind := jsonscan.Null
	if len(own) > 0 {
		kind = c.Kind()
	}
	comma := func() {
		if last := w.out[len(w.out)-1]; last != '[' {
			w.out = append(w.out, ',')
		}
	}
	switch {
	case kind == jsonscan.Null:
	case kind == jsonscan.String && single != nil:
		comma()
		single(own)
	case kind == jsonscan.Array:
		err := c.EachElement(func(int) error {
			from, to, err := c.Value()
			if err == nil {
				comma()
				w.out = append(w.out, own[from:to]...)
			}
			return err
		})
		if err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is %s", name, kind)
	}
	w.out = append(w.out, ']')
	return nil
}

// messages writes the template's messages and the body's.
func (w *writer) messages() error {
	w.out = append(w.out, '[')
	if w.system == "" && w.t.spec.System != "" {
		w.message("system", fill(w.t.system, w.texts))
	}
	for i, m := range w.t.spec.Messages {
		role := m.Role
		if role == "assistant" {
			role = w.assistant
		}
		w.message(role, fill(w.t.messages[i], w.texts))
	}
	var single func([]byte)
	if w.form == Responses {
		single = func(raw []byte) { w.out = append(append(append(w.out, `{"role":"user","content":`...), raw...), '}') }
	}
	return w.join(w.own[w.list], w.list, single)
}

func (w *writer) message(role, text string) {
	if w.out[len(w.out)-1] != '[' {
		w.out = append(w.out, ',')
	}
	w.out = append(append(append(w.out, `{"role":"`...), role...), '"', ',')
	if w.form == Contents {
		w.out = append(w.out, `"parts":[{"text":`...)
		w.out = append(jsonscan.AppendString(w.out, text), "}]}"...)
		return
	}
	w.out = append(w.out, `"content":`...)
	w.out = append(jsonscan.AppendString(w.out, text), '}')
}
