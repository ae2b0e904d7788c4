package jsontree

import (
	"purser/proxy/dialect/jsonscan"
)

// MaxValues bounds the values of one document.
const MaxValues = 1 << 20

// value is one JSON value. raw is as it stands in the document.
type value struct {
	kind     jsonscan.Kind
	raw      []byte
	text     string // of a string, unescaped
	members  []member
	elements []*value
}

type member struct {
	name  string
	value *value
	taken bool
}

// find gives the member of that name, nil where there is none.
func (v *value) find(name string) *member {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i]
		}
	}
	return nil
}

// tooManyValues and keyTwice are reasons beyond those of the syntax.
type parseError struct {
	reason string
	key    string // of the member at fault
}

func (e *parseError) Error() string {
	if e.key != "" {
		return e.reason + ": " + e.key
	}
	return e.reason
}

// parser builds the tree of one document.
type parser struct {
	cur    jsonscan.Cursor
	values int
}

func (p *parser) value() (*value, error) {
	if p.values++; p.values > MaxValues {
		return nil, &parseError{reason: "too many values"}
	}
	v := &value{kind: p.cur.Kind()}
	start := p.cur.Pos
	var err error
	switch v.kind {
	case jsonscan.Object:
		err = p.object(v)
	case jsonscan.Array:
		err = p.cur.EachElement(func(int) error {
			e, err := p.value()
			v.elements = append(v.elements, e)
			return err
		})
	case jsonscan.String:
		var s jsonscan.Str
		if s, err = p.cur.String(); err == nil {
			v.text = p.cur.Text(s)
		}
	default:
		err = p.cur.Skip()
	}
	v.raw = p.cur.Doc[start:p.cur.Pos]
	return v, err
}

// manyMembers is from how many members on a set is kept to find keys that are
// there twice.
const manyMembers = 16

func (p *parser) object(v *value) error {
	var seen map[string]bool
	return p.cur.EachMember(func(key jsonscan.Str) error {
		name := p.cur.Text(key)
		if len(v.members) == manyMembers {
			seen = make(map[string]bool, 2*manyMembers)
			for i := range v.members {
				seen[v.members[i].name] = true
			}
		}
		if seen != nil && seen[name] || seen == nil && v.find(name) != nil {
			return &parseError{reason: "a key is there twice", key: name}
		}
		if seen != nil {
			seen[name] = true
		}
		e, err := p.value()
		v.members = append(v.members, member{name: name, value: e})
		return err
	})
}
