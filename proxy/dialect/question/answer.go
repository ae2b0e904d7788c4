package question

import "strings"

// Text gathers the texts of an answer's parts.
type Text struct {
	parts []string
	other bool
}

// Add adds a part.
func (t *Text) Add(s string) { t.parts = append(t.parts, s) }

// Spoil notes a part that is no text.
func (t *Text) Spoil() { t.other = true }

// Whole is the text, and whether it is all that the answer says: there is some, and
// nothing else. ended says that the model came to its own end.
func (t *Text) Whole(ended bool) (string, bool) {
	all := strings.Join(t.parts, "\n")
	return all, ended && !t.other && strings.TrimSpace(all) != ""
}
