package jsonscan

import "bytes"

// AppendMembers appends those members of the object doc whose names keep accepts,
// byte for byte and joined by commas, without braces. It is false, and appends
// nothing, if doc is not one object.
func AppendMembers(dst, doc []byte, keep func(name []byte) bool) ([]byte, bool) {
	c := Cursor{Doc: doc, LoneSurrogates: true}
	if c.Kind() != Object {
		return dst, false
	}
	out, first := dst, true
	err := c.EachMember(func(key Str) error {
		from, to, err := c.Value()
		if err != nil || !keep(c.Name(key)) {
			return err
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, doc[key.Start-1:key.End+1]...)
		out = append(out, ':')
		out = append(out, doc[from:to]...)
		return nil
	})
	if err != nil || c.End() != nil {
		return dst, false
	}
	return out, true
}

// Count reads the whole number that the object doc has under a name; false if
// there is none, or it is negative.
func Count(doc []byte, name string) (n int64, ok bool) {
	c := Cursor{Doc: doc, LoneSurrogates: true}
	if c.Kind() != Object {
		return 0, false
	}
	err := c.EachMember(func(key Str) error {
		if string(c.Name(key)) != name || c.Kind() != Number {
			return c.Skip()
		}
		v, whole, err := c.Int()
		n, ok = v, whole && v >= 0
		return err
	})
	return n, ok && err == nil && c.End() == nil
}

// Lookalike gives the one of names that some parsers take key for, which is none
// of them: Go's encoding/json compares without case, by Unicode folding.
func Lookalike(key []byte, names ...string) (name string, ok bool) {
	for _, name := range names {
		if len(key) >= len(name) && len(key) <= 3*len(name) && bytes.EqualFold(key, []byte(name)) {
			return name, true
		}
	}
	return "", false
}
