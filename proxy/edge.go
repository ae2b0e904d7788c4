package proxy

import (
	"net/netip"
	"strings"
)

// Request is one request as the edge read it. It and everything it refers to
// belong to the edge and are valid until the answer's end: until the handler
// returns, or, for an answer with a Stream, until that stream's Close.
type Request struct {
	Method string
	Path   string // as sent, before any normalisation, without the query
	Query  string
	Header Headers
	Body   []byte
	Remote netip.AddrPort
	TLS    bool
	Client Client // nil where nobody can tell whether it is there
}

// Client is who sent a request.
type Client interface {
	// Gone says that the client has left, or at least sends nothing more. It does not
	// wait, may be called at any time and from anywhere, and says no when it does
	// not know.
	Gone() bool
}

// Headers reads request headers; names compare without case.
type Headers interface {
	Peek(name string) []byte
	Each(func(name, value []byte))
}

// HeaderField is one header of an answer.
type HeaderField struct {
	Name, Value string
}

// Answer is what the edge sends back: Body, or Stream when it is not nil.
type Answer struct {
	Status int
	Header []HeaderField
	Body   []byte
	Stream Stream
	// Trailer are fields that follow a Stream that came to its clean end, for
	// clients that take them: their names from the start, their values once Next
	// has given io.EOF.
	Trailer []HeaderField
}

// setHeader sets a header that the answer has already.
func (a *Answer) setHeader(name, value string) {
	for i := range a.Header {
		if strings.EqualFold(a.Header[i].Name, name) {
			a.Header[i].Value = value
		}
	}
}

// Stream is an answer that the edge pulls. Next returns the next bytes to send,
// valid until the next call; io.EOF is the clean end, any other error makes the
// edge break the connection off, so that the client sees the truncation. The
// edge calls Close exactly once, also when the client has gone.
//
// Ready says that Next will not wait, so that the edge may send two pieces in one
// go. A Next that would have to wait after all returns nothing, so that the edge
// sends what it kept back before it asks again.
type Stream interface {
	Next() ([]byte, error)
	Ready() bool
	Close()
}

// Handler answers one request.
type Handler func(*Request) *Answer
