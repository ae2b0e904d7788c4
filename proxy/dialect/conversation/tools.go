package conversation

import (
	"strings"

	"purser/proxy/dialect"
)

// NameResults gives each result of a tool the name of the tool whose call it
// answers, for dialects that know results by name, and refuses one that answers
// no call.
func (r *Request) NameResults() *dialect.Error {
	names := map[string]string{}
	for i := range r.Turns {
		for j := range r.Turns[i].Parts {
			switch p := &r.Turns[i].Parts[j]; p.Kind {
			case ToolUse:
				names[p.Call.ID] = p.Call.Name
			case ToolResult:
				name, ok := names[p.Result.ID]
				if !ok {
					return dialect.NewError(dialect.CodeInvalidValue, p.At, "'%s' is the result of a tool call that no earlier message has.", p.At)
				}
				p.Result.Name = name
			}
		}
	}
	return nil
}

// Grouped is the name of a tool of a group, for dialects whose tools all stand beside
// each other.
func Grouped(group, name string) string { return group + "__" + name }

// Ungrouped is Grouped the other way, for a call of a tool: group is "" for one that
// is in none.
func (s *Setting) Ungrouped(tool string) (group, name string) {
	if group = s.Groups[tool]; group == "" {
		return "", tool
	}
	return group, tool[len(Grouped(group, "")):]
}

// Joined gives the turns with neighbours of the same role joined, for dialects in
// which the roles alternate.
func Joined(turns []Turn) []Turn {
	var out []Turn
	for _, t := range turns {
		n := len(out)
		if n == 0 || out[n-1].Role != t.Role || out[n-1].Name != t.Name {
			t.Parts = t.Parts[:len(t.Parts):len(t.Parts)] // what is joined to it goes elsewhere
			out = append(out, t)
			continue
		}
		out[n-1].Parts = append(out[n-1].Parts, t.Parts...)
	}
	return out
}

// PlainText joins the texts of parts, each after the first on a line of its own,
// for dialects that have one string there. ok is false if there is another part.
func PlainText(parts []Part) (text string, ok bool) {
	texts := make([]string, len(parts))
	for i := range parts {
		if parts[i].Kind != Text {
			return "", false
		}
		texts[i] = parts[i].Text
	}
	return strings.Join(texts, "\n"), true
}
