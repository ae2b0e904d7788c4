package gemini

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/jsontree"
)

// content reads one content. Neighbours of one role are one turn: clients keep a
// streamed answer as a content for each piece of it.
func (r *reading) content(_ int, n jsontree.Node) {
	role := conversation.User
	switch name := n.Get("role"); name.String() {
	case "", "user", "function":
	case "model":
		role = conversation.Assistant
	default:
		name.Invalid("is neither user nor model.")
	}
	turns := &r.q.Turns
	if k := len(*turns); k == 0 || (*turns)[k-1].Role != role {
		*turns = append(*turns, conversation.Turn{Role: role, At: n.At()})
	}
	turn := &(*turns)[len(*turns)-1]
	list(n.Get("parts"), func(_ int, e jsontree.Node) { r.part(turn, e) })
	n.Rest()
}

// part reads one part of a turn.
func (r *reading) part(turn *conversation.Turn, n jsontree.Node) {
	signature := get(n, "thoughtSignature").String()
	thought := n.Get("thought").Bool()
	text := n.Get("text")
	var found []jsontree.Node
	for _, name := range [...]string{"functionCall", "functionResponse", "inlineData", "fileData"} {
		found = append(found, get(n, name))
	}
	r.leave(n, "mediaResolution", "partMetadata")
	n.Rest()
	p := conversation.Part{At: n.At()}
	kinds := 0
	for i, read := range [...]func(*conversation.Part, jsontree.Node){r.functionCall, r.functionResponse, r.inlineData, r.fileData} {
		if found[i].Has() {
			read(&p, found[i])
			kinds++
		}
	}
	if text.Has() || kinds == 0 && signature != "" {
		p.Kind, p.Text = conversation.Text, text.String()
		if thought {
			p.Kind = conversation.Thought
		}
		kinds++
	}
	if kinds != 1 {
		n.Invalid("has to have one kind of content.")
		return
	}
	model := turn.Role == conversation.Assistant
	if (p.Kind == conversation.ToolUse || p.Kind == conversation.Thought) && !model || p.Kind == conversation.ToolResult && model {
		n.Invalid("is not in a content of the role it belongs to.")
		return
	}
	turn.Parts = place(turn.Parts, p, sealOf(signature))
}

// place puts a part with its seal behind others. The seal of another dialect is
// that of the thought before the part, which is made up if it was not shown.
func place(parts []conversation.Part, p conversation.Part, seal string) []conversation.Part {
	bare := p.Text == "" && (p.Kind == conversation.Text || p.Kind == conversation.Thought)
	if seal == "" || !bare && (p.Kind == conversation.Thought || ownSignature(seal) != "") {
		p.Seal = seal
		return append(parts, p)
	}
	if n := len(parts); n > 0 && parts[n-1].Kind == conversation.Thought && parts[n-1].Seal == "" {
		parts[n-1].Seal = seal
	} else {
		parts = append(parts, conversation.Part{Kind: conversation.Thought, Seal: seal, At: p.At})
	}
	if bare {
		return parts
	}
	return append(parts, p)
}

// joinTexts makes one text of the pieces that a streamed answer came in: to Google
// they are the same. A seal ends a text.
func (r *reading) joinTexts() {
	for i := range r.q.Turns {
		t := &r.q.Turns[i]
		if t.Role != conversation.Assistant {
			continue
		}
		var out []conversation.Part
		for from := 0; from < len(t.Parts); {
			to := from + 1
			for to < len(t.Parts) && continues(&t.Parts[to-1], &t.Parts[to]) {
				to++
			}
			p := t.Parts[from]
			if to > from+1 {
				p.Text, p.Seal = textOf(t.Parts[from:to]), t.Parts[to-1].Seal
			}
			out = append(out, p)
			from = to
		}
		t.Parts = out
	}
}

func continues(a, b *conversation.Part) bool {
	return a.Kind == b.Kind && a.Seal == "" && (a.Kind == conversation.Text || a.Kind == conversation.Thought)
}

func textOf(parts []conversation.Part) string {
	var b strings.Builder
	for i := range parts {
		b.WriteString(parts[i].Text)
	}
	return b.String()
}

// calls are the calls of a history, for the results that answer them by name.
type calls struct {
	made     int
	waiting  map[string][]string // ids by name, oldest first
	answered map[string]bool     // by id
}

func newCalls() calls { return calls{waiting: map[string][]string{}, answered: map[string]bool{}} }

// add notes a call and gives its id.
func (c *calls) add(id, name string) string {
	c.made++
	if id == "" {
		id = fmt.Sprintf("function_call_%d", c.made)
	}
	c.waiting[name] = append(c.waiting[name], id)
	delete(c.answered, id)
	return id
}

// answer gives the id of the call that a result answers, "" for none.
func (c *calls) answer(id, name string) string {
	for id == "" && len(c.waiting[name]) > 0 {
		if oldest := c.waiting[name][0]; !c.answered[oldest] {
			id = oldest
		}
		c.waiting[name] = c.waiting[name][1:]
	}
	if id != "" {
		c.answered[id] = true
	}
	return id
}

