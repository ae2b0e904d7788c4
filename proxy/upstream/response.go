package upstream

import (
	"io"
	"strings"
	"time"
)

// Response is an answer whose body is pulled. One goroutine at a time may use
// it, and must close it exactly once.
type Response struct {
	Status int
	head   fields
	body   source
	length int64 // announced and undecoded, or -1
	buf    *[]byte
	err    error // what every further read gives
	hidden bool  // content-encoding was undone
	closed bool
}

// fields are an answer's headers; names compare without case. release ends their use.
type fields interface {
	peek(name string) []byte
	each(func(name, value []byte))
	release()
}

// source is an answer's body beneath. read blocks until there is a byte, and
// gives n > 0 or an error: io.EOF at the clean end, a *Failure otherwise. After
// an error it has let its connection go. stop lets it go at any other time, and
// may be called again.
//
// ready says that read will not wait for the upstream. It may say no where it
// would not; where it says yes and errs, the wait is for the rest of a chunk.
type source interface {
	read(p []byte) (int, error)
	ready() bool
	setDeadline(t time.Time)
	stop()
}

// Header is the value of a header, or nil; valid until Close.
func (r *Response) Header(name string) []byte {
	if r.hides(name) {
		return nil
	}
	return r.head.peek(name)
}

// Each calls f for every header but those of the connection and the framing.
// The slices are valid until Close.
func (r *Response) Each(f func(name, value []byte)) {
	r.head.each(func(name, value []byte) {
		if !r.hides(string(name)) {
			f(name, value)
		}
	})
}

func (r *Response) hides(name string) bool {
	return framing(name) || r.hidden && strings.EqualFold(name, "content-encoding")
}

// Next gives the next bytes of the body as soon as there are any, valid until
// the next call. io.EOF is the clean end; any other error is a *Failure. Once
// the end is seen the connection is free for others, before Close.
func (r *Response) Next() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.buf == nil {
		r.buf = chunks.Get().(*[]byte)
	}
	n, err := r.body.read(*r.buf)
	if err != nil {
		r.err = err
		return nil, err
	}
	return (*r.buf)[:n], nil
}

// Ready says that the next bytes, or the end, are here: Next will not wait. It
// may say no although they are.
func (r *Response) Ready() bool { return r.err != nil || r.body.ready() }

// ReadAll reads the rest of the body, at most limit bytes; more is a *Failure
// with ErrTooLarge. The result is the caller's own.
func (r *Response) ReadAll(limit int) ([]byte, error) {
	const first = 4 << 10 // a usual completion without its length
	size := min(first, limit)
	if r.length >= 0 && r.length <= int64(limit) {
		size = int(r.length)
	}
	out := make([]byte, 0, size+1) // one more, so that the end is seen without growing
	for r.err == nil {
		if len(out) > limit {
			r.err = fail(true, PhaseBody, ErrTooLarge)
			r.body.stop()
			break
		}
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.body.read(out[len(out):cap(out)])
		out, r.err = out[:len(out)+n], err
	}
	if r.err != io.EOF {
		return nil, r.err
	}
	return out, nil
}

// SetDeadline brings the attempt's end nearer, for reading on after the client
// has gone. A later time than the present limit changes nothing.
func (r *Response) SetDeadline(t time.Time) { r.body.setDeadline(t) }

// Close lets everything go. An answer that was not read to its end costs its connection.
func (r *Response) Close() {
	if r.closed {
		panic("upstream: response closed twice")
	}
	r.closed = true
	r.body.stop()
	r.head.release()
	if r.buf != nil {
		chunks.Put(r.buf)
		r.buf = nil
	}
	if r.err == nil {
		r.err = fail(true, PhaseBody, ErrClosed)
	}
}
