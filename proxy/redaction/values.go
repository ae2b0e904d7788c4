package redaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"unicode/utf8"
)

// Limits of what one exchange replaces by placeholders.
const (
	MaxValues     = 10_000
	maxValueBytes = 4 << 20
)

// ErrTooMany says that a request has more values than are kept for it.
var ErrTooMany = errors.New("more values to replace than are kept for one request")

// Values are the values of one exchange that placeholders stand for. They are
// nowhere else, and go with it.
type Values struct {
	tag    string               // of every placeholder, "" for none
	names  map[[2]string]string // all maps are nil until there is something: most requests have no value
	values map[string]string    // by placeholder without its brackets
	taken  map[string]bool      // placeholders that the request had in it
	count  map[string]int
	bytes  int
	widest int // bytes of the longest placeholder's inside
}

// NewValues makes an empty one. A tag makes its placeholders differ from those of
// other exchanges, as is needed where a model may see both.
func NewValues(tag string) *Values { return &Values{tag: tag} }

// Len is how many values there are.
func (v *Values) Len() int {
	if v == nil {
		return 0
	}
	return len(v.values)
}

// Reserve notes what looks like a placeholder in a text of the request: none of these
// is given to a value, so that what a client wrote itself stays what it is.
func (v *Values) Reserve(text []byte) {
	for i := 0; i < len(text); i++ {
		if text[i] != '<' && text[i] != '\\' {
			continue
		}
		if name, size, _ := placeholder(text[i:], true); size > 0 && len(v.taken) < maxTaken {
			if v.taken == nil {
				v.taken = map[string]bool{}
			}
			v.taken[string(name)] = true
		}
	}
}

// maxTaken bounds the placeholders noted: further on, numbers would have to be as
// high as that to collide.
const maxTaken = 100_000

// Token gives the placeholder of a value. Equal values have one.
func (v *Values) Token(entity string, value []byte) (string, error) {
	key := [2]string{entity, string(value)}
	if name, ok := v.names[key]; ok {
		return "<" + name + ">", nil
	}
	if len(v.values) == MaxValues || v.bytes+len(value) > maxValueBytes || len(v.taken) == maxTaken {
		return "", ErrTooMany
	}
	if v.names == nil {
		v.names, v.values, v.count = map[[2]string]string{}, map[string]string{}, map[string]int{}
	}
	name := ""
	for name == "" || v.taken[name] {
		v.count[entity]++
		name = entity + "_" + strconv.Itoa(v.count[entity])
		if v.tag != "" {
			name = entity + "_" + v.tag + "_" + strconv.Itoa(v.count[entity])
		}
	}
	v.names[key], v.values[name] = name, key[1]
	v.bytes += len(value)
	v.widest = max(v.widest, len(name))
	return "<" + name + ">", nil
}

// Each calls do with every placeholder of these values in a text, in order, and with
// what stands there instead. In JSON, brackets may be written as escapes, and values
// are given with them.
func (v *Values) Each(text []byte, inJSON bool, do func(start, end int, value string)) {
	if v.Len() == 0 {
		return
	}
	for i := 0; i < len(text); {
		if text[i] != '<' && !(inJSON && text[i] == '\\') {
			i++
			continue
		}
		name, size, _ := placeholder(text[i:], inJSON)
		value, ok := v.values[string(name)]
		switch {
		case size > 0 && ok:
			if inJSON {
				value = string(AppendEscaped(nil, value))
			}
			do(i, i+size, value)
			i += size
		case text[i] == '\\':
			i += 2 // the escape and what it escapes
		default:
			i++
		}
	}
}

// Pending is the first place at or after from where a placeholder may have begun that
// is not whole; the end of text if there is none.
func (v *Values) Pending(text []byte, from int, inJSON bool) int {
	if v.Len() == 0 {
		return len(text)
	}
	for i := from; i < len(text); {
		switch {
		case text[i] == '<', inJSON && text[i] == '\\':
			name, size, cut := placeholder(text[i:], inJSON)
			if cut && len(name) <= v.widest {
				return i
			}
			switch {
			case size > 0:
				i += size
			case text[i] == '\\':
				i += 2
			default:
				i++
			}
		default:
			i++
		}
	}
	return len(text)
}

// maxPlaceholder bounds what is read as the inside of a placeholder.
const maxPlaceholder = 96

// placeholder reads one at the start of b: its inside, and its bytes. A size of zero
// means that there is none; cut, that b ends before that can be told.
func placeholder(b []byte, inJSON bool) (name []byte, size int, cut bool) {
	n, cut := bracket(b, '<', inJSON)
	if n == 0 {
		return nil, 0, cut
	}
	end := n
	for end < len(b) && end-n < maxPlaceholder && (b[end] >= 'A' && b[end] <= 'Z' || digit[b[end]] || b[end] == '_') {
		end++
	}
	name = b[n:end]
	m, cut := bracket(b[end:], '>', inJSON)
	if m == 0 || len(name) == 0 {
		return name, 0, cut
	}
	return name, end + m, false
}

// bracket reads a bracket, which JSON may have as an escape.
func bracket(b []byte, c byte, inJSON bool) (size int, cut bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] == c {
		return 1, false
	}
	if !inJSON || b[0] != '\\' {
		return 0, false
	}
	escape := [...]byte{'\\', 'u', '0', '0', '3', 'c'}
	if c == '>' {
		escape[5] = 'e'
	}
	for i, e := range escape {
		if i == len(b) {
			return 0, true
		}
		if b[i] != e && (i < 5 || b[i] != e-'a'+'A') {
			return 0, false
		}
	}
	return len(escape), false
}

// AppendEscaped appends text as the inside of a JSON string.
func AppendEscaped(dst []byte, text string) []byte {
	const hexDigits = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// Hasher makes keyed hashes for one tenant.
type Hasher struct {
	key    []byte // of the set; the tenant's is derived when there is a value to hash
	tenant string
}

// Hasher gives that of a tenant. What it makes of a value tells nothing without the
// set's key, and differs between tenants.
func (s *Set) Hasher(tenant string) Hasher { return Hasher{s.hashKey, tenant} }

// hashBytes of a hash are shown: 64 bits, so that two values of a tenant's that have
// one are not to be expected.
const hashBytes = 8

func (h Hasher) hash(entity string, value []byte) string {
	own := hmac.New(sha256.New, h.key)
	own.Write([]byte("purser redaction\x00" + h.tenant))
	mac := hmac.New(sha256.New, own.Sum(nil))
	mac.Write([]byte(entity + "\x00"))
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:hashBytes])
}

// Replacement is what stands in the place of a finding's value; changed is false
// where the value stays. v is nil where nothing is to be restored.
func (f *Finding) Replacement(value []byte, h Hasher, v *Values) (text string, changed bool, err error) {
	switch f.Action {
	case Tokenise:
		text, err = v.Token(f.Entity, value)
		return text, err == nil, err
	case Hash:
		return "[" + f.Entity + ":" + h.hash(f.Entity, value) + "]", true, nil
	case Mask:
		return f.mask(value), true, nil
	default:
		return "", false, nil
	}
}

// mask is the entity's name, or stars and the last characters, at most half of them.
func (f *Finding) mask(value []byte) string {
	keep := min(f.KeepLast, utf8.RuneCount(value)/2)
	if keep == 0 {
		return "[" + f.Entity + "]"
	}
	from := len(value)
	for range keep {
		_, size := utf8.DecodeLastRune(value[:from])
		from -= size
	}
	return "[" + f.Entity + ":" + "****" + string(value[from:]) + "]"
}
