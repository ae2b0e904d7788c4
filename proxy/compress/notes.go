package compress

import (
	"bytes"
	"strconv"
	"strings"
)

// maxQuote is how much of a line a note quotes, in bytes.
const maxQuote = 60

// note writes one. What it says has no line end, and no text but quoted lines.
func note(parts ...string) []byte {
	return []byte(opening + strings.Join(parts, "") + "]")
}

// count writes a number of things.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + one + "s"
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// quote is the beginning of a line, whole words or names of it: half a placeholder of a redaction
// would be none. "" where there is no place to cut.
func quote(line []byte) string {
	line = bytes.TrimSpace(line)
	if len(line) <= maxQuote {
		return string(line)
	}
	cut := bytes.LastIndexAny(line[:maxQuote], " ,/")
	if cut <= 0 {
		return ""
	}
	return string(bytes.TrimSpace(line[:cut+1]))
}

// tool names a tool in a note.
func toolName(name string) string {
	const most = 64
	ok := name != "" && len(name) <= most && strings.IndexFunc(name, func(r rune) bool {
		return !(r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}) < 0
	if !ok {
		return "a tool"
	}
	return name
}

// where says in which text something stands.
func (t *text) where() string {
	switch t.voice {
	case system:
		return "the system prompt"
	case user:
		return "a message of the user"
	case model:
		return "an answer"
	case calls:
		return "the arguments of " + toolName(t.tool)
	case result:
		return "the result of " + toolName(t.tool)
	}
	return "the prompt"
}
