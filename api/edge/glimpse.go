package edge

import (
	"bytes"
	"strings"

	"purser/proxy"
)

// glimpse is what the first bytes of a request say of it: its path, and the
// headers that came whole. It is not checked as a request is that gets an answer;
// it only tells in whose words to refuse.
func glimpse(begin []byte) *proxy.Request {
	line, rest, whole := bytes.Cut(begin, []byte{'\n'})
	r := &proxy.Request{Header: lines(nil)}
	if !whole {
		return r
	}
	if f := strings.Fields(string(line)); len(f) > 1 {
		r.Path = pathOf(f[1])
	}
	r.Header = lines(rest[:bytes.LastIndexByte(rest, '\n')+1])
	return r
}

// lines are header lines as they came, each whole.
type lines []byte

// Peek is proxy.Headers'.
func (l lines) Peek(name string) (found []byte) {
	l.Each(func(n, value []byte) {
		if found == nil && strings.EqualFold(string(n), name) {
			found = value
		}
	})
	return found
}

// Each is proxy.Headers'.
func (l lines) Each(f func(name, value []byte)) {
	for line := range bytes.Lines(l) {
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte{':'})
		if !ok {
			return // the end of the headers
		}
		f(name, bytes.TrimSpace(value))
	}
}
