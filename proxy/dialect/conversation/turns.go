package conversation

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsontree"
)

// Arranged gives the turns for dialects in which the roles alternate and results of
// tools come before anything else that is said: without the parts that keeps is
// false for, without turns that have none, without names, and joined. A name may be
// left out where it tells nobody apart.
func (r *Request) Arranged(keeps func(*Part) bool) ([]Turn, *dialect.Error) {
	if e := r.LeaveNames(); e != nil {
		return nil, e
	}
	var turns []Turn
	for i := range r.Turns {
		t := &r.Turns[i]
		var parts []Part
		for j := range t.Parts {
			if keeps(&t.Parts[j]) {
				parts = append(parts, t.Parts[j])
			}
		}
		if len(parts) > 0 {
			turns = append(turns, Turn{Role: t.Role, Parts: parts, At: t.At})
		}
	}
	if len(turns) == 0 {
		return nil, dialect.NewError(dialect.CodeInvalidValue, "", "The conversation has no message with anything in it.")
	}
	turns = Joined(turns)
	for i := range turns {
		turns[i].Parts = resultsFirst(turns[i].Parts)
	}
	return turns, nil
}

// LeaveNames leaves the names of participants out, for dialects that have none. It
// refuses one that tells two of a role apart.
func (r *Request) LeaveNames() *dialect.Error {
	names := map[Role]string{}
	for i := range r.Turns {
		t := &r.Turns[i]
		if t.Name == "" {
			continue
		}
		at := t.At + ".name"
		if other, ok := names[t.Role]; ok && other != t.Name {
			return jsontree.Untranslatable(at, "it tells participants apart, who have no names there")
		}
		names[t.Role] = t.Name
		r.Leave(at)
	}
	return nil
}

func resultsFirst(parts []Part) []Part {
	var results, others []Part
	for _, p := range parts {
		if p.Kind == ToolResult {
			results = append(results, p)
		} else {
			others = append(others, p)
		}
	}
	return append(results, others...)
}

// ShortID is the id of a call in at most so many bytes, 40 or more, for dialects that
// limit it: a longer one, as those are that have a signature in them, is told by its
// hash. The same id becomes the same.
func ShortID(id string, most int) string {
	if len(id) <= most {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}

// PlainID is the id of a call in letters, digits, '-' and '_', for dialects that take
// no others in one. The same id becomes the same, so that a result still answers its
// call.
func PlainID(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, id)
}
