package jsontree

import (
	"errors"
	"strconv"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Style is how a dialect writes the place of a field.
type Style uint8

// The styles.
const (
	Brackets Style = iota // messages[2].role
	Dots                  // messages.2.role
)

// Reader reads one document. Err is the first problem met.
type Reader struct {
	Err   *dialect.Error
	style Style
}

// Read parses a request body and gives its top. A body that cannot be read gives a
// node that is absent, with Err set.
func (r *Reader) Read(body []byte, style Style) Node { return r.parse(body, style, false) }

// ReadAnswer is Read for what a provider wrote, which may cut a surrogate pair.
func (r *Reader) ReadAnswer(body []byte, style Style) Node { return r.parse(body, style, true) }

func (r *Reader) parse(body []byte, style Style, lone bool) Node {
	r.Err, r.style = nil, style
	p := parser{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: lone}}
	v, err := p.value()
	if err == nil {
		err = p.cur.End()
	}
	if err != nil {
		if twice, ok := errors.AsType[*parseError](err); ok && twice.key != "" {
			r.Err = dialect.NewError(dialect.CodeAmbiguous, twice.key, "'%s' is given twice in one object. Send it once.", twice.key)
		} else {
			r.Err = dialect.NewError(dialect.CodeInvalidJSON, "", "The body is not valid JSON: %s.", err)
		}
		return Node{r: r}
	}
	return Node{r: r, v: v}
}

// fail keeps the first problem.
func (r *Reader) fail(code dialect.Code, at, format string, args ...any) {
	if r.Err == nil {
		r.Err = dialect.NewError(code, at, "'%s' "+format, append([]any{at}, args...)...)
	}
}

// Node is one value of a document, or the absence of one. A null reads as absent.
type Node struct {
	r  *Reader
	v  *value
	at string
}

// At names where the node stands, as errors do: "messages[2].role".
func (n Node) At() string { return n.at }

// Kind is what the node is, Invalid for an absent one.
func (n Node) Kind() jsonscan.Kind {
	if n.v == nil || n.r.Err != nil {
		return jsonscan.Invalid
	}
	return n.v.kind
}

// Has says that there is a value, and not null.
func (n Node) Has() bool {
	k := n.Kind()
	return k != jsonscan.Invalid && k != jsonscan.Null
}

func (n Node) child(name string) string {
	if n.at == "" {
		return name
	}
	return n.at + "." + name
}

func (n Node) element(i int) string {
	if n.r.style == Dots {
		return n.at + "." + strconv.Itoa(i)
	}
	return n.at + "[" + strconv.Itoa(i) + "]"
}

// Get gives a member of an object and notes that it was asked for. Any other kind
// of value but null is a problem.
func (n Node) Get(name string) Node {
	c := Node{r: n.r, at: n.child(name)}
	if !n.expect(jsonscan.Object, "an object") {
		return c
	}
	if m := n.v.find(name); m != nil {
		m.taken = true
		c.v = m.value
	}
	return c
}

// Either gives the first of several members that is there, for a field that has
// two spellings. Both at once are a problem.
func (n Node) Either(names ...string) Node {
	found := n.Get(names[0])
	for _, name := range names[1:] {
		other := n.Get(name)
		if !other.Has() {
			continue
		}
		if found.Has() {
			n.r.fail(dialect.CodeAmbiguous, other.at, "is given as '%s' too. Send it once.", found.at)
		}
		found = other
	}
	return found
}

// expect says whether the node is of the kind; another one but null is a problem.
func (n Node) expect(k jsonscan.Kind, what string) bool {
	switch got := n.Kind(); got {
	case k:
		return true
	case jsonscan.Invalid, jsonscan.Null:
		return false
	default:
		n.r.fail(dialect.CodeInvalidType, n.at, "is %s where %s is expected.", kindNames[got], what)
		return false
	}
}

var kindNames = [...]string{
	jsonscan.Invalid: "nothing", jsonscan.Null: "null", jsonscan.Bool: "a boolean", jsonscan.Number: "a number",
	jsonscan.String: "a string", jsonscan.Object: "an object", jsonscan.Array: "an array",
}

// String is the text of a string, "" for an absent one.
func (n Node) String() string {
	if !n.expect(jsonscan.String, "a string") {
		return ""
	}
	return n.v.text
}

