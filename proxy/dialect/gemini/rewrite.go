package gemini

import (
	"bytes"
	"slices"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendUpstream appends to dst the body to send upstream: the client's, byte
// for byte, but for the values that ch sets. c must have been decoded without
// error and its Raw be unchanged. A change that the body has already leaves its
// bytes alone. The cap has one name here, whatever ch.CapField says, and usage
// comes without being asked for.
func AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	var set [4]edit
	e := set[:0]
	if ch.Model != "" && ch.Model != c.Model {
		for _, at := range c.ModelSites {
			name := ch.Model
			if bytes.HasPrefix(c.Raw[at.Start:at.End], []byte(`"`+modelPrefix)) {
				name = modelPrefix + name
			}
			e = append(e, edit{at, jsonscan.AppendString(nil, name)})
		}
	}
	if ch.MaxOutput > 0 && c.Endpoint == dialect.Chat && (ch.MaxOutput != c.MaxOutput || c.Sites.CapValue.Empty()) {
		e = append(e, outputCap(c, strconv.FormatInt(ch.MaxOutput, 10)))
	}
	slices.SortFunc(e, func(a, b edit) int { return a.Start - b.Start })
	from := 0
	for _, x := range e {
		dst = append(dst, c.Raw[from:x.Start]...)
		dst = append(dst, x.text...)
		from = x.End
	}
	return append(dst, c.Raw[from:]...)
}

// edit puts text in the place of a span. The spans of one body do not overlap.
type edit struct {
	dialect.Span
	text []byte
}

// outputCap sets the cap of n tokens in the place there is for it.
func outputCap(c *dialect.Call, n string) edit {
	member := `"maxOutputTokens":` + n
	s := &c.Sites
	switch {
	case !s.CapValue.Empty():
		return edit{s.CapValue, []byte(n)}
	case s.CapParent.Empty(): // the body has its contents, so a comma is right
		return edit{dialect.Span{Start: s.Close, End: s.Close}, []byte(`,"generationConfig":{` + member + "}")}
	case c.Raw[s.CapParent.Start] == 'n':
		return edit{s.CapParent, []byte("{" + member + "}")}
	}
	at := s.CapParent.Start + 1
	cur := jsonscan.Cursor{Doc: c.Raw, Pos: at}
	if cur.Kind(); c.Raw[cur.Pos] != '}' {
		member += ","
	}
	return edit{dialect.Span{Start: at, End: at}, []byte(member)}
}
