package events

// elements cuts a stream that is one JSON array into its elements.
type elements struct {
	buf    []byte
	pos    int // how far it has been looked through
	start  int // of the element that is open
	depth  int
	quoted bool
	escape bool
}

// each takes the next bytes and calls do with every element that is whole with them:
// what came since the one before, and where in it the element is.
func (e *elements) each(b []byte, do func(raw []byte, at, to int) error) error {
	e.buf = append(e.buf, b...)
	for ; e.pos < len(e.buf); e.pos++ {
		if !e.step(e.buf[e.pos]) {
			continue
		}
		end := e.pos + 1
		if err := do(e.buf[:end], e.start, end); err != nil {
			return err
		}
		e.buf = append(e.buf[:0], e.buf[end:]...)
		e.pos = -1
	}
	return nil
}

// step takes a byte, and says whether an element ends with it.
func (e *elements) step(c byte) bool {
	switch {
	case e.escape:
		e.escape = false
	case e.quoted:
		e.escape, e.quoted = c == '\\', c != '"'
	case c == '"':
		e.quoted = true
	case c == '{':
		if e.depth == 0 {
			e.start = e.pos
		}
		e.depth++
	case c == '}' && e.depth > 0:
		e.depth--
		return e.depth == 0
	}
	return false
}

// rest is what is left, such as the bracket at the end.
func (e *elements) rest() []byte { return e.buf }
