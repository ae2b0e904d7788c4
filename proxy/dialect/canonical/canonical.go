package canonical

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"purser/proxy/dialect/jsonscan"
)

// ErrDuplicateKey says that an object has a key twice: the document has no
// canonical form, since parsers differ on which of the two counts.
var ErrDuplicateKey = errors.New("object with a key given twice")

// Append appends the canonical form of the JSON document doc to dst, without the
// members of the document itself that aside names.
func Append(dst, doc []byte, aside func(name []byte) bool) ([]byte, error) {
	var space [64]member
	k := writer{cur: jsonscan.Cursor{Doc: doc}, out: dst, members: space[:0], top: true, aside: aside}
	if err := k.value(); err != nil {
		return nil, err
	}
	return k.out, nil
}

// member is one "key":value in canonical form, at out[start:end], with the key
// up to out[key].
type member struct{ start, key, end int }

type writer struct {
	cur     jsonscan.Cursor
	out     []byte
	members []member // a stack of the objects being read
	scratch []byte
	top     bool // the next object is the document itself
	aside   func(name []byte) bool
}

func (k *writer) value() error {
	switch k.cur.Kind() {
	case jsonscan.Object:
		return k.object()
	case jsonscan.Array:
		return k.array()
	case jsonscan.String:
		s, err := k.cur.String()
		if err == nil {
			k.string(s)
		}
		return err
	case jsonscan.Number:
		start, end, err := k.cur.Number()
		if err == nil {
			k.out = appendNumber(k.out, k.cur.Doc[start:end])
		}
		return err
	}
	start, end, err := k.cur.Value()
	k.out = append(k.out, k.cur.Doc[start:end]...)
	return err
}

func (k *writer) string(s jsonscan.Str) {
	raw := k.cur.Doc[s.Start:s.End]
	if s.Escaped {
		k.scratch = jsonscan.AppendText(k.scratch[:0], raw)
		k.out = jsonscan.AppendValid(k.out, k.scratch)
		return
	}
	k.out = append(k.out, '"')
	k.out = append(append(k.out, raw...), '"')
}

func (k *writer) array() error {
	if err := k.cur.Open(); err != nil {
		return err
	}
	k.out = append(k.out, '[')
	for first := true; ; first = false {
		more, err := k.cur.Element(first)
		if err != nil {
			return err
		}
		if !more {
			k.out = append(k.out, ']')
			return nil
		}
		if !first {
			k.out = append(k.out, ',')
		}
		if err := k.value(); err != nil {
			return err
		}
	}
}

func (k *writer) object() error {
	if err := k.cur.Open(); err != nil {
		return err
	}
	top := k.top
	k.top = false
	base := len(k.members)
	k.out = append(k.out, '{')
	for first := true; ; first = false {
		key, more, err := k.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if top && k.aside(k.cur.Name(key)) {
			if err := k.cur.Skip(); err != nil {
				return err
			}
			continue
		}
		m := member{start: len(k.out)}
		k.string(key)
		m.key = len(k.out)
		k.out = append(k.out, ':')
		if err := k.value(); err != nil {
			return err
		}
		k.out = append(k.out, ',')
		m.end = len(k.out)
		k.members = append(k.members, m)
	}
	err := k.sort(k.members[base:])
	k.members = k.members[:base]
	if last := len(k.out) - 1; k.out[last] == ',' {
		k.out[last] = '}'
	} else {
		k.out = append(k.out, '}')
	}
	return err
}

// sort puts the members of one object, which end out, into the order of their keys.
func (k *writer) sort(members []member) error {
	name := func(m member) []byte { return k.out[m.start:m.key] }
	order := func(a, b member) int { return bytes.Compare(name(a), name(b)) }
	sorted := slices.IsSortedFunc(members, order)
	if !sorted {
		slices.SortFunc(members, order)
	}
	for i := 1; i < len(members); i++ {
		if bytes.Equal(name(members[i-1]), name(members[i])) {
			return ErrDuplicateKey
		}
	}
	if sorted {
		return nil
	}
	k.scratch = k.scratch[:0]
	for _, m := range members {
		k.scratch = append(k.scratch, k.out[m.start:m.end]...)
	}
	copy(k.out[len(k.out)-len(k.scratch):], k.scratch)
	return nil
}

// appendNumber appends a JSON number by its exact decimal value: a sign, the
// digits without zeros at either end, and the power of ten. 1, 1.0 and 10e-1
// give the same; 1 and 1.0000000000000001 do not. Minus zero is zero.
func appendNumber(dst, raw []byte) []byte {
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	mantissa, exponent := raw, int64(0)
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		var ok bool
		if exponent, ok = smallInt(raw[i+1:]); !ok {
			// Too large to add to. Such a number is nobody's; it stays as it is.
			if negative {
				dst = append(dst, '-')
			}
			return append(dst, raw...)
		}
		mantissa = raw[:i]
	}
	start := len(dst)
	if negative {
		dst = append(dst, '-')
	}
	from := len(dst)
	for i, b := range mantissa {
		if b == '.' {
			exponent -= int64(len(mantissa) - i - 1)
		} else if b != '0' || len(dst) > from {
			dst = append(dst, b)
		}
	}
	if len(dst) == from {
		return append(dst[:start], '0')
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
		exponent++
	}
	if exponent == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, 'e'), exponent, 10)
}

// smallInt reads a signed whole number of at most nine digits.
func smallInt(b []byte) (int64, bool) {
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) > 9 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
