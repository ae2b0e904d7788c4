package upstream

import (
	"strconv"
	"strings"
	"time"
)

// Request is one attempt's request. The client reads it during Do only, and
// keeps nothing of it afterwards.
type Request struct {
	Method string
	// Path is the target below the base URL's prefix, with its query if any: "/chat/completions". It is sent as it is.
	Path   string
	Header []Header
	Body   []byte
	// Key is the index of the credential in Config.Keys; ignored when there are none.
	Key int
	// Secret is sent in Config.KeyHeader, after KeyPrefix, where the client has neither Keys nor an Authorizer; "" for none.
	Secret Secret
	// Timeout shortens the attempt's total limit; 0 keeps the configured one.
	Timeout time.Duration

	proof []Header // of this attempt: by the client's Authorizer, or the request's Secret
}

// maxJoinedBody is the largest body that is copied behind the headers, so that
// both leave in one write; two TLS records of 16 KiB each hold it.
const maxJoinedBody = 32 << 10

// check says whether every byte can be written as it is.
func (r *Request) check(keys int) error {
	if !validName(r.Method) || !validTarget(r.Path) {
		return ErrBadRequest
	}
	if keys > 0 && (r.Key < 0 || r.Key >= keys) {
		return ErrBadRequest
	}
	for i := range r.Header {
		if h := &r.Header[i]; !validName(h.Name) || !validValue(h.Value) {
			return ErrBadRequest
		}
	}
	return nil
}

// hasBody: methods whose body is announced even when it is empty (RFC 9110 8.6).
func (r *Request) hasBody() bool {
	return len(r.Body) > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"
}

// appendHead renders the request line and the headers (RFC 9112 section 3).
// fixed holds the rendered lines that are the same for each request of a key.
func (r *Request) appendHead(b []byte, prefix, keyHeader string, fixed []byte) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, prefix...)
	b = append(b, r.Path...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = append(b, fixed...)
	for i := range r.Header {
		if h := &r.Header[i]; r.takes(h.Name, keyHeader) {
			b = appendLine(b, h.Name, h.Value)
		}
	}
	for i := range r.proof {
		b = appendLine(b, r.proof[i].Name, r.proof[i].Value)
	}
	if r.hasBody() {
		b = append(b, "content-length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, '\r', '\n')
	}
	return append(b, '\r', '\n')
}

// takes says whether a header of the caller's is sent: none that frames the
// message, and none that proves who sends it, since the caller might pass on what
// a client sent.
func (r *Request) takes(name, keyHeader string) bool {
	if framing(name) || strings.EqualFold(name, keyHeader) {
		return false
	}
	for i := range r.proof {
		if strings.EqualFold(name, r.proof[i].Name) {
			return false
		}
	}
	return true
}

func appendLine(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, '\r', '\n')
}
