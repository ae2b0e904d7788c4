package edge

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
)

// guarded turns panics of the admin handler into a 500, or a broken answer when
// one has begun. fasthttp runs it on a goroutine of its own, where nobody else would.
func (s *Server) guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &noted{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				s.panicked("admin", v)
			}
			if n.began || v == http.ErrAbortHandler {
				panic(http.ErrAbortHandler)
			}
			s.refuse2(w, r, refusedPanic)
		}()
		h.ServeHTTP(n, r)
	})
}

// noted remembers whether the answer has begun.
type noted struct {
	http.ResponseWriter
	began bool
}

func (n *noted) WriteHeader(status int) {
	n.began = true
	n.ResponseWriter.WriteHeader(status)
}

func (n *noted) Write(p []byte) (int, error) {
	n.began = true
	return n.ResponseWriter.Write(p)
}

// Flush keeps http.Flusher for handlers that ask for it.
func (n *noted) Flush() {
	n.began = true
	if f, ok := n.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// render is a refusal as bytes, for connections that no server has; begin is what
// came of the request.
func (s *Server) render(r refusal, begin []byte) []byte {
	contentType, body := s.cfg.ErrorBody(glimpse(begin), r.status, r.code, r.message)
	head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\n",
		r.status, http.StatusText(r.status), contentType, strconv.Itoa(len(body)))
	if r.status == http.StatusServiceUnavailable {
		head = append(head, "Retry-After: "+retryAfter+"\r\n"...)
	}
	return append(append(head, "\r\n"...), body...)
}

// quiet is the log of the HTTP libraries. Their arguments and finished texts
// quote requests, credentials included, so nothing variable of them is kept.
type quiet struct{ log *slog.Logger }

// Printf is fasthttp's.
func (q quiet) Printf(format string, _ ...any) {
	q.log.Debug("http/1.1 server", slog.String("event", format))
}

// Write is for net/http's logger.
func (q quiet) Write(p []byte) (int, error) {
	q.log.Debug("http/2 server", slog.Int("bytes", len(p)))
	return len(p), nil
}
