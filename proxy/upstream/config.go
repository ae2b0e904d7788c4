package upstream

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// Protocol is the HTTP version spoken to an upstream.
type Protocol uint8

const (
	// HTTP1 is HTTP/1.1 with kept connections (RFC 9112).
	HTTP1 Protocol = iota
	// HTTP2 is HTTP/2 (RFC 9113): by ALPN with https, by prior knowledge with http.
	HTTP2
)

// ParseProtocol reads "http1" or "http2".
func ParseProtocol(s string) (Protocol, error) {
	switch s {
	case "http1":
		return HTTP1, nil
	case "http2":
		return HTTP2, nil
	}
	return 0, fmt.Errorf("protocol %q is neither http1 nor http2", s)
}

// String is the form that ParseProtocol reads.
func (p Protocol) String() string {
	if p == HTTP2 {
		return "http2"
	}
	return "http1"
}

// Secret is a credential in memory. It prints as a placeholder everywhere.
type Secret string

const secretPlaceholder = "[secret]"

// String hides the credential.
func (Secret) String() string { return secretPlaceholder }

// GoString hides the credential from %#v.
func (Secret) GoString() string { return secretPlaceholder }

// LogValue hides the credential from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(secretPlaceholder) }

// MarshalText hides the credential from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(secretPlaceholder), nil }

// Key is one credential of an upstream. ID names it in records and breakers.
type Key struct {
	ID     string
	Secret Secret
}

// Header is one header of a request. Names compare without case.
type Header struct {
	Name, Value string
}

// Timeouts limits the waits of one attempt. All must be positive.
type Timeouts struct {
	// Connect limits waiting for a free connection, and separately the dial with its TLS handshake. Default 5 s.
	Connect time.Duration
	// FirstByte limits writing the request and waiting for the answer's status and headers. A provider sends them for a
	// plain completion only when all of it is generated. Default 10 min, as the official client libraries.
	FirstByte time.Duration
	// Idle limits the silence between two reads of the body. Default 2 min.
	Idle time.Duration
	// Total limits the attempt from its start to the end of the body. Default 20 min.
	Total time.Duration
}

// Config describes one upstream. It is immutable once a Client has it.
type Config struct {
	// Name is for logs, metrics and records; not empty.
	Name string
	// BaseURL is http or https, with an optional path prefix that is kept: "https://api.openai.com/v1".
	BaseURL string
	// Keys are the credentials; Request.Key is an index. May be empty: then no credential is sent.
	Keys []Key
	// KeyHeader carries the credential; default "authorization".
	KeyHeader string
	// KeyPrefix stands before the secret in KeyHeader; default "Bearer ".
	KeyPrefix string
	Timeouts  Timeouts
	// MaxConns limits the attempts in flight, and with HTTP/1.1 the open connections. Range 1 to 65,536, default 1,024:
	// more than one node's share of a provider's usual rate limits.
	MaxConns int
	// Authorizer proves each attempt instead of Keys; nil for none.
	Authorizer Authorizer
	// ExtraHeaders are sent with every request, after its own.
	ExtraHeaders []Header
	Protocol     Protocol
	// RootCAs verify an https upstream; nil means the system's.
	RootCAs *x509.CertPool
	// MaxDecoded bounds the bytes that a compressed answer may grow to. Default 64 MiB: twice the largest request body.
	MaxDecoded int64
}

const (
	maxMaxConns   = 1 << 16
	defaultDecode = 64 << 20
)

// Default is a Config that lacks only its name, address and keys.
func Default() Config {
	return Config{
		KeyHeader: "authorization",
		KeyPrefix: "Bearer ",
		Timeouts: Timeouts{
			Connect:   5 * time.Second,
			FirstByte: 10 * time.Minute,
			Idle:      2 * time.Minute,
			Total:     20 * time.Minute,
		},
		MaxConns:   1024,
		MaxDecoded: defaultDecode,
	}
}

// Validate reports everything that is wrong, without any secret in the text.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if c.Name == "" {
		bad("name is empty")
	}
	if _, err := parseBase(c.BaseURL); err != nil {
		errs = append(errs, err)
	}
	if len(c.Keys) > 0 && !validName(c.KeyHeader) {
		bad("key header %q is not a header name", c.KeyHeader)
	}
	if len(c.Keys) > 0 && c.Authorizer != nil {
		bad("there are keys and an authorizer: one of them can prove a request")
	}
	ids := make(map[string]struct{}, len(c.Keys))
	for i, k := range c.Keys {
		if k.ID == "" {
			bad("key %d has no id", i)
		}
		if _, twice := ids[k.ID]; twice {
			bad("key %q is there twice", k.ID)
		}
		ids[k.ID] = struct{}{}
		if k.Secret == "" || !validValue(c.KeyPrefix+string(k.Secret)) {
			bad("key %q is empty or holds bytes that no header may hold", k.ID)
		}
	}
	for _, h := range c.ExtraHeaders {
		if err := checkHeader(h); err != nil {
			errs = append(errs, err)
		}
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"connect", c.Timeouts.Connect}, {"first byte", c.Timeouts.FirstByte}, {"idle", c.Timeouts.Idle}, {"total", c.Timeouts.Total}} {
		if t.d <= 0 {
			bad("%s timeout is not positive", t.name)
		}
	}
	if c.MaxConns < 1 || c.MaxConns > maxMaxConns {
		bad("max conns %d is not within 1 to %d", c.MaxConns, maxMaxConns)
	}
	if c.Protocol > HTTP2 {
		bad("protocol %d is unknown", c.Protocol)
	}
	if c.MaxDecoded <= 0 {
		bad("max decoded is not positive")
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("upstream %q: %w", c.Name, err)
	}
	return nil
}

// base is a BaseURL taken apart.
type base struct {
	tls    bool
	host   string // as in the Host header
	server string // for TLS: the name the certificate must have
	addr   string // host:port to dial
	prefix string // "" or "/v1": never ends in a slash
}

// parseBase never repeats the address in its errors: it could hold a password.
func parseBase(raw string) (base, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return base{}, errors.New("base url cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https":
		return base{}, errors.New("base url must start with http:// or https://")
	case u.Hostname() == "":
		return base{}, errors.New("base url has no host")
	case u.User != nil:
		return base{}, errors.New("base url holds a user or password; use keys")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return base{}, errors.New("base url has a query or a fragment")
	}
	b := base{tls: u.Scheme == "https", host: u.Host, server: u.Hostname(), prefix: strings.TrimRight(u.EscapedPath(), "/")}
	port := u.Port()
	if port == "" {
		port = "80"
		if b.tls {
			port = "443"
		}
	}
	b.addr = net.JoinHostPort(u.Hostname(), port)
	if !validTarget(b.prefix + "/") {
		return base{}, errors.New("base url has a path that cannot be sent")
	}
	return b, nil
}
