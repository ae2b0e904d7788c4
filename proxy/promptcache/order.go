package promptcache

import (
	"bytes"
	"slices"

	"purser/proxy/dialect/jsonscan"
)

// AppendOrdered appends the body that p was read from with its tools in the order of
// their names, each of them byte for byte as it was, and says whether that is another
// order. Clients that keep tools in maps or sets send them in any. Nothing else is
// moved: the order of messages, of system texts and of members within a tool may mean
// something. A body with marks of the client's, with two tools of a name or with one
// that has none stays as it is.
func (p *Prompt) AppendOrdered(dst, body []byte) ([]byte, bool) {
	if p.Marked || len(p.tools) < 2 {
		return append(dst, body...), false
	}
	type named struct {
		name []byte
		span
	}
	list := make([]named, len(p.tools))
	for i, t := range p.tools {
		list[i] = named{toolName(body, t, 0), t}
	}
	slices.SortStableFunc(list, func(a, b named) int { return bytes.Compare(a.name, b.name) })
	same := true
	for i := range list {
		if len(list[i].name) == 0 || i > 0 && bytes.Equal(list[i].name, list[i-1].name) {
			return append(dst, body...), false
		}
		same = same && list[i].span == p.tools[i]
	}
	if same {
		return append(dst, body...), false
	}
	from := 0
	for i, t := range p.tools {
		dst = append(dst, body[from:t.start]...)
		dst = append(dst, body[list[i].start:list[i].end]...)
		from = t.end
	}
	return append(dst, body[from:]...), true
}

// toolName is the name of a tool in any dialect: its own, or that of the object in it,
// such as OpenAI's function and Bedrock's toolSpec; nil where there is none.
func toolName(body []byte, tool span, depth int) (name []byte) {
	const deepest = 1
	each(body, tool.start, func(key []byte, _, v span) {
		switch {
		case string(key) == "name" && kind(body, v) == jsonscan.String:
			name = body[v.start:v.end]
		case name == nil && depth < deepest && (string(key) == "function" || string(key) == "custom" || string(key) == "toolSpec"):
			name = toolName(body, v, depth+1)
		}
	})
	return name
}
