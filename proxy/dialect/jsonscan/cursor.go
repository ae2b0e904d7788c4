package jsonscan

import "strconv"

// MaxDepth is the deepest nesting that is read. Real requests stay below 40;
// the limit keeps the recursion of Skip small.
const MaxDepth = 128

// Kind is what a value is.
type Kind uint8

// The kinds. Invalid stands for anything that cannot begin a value.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

var kindNames = [...]string{
	Invalid: "nothing", Null: "null", Bool: "a boolean", Number: "a number",
	String: "a string", Object: "an object", Array: "an array",
}

// String names the kind as a sentence does: "a number".
func (k Kind) String() string { return kindNames[k] }

// SyntaxError says what is wrong with a document, and where.
type SyntaxError struct {
	Offset int
	Reason string
}

// Error gives the reason and the offset; it quotes nothing of the document.
func (e *SyntaxError) Error() string {
	return e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// Str is a string found: Doc[Start:End] is its inside, without the quotes.
type Str struct {
	Start, End int
	Len        int // of the text in bytes, once unescaped
	Escaped    bool
}

// Cursor walks one document. Doc must not change meanwhile.
type Cursor struct {
	Doc []byte
	Pos int // index of the next byte to read

	// Members counts the members and elements that Skip went over.
	Members int

	// LoneSurrogates accepts escapes of half a surrogate pair, which some
	// providers make when they cut a text between the halves.
	LoneSurrogates bool

	depth int
}

func (c *Cursor) fail(reason string) error {
	return &SyntaxError{Offset: c.Pos, Reason: reason}
}

func (c *Cursor) space() {
	for c.Pos < len(c.Doc) {
		switch c.Doc[c.Pos] {
		case ' ', '\n', '\r', '\t':
			c.Pos++
		default:
			return
		}
	}
}

var kinds = [256]Kind{
	'n': Null, 't': Bool, 'f': Bool, '"': String, '{': Object, '[': Array, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// Kind goes to the next value and says what it is, without reading it.
func (c *Cursor) Kind() Kind {
	c.space()
	if c.Pos >= len(c.Doc) {
		return Invalid
	}
	return kinds[c.Doc[c.Pos]]
}

// End checks that only white space is left.
func (c *Cursor) End() error {
	c.space()
	if c.Pos != len(c.Doc) {
		return c.fail("text after the value")
	}
	return nil
}

// Open reads the brace or bracket of the object or array the cursor is at.
func (c *Cursor) Open() error {
	if k := c.Kind(); k != Object && k != Array {
		return c.fail("expected an object or array")
	}
	if c.depth++; c.depth > MaxDepth {
		return c.fail("nested too deep")
	}
	c.Pos++
	return nil
}

// Member goes to the next member of the object last opened and reads its key
// and colon; the value must be read before the next call. first is true for the
// first call after Open. At the object's end it gives false.
func (c *Cursor) Member(first bool) (Str, bool, error) {
	more, err := c.next(first, '}')
	if !more || err != nil {
		return Str{}, false, err
	}
	c.space()
	key, err := c.String()
	if err != nil {
		return Str{}, false, err
	}
	c.space()
	if c.Pos >= len(c.Doc) || c.Doc[c.Pos] != ':' {
		return Str{}, false, c.fail("expected a colon")
	}
	c.Pos++
	return key, true, nil
}

// Element goes to the next element of the array last opened, which must be read
// before the next call. At the array's end it gives false.
func (c *Cursor) Element(first bool) (bool, error) {
	return c.next(first, ']')
}

func (c *Cursor) next(first bool, end byte) (bool, error) {
	c.space()
	if c.Pos >= len(c.Doc) {
		return false, c.fail("unexpected end")
	}
	switch b := c.Doc[c.Pos]; {
	case b == end:
		c.Pos++
		c.depth--
		return false, nil
	case first:
		return true, nil
	case b == ',':
		c.Pos++
		return true, nil
	}
	return false, c.fail("expected a comma or the end")
}

// EachMember reads the object the cursor is at: do reads the value of each member.
func (c *Cursor) EachMember(do func(key Str) error) error {
	if err := c.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		key, more, err := c.Member(first)
		if !more || err != nil {
			return err
		}
		if err := do(key); err != nil {
			return err
		}
	}
}

// EachElement reads the array the cursor is at: do reads each element, of which
// i is the index.
func (c *Cursor) EachElement(do func(i int) error) error {
	if err := c.Open(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := c.Element(i == 0)
		if !more || err != nil {
			return err
		}
		if err := do(i); err != nil {
			return err
		}
	}
}

// Skip reads over one value of any kind, checking it.
func (c *Cursor) Skip() error {
	switch c.Kind() {
	case String:
		_, err := c.String()
		return err
	case Number:
		_, _, err := c.Number()
		return err
	case Object:
		return c.skipObject()
	case Array:
		return c.skipArray()
	case Null:
		return c.literal("null")
	case Bool:
		_, err := c.Bool()
		return err
	}
	return c.fail("expected a value")
}

// Value reads over one value of any kind, as Skip does, and gives its span.
func (c *Cursor) Value() (start, end int, err error) {
	c.space()
	start = c.Pos
	err = c.Skip()
	return start, c.Pos, err
}

func (c *Cursor) skipObject() error {
	if err := c.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		_, more, err := c.Member(first)
		if !more || err != nil {
			return err
		}
		c.Members++
		if err := c.Skip(); err != nil {
			return err
		}
	}
}