func (r *reading) functionCall(p *conversation.Part, n jsontree.Node) {
	p.Kind = conversation.ToolUse
	name := n.Get("name").String()
	if name == "" {
		n.Missing("name")
	}
	p.Call = conversation.Call{ID: r.calls.add(n.Get("id").String(), name), Name: name, Arguments: n.Get("args").Object()}
	if p.Call.Arguments == nil {
		p.Call.Arguments = []byte("{}")
	}
	n.Rest()
}

func (r *reading) functionResponse(p *conversation.Part, n jsontree.Node) {
	p.Kind = conversation.ToolResult
	name := n.Get("name").String()
	id := r.calls.answer(n.Get("id").String(), name)
	if id == "" {
		n.Invalid("answers no functionCall that stands before it.")
	}
	p.Result = conversation.Result{ID: id, Name: name}
	text, failed := resultText(n.Get("response"))
	p.Result.Failed = failed
	if text != nil {
		p.Result.Parts = append(p.Result.Parts, conversation.Part{Kind: conversation.Text, Text: *text, At: n.At()})
	}
	list(n.Get("parts"), func(_ int, e jsontree.Node) {
		m := conversation.Part{At: e.At()}
		data, file := get(e, "inlineData"), get(e, "fileData")
		switch {
		case data.Has():
			r.inlineData(&m, data)
		case file.Has():
			r.fileData(&m, file)
		default:
			e.Missing("inlineData")
		}
		e.Rest()
		p.Result.Parts = append(p.Result.Parts, m)
	})
	n.Rest()
}

// resultText is what a function's response says as a text, nil for nothing. By
// Google's definition "output" has the result and "error" what went wrong; without
// them the whole of it is the result. "result" is what its SDKs for Python write.
func resultText(n jsontree.Node) (text *string, failed bool) {
	raw := n.Object()
	if raw == nil || n.Len() == 0 {
		return nil, false
	}
	said := string(raw)
	if n.Len() == 1 {
		for _, name := range [...]string{"output", "result", "error"} {
			m := n.Get(name)
			if !m.Has() {
				continue
			}
			failed = name == "error"
			if said = string(m.Raw()); said[0] == '"' {
				said = m.String()
			}
		}
	}
	return &said, failed
}

// inlineData reads what a blob is by its type.
func (r *reading) inlineData(p *conversation.Part, n jsontree.Node) {
	kind, data := get(n, "mimeType"), n.Get("data")
	p.Media = conversation.Media{Type: strings.ToLower(kind.String()), Name: get(n, "displayName").String()}
	raw, ok := fromBase64(data.String())
	if !ok {
		data.Invalid("is not base64.")
	}
	p.Media.Data = base64.StdEncoding.EncodeToString(raw)
	main, _, _ := strings.Cut(p.Media.Type, "/")
	switch {
	case main == "image":
		p.Kind = conversation.Image
	case main == "audio":
		p.Kind = conversation.Audio
	case p.Media.Type == "text/plain":
		p.Kind = conversation.Document
		if !utf8.Valid(raw) {
			data.Invalid("is not text in UTF-8.")
		}
		p.Media.Plain, p.Media.Data = string(raw), ""
	case main == "application" || main == "text":
		p.Kind = conversation.Document
	default:
		kind.Refuse("", "images, sound and documents are understood")
	}
	r.nameOnlyDocuments(p, n)
	n.Rest()
}

func (r *reading) nameOnlyDocuments(p *conversation.Part, n jsontree.Node) {
	if p.Kind != conversation.Document && p.Media.Name != "" {
		r.q.Leave(n.At() + ".displayName")
		p.Media.Name = ""
	}
}

// fileData reads a link. What is stored at Google is nowhere else.
func (r *reading) fileData(p *conversation.Part, n jsontree.Node) {
	uri, kind := get(n, "fileUri"), get(n, "mimeType")
	p.Media = conversation.Media{Type: strings.ToLower(kind.String()), URL: uri.String(), Name: get(n, "displayName").String()}
	if !public(p.Media.URL) {
		uri.Refuse("", "only a public link is there for other providers too")
	}
	switch {
	case strings.HasPrefix(p.Media.Type, "image/"):
		p.Kind = conversation.Image
	case p.Media.Type == "application/pdf":
		p.Kind = conversation.Document
	default:
		n.Refuse("", "images and application/pdf can be links")
	}
	r.nameOnlyDocuments(p, n)
	n.Rest()
}

// public says whether a link leads anywhere but into Google's own stores.
func public(link string) bool {
	host, ok := strings.CutPrefix(link, "https://")
	if !ok {
		host, ok = strings.CutPrefix(link, "http://")
	}
	host, _, _ = strings.Cut(host, "/")
	return ok && host != "" && !strings.EqualFold(host, "generativelanguage.googleapis.com")
}
