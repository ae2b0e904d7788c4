package compress

import (
	"purser/proxy/dialect/jsonscan"
)

// shortJSON gives a text that is one JSON object or array in its shortest spelling: no
// white space between values, no escape in a string that needs none. Numbers, the order
// of members and every string's text stay. A text with an object that has a key twice is
// not touched, since what it means depends on who reads it.
func shortJSON(t []byte) []byte {
	c := jsonscan.Cursor{Doc: t}
	if k := c.Kind(); k != jsonscan.Object && k != jsonscan.Array {
		return t
	}
	n, err := parse(t)
	if err != nil || n.ambiguous() {
		return t
	}
	return n.shortest(make([]byte, 0, len(t)), t)
}

// ambiguous says whether an object in it has a key twice.
func (n *node) ambiguous() bool {
	if n.twice {
		return true
	}
	for i := range n.members {
		if n.members[i].value.ambiguous() {
			return true
		}
	}
	for _, e := range n.elements {
		if e.ambiguous() {
			return true
		}
	}
	return false
}

// shortest appends the value in its shortest spelling.
func (n *node) shortest(dst, doc []byte) []byte {
	switch n.kind {
	case jsonscan.Object:
		dst = append(dst, '{')
		for i := range n.members {
			m := &n.members[i]
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(jsonscan.AppendString(dst, m.name), ':')
			dst = m.value.shortest(dst, doc)
		}
		return append(dst, '}')
	case jsonscan.Array:
		dst = append(dst, '[')
		for i, e := range n.elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.shortest(dst, doc)
		}
		return append(dst, ']')
	case jsonscan.String:
		if n.str.Escaped {
			return jsonscan.AppendValid(dst, n.bytes(doc))
		}
	}
	return append(dst, doc[n.start:n.end]...)
}
