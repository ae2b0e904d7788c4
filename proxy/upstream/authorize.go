package upstream

import "errors"

// Authorizer proves to an upstream who sends a request, where a fixed header
// cannot: by a token that changes, or by a signature of the request itself. It is
// asked once per attempt, when the request is final, and must not wait for
// anything: what it needs is got ready off the request path.
type Authorizer interface {
	// Authorize gives the headers that prove it. An error means that there is no
	// valid credential at present, and that nothing may be sent.
	Authorize(o *Outgoing) ([]Header, error)
}

// Outgoing is a request as it will leave. Nothing of it may be kept or changed.
type Outgoing struct {
	Method string
	// URL is absolute, with its query, escaped as it is sent.
	URL  string
	Body []byte
}

// ErrCredential says that no credential could be had: the cause is logged where
// it arose, since its text may quote secrets.
var ErrCredential = errors.New("no valid credential at present")

// authorize gives the headers that prove who sends r; none with a fixed key.
func (c *Client) authorize(r *Request) ([]Header, *Failure) {
	if c.cfg.Authorizer == nil {
		return c.present(r)
	}
	headers, err := c.cfg.Authorizer.Authorize(&Outgoing{Method: r.Method, URL: c.base.origin() + r.Path, Body: r.Body})
	if err != nil {
		return nil, fail(false, PhaseStart, ErrCredential)
	}
	for _, h := range headers {
		if checkHeader(h) != nil {
			return nil, fail(false, PhaseStart, ErrCredential)
		}
	}
	return headers, nil
}

// present gives the header with the key that the request brings, if it does.
func (c *Client) present(r *Request) ([]Header, *Failure) {
	if r.Secret == "" || len(c.cfg.Keys) > 0 {
		return nil, nil
	}
	h := Header{c.cfg.KeyHeader, c.cfg.KeyPrefix + string(r.Secret)}
	if checkHeader(h) != nil {
		return nil, fail(false, PhaseStart, ErrCredential)
	}
	return []Header{h}, nil
}

// origin is the base URL as it is sent: "https://host/v1".
func (b *base) origin() string {
	scheme := "http://"
	if b.tls {
		scheme = "https://"
	}
	return scheme + b.host + b.prefix
}
