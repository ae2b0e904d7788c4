package conversation

import "strings"

// sealed are the dialects that give seals, as their names begin them.
var sealed = [...]string{"anthropic:", "gemini:", "converse:", "responses:"}

// SealIn is the seal that a client's field for opaque reasoning holds: one that was
// put there whole, as that of another dialect is, or what the client's own dialect
// gave, to which its name is added. "" is none.
func SealIn(field, own string) string {
	if field == "" {
		return ""
	}
	for _, name := range sealed {
		if strings.HasPrefix(field, name) {
			return field
		}
	}
	return own + ":" + field
}

// SealFor is what a field for opaque reasoning is to hold: the seal without its name
// where it is the dialect's own, else the whole of it.
func SealFor(seal, own string) string { return strings.TrimPrefix(seal, own+":") }
