package gemini

import (
	"strings"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/jsontree"
)

// jsonSchema gives the JSON Schema that a schema in Google's own form means. Types
// are in capitals there, null is a flag, counts may be strings, an enum has only
// strings, and the order of an object's properties is a list. A keyword that the
// form does not have is refused, not passed on.
func jsonSchema(n jsontree.Node) []byte {
	var w jsontree.Writer
	writeSchema(&w, n)
	return w.Buf
}

var schemaTypes = map[string]string{
	"STRING": "string", "NUMBER": "number", "INTEGER": "integer", "BOOLEAN": "boolean", "ARRAY": "array", "OBJECT": "object",
	"NULL": "null", "TYPE_UNSPECIFIED": "", "": "",
}

func writeSchema(w *jsontree.Writer, n jsontree.Node) {
	nullable := n.Get("nullable").Bool()
	kind, ok := schemaTypes[strings.ToUpper(n.Get("type").String())]
	if !ok {
		n.Get("type").Invalid("is no type of a schema.")
	}
	w.Object(func() {
		switch {
		case kind == "":
		case nullable:
			w.Key("type").Array(func() { w.String(kind); w.String("null") })
		default:
			w.Field("type", kind)
		}
		w.Optional("title", n.Get("title").String())
		w.Optional("description", n.Get("description").String())
		if format := n.Get("format").String(); format != "enum" { // said by the enum itself
			w.Optional("format", format)
		}
		writeEnum(w, n.Get("enum"), kind, nullable)
		writeLimits(w, n)
		if items := n.Get("items"); items.Has() {
			w.Key("items")
			writeSchema(w, items)
		}
		writeProperties(w, n)
		writeAnyOf(w, get(n, "anyOf"), nullable)
		if value := n.Get("default"); value.Has() {
			w.Key("default").Raw(value.Raw())
		}
		if value := n.Get("example"); value.Has() {
			w.Key("examples").Array(func() { w.Raw(value.Raw()) })
		}
	})
	n.Rest()
}

// writeEnum writes the values an enum allows, in the type they have: Google writes
// numbers as strings too.
func writeEnum(w *jsontree.Writer, n jsontree.Node, kind string, nullable bool) {
	if n.Len() == 0 {
		return
	}
	w.Key("enum").Array(func() {
		n.Each(func(_ int, e jsontree.Node) {
			text := e.String()
			switch {
			case kind != "integer" && kind != "number":
				w.String(text)
			case isNumber(text):
				w.Raw([]byte(text))
			default:
				e.Invalid("is not a number, as the type says.")
			}
		})
		if nullable {
			w.Null()
		}
	})
}

func isNumber(text string) bool {
	cur := jsonscan.Cursor{Doc: []byte(text)}
	_, _, err := cur.Number()
	return err == nil && cur.End() == nil
}

func writeLimits(w *jsontree.Writer, n jsontree.Node) {
	for _, name := range [...]string{"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"} {
		limit := get(n, name)
		if limit.Kind() != jsonscan.String {
			w.Number(name, limit.Number())
			continue
		}
		if text := limit.String(); isNumber(text) {
			w.Number(name, text)
		} else {
			limit.Invalid("has to be a whole number.")
		}
	}
	w.Number("minimum", n.Get("minimum").Number())
	w.Number("maximum", n.Get("maximum").Number())
	w.Optional("pattern", n.Get("pattern").String())
}

// writeProperties writes an object's properties in the order asked for: JSON Schema
// has no list for it, and models write them as they stand.
func writeProperties(w *jsontree.Writer, n jsontree.Node) {
	order := get(n, "propertyOrdering")
	found := map[string]jsontree.Node{}
	var names []string
	order.Each(func(_ int, e jsontree.Node) { names = append(names, e.String()) })
	properties := n.Get("properties")
	properties.Members(func(name string, e jsontree.Node) {
		found[name] = e
		names = append(names, name)
	})
	if properties.Has() {
		w.Key("properties").Object(func() {
			for _, name := range names {
				e, ok := found[name]
				if !ok {
					continue
				}
				delete(found, name)
				w.Key(name)
				writeSchema(w, e)
			}
		})
	}
	if required := n.Get("required"); required.Has() {
		w.Key("required").Array(func() {
			required.Each(func(_ int, e jsontree.Node) { w.String(e.String()) })
		})
	}
}

func writeAnyOf(w *jsontree.Writer, n jsontree.Node, nullable bool) {
	if n.Len() == 0 {
		return
	}
	w.Key("anyOf").Array(func() {
		list(n, func(_ int, e jsontree.Node) { writeSchema(w, e) })
		if nullable {
			w.Object(func() { w.Field("type", "null") })
		}
	})
}