func (c *Cursor) skipArray() error {
	if err := c.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := c.Element(first)
		if !more || err != nil {
			return err
		}
		c.Members++
		if err := c.Skip(); err != nil {
			return err
		}
	}
}

func (c *Cursor) literal(s string) error {
	if len(c.Doc)-c.Pos < len(s) || string(c.Doc[c.Pos:c.Pos+len(s)]) != s {
		return c.fail("expected " + s)
	}
	c.Pos += len(s)
	return nil
}

// Bool reads true or false.
func (c *Cursor) Bool() (bool, error) {
	c.space()
	if c.Pos < len(c.Doc) && c.Doc[c.Pos] == 't' {
		return true, c.literal("true")
	}
	return false, c.literal("false")
}

// Null reads null.
func (c *Cursor) Null() error {
	c.space()
	return c.literal("null")
}

// TakeNull reads a null if one is ahead.
func (c *Cursor) TakeNull() bool { return c.Kind() == Null && c.Null() == nil }

// Number reads a number and gives its span.
func (c *Cursor) Number() (start, end int, err error) {
	c.space()
	start = c.Pos
	d, i := c.Doc, c.Pos
	if i < len(d) && d[i] == '-' {
		i++
	}
	switch {
	case i < len(d) && d[i] == '0':
		i++
	case i < len(d) && d[i] >= '1' && d[i] <= '9':
		i = digits(d, i)
	default:
		c.Pos = i
		return 0, 0, c.fail("expected a digit")
	}
	if i < len(d) && d[i] == '.' {
		from := i + 1
		if i = digits(d, from); i == from {
			c.Pos = i
			return 0, 0, c.fail("expected a digit")
		}
	}
	if i < len(d) && (d[i] == 'e' || d[i] == 'E') {
		from := i + 1
		if from < len(d) && (d[from] == '+' || d[from] == '-') {
			from++
		}
		if i = digits(d, from); i == from {
			c.Pos = i
			return 0, 0, c.fail("expected a digit")
		}
	}
	c.Pos = i
	return start, i, nil
}

func digits(d []byte, i int) int {
	for i < len(d) && d[i] >= '0' && d[i] <= '9' {
		i++
	}
	return i
}

// Int reads a number written as a whole one, without fraction or exponent, of
// at most 18 digits. ok is false for any other number, which is read over.
func (c *Cursor) Int() (n int64, ok bool, err error) {
	start, end, err := c.Number()
	if err != nil {
		return 0, false, err
	}
	d := c.Doc[start:end]
	negative := d[0] == '-'
	if negative {
		d = d[1:]
	}
	if len(d) > 18 {
		return 0, false, nil
	}
	for _, b := range d {
		if b < '0' || b > '9' {
			return 0, false, nil
		}
		n = n*10 + int64(b-'0')
	}
	if negative {
		n = -n
	}
	return n, true, nil
}
