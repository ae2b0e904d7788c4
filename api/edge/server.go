package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Server serves one listener. Make it with New, run it with Serve, end it with Shutdown.
type Server struct {
	cfg   Config
	log   *slog.Logger
	tls   *tls.Config // nil in the clear
	http1 *fasthttp.Server
	http2 *http.Server
	// handoff carries HTTP/2 connections to http2.
	handoff *handoff
	// rejects bounds the goroutines that tell clients there is no room.
	rejects chan struct{}

	draining atomic.Bool
	// running counts requests from the handler's call to the end of the answer.
	running atomic.Int64
	// tasks are the goroutines: one per connection, and http2's accept loop.
	tasks sync.WaitGroup

	// mu guards what follows. It is never held while anything blocks.
	mu    sync.Mutex
	ln    net.Listener
	conns map[*conn]struct{}
	ended bool // no goroutine may be added to tasks any more
}

// maxRejects bounds the clients that are being told that there is no room;
// beyond it they are just closed.
const maxRejects = 64

// New makes a Server. It listens to nothing yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, conns: make(map[*conn]struct{}), rejects: make(chan struct{}, maxRejects)}
	if s.log == nil {
		s.log = slog.Default()
	}
	if cfg.Certificates != nil {
		s.tls = &tls.Config{
			GetCertificate: cfg.Certificates.get,
			NextProtos:     []string{"h2", "http/1.1"},
			MinVersion:     tls.VersionTLS12,
		}
	}
	s.http1 = s.newHTTP1()
	s.http2 = s.newHTTP2()
	return s, nil
}

// Serve accepts connections until Shutdown, then returns nil. It may be called
// once, and closes the listener.
func (s *Server) Serve(ln net.Listener) error {
	defer func() { _ = ln.Close() }()
	s.mu.Lock()
	if s.ln != nil || s.ended {
		s.mu.Unlock()
		return errors.New("edge: served before, or shut down")
	}
	s.ln = ln
	s.handoff = newHandoff(ln.Addr())
	s.tasks.Go(func() { _ = s.http2.Serve(s.handoff) })
	s.mu.Unlock()
	for pause := time.Duration(0); ; {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(c)
		case s.draining.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("edge: listener closed under the server: %w", err)
		default:
			// Out of file descriptors, most likely: others must close first.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("accept failed", slog.String("error", err.Error()), slog.Duration("pause", pause))
			select {
			case <-time.After(pause):
			case <-s.handoff.done:
			}
		}
	}
}

// admit gives a new connection its goroutine, or turns it away.
func (s *Server) admit(raw net.Conn) {
	c := &conn{Conn: raw, s: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || s.draining.Load():
		_ = raw.Close()
	case len(s.conns) < s.cfg.MaxConns:
		s.conns[c] = struct{}{}
		s.tasks.Go(func() { s.serve(c) })
	default:
		select {
		case s.rejects <- struct{}{}:
			// Not counted as a connection, but Shutdown breaks it off with them.
			s.conns[c] = struct{}{}
			s.tasks.Go(func() {
				defer func() { <-s.rejects }()
				s.reject(c)
			})
		default:
			_ = raw.Close()
		}
	}
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Shutdown stops accepting, ends idle connections, refuses further requests and
// waits for the running ones. When ctx ends first it breaks every connection
// off and returns ctx's error; a handler that waits for something else than its
// client may then still be running, and is named in the error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.mu.Lock()
	ln, handoff := s.ln, s.handoff
	for c := range s.conns {
		c.leave()
	}
	s.mu.Unlock()
	if ln != nil {
		_ = ln.Close()
		// Sends GOAWAY; its own wait is short since ours below covers HTTP/2 too.
		_ = s.http2.Shutdown(ctx)
		handoff.close()
	}
	err := s.settled(ctx)
	s.mu.Lock()
	s.ended = true
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	if err == nil {
		s.tasks.Wait()
		return nil
	}
	for _, c := range open {
		c.abort()
	}
	_ = s.http2.Close()
	grace, cancel := context.WithTimeout(context.Background(), hardWait)
	defer cancel()
	if s.settled(grace) == nil {
		s.tasks.Wait()
	}
	return fmt.Errorf("edge: connections broken off, %d requests still running: %w", s.running.Load(), err)
}

// hardWait is how long goroutines may take to notice that their connection is broken off.
const hardWait = time.Second

// settled waits until no request runs and no connection is open.
func (s *Server) settled(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		open := len(s.conns)
		s.mu.Unlock()
		if open == 0 && s.running.Load() == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Connections is the number of open connections, for metrics.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Running is the number of requests whose answers have not ended, for metrics.
func (s *Server) Running() int { return int(s.running.Load()) }

// panicked logs a handler's panic without its value, which could quote a request.
func (s *Server) panicked(where string, v any) {
	what := slog.String("type", fmt.Sprintf("%T", v))
	if e, ok := v.(runtime.Error); ok {
		what = slog.String("error", e.Error())
	}
	s.log.Error("panic in handler", slog.String("where", where), what, slog.String("stack", string(debug.Stack())))
}
