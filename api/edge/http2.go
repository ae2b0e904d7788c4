package edge

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"purser/proxy"
)

func (s *Server) newHTTP2() *http.Server {
	only := new(http.Protocols)
	only.SetHTTP2(true)
	only.SetUnencryptedHTTP2(true)
	handler := http.Handler(http.HandlerFunc(s.answer2))
	if s.cfg.Admin != nil {
		admin := s.guarded(s.cfg.Admin)
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.cfg.admin(r.URL.EscapedPath()) {
				r.Body = http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))
				admin.ServeHTTP(w, r)
				return
			}
			s.answer2(w, r)
		})
	}
	return &http.Server{
		Handler:        handler,
		Protocols:      only,
		ReadTimeout:    s.cfg.ReadTimeout, // of each stream's request
		IdleTimeout:    s.cfg.IdleTimeout,
		MaxHeaderBytes: s.cfg.MaxHeader,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: s.cfg.MaxStreams},
		ErrorLog:       log.New(quiet{s.log}, "", 0),
	}
}

// answer2 is one request for the proxy.
func (s *Server) answer2(w http.ResponseWriter, r *http.Request) {
	s.running.Add(1)
	defer s.running.Add(-1)
	if s.draining.Load() {
		s.refuse2(w, r, refusedDraining)
		return
	}
	body, refused := s.body2(w, r)
	if refused != nil {
		s.refuse2(w, r, *refused)
		return
	}
	a := s.call2(&proxy.Request{
		Method: r.Method,
		Path:   pathOf(r.RequestURI),
		Query:  r.URL.RawQuery,
		Header: headers2{r},
		Body:   body,
		Remote: remote2(r.RemoteAddr),
		TLS:    r.TLS != nil,
		Client: headers2{r},
	})
	if a == nil {
		s.refuse2(w, r, refusedPanic)
		return
	}
	h := w.Header()
	for _, f := range a.Header {
		if sendable(f.Name, f.Value) {
			h.Add(f.Name, f.Value)
		}
	}
	if a.Stream != nil {
		s.stream2(w, r, a)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(finalStatus(a.Status))
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.Body) // the client has gone, and there is nobody to tell
	}
}

// call2 gives nil for a handler that panicked.
func (s *Server) call2(r *proxy.Request) (a *proxy.Answer) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked("proxy", v)
			a = nil
		}
	}()
	return s.cfg.Proxy(r)
}

// body2 reads the request's body, which is refused by its length alone when that is given.
func (s *Server) body2(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if r.ContentLength > int64(s.cfg.MaxBody) {
		return nil, &refusedBody
	}
	if r.ContentLength == 0 {
		return nil, nil
	}
	limited := http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))
	var (
		body []byte
		err  error
	)
	if r.ContentLength > 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(limited, body)
	} else {
		body, err = io.ReadAll(limited)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return plain(r.Header.Values("Content-Encoding"), body, s.cfg.MaxBody)
	case errors.As(err, &large):
		return nil, &refusedBody
	}
	if refused := readRefusal(err); refused.status == http.StatusRequestTimeout {
		return nil, &refused
	}
	return nil, &refusedMalformed
}

// stream2 pulls the stream to its end. A panic with ErrAbortHandler resets the
// HTTP/2 stream, which is how truncation shows (E1).
func (s *Server) stream2(w http.ResponseWriter, r *http.Request, a *proxy.Answer) {
	f := flow{s: s, stream: a.Stream}
	defer f.close()
	for i := range a.Trailer {
		w.Header().Add("Trailer", a.Trailer[i].Name)
	}
	w.WriteHeader(finalStatus(a.Status))
	if r.Method == http.MethodHead {
		return
	}
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	for {
		b, err := f.next()
		if len(b) > 0 && !s.push2(w, out, b) {
			panic(http.ErrAbortHandler)
		}
		if err == io.EOF {
			for i := range a.Trailer {
				if f := &a.Trailer[i]; sendable(f.Name, f.Value) {
					w.Header().Set(f.Name, f.Value)
				}
			}
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// push2 sends a piece; false means that the client has gone, or takes nothing.
func (s *Server) push2(w http.ResponseWriter, out *http.ResponseController, b []byte) bool {
	if out.SetWriteDeadline(time.Now().Add(s.cfg.WriteStall)) != nil {
		return false
	}
	if _, err := w.Write(b); err != nil {
		return false
	}
	return out.Flush() == nil
}

func (s *Server) refuse2(w http.ResponseWriter, req *http.Request, r refusal) {
	contentType, body := s.cfg.ErrorBody(&proxy.Request{Path: pathOf(req.RequestURI), Header: headers2{req}}, r.status, r.code, r.message)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(body)
}

// headers2 are net/http's headers as the proxy reads them; Host is among them, as in HTTP/1.1.
type headers2 struct{ r *http.Request }

// Peek is proxy.Headers'.
func (h headers2) Peek(name string) []byte {
	if len(name) == 4 && http.CanonicalHeaderKey(name) == "Host" {
		return []byte(h.r.Host)
	}
	if v := h.r.Header.Values(name); len(v) > 0 {
		return []byte(v[0])
	}
	return nil
}

// Each is proxy.Headers'.
func (h headers2) Each(f func(name, value []byte)) {
	f([]byte("Host"), []byte(h.r.Host))
	for name, values := range h.r.Header {
		for _, v := range values {
			f([]byte(name), []byte(v))
		}
	}
}

// Gone is proxy.Client's: net/http ends the context with the stream.
func (h headers2) Gone() bool { return h.r.Context().Err() != nil }

// pathOf cuts the query off a request target as it was sent.
func pathOf(target string) string {
	for i := range len(target) {
		if target[i] == '?' {
			return target[:i]
		}
	}
	return target
}

func remote2(s string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
