package compress

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what a compressor outside is asked about, of one request.
const (
	minAsked      = 1 << 10 // bytes of a text
	maxAskedBytes = 1 << 20 // of all of them
	maxAsked      = 64      // texts
)

// ask gives results of tools to a compressor outside: none whose spelling is to stay,
// and none that has a note in it. It is asked about the first ones there are, so that
// what becomes of them does not depend on what follows.
func (w *work) ask() {
	if w.settings.Ask == nil {
		return
	}
	var list []*text
	var asked []string
	left := maxAskedBytes
	for _, t := range w.texts {
		if !spelled(t) || len(t.out) < minAsked || strings.Contains(string(t.out), opening) {
			continue
		}
		if left -= len(t.out); left < 0 || len(list) == maxAsked {
			break
		}
		list, asked = append(list, t), append(asked, string(t.out))
	}
	if len(list) == 0 {
		return
	}
	for i, to := range w.settings.Ask(asked) {
		if i < len(list) && utf8.ValidString(to) && !strings.Contains(to, opening) && keeps(to, asked[i]) {
			w.set(Outside, list[i], []byte(to))
		}
	}
}

// keeps says whether every placeholder of a redaction in was is in to.
func keeps(to, was string) bool {
	return !slices.ContainsFunc(placeholders(was), func(p string) bool { return !strings.Contains(to, p) })
}

// placeholders are what of a text looks like <EMAIL_1>.
func placeholders(t string) (list []string) {
	for {
		_, rest, found := strings.Cut(t, "<")
		if !found {
			return list
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return !(r >= 'A' && r <= 'Z' || r == '_' || r >= '0' && r <= '9') })
		if n > 0 && rest[n] == '>' && strings.Contains(rest[:n], "_") {
			list = append(list, "<"+rest[:n]+">")
		}
		t = rest
	}
}