// Bool is the value of a boolean, false for an absent one.
func (n Node) Bool() bool {
	return n.expect(jsonscan.Bool, "a boolean") && n.v.raw[0] == 't'
}

// Int is a whole number of at most 18 digits, 0 for an absent one.
func (n Node) Int() int64 {
	if !n.expect(jsonscan.Number, "a number") {
		return 0
	}
	cur := jsonscan.Cursor{Doc: n.v.raw}
	i, ok, err := cur.Int()
	if err != nil || !ok {
		n.r.fail(dialect.CodeInvalidValue, n.at, "has to be a whole number.")
	}
	return i
}

// Number is a number as it is written, "" for an absent one.
func (n Node) Number() string {
	if !n.expect(jsonscan.Number, "a number") {
		return ""
	}
	return string(n.v.raw)
}

// Raw is the value as it stands in the document, nil for an absent one. It belongs
// to the document.
func (n Node) Raw() []byte {
	if !n.Has() {
		return nil
	}
	return n.v.raw
}

// Object is Raw of an object; any other kind is a problem.
func (n Node) Object() []byte {
	if !n.expect(jsonscan.Object, "an object") {
		return nil
	}
	return n.v.raw
}

// Len is how many members or elements the node has.
func (n Node) Len() int {
	if !n.Has() {
		return 0
	}
	return len(n.v.members) + len(n.v.elements)
}

// Each gives the elements of an array in order. It stops at a problem.
func (n Node) Each(do func(i int, e Node)) {
	if !n.expect(jsonscan.Array, "an array") {
		return
	}
	for i, e := range n.v.elements {
		if n.r.Err != nil {
			return
		}
		do(i, Node{r: n.r, v: e, at: n.element(i)})
	}
}

// Members gives the members of an object in order, all noted as asked for.
func (n Node) Members(do func(name string, e Node)) {
	if !n.expect(jsonscan.Object, "an object") {
		return
	}
	for i := range n.v.members {
		if n.r.Err != nil {
			return
		}
		m := &n.v.members[i]
		m.taken = true
		do(m.name, Node{r: n.r, v: m.value, at: n.child(m.name)})
	}
}

// Ignore notes members as understood that have no bearing on the answer.
func (n Node) Ignore(names ...string) {
	for _, name := range names {
		n.Get(name)
	}
}

// Rest refuses the members that nobody asked for, unless they are null: what is
// not understood cannot be translated.
func (n Node) Rest() {
	if left := n.Untaken(); len(left) > 0 {
		n.r.Refuse(left[0], "")
	}
}

// Untaken gives the places of the members that nobody asked for and that are not
// null.
func (n Node) Untaken() (at []string) {
	if n.Kind() != jsonscan.Object {
		return nil
	}
	for i := range n.v.members {
		if m := &n.v.members[i]; !m.taken && m.value.kind != jsonscan.Null {
			at = append(at, n.child(m.name))
		}
	}
	return at
}

// Refuse says that a member, or the node itself where name is "", cannot be
// translated, and why where that is not plain.
func (n Node) Refuse(name, why string) {
	at := n.at
	if name != "" {
		at = n.child(name)
	}
	n.r.Refuse(at, why)
}

// Refuse says that the field at the place named cannot be translated.
func (r *Reader) Refuse(at, why string) {
	if r.Err == nil {
		r.Err = Untranslatable(at, why)
	}
}

// Missing says that a member has to be there.
func (n Node) Missing(name string) {
	n.r.fail(dialect.CodeMissingField, n.child(name), "is required.")
}

// Invalid says that the node's value cannot be.
func (n Node) Invalid(format string, args ...any) {
	n.r.fail(dialect.CodeInvalidValue, n.at, format, args...)
}

// Untranslatable is the refusal of a field that the upstream's dialect has no
// counterpart of.
func Untranslatable(at, why string) *dialect.Error {
	if why != "" {
		why = ": " + strings.TrimSuffix(why, ".")
	}
	return dialect.NewError(dialect.CodeUnsupported, at,
		"'%s' cannot be translated for the upstream that serves this model, which speaks another dialect%s. Leave it out, or ask in the upstream's own dialect.", at, why)
}
