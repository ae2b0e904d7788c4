package decide

import (
	"errors"
	"unicode/utf8"
)

// textVersion is of the normal form. Everything else of a [Text] follows from the
// normal form, so it is all that is stored: features may change and need no
// migration. A change of the normal form raises the version, and entries stored
// before are misses.
const textVersion = 1

var errStored = errors.New("decide: not a stored text, or one of another version")

// Append adds the stored form of a text to dst: a version byte and the normal form.
func (t *Text) Append(dst []byte) []byte {
	return append(append(dst, textVersion), t.Normal...)
}

// Decode reads what [Text.Append] wrote, and prepares it: some microseconds.
func Decode(b []byte) (*Text, error) {
	if len(b) < 1 || b[0] != textVersion || len(b) > maxStored || !utf8.Valid(b[1:]) {
		return nil, errStored
	}
	t := Prepare(string(b[1:]))
	if t.Normal != string(b[1:]) {
		return nil, errStored // it was no normal form
	}
	return t, nil
}

// maxStored bounds a stored form. NFKC can make a text several times longer.
const maxStored = 20 * MaxBytes
