package ledger

import "strings"

// The text of a Split is its values joined by '|', with '|' and '\' inside a
// value escaped by '\'. It is a stored format: accounts are found by it.
const (
	splitSeparator = '|'
	splitEscape    = '\\'
	splitSpecial   = `|\`
)

// MakeSplit returns the canonical split of the values, in the order of the
// budget's Each. Of one value without '|' or '\' it is that value itself, and
// allocates nothing.
func MakeSplit(values ...string) Split {
	if len(values) == 1 && !strings.ContainsAny(values[0], splitSpecial) {
		return Split(values[0])
	}
	size := len(values)
	for _, v := range values {
		size += len(v)
	}
	b := make([]byte, 0, size)
	for i, v := range values {
		if i > 0 {
			b = append(b, splitSeparator)
		}
		b = appendEscaped(b, v)
	}
	return Split(b)
}

func appendEscaped(b []byte, v string) []byte {
	for i := range len(v) {
		if v[i] == splitSeparator || v[i] == splitEscape {
			b = append(b, splitEscape)
		}
		b = append(b, v[i])
	}
	return b
}

// Values returns the values of the split; none for "".
func (s Split) Values() []string {
	if s == "" {
		return nil
	}
	var values []string
	var value []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == splitSeparator:
			values = append(values, string(value))
			value = value[:0]
		case s[i] == splitEscape && i+1 < len(s):
			i++
			value = append(value, s[i])
		default:
			value = append(value, s[i])
		}
	}
	return append(values, string(value))
}

// validFor reports whether s is canonical and has a value for each of n
// dimensions. It allocates nothing.
func (s Split) validFor(n int) bool {
	if s == "" {
		return n == 0
	}
	count, length := 1, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case splitSeparator:
			if length == 0 {
				return false
			}
			count, length = count+1, 0
			continue
		case splitEscape:
			i++
			if i == len(s) || (s[i] != splitSeparator && s[i] != splitEscape) {
				return false
			}
		}
		if length++; length > MaxDimValue {
			return false
		}
	}
	return length > 0 && count == n
}

// Covers reports whether a request with these dimensions is charged to b, and
// to which of its accounts: every condition holds, and every dimension of Each
// has a value.
func (b *Budget) Covers(d *Dimensions) (Split, bool) {
	for i := range b.Match {
		if !b.Match[i].holds(d) {
			return "", false
		}
	}
	switch len(b.Each) {
	case 0:
		return "", true
	case 1:
		v := d.Get(b.Each[0])
		if v == "" {
			return "", false
		}
		return MakeSplit(v), true
	}
	var values [MaxEach]string
	if len(b.Each) > MaxEach {
		return "", false
	}
	for i, r := range b.Each {
		if values[i] = d.Get(r); values[i] == "" {
			return "", false
		}
	}
	return MakeSplit(values[:len(b.Each)]...), true
}

func (c *Condition) holds(d *Dimensions) bool {
	v := d.Get(c.Dim)
	if v == "" {
		return false
	}
	for _, w := range c.Values {
		if v == w {
			return true
		}
	}
	return false
}
