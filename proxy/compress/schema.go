package compress

import (
	"slices"
	"strings"
	"unicode"

	"purser/proxy/dialect/jsonscan"
)

// schema notes a schema of a tool.
func (t *talk) schema(n *node) {
	if n.is(jsonscan.Object) && !n.ambiguous() {
		t.schemas = append(t.schemas, n)
	}
}

// shortenSchemas writes schemas without what does not change which instances they
// accept (JSON Schema 2020-12): white space, $comment, the name of a draft where all
// drafts read the schema alike, and keywords with the value that their absence means.
// Near-lossless, titles go that only repeat the name of their property.
func (w *work) shortenSchemas() {
	for _, n := range w.schemas {
		s := shortener{doc: w.doc, titles: w.settings.Level >= NearLossless, opened: n.has("unevaluatedProperties"), drafts: readsAlike(n)}
		short := s.schema(make([]byte, 0, n.end-n.start), n, "", true)
		if gain := n.end - n.start - len(short); gain > 0 {
			e := &w.result.Effects[Schema]
			e.Texts++
			e.Bytes += gain
			w.cuts = append(w.cuts, edit{n.start, n.end, short})
		}
	}
}

// shortener writes one tool's schema.
type shortener struct {
	doc    []byte
	titles bool // of properties are left out where they repeat the name
	opened bool // additionalProperties: true has a meaning
	drafts bool // $schema has none
}

// Where schemas stand in a schema: as the value of a keyword, in a list, or by name.
var (
	schemaKeys  = names("items", "additionalItems", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "propertyNames", "not", "if", "then", "else")
	schemaLists = names("anyOf", "oneOf", "allOf", "prefixItems", "items")
	schemaMaps  = names("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
)

func names(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, n := range list {
		m[n] = true
	}
	return m
}

// schema appends a schema. name is that of its property.
func (s *shortener) schema(dst []byte, n *node, name string, root bool) []byte {
	if n.kind != jsonscan.Object {
		return n.shortest(dst, s.doc)
	}
	dst = append(dst, '{')
	first := true
	for i := range n.members {
		m := &n.members[i]
		if s.idle(m, name, root) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(jsonscan.AppendString(dst, m.name), ':')
		dst = s.value(dst, m)
	}
	return append(dst, '}')
}

// value appends the value of a keyword.
func (s *shortener) value(dst []byte, m *member) []byte {
	v := m.value
	switch {
	case schemaMaps[m.name] && v.kind == jsonscan.Object:
		dst = append(dst, '{')
		for i := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			p := &v.members[i]
			dst = append(jsonscan.AppendString(dst, p.name), ':')
			dst = s.schema(dst, p.value, p.name, false)
		}
		return append(dst, '}')
	case schemaLists[m.name] && v.kind == jsonscan.Array:
		dst = append(dst, '[')
		for i, e := range v.elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = s.schema(dst, e, "", false)
		}
		return append(dst, ']')
	case schemaKeys[m.name]:
		return s.schema(dst, v, "", false)
	}
	return v.shortest(dst, s.doc)
}

// idle says whether a keyword changes nothing.
func (s *shortener) idle(m *member, name string, root bool) bool {
	raw := string(s.doc[m.value.start:m.value.end])
	switch m.name {
	case "$comment":
		return m.value.kind == jsonscan.String
	case "$schema":
		return root && s.drafts && slices.Contains(drafts, strings.TrimSuffix(m.value.text(s.doc), "#"))
	case "readOnly", "writeOnly", "deprecated", "uniqueItems":
		return raw == "false"
	case "minItems", "minLength", "minProperties":
		return raw == "0"
	case "additionalProperties":
		return raw == "true" && !s.opened
	case "title":
		return s.titles && name != "" && m.value.kind == jsonscan.String && letters(m.value.text(s.doc)) == letters(name)
	}
	return false
}

// letters are the letters and digits of a name, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// drafts are the names of those whose other keywords mean the same.
var drafts = []string{
	"https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
	"http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-06/schema",
}

// differing are keywords that drafts read in different ways, or that only some have.
var differing = []string{
	"$ref", "$recursiveRef", "$dynamicRef", "$id", "$vocabulary", "dependencies", "dependentSchemas", "dependentRequired", "additionalItems", "prefixItems",
	"contains", "minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems", "if",
}

// readsAlike says whether every draft reads the schema in the same way.
func readsAlike(n *node) bool {
	return !slices.ContainsFunc(differing, n.has) && !n.lists("items")
}

// lists says whether a member of that name below n is an array.
func (n *node) lists(name string) bool {
	for i := range n.members {
		if m := &n.members[i]; m.name == name && m.value.kind == jsonscan.Array || m.value.lists(name) {
			return true
		}
	}
	return slices.ContainsFunc(n.elements, func(e *node) bool { return e.lists(name) })
}
