package compress

import (
	"purser/proxy/dialect/jsonscan"
)

// node is a value of a document: a span of its bytes.
type node struct {
	kind       jsonscan.Kind
	start, end int
	str        jsonscan.Str // of a string
	members    []member     // of an object
	elements   []*node      // of an array
	twice      bool         // an object that has a key twice: nothing in it is touched
}

type member struct {
	name  string
	from  int // of the key's quote
	value *node
}

// parse reads a whole document. Half surrogates are an error: such a text could not
// be written again.
func parse(doc []byte) (*node, error) {
	c := jsonscan.Cursor{Doc: doc}
	n, err := read(&c)
	if err != nil {
		return nil, err
	}
	return n, c.End()
}

func read(c *jsonscan.Cursor) (n *node, err error) {
	n = &node{kind: c.Kind(), start: c.Pos}
	switch n.kind {
	case jsonscan.Object:
		err = c.EachMember(func(key jsonscan.Str) error {
			m := member{name: c.Text(key), from: key.Start - 1}
			var err error
			m.value, err = read(c)
			n.members = append(n.members, m)
			return err
		})
		n.twice = n.repeats()
	case jsonscan.Array:
		err = c.EachElement(func(int) error {
			e, err := read(c)
			n.elements = append(n.elements, e)
			return err
		})
	case jsonscan.String:
		n.str, err = c.String()
	default:
		err = c.Skip()
	}
	n.end = c.Pos
	return n, err
}

// fewMembers is how many are compared in pairs, which is faster than a map.
const fewMembers = 16

// repeats says whether the object has a key twice.
func (n *node) repeats() bool {
	if len(n.members) <= fewMembers {
		for i := range n.members {
			for j := range i {
				if n.members[i].name == n.members[j].name {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[string]bool, len(n.members))
	for i := range n.members {
		if seen[n.members[i].name] {
			return true
		}
		seen[n.members[i].name] = true
	}
	return false
}

// get gives a member of an object, under the first of the names that is there; nil
// for none.
func (n *node) get(names ...string) *node {
	if n == nil || n.twice {
		return nil
	}
	for _, name := range names {
		for i := range n.members {
			if n.members[i].name == name {
				return n.members[i].value
			}
		}
	}
	return nil
}

// each gives the elements of an array, none of anything else.
func (n *node) each() []*node {
	if n == nil {
		return nil
	}
	return n.elements
}

func (n *node) is(k jsonscan.Kind) bool { return n != nil && n.kind == k }

// text is a string's, "" for anything else.
func (n *node) text(doc []byte) string { return string(n.bytes(doc)) }

// bytes are a string's text, in memory of its own where there are escapes in it.
func (n *node) bytes(doc []byte) []byte {
	if !n.is(jsonscan.String) {
		return nil
	}
	raw := doc[n.str.Start:n.str.End]
	if !n.str.Escaped {
		return raw
	}
	return jsonscan.AppendText(make([]byte, 0, n.str.Len), raw)
}

// strings gives every string value below n, in order.
func (n *node) strings(do func(*node)) {
	switch {
	case n == nil || n.twice:
	case n.kind == jsonscan.String:
		do(n)
	default:
		for i := range n.members {
			n.members[i].value.strings(do)
		}
		for _, e := range n.elements {
			e.strings(do)
		}
	}
}

// has says whether an object below n, or n, has a member of that name.
func (n *node) has(name string) bool {
	if n == nil {
		return false
	}
	for i := range n.members {
		if n.members[i].name == name || n.members[i].value.has(name) {
			return true
		}
	}
	for _, e := range n.elements {
		if e.has(name) {
			return true
		}
	}
	return false
}
