package gemini

import (
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/gemini"
	"purser/proxy/dialect/jsontree"
)

// Dialect is Gemini's half of every translation; see package conversation for what
// its methods do.
type Dialect struct{}

var _ conversation.Dialect = Dialect{}

// ReadError implements conversation.Provider.
func (Dialect) ReadError(body []byte) dialect.UpstreamError {
	var r dialect.Report
	if wire.ReadAnswer(&r, dialect.Chat, body); r.Failed != nil {
		return *r.Failed
	}
	return dialect.UpstreamError{}
}

// get gives a member by its name in the API reference, or in its other spelling.
func get(n jsontree.Node, name string) jsontree.Node {
	snake := snakeCase(name)
	if snake == name {
		return n.Get(name)
	}
	return n.Either(name, snake)
}

func snakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// older says that a model is from before the third generation, which thinks by a
// budget where later ones do by a level, and does not insist on signatures. A name
// that does not say it is taken for a later one.
func older(model string) bool {
	model = strings.ToLower(model)
	return strings.Contains(model, "gemini-1") || strings.Contains(model, "gemini-2")
}
