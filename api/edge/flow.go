package edge

import (
	"errors"
	"io"
	"net/http"

	"purser/proxy"
)

var errPanic = errors.New("the stream panicked")

// flow guards a stream: panics become errors, and it is closed once (E2).
type flow struct {
	s      *Server
	stream proxy.Stream
	err    error // how it ended; it is not asked again
}

func (f *flow) next() (b []byte, err error) {
	if f.err != nil {
		return nil, f.err
	}
	defer func() {
		if v := recover(); v != nil {
			f.s.panicked("stream", v)
			b, err = nil, errPanic
		}
		f.err = err
	}()
	b, err = f.stream.Next()
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return b, err
}

// ready says that next will not wait.
func (f *flow) ready() bool { return f.err != nil || f.stream.Ready() }

func (f *flow) close() {
	if f.stream == nil {
		panic("edge: stream closed twice")
	}
	stream := f.stream
	f.stream, f.err = nil, io.ErrClosedPipe
	defer func() {
		if v := recover(); v != nil {
			f.s.panicked("stream close", v)
		}
	}()
	stream.Close()
}

// finalStatus keeps a handler from sending what is no final status (RFC 9110 section 15).
func finalStatus(status int) int {
	if status < 200 || status > 599 {
		return http.StatusInternalServerError
	}
	return status
}
