package edge

import (
	"bytes"
	"strings"
)

// sendable says whether an answer's field may be written: RFC 9110 section 5,
// and not the connection's or the framing's, which are the edge's own.
func sendable(name, value string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if !isToken(name[i]) {
			return false
		}
	}
	return !framing(name) && validValue(value)
}

// validValue: no control byte but the tab. Bytes above 0x7f are opaque and pass.
func validValue[T string | []byte](v T) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func framing(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "te")
	case 7:
		return strings.EqualFold(name, "trailer") || strings.EqualFold(name, "upgrade")
	case 10:
		return strings.EqualFold(name, "connection") || strings.EqualFold(name, "keep-alive")
	case 14:
		return strings.EqualFold(name, "content-length")
	case 16:
		return strings.EqualFold(name, "proxy-connection")
	case 17:
		return strings.EqualFold(name, "transfer-encoding")
	}
	return false
}

// takesTrailers says whether a client's TE header lists them (RFC 9110 section 10.1.4).
func takesTrailers(te []byte) bool {
	for len(te) > 0 {
		part, rest, _ := bytes.Cut(te, []byte{','})
		te = rest
		if bytes.EqualFold(bytes.TrimSpace(part), []byte("trailers")) {
			return true
		}
	}
	return false
}

// ambiguous says whether a raw header block gives both a length and a transfer
// coding, which two readers may understand differently (RFC 9112 section 6.3).
func ambiguous(raw []byte) bool {
	length, coding := false, false
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		name, _, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		name = bytes.TrimSpace(name)
		length = length || bytes.EqualFold(name, []byte("content-length"))
		coding = coding || bytes.EqualFold(name, []byte("transfer-encoding"))
	}
	return length && coding
}

// spaced says whether a request header's name holds a space, which fasthttp lets through.
func spaced(name []byte) bool { return bytes.IndexByte(name, ' ') >= 0 }
