package upstream

import (
	"fmt"
	"strings"
)

// The grammar of RFC 9110 section 5: what is not in it could split a request.

// validName: a token of at least one byte.
func validName(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// validValue: no control byte but the tab. Bytes above 0x7f are opaque and pass.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validTarget: an origin-form request target, RFC 9112 section 3.2.1.
func validTarget(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
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

// framing says whether a header is the connection's or the framing's, which the
// client writes itself and a caller may neither set nor see.
func framing(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "te")
	case 4:
		return strings.EqualFold(name, "host")
	case 6:
		return strings.EqualFold(name, "expect")
	case 7:
		return strings.EqualFold(name, "trailer") || strings.EqualFold(name, "upgrade")
	case 10:
		return strings.EqualFold(name, "connection") || strings.EqualFold(name, "keep-alive")
	case 14:
		return strings.EqualFold(name, "content-length")
	case 15:
		return strings.EqualFold(name, "accept-encoding")
	case 16:
		return strings.EqualFold(name, "proxy-connection")
	case 17:
		return strings.EqualFold(name, "transfer-encoding")
	}
	return false
}

// checkHeader names the header in its error, never the value.
func checkHeader(h Header) error {
	switch {
	case !validName(h.Name):
		return fmt.Errorf("header name %q is not a token", h.Name)
	case framing(h.Name):
		return fmt.Errorf("header %q is written by the client itself", h.Name)
	case !validValue(h.Value):
		return fmt.Errorf("header %q has a control byte in its value", h.Name)
	}
	return nil
}
