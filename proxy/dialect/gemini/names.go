package gemini

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// names are the fields of one kind of object that are read, numbered from 1 in
// the order they are given. Zero is any other field.
type names struct {
	camel, snake []string
	folded       map[string]int
}

// maxName is longer than every field's name.
const maxName = 64

func newNames(camel ...string) *names {
	n := &names{camel: camel, folded: make(map[string]int, len(camel))}
	for i, c := range camel {
		n.snake = append(n.snake, snakeCase(c))
		n.folded[strings.ToLower(c)] = i + 1
	}
	return n
}

func snakeCase(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// find gives the number of the field called key. exact is false where key is
// neither of its two spellings: some parser may take it for the field.
func (n *names) find(key []byte) (field int, exact bool) {
	var buf [maxName]byte
	folded := buf[:0]
	for _, b := range key {
		switch {
		case b >= utf8.RuneSelf || len(folded) == maxName:
			return n.findOdd(key)
		case b == '_':
			continue
		case 'A' <= b && b <= 'Z':
			b += 'a' - 'A'
		}
		folded = append(folded, b)
	}
	f := n.folded[string(folded)]
	return f, f == 0 || string(key) == n.camel[f-1] || string(key) == n.snake[f-1]
}

// findOdd finds a key that is long or not ASCII: letters such as the Kelvin sign
// fold to those of a field.
func (n *names) findOdd(key []byte) (int, bool) {
	const most = 3 * maxName // bytes, where each letter has another form
	bare := bytes.ReplaceAll(key[:min(len(key), 2*most)], []byte("_"), nil)
	for i, c := range n.camel {
		if len(bare) <= most && bytes.EqualFold(bare, []byte(c)) {
			return i + 1, false
		}
	}
	return 0, true
}

// seen is a set of the fields met in one object.
type seen uint64

// add is false where the field was there before.
func (s *seen) add(field int) bool {
	bit := seen(1) << field
	if *s&bit != 0 {
		return false
	}
	*s |= bit
	return true
}

func (s seen) has(field int) bool { return s&(1<<field) != 0 }
