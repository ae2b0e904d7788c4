package trace

import (
	"encoding/hex"
	"slices"
	"strings"
)

// Context is a place in a trace. The zero Context is none.
type Context struct {
	Trace [16]byte
	Span  [8]byte // of the caller, or of whoever makes the call
	Flags byte
	State string // the header tracestate, as it is to be handed on; "" for none
}

// Sampled is the flag of a trace that its caller records.
const Sampled = 1

// knownFlags are those of version 00: sampled, and that the trace id is random.
const knownFlags = Sampled | 2

// Valid says whether there is a context.
func (c *Context) Valid() bool { return c.Trace != [16]byte{} && c.Span != [8]byte{} }

// Names of the headers.
const (
	HeaderParent = "traceparent"
	HeaderState  = "tracestate"
)

const (
	parentLen = 55 // of version 00: 2-32-16-2 hexadecimal digits with dashes between
	// maxParent bounds a header of a later version, which may go on behind the flags.
	maxParent = 512
	// maxMembers bounds the members of a tracestate, as the recommendation does.
	maxMembers = 32
	// maxState is what must be handed on at least of a tracestate (3.3.1.5), and here at
	// most. Members longer than longMember give way first.
	maxState   = 512
	longMember = 128
	// maxStates bounds a tracestate that is read: one of maxMembers of the longest.
	maxStates = maxMembers * (256 + 1 + 256 + 1)
)

// Parse reads a request's headers: every value of traceparent and of tracestate, in
// the order in which they came. What is not as the recommendation has it is no context
// (there is then no tracestate either), and a tracestate that is malformed is none.
func Parse(parents, states []string) Context {
	if len(parents) != 1 {
		return Context{}
	}
	c, ok := parseParent(parents[0])
	if !ok {
		return Context{}
	}
	if list, ok := members(strings.Join(states, ",")); ok {
		c.State = short(list)
	}
	return c
}

// parseParent reads a traceparent (3.2.2). A later version than 00 is read as far as 00
// goes; flags that 00 does not know are dropped.
func parseParent(s string) (c Context, ok bool) {
	s = strings.Trim(s, " \t")
	if len(s) < parentLen || len(s) > maxParent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return c, false
	}
	var version, flags [1]byte
	if !lowerHex(version[:], s[:2]) || !lowerHex(c.Trace[:], s[3:35]) || !lowerHex(c.Span[:], s[36:52]) || !lowerHex(flags[:], s[53:55]) {
		return c, false
	}
	switch {
	case version[0] == 0xff, version[0] == 0 && len(s) != parentLen, len(s) > parentLen && s[parentLen] != '-', !c.Valid():
		return c, false
	}
	c.Flags = flags[0] & knownFlags
	return c, true
}

// lowerHex reads digits, of which capital ones are none here.
func lowerHex(to []byte, s string) bool {
	if strings.ContainsAny(s, "ABCDEF") {
		return false
	}
	_, err := hex.Decode(to, []byte(s))
	return err == nil
}

// members reads a list of members key=value (3.3.1), as they are to be handed on. Empty
// ones are allowed and left out, and a key may be there once; ok is false where the list
// is malformed.
func members(s string) (list []string, ok bool) {
	if len(s) > maxStates {
		return nil, false
	}
	seen := map[string]bool{}
	for member := range strings.SplitSeq(s, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		key, value, ok := strings.Cut(member, "=")
		if !ok || seen[key] || len(seen) == maxMembers || !validKey(key) || !validValue(value) {
			return nil, false
		}
		seen[key] = true
		list = append(list, member)
	}
	return list, true
}

// short joins members to at most maxState bytes: of more, long ones go first, and then
// those at the end (3.3.1.5).
func short(list []string) string {
	size := len(list) - 1
	for _, m := range list {
		size += len(m)
	}
	for _, least := range [...]int{longMember + 1, 0} {
		for i := len(list) - 1; i >= 0 && size > maxState; i-- {
			if len(list[i]) >= least {
				size -= len(list[i]) + 1
				list = slices.Delete(list, i, i+1)
			}
		}
	}
	return strings.Join(list, ",")
}

// validKey checks a key (3.3.1.3.1).
func validKey(key string) bool {
	if key == "" || len(key) > 256 {
		return false
	}
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && strings.IndexByte("_-*/@", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// validValue checks a value: up to 256 printable characters, no comma and no equals
// sign, and no space at its end.
func validValue(s string) bool {
	if s == "" || len(s) > 256 || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}

// Parent writes the header traceparent, in version 00.
func (c *Context) Parent() string {
	b := make([]byte, 0, parentLen)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, c.Trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, c.Span[:])
	b = append(b, '-')
	return string(hex.AppendEncode(b, []byte{c.Flags}))
}
