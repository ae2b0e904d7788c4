package ui

import (
	"bytes"
	"errors"
	"net/http"
)

// maxAnswer bounds what a page takes of one answer of the API.
const maxAnswer = 64 << 20

var errTooLong = errors.New("an answer of the API is longer than a page can show")

// answer is what the API answered, in memory.
type answer struct {
	header http.Header
	status int
	begun  bool
	body   bytes.Buffer
}

// of has a handler answer a request. An answer that the handler breaks off is an error.
func (a *answer) of(h http.Handler, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = errors.New("the API broke its answer off; the node's log says why")
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(a, r)
	if a.body.Len() > maxAnswer {
		return errTooLong
	}
	return nil
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if !a.begun {
		a.status, a.begun = status, true
	}
}

// Write implements http.ResponseWriter. It takes one write beyond the bound, so that what is too long shows.
func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	if a.body.Len() > maxAnswer {
		return 0, errTooLong
	}
	return a.body.Write(p)
}

// Flush implements http.Flusher: what was written is in memory already.
func (a *answer) Flush() {}
