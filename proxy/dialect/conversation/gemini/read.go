package gemini

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// ReadRequest implements conversation.Client.
func (Dialect) ReadRequest(body []byte, t dialect.Target) (*conversation.Request, *dialect.Error) {
	if t.Endpoint != dialect.Chat {
		return nil, jsontree.Untranslatable(t.Operation, "only generateContent and streamGenerateContent are")
	}
	r := reading{q: &conversation.Request{Model: t.Model, Stream: t.Stream}, calls: newCalls()}
	top := r.json.Read(body, jsontree.Brackets)
	r.system(get(top, "systemInstruction"))
	list(get(top, "contents"), r.content)
	r.joinTexts()
	list(top.Get("tools"), r.tool)
	r.toolConfig(get(top, "toolConfig"))
	r.config(get(top, "generationConfig"))
	r.safety(get(top, "safetySettings"))
	r.tier(get(top, "serviceTier"))
	r.leave(top, "labels", "store")
	top.Ignore("model") // as in the path
	top.Rest()
	if r.json.Err != nil {
		return nil, r.json.Err
	}
	return r.q, nil
}

// reading is a request being read.
type reading struct {
	json  jsontree.Reader
	q     *conversation.Request
	calls calls
}

// leave leaves members out that are hints.
func (r *reading) leave(n jsontree.Node, names ...string) {
	for _, name := range names {
		if m := get(n, name); m.Has() {
			r.q.Leave(m.At())
		}
	}
}

// list gives the elements of an array, or the object that stands for an array of
// itself.
func list(n jsontree.Node, do func(i int, e jsontree.Node)) {
	if isObject(n) {
		do(0, n)
		return
	}
	n.Each(do)
}

func (r *reading) system(n jsontree.Node) {
	n.Ignore("role") // Google does not read it
	list(n.Get("parts"), func(_ int, e jsontree.Node) {
		text := e.Get("text")
		if !text.Has() && e.Len() == 0 {
			e.Missing("text")
		}
		r.q.System = append(r.q.System, conversation.Part{Kind: conversation.Text, Text: text.String(), At: e.At()})
		e.Rest()
	})
	n.Rest()
}

func (r *reading) tool(_ int, n jsontree.Node) {
	list(get(n, "functionDeclarations"), func(_ int, f jsontree.Node) {
		t := conversation.Tool{Name: f.Get("name").String(), Description: f.Get("description").String(), At: f.At()}
		if t.Name == "" {
			f.Missing("name")
		}
		t.Schema = r.schemaOf(f, "parameters", "parametersJsonSchema")
		if behavior := f.Get("behavior"); behavior.Has() && behavior.String() != "UNSPECIFIED" && behavior.String() != "BLOCKING" {
			f.Refuse("behavior", "no other dialect has it")
		}
		f.Rest()
		r.q.Tools = append(r.q.Tools, t)
	})
	n.Rest() // tools that run at Google
}

// schemaOf reads the one of two members that has a schema: Google's own, or JSON
// Schema, which stays as it is.
func (r *reading) schemaOf(n jsontree.Node, own, plain string) []byte {
	ours, theirs := get(n, own), get(n, plain)
	switch {
	case ours.Has() && theirs.Has():
		theirs.Invalid("is given beside '%s'. Send one of them.", ours.At())
	case ours.Has():
		return jsonSchema(ours)
	case theirs.Has():
		return theirs.Object()
	}
	return nil
}

func (r *reading) toolConfig(n jsontree.Node) {
	f := get(n, "functionCallingConfig")
	c := &r.q.Choice
	if f.Has() {
		c.At = f.At()
	}
	allowed := get(f, "allowedFunctionNames")
	var names []string
	allowed.Each(func(_ int, e jsontree.Node) { names = append(names, e.String()) })
	switch mode := f.Get("mode"); mode.String() {
	case "", "MODE_UNSPECIFIED":
	case "AUTO":
		c.Kind = conversation.Auto
	case "NONE":
		c.Kind = conversation.None
	case "ANY":
		r.required(allowed, names)
		names = nil
	case "VALIDATED":
		c.Kind = conversation.Auto
		for i := range r.q.Tools {
			r.q.Tools[i].Strict = conversation.Switch{Set: true, On: true, At: mode.At()}
		}
	default:
		mode.Invalid("is none of AUTO, ANY, NONE and VALIDATED.")
	}
	if len(names) > 0 {
		allowed.Refuse("", "it goes with the mode ANY alone")
	}
	if stream := get(f, "streamFunctionCallArguments"); stream.Has() {
		r.q.Leave(stream.At()) // bears on when they come, not on what they are
	}
	f.Rest()
	n.Rest()
}

// required reads the mode ANY: one function, or any of all.
func (r *reading) required(allowed jsontree.Node, names []string) {
	c := &r.q.Choice
	switch {
	case len(names) == 0 || r.allOf(names):
		c.Kind = conversation.Required
	case len(names) == 1:
		c.Kind, c.Name = conversation.Named, names[0]
	default:
		allowed.Refuse("", "other dialects know one function, or all of them")
	}
}

// allOf says whether names has every function of several.
func (r *reading) allOf(names []string) bool {
	named := map[string]bool{}
	for _, n := range names {
		named[n] = true
	}
	for i := range r.q.Tools {
		if !named[r.q.Tools[i].Name] {
			return false
		}
	}
	return len(r.q.Tools) > 1
}

// safety reads filters. One that is switched off is what an upstream has that knows
// no such filters; any other would not be there.
func (r *reading) safety(n jsontree.Node) {
	list(n, func(_ int, e jsontree.Node) {
		switch threshold := e.Get("threshold"); threshold.String() {
		case "", "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_NONE", "OFF":
			r.q.Leave(n.At())
		default:
			threshold.Refuse("", "no other dialect has these filters; BLOCK_NONE and OFF may stay")
		}
	})
}

// tiers are the service tiers by Google's names.
var tiers = map[string]string{"flex": "flex", "priority": "priority", "standard": "default", "unspecified": ""}

func (r *reading) tier(n jsontree.Node) {
	if !n.Has() {
		return
	}
	name, ok := tiers[strings.ToLower(strings.TrimPrefix(n.String(), "SERVICE_TIER_"))]
	if !ok {
		n.Invalid("is none of standard, flex and priority.")
	}
	r.q.Tier = conversation.Word{Text: name, At: n.At()}
}
