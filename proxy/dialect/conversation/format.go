package conversation

import "purser/proxy/dialect"

// Dialect is a dialect that is translated both as clients and as upstreams speak it.
type Dialect interface {
	Client
	Provider
}

// Client is a dialect as clients speak it. What it reads has been decoded by the
// dialect's Format without error, so that it may leave checks to that; it never
// panics on anything.
type Client interface {
	// ReadRequest reads the body of a call. What has no meaning apart from this
	// dialect is refused by its name.
	ReadRequest(body []byte, t dialect.Target) (*Request, *dialect.Error)
	// AppendAnswer appends the whole answer that a client of this dialect expects.
	// r has the usage and, where a is without, the id.
	AppendAnswer(dst []byte, a *Answer, s *Setting, r *dialect.Report) []byte
	// NewWriter makes a writer of streams.
	NewWriter() Writer
}

// Setting is what a client's answer says of its call and of its time.
type Setting struct {
	Call *dialect.Call // as the client made it
	// Groups are those of the request.
	Groups map[string]string
	ID     string // of the request, for answers without one
	Unix   int64  // seconds, when the answer began
}

// Writer writes one stream for a client. It may be used again after Reset.
type Writer interface {
	Reset(s *Setting)
	// Append appends what the next event says to the client.
	Append(dst []byte, e *Event) []byte
	// End appends the end of a stream that has come to Finish: what says why it
	// ended, the usage that r reports, and the last event. It is called once, and
	// not after Fail.
	End(dst []byte, r *dialect.Report) []byte
}

// Provider is a dialect as an upstream speaks it.
type Provider interface {
	// AppendRequest appends the body of a call in this dialect. What this dialect
	// has no word for is refused by its place in the client's body, or, where it is
	// no more than a hint, left out and added to q.Left.
	AppendRequest(dst []byte, q *Request) ([]byte, *dialect.Error)
	// ReadAnswer reads a whole answer of status 200. It fails on one that it cannot
	// make sense of, and on an answer that is an error.
	ReadAnswer(body []byte) (*Answer, error)
	// ReadError reads the body of an answer whose status is an error.
	ReadError(body []byte) dialect.UpstreamError
	// NewReader makes a reader of streams.
	NewReader() Reader
}

// Reader reads one stream of an upstream. It may be used again after Reset.
type Reader interface {
	Reset()
	// Feed takes the next bytes and calls emit with each event that is complete.
	// The event belongs to the reader. After an error the stream cannot go on.
	Feed(chunk []byte, emit func(*Event)) error
	// Finish says that the upstream has no more bytes.
	Finish(emit func(*Event)) error
}
