package converse

import (
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// AppendUpstream appends to dst the body to send upstream: that of the call, byte
// for byte, but for the cap that ch sets. c must have been decoded without error and
// its Raw be unchanged. The model's name is in the path, and usage comes without
// being asked for.
func AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	s := &c.Sites
	if ch.MaxOutput <= 0 || ch.MaxOutput == c.MaxOutput {
		return append(dst, c.Raw...)
	}
	n := strconv.FormatInt(ch.MaxOutput, 10)
	member := `"maxTokens":` + n
	at := dialect.Span{Start: s.Close, End: s.Close}
	switch {
	case !s.CapValue.Empty():
		at, member = s.CapValue, n
	case s.CapParent.Empty(): // the body has its messages, so a comma is right
		member = `,"inferenceConfig":{` + member + "}"
	case c.Raw[s.CapParent.Start] == 'n':
		at, member = s.CapParent, "{"+member+"}"
	default:
		at.Start = s.CapParent.Start + 1
		at.End = at.Start
		cur := jsonscan.Cursor{Doc: c.Raw, Pos: at.Start}
		if cur.Kind(); c.Raw[cur.Pos] != '}' {
			member += ","
		}
	}
	dst = append(append(dst, c.Raw[:at.Start]...), member...)
	return append(dst, c.Raw[at.End:]...)
}
