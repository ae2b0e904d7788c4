package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"purser/internal/access"
	"purser/ledger"
)

// caller is who sent a request.
type caller struct {
	subject access.Subject
	reach   access.Reach    // of the permission that the route needs
	session *access.Session // not nil: known by a cookie
}

// Attempts counts failed authentication by address.
type Attempts interface {
	// Failed notes a failure and returns how long the address is to wait.
	Failed(from netip.Addr, now time.Time) time.Duration
	// Wait is how long the address is to wait before it tries again.
	Wait(from netip.Addr, now time.Time) time.Duration
}

// People are those whom an identity provider vouches for. An error that is an
// [access.Refusal] is about the credential; any other means that it could not be
// decided.
type People interface {
	// Verify says who a provider's ID or access token is of.
	Verify(ctx context.Context, token string) (access.Subject, error)
	// Resume says whose a session's cookie is.
	Resume(cookie string) (access.Session, error)
}

// maxCredential bounds what is looked at as a credential: a token of a provider
// with many groups has some kilobytes.
const maxCredential = 16 << 10

// identify says who sent a request, or what to answer.
func (a *API) identify(r *http.Request) (caller, *Fault) {
	if bearer, ok := bearerOf(r); ok {
		subject, fault := a.bearer(r, bearer)
		return caller{subject: subject}, fault
	}
	if cookie, ok := a.sessionCookie(r); ok {
		return a.resume(r, cookie)
	}
	return caller{}, unauthorized("send an admin token as `Authorization: Bearer <token>`, or log in with `purser login`")
}

func bearerOf(r *http.Request) (string, bool) {
	const scheme = "bearer "
	h := r.Header.Get("Authorization")
	if len(h) < len(scheme) || !strings.EqualFold(h[:len(scheme)], scheme) {
		return "", false
	}
	return h[len(scheme):], true
}

// StrongToken is how long a configured token must be not to count as one that a
// person chose, and that could be guessed: that of `openssl rand -hex 16`.
const StrongToken = 32

// bearer says whose a bearer token is. Every kind is compared in constant time, or
// found by a hash of 200 random bits. A configured token that could be guessed is
// not looked at while the address is to wait; whoever holds another credential is
// never kept out by the failures of others behind the same address.
func (a *API) bearer(r *http.Request, secret string) (access.Subject, *Fault) {
	from, now := addressOf(r), a.Now()
	sum := sha256.Sum256([]byte(secret))
	root := subtle.ConstantTimeCompare(sum[:], a.rootHash[:]) == 1
	token, found := a.Tokens.Tokens().Find(access.HashOf(secret))
	switch {
	case len(secret) > maxCredential:
	case root && (!a.guessable || a.Attempts.Wait(from, now) == 0):
		return access.Root(), nil
	case root:
	case found:
		switch token.Status(a.instant()) {
		case access.Active:
			return token.Subject(), nil
		case access.Expired:
			return access.Subject{}, unauthorized("this admin token has expired; ask for another")
		case access.Revoked:
			return access.Subject{}, unauthorized("this admin token was revoked; ask for another")
		}
	case a.People != nil && strings.Count(secret, ".") == 2:
		subject, err := a.People.Verify(r.Context(), secret)
		if err == nil {
			return subject, nil
		}
		return access.Subject{}, a.personFault(r, err)
	}
	return access.Subject{}, a.failed(r, "this is no admin token of this cluster")
}

// personFault is the answer to a person's credential that is no good.
func (a *API) personFault(r *http.Request, err error) *Fault {
	var refused *access.Refusal
	switch {
	case !errors.As(err, &refused):
		a.Log.WarnContext(r.Context(), "the identity provider could not be asked", slog.Any("error", err))
		return &Fault{Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: providerRetry,
			Message: "the identity provider could not be asked; try again, or use an admin token. The node's log says why"}
	case refused.Kind == access.Stranger:
		return Forbidden(refused.Reason)
	case refused.Kind == access.Over:
		return unauthorized(refused.Reason)
	}
	return a.failed(r, refused.Reason)
}

// providerRetry is how long to wait for a provider that did not answer.
const providerRetry = 5 * time.Second

// resume says whose a session is. A change also has to come from our own pages: a
// browser sends its cookies whoever made it send the request.
func (a *API) resume(r *http.Request, cookie string) (caller, *Fault) {
	s, err := a.People.Resume(cookie)
	if err != nil {
		return caller{}, a.personFault(r, err)
	}
	if _, ended := a.Tokens.Tokens().Find(sessionHash(s.ID)); ended {
		return caller{}, unauthorized("this session was ended; log in again")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !a.sameOrigin(r) {
		return caller{}, &Fault{Status: http.StatusForbidden, Code: "cross_site",
			Message: "a change by a browser's session must come from " + a.Origin}
	}
	return caller{subject: s.Subject, session: &s}, nil
}

func (a *API) sameOrigin(r *http.Request) bool {
	if origin := r.Header.Values("Origin"); len(origin) > 0 {
		return len(origin) == 1 && origin[0] == a.Origin
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// failed notes a credential that is no good, and is the answer to it.
func (a *API) failed(r *http.Request, message string) *Fault {
	if wait := a.Attempts.Failed(addressOf(r), a.Now()); wait > 0 {
		return tooMany(wait)
	}
	return unauthorized(message)
}

func tooMany(wait time.Duration) *Fault {
	return &Fault{Status: http.StatusTooManyRequests, Code: "too_many_failures", RetryAfter: wait,
		Message: fmt.Sprintf("too many failed attempts from this address; wait %d s", seconds(wait))}
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

func unauthorized(message string) *Fault {
	return &Fault{Status: http.StatusUnauthorized, Code: "unauthorized", Message: message}
}

// Forbidden is a Fault for what the caller may not do.
func Forbidden(reason string) *Fault {
	return &Fault{Status: http.StatusForbidden, Code: "forbidden", Message: reason}
}

// challenge adds the headers that go with a fault of authentication.
func (f *Fault) challenge(h http.Header) {
	if f.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(f.RetryAfter)))
	}
}

func (a *API) instant() ledger.Instant { return ledger.Instant(a.Now().UnixNano()) }

// hostOf is where a request came from, without the port.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// addressOf is the same; what is no address is the zero one.
func addressOf(r *http.Request) netip.Addr {
	address, err := netip.ParseAddr(hostOf(r))
	if err != nil {
		return netip.Addr{}
	}
	return address
}
