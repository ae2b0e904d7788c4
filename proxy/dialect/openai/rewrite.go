package openai

import (
	"bytes"
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// The names of the cap on an answer's tokens. The first includes reasoning; the
// second is its deprecated form, the only one many other providers know.
const (
	CapCompletion = "max_completion_tokens"
	CapTokens     = "max_tokens"
)

// capOutput is the name of the cap on a response's tokens, reasoning included.
const capOutput = "max_output_tokens"

// AppendUpstream appends to dst the body to send upstream: the client's, byte
// for byte, but for the values that ch sets. c must have been decoded without
// error and its Raw be unchanged. A change that the body has already leaves its
// bytes alone; one that it has no field for is added before the last brace.
func AppendUpstream(dst []byte, c *dialect.Call, ch dialect.Change) []byte {
	var set [6]edit
	e := edits{list: set[:0]}
	s := &c.Sites
	tail := e.model(c, ch.Model)
	switch c.Endpoint {
	case dialect.Chat, dialect.Completions:
		if c.Endpoint == dialect.Completions {
			ch.CapField = CapTokens
		}
		if ch.MaxOutput > 0 {
			tail += e.outputCap(c, ch)
		}
		switch {
		case ch.NoStreamOptions && !s.StreamOptions.Empty():
			e.replace(memberAround(c.Raw, s.StreamOptions), nil)
		case ch.IncludeUsage && c.Stream && !c.IncludeUsage && !ch.NoStreamOptions:
			tail += e.includeUsage(c)
		}
	case dialect.Responses:
		ch.CapField = capOutput
		if ch.MaxOutput > 0 {
			tail += e.outputCap(c, ch)
		}
		if ch.MaxCalls > 0 && ch.MaxCalls != c.MaxCalls {
			tail += e.callLimit(c, ch.MaxCalls)
		}
	}
	if ch.CacheKey != "" && (c.Endpoint == dialect.Chat || c.Endpoint == dialect.Responses) {
		tail += `,"prompt_cache_key":"` + ch.CacheKey + `"`
	}
	if tail != "" {
		e.replace(dialect.Span{Start: s.Close, End: s.Close}, []byte(tail))
	}
	return e.append(dst, c.Raw)
}

// model sets the model where the body has it, or gives the member to add to a body
// whose path named it.
func (e *edits) model(c *dialect.Call, name string) string {
	if name == "" {
		return ""
	}
	quoted := jsonscan.AppendString(nil, name)
	at := c.Sites.Model
	switch {
	case at.Empty() && c.Endpoint == dialect.Moderations: // which has a usual one
		return ""
	case at.Empty():
		return `,"model":` + string(quoted)
	case string(quoted) != string(c.Raw[at.Start:at.End]):
		e.replace(at, quoted)
	}
	return ""
}

// memberAround is the whole member whose value is at value, with the comma that
// would be left over without it. Every body has another member.
func memberAround(raw []byte, value dialect.Span) dialect.Span {
	cur := jsonscan.Cursor{Doc: raw}
	if cur.Open() != nil {
		return value
	}
	for before, first := cur.Pos, true; ; first = false {
		key, more, err := cur.Member(first)
		if !more || err != nil {
			return value // not of this body
		}
		from := key.Start - 1
		start, _, err := cur.Value()
		if err != nil {
			return value
		}
		here := start == value.Start
		switch {
		case here && !first:
			return dialect.Span{Start: before, End: cur.Pos}
		case here:
			comma := bytes.IndexByte(raw[cur.Pos:], ',') // only white space stands before it
			return dialect.Span{Start: from, End: cur.Pos + comma + 1}
		}
		before = cur.Pos
	}
}

// outputCap sets the cap where the client has it, or gives the member to add.
func (e *edits) outputCap(c *dialect.Call, ch dialect.Change) string {
	name := ch.CapField
	n := strconv.FormatInt(ch.MaxOutput, 10)
	if c.Sites.CapValue.Empty() {
		if name == "" {
			name = CapCompletion
		}
		return `,"` + name + `":` + n
	}
	key := c.Raw[c.Sites.CapKey.Start:c.Sites.CapKey.End]
	if quoted := `"` + name + `"`; name != "" && string(key) != quoted {
		if !c.Sites.CapNull.Empty() { // it has this name already
			e.replace(c.Sites.CapNull, []byte(n))
			if c.MaxOutput != 0 {
				e.replace(c.Sites.CapValue, []byte("null"))
			}
			return ""
		}
		e.replace(c.Sites.CapKey, []byte(quoted))
	}
	if ch.MaxOutput != c.MaxOutput {
		e.replace(c.Sites.CapValue, []byte(n))
	}
	return ""
}

// includeUsage sets stream_options.include_usage where there is a place for it,
// or gives the member to add.
func (e *edits) includeUsage(c *dialect.Call) string {
	s := &c.Sites
	switch {
	case !s.IncludeUsage.Empty():
		e.replace(s.IncludeUsage, []byte("true"))
	case s.StreamOptions.Empty():
		return `,"stream_options":{"include_usage":true}`
	case c.Raw[s.StreamOptions.Start] == 'n':
		e.replace(s.StreamOptions, []byte(`{"include_usage":true}`))
	default:
		at := s.StreamOptions.Start + 1
		member := `"include_usage":true`
		cur := jsonscan.Cursor{Doc: c.Raw, Pos: at}
		if cur.Kind(); c.Raw[cur.Pos] != '}' {
			member += ","
		}
		e.replace(dialect.Span{Start: at, End: at}, []byte(member))
	}
	return ""
}

// callLimit sets max_tool_calls, or gives the member to add.
func (e *edits) callLimit(c *dialect.Call, limit int64) string {
	n := strconv.FormatInt(limit, 10)
	if c.Sites.CallsValue.Empty() {
		return `,"max_tool_calls":` + n
	}
	e.replace(c.Sites.CallsValue, []byte(n))
	return ""
}

// edit puts text in the place of a span.
type edit struct {
	dialect.Span
	text []byte
}

// edits are kept in the order of their places, which never overlap.
type edits struct{ list []edit }

func (e *edits) replace(at dialect.Span, text []byte) {
	i := len(e.list)
	for i > 0 && e.list[i-1].Start > at.Start {
		i--
	}
	e.list = append(e.list, edit{})
	copy(e.list[i+1:], e.list[i:])
	e.list[i] = edit{at, text}
}

func (e *edits) append(dst, raw []byte) []byte {
	from := 0
	for _, x := range e.list {
		dst = append(dst, raw[from:x.Start]...)
		dst = append(dst, x.text...)
		from = x.End
	}
	return append(dst, raw[from:]...)
}
