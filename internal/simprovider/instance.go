package simprovider

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// maxSchemaDepth ends recursive schemas and maxInstance, in bytes, wide ones:
// what lies beyond becomes null.
const (
	maxSchemaDepth = 8
	maxInstance    = 64 << 10
)

// appendInstance appends a JSON value that satisfies the schema, as far as
// OpenAI's structured outputs go: types, enum, const, anyOf, $ref, minItems,
// minimum and maximum, common string formats. Without a schema it is some object.
func appendInstance(b []byte, schema gjson.Result, s *stream, depth int, root gjson.Result) []byte {
	if depth > maxSchemaDepth || len(b) > maxInstance {
		return append(b, "null"...)
	}
	if ref := schema.Get(`$ref`).Str; ref != "" {
		return appendInstance(b, resolve(root, ref), s, depth+1, root)
	}
	if c := schema.Get("const"); c.Exists() {
		return append(b, c.Raw...)
	}
	if e := schema.Get("enum").Array(); len(e) > 0 {
		return append(b, e[s.next()%uint64(len(e))].Raw...)
	}
	for _, some := range []string{"anyOf", "oneOf", "allOf"} {
		if of := schema.Get(some).Array(); len(of) > 0 {
			return appendInstance(b, of[0], s, depth+1, root)
		}
	}
	kind := schema.Get("type")
	if kind.IsArray() {
		kind = kind.Get("0")
	}
	switch strings.ToLower(kind.Str) { // Gemini's types are in capitals
	case "string":
		return appendText(b, schema.Get("format").Str, s)
	case "integer", "number":
		return appendNumber(b, schema, s)
	case "boolean":
		return strconv.AppendBool(b, s.next()&1 == 0)
	case "null":
		return append(b, "null"...)
	case "array":
		return appendArray(b, schema, s, depth, root)
	case "object":
		return appendObject(b, schema, s, depth, root)
	}
	if schema.Get("properties").Exists() {
		return appendObject(b, schema, s, depth, root)
	}
	b = append(b, `{"answer":`...)
	b = appendText(b, "", s)
	return append(b, '}')
}

func appendObject(b []byte, schema gjson.Result, s *stream, depth int, root gjson.Result) []byte {
	b = append(b, '{')
	first := true
	schema.Get("properties").ForEach(func(name, property gjson.Result) bool {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, name.Raw...), ':')
		b = appendInstance(b, property, s, depth+1, root)
		return true
	})
	return append(b, '}')
}

func appendArray(b []byte, schema gjson.Result, s *stream, depth int, root gjson.Result) []byte {
	const most = 16 // items, whatever minItems says
	b = append(b, '[')
	for i := range min(max(schema.Get("minItems").Int(), 1), most) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendInstance(b, schema.Get("items"), s, depth+1, root)
	}
	return append(b, ']')
}

func appendNumber(b []byte, schema gjson.Result, s *stream) []byte {
	low, high := int64(0), int64(100)
	if m := schema.Get("minimum"); m.Exists() {
		low, high = m.Int(), max(high, m.Int())
	}
	if m := schema.Get("maximum"); m.Exists() {
		high = max(low, m.Int())
	}
	width := uint64(high-low) + 1 // 0 if it is all of them
	return strconv.AppendInt(b, low+int64(s.next()%max(width, 1)), 10)
}

func appendText(b []byte, format string, s *stream) []byte {
	n := s.next()
	switch format {
	case "date-time":
		return append(b, `"2026-11-02T09:30:00Z"`...)
	case "date":
		return append(b, `"2026-11-02"`...)
	case "time":
		return append(b, `"09:30:00Z"`...)
	case "email":
		return append(b, `"purser@example.com"`...)
	case "uri":
		return append(b, `"https://example.com/"`...)
	case "uuid":
		return append(b, `"3fa85f64-5717-4562-b3fc-2c963f66afa6"`...)
	}
	b = append(b, '"')
	b = append(b, strings.TrimSpace(word(n))...)
	b = append(b, word(n>>8)...)
	b = append(b, word(n>>16)...)
	return append(b, '"')
}

// resolve follows a reference within the document: "#", or "#/$defs/name".
func resolve(root gjson.Result, ref string) gjson.Result {
	at := root
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#"), "/") {
		if step != "" {
			at = at.Get(gjson.Escape(step))
		}
	}
	return at
}
