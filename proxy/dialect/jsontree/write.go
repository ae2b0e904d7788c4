package jsontree

import (
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// Writer writes JSON by appending. Members and elements separate themselves. The
// zero Writer is ready; Buf may be set to append to something.
type Writer struct {
	Buf []byte
	sep bool // a comma is due before the next value or key
}

func (w *Writer) comma() {
	if w.sep {
		w.Buf = append(w.Buf, ',')
	}
}

// Object writes an object; do writes its members.
func (w *Writer) Object(do func()) { w.nest('{', '}', do) }

// Array writes an array; do writes its elements.
func (w *Writer) Array(do func()) { w.nest('[', ']', do) }

func (w *Writer) nest(from, to byte, do func()) {
	w.comma()
	w.Buf, w.sep = append(w.Buf, from), false
	do()
	w.Buf, w.sep = append(w.Buf, to), true
}

// Key writes the key of the member that the next call writes the value of.
func (w *Writer) Key(name string) *Writer {
	w.comma()
	w.Buf = append(jsonscan.AppendString(w.Buf, name), ':')
	w.sep = false
	return w
}

// String writes a string.
func (w *Writer) String(s string) {
	w.comma()
	w.Buf, w.sep = jsonscan.AppendString(w.Buf, s), true
}

// Int writes a whole number.
func (w *Writer) Int(n int64) {
	w.comma()
	w.Buf, w.sep = strconv.AppendInt(w.Buf, n, 10), true
}

// Bool writes a boolean.
func (w *Writer) Bool(b bool) {
	w.comma()
	w.Buf, w.sep = strconv.AppendBool(w.Buf, b), true
}

// Null writes null.
func (w *Writer) Null() { w.Raw([]byte("null")) }

// Raw writes a value that is JSON already.
func (w *Writer) Raw(v []byte) {
	w.comma()
	w.Buf, w.sep = append(w.Buf, v...), true
}

// Field writes a member that is a string.
func (w *Writer) Field(name, value string) { w.Key(name).String(value) }

// Optional writes a member that is a string, unless it is empty.
func (w *Writer) Optional(name, value string) {
	if value != "" {
		w.Field(name, value)
	}
}

// Number writes a member that is a number as it was read, unless it is empty.
func (w *Writer) Number(name, digits string) {
	if digits != "" {
		w.Key(name).Raw([]byte(digits))
	}
}
