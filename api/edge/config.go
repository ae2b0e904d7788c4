package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"purser/proxy"
)

// Config is everything a Server needs. It is immutable once a Server has it.
type Config struct {
	// Proxy answers every request that Admin does not. Required.
	Proxy proxy.Handler
	// Admin answers the requests below AdminPrefix; nil when there are none.
	Admin http.Handler
	// AdminPrefix lists paths: "/admin" covers "/admin" and "/admin/...", compared with the path as it was sent.
	AdminPrefix []string
	// ErrorBody renders the edge's own refusals in the caller's dialect. Of the request it has the path and the headers,
	// as far as they were read; its path is empty where that did not come. Required.
	ErrorBody func(r *proxy.Request, status int, code, message string) (contentType string, body []byte)
	// Log gets the edge's own records; default slog.Default.
	Log *slog.Logger
	// Certificates turns TLS on, for HTTP/1.1 and HTTP/2 alike; nil serves in the clear.
	Certificates *Certificates

	// MaxBody bounds a request's body in bytes. Default 32 MiB: a prompt with images.
	MaxBody int
	// MaxHeader bounds a request's line and headers in bytes, 4 KiB to 1 MiB. HTTP/1.1 keeps a buffer of this size for
	// each connection. Default 64 KiB.
	MaxHeader int
	// MaxConns bounds the open connections; the next one gets a 503. Default 8,192.
	MaxConns int
	// MaxStreams bounds the requests in flight on one HTTP/2 connection. Default 128.
	MaxStreams int
	// ReadTimeout limits a request from its first byte to its last, and a TLS handshake. Default 60 s.
	ReadTimeout time.Duration
	// IdleTimeout limits the wait for the next request on a kept connection. Default 120 s: longer than the 60 s that
	// common load balancers keep theirs, so that they close first.
	IdleTimeout time.Duration
	// WriteStall is how long a client may take no byte of an answer before it counts as gone; it may take half as long
	// again until that is noticed. Default 60 s.
	WriteStall time.Duration
}

// Default is a Config that lacks its handlers.
func Default() Config {
	return Config{
		MaxBody: 32 << 20, MaxHeader: 64 << 10, MaxConns: 8192, MaxStreams: 128,
		ReadTimeout: 60 * time.Second, IdleTimeout: 120 * time.Second, WriteStall: 60 * time.Second,
	}
}

// Validate reports everything that is missing or out of range.
func (c *Config) Validate() error {
	var errs []error
	if c.Proxy == nil || c.ErrorBody == nil {
		errs = append(errs, errors.New("proxy handler or error body is missing"))
	}
	if (c.Admin == nil) != (len(c.AdminPrefix) == 0) {
		errs = append(errs, errors.New("admin handler and admin prefixes go together"))
	}
	for _, p := range c.AdminPrefix {
		if !strings.HasPrefix(p, "/") || len(p) < 2 || strings.HasSuffix(p, "/") {
			errs = append(errs, fmt.Errorf("admin prefix %q must begin with a slash and not end in one", p))
		}
	}
	for _, n := range []struct {
		name        string
		got, lo, hi int
	}{
		{"max body", c.MaxBody, 1, 1 << 30},
		{"max header", c.MaxHeader, 4 << 10, 1 << 20},
		{"max conns", c.MaxConns, 1, 1 << 20},
		{"max streams", c.MaxStreams, 1, 1 << 16},
	} {
		if n.got < n.lo || n.got > n.hi {
			errs = append(errs, fmt.Errorf("%s %d is not within %d to %d", n.name, n.got, n.lo, n.hi))
		}
	}
	if c.ReadTimeout <= 0 || c.IdleTimeout <= 0 || c.WriteStall <= 0 {
		errs = append(errs, errors.New("a timeout is not positive"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	return nil
}

// admin says whether a path as sent belongs to the admin handler.
func (c *Config) admin(path string) bool {
	for _, p := range c.AdminPrefix {
		if strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
			return true
		}
	}
	return false
}
