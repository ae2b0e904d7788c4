package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"purser/internal/access"
)

// Logins let people in with a browser.
type Logins interface {
	// Begin gives the provider's page for somebody who wants to get to a path, and
	// what the browser is to keep until it comes back.
	Begin(ctx context.Context, to string) (access.Begun, error)
	// Finish takes what the provider sent the browser back with, and what that kept.
	// Errors are as those of [People].
	Finish(ctx context.Context, query url.Values, kept string) (access.Finished, error)
	// Client is how a program on a person's machine can log in.
	Client() access.LoginClient
}

const (
	callbackPath = "/admin/v1/login/callback"
	whoamiPath   = "/admin/v1/whoami"
)

// Cookies. The prefix binds one to its host, and needs TLS; a node on a loopback
// address has neither.
const (
	hostPrefix    = "__Host-"
	sessionCookie = "purser-session"
	loginCookie   = "purser-login"
)

func (a *API) secure() bool { return strings.HasPrefix(a.Origin, "https://") }

func (a *API) cookieName(name string) string {
	if a.secure() {
		return hostPrefix + name
	}
	return name
}

// cookie is one that a script cannot read, and that other sites' pages send only
// when they lead here. A lifetime below zero takes it away.
func (a *API) cookie(name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{Name: a.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(lifetime.Seconds())}
	if lifetime < 0 {
		c.MaxAge = -1
	}
	return c
}

func (a *API) sessionCookie(r *http.Request) (string, bool) {
	if a.People == nil {
		return "", false
	}
	c, err := r.Cookie(a.cookieName(sessionCookie))
	if err != nil || len(c.Value) > maxCredential {
		return "", false
	}
	return c.Value, true
}

// noLogins answers where no identity provider is configured.
func (a *API) noLogins(w http.ResponseWriter, r *http.Request) bool {
	if a.Logins == nil {
		a.fail(w, r, NotFound("no identity provider is configured: admin.oidc is empty; use an admin token"))
		return true
	}
	return false
}

func (a *API) beginLogin(w http.ResponseWriter, r *http.Request) {
	if a.noLogins(w, r) {
		return
	}
	to := r.URL.Query().Get("return_to")
	switch {
	case to == "":
		to = whoamiPath
	case !ownPath(to):
		a.fail(w, r, Invalid("return_to is not a path of this node, such as /admin/v1/whoami"))
		return
	}
	begun, err := a.Logins.Begin(r.Context(), to)
	if err != nil {
		a.fail(w, r, a.personFault(r, err))
		return
	}
	noStore(w)
	http.SetCookie(w, a.cookie(loginCookie, begun.Kept, begun.For))
	http.Redirect(w, r, begun.Page, http.StatusFound)
}

// maxReturn bounds return_to, which the login's cookie keeps.
const maxReturn = 1024

// ownPath says that a browser which is led to it stays here. Browsers leave tabs and
// line breaks out of an address, and take a backslash for a slash, so that either
// could make another host of it.
func ownPath(to string) bool {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	return strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && len(to) <= maxReturn && !strings.ContainsFunc(to, odd)
}

func (a *API) finishLogin(w http.ResponseWriter, r *http.Request) {
	if a.noLogins(w, r) {
		return
	}
	noStore(w)
	if wait := a.Attempts.Wait(addressOf(r), a.Now()); wait > 0 {
		a.fail(w, r, tooMany(wait)) // each attempt asks the provider
		return
	}
	kept, err := r.Cookie(a.cookieName(loginCookie))
	if err != nil {
		a.fail(w, r, Invalid("this browser has begun no login, or too long ago; begin at /admin/v1/login"))
		return
	}
	http.SetCookie(w, a.cookie(loginCookie, "", -1)) // it is for one attempt
	done, err := a.Logins.Finish(r.Context(), r.URL.Query(), kept.Value)
	if err != nil {
		a.fail(w, r, a.personFault(r, err))
		return
	}
	http.SetCookie(w, a.cookie(sessionCookie, done.Cookie, done.Expires.Sub(a.Now())))
	http.Redirect(w, r, done.To, http.StatusFound)
}

func (a *API) loginClient(w http.ResponseWriter, r *http.Request) {
	if a.noLogins(w, r) {
		return
	}
	writeJSON(w, http.StatusOK, a.Logins.Client())
}

// logout ends the session on every node: its cookie is no good any more, whoever
// has it.
func (a *API) logout(w http.ResponseWriter, r *http.Request, c caller) {
	if c.session == nil {
		a.fail(w, r, Invalid("there is no session to end; an admin token is revoked at /admin/v1/tokens/{id}/revoke"))
		return
	}
	if err := a.Tokens.EndSession(r.Context(), sessionHash(c.session.ID), c.session.Expires); err != nil {
		a.fail(w, r, err)
		return
	}
	http.SetCookie(w, a.cookie(sessionCookie, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

// sessionHash is what the cluster knows an ended session by. No secret of a token
// begins like this.
func sessionHash(id string) access.Hash { return access.HashOf("session:" + id) }

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// whoami says who the caller is and what they may do.
func (a *API) whoami(w http.ResponseWriter, r *http.Request, c caller) {
	out := Whoami{Name: c.subject.Name, Permissions: map[string]WhoamiReach{}}
	if c.session != nil {
		out.Email = c.session.Email
	}
	if c.subject.Expires != 0 {
		out.Expires = time.Unix(0, int64(c.subject.Expires)).UTC().Format(time.RFC3339)
	}
	for _, g := range c.subject.Grants {
		out.Roles = append(out.Roles, string(g.Role))
	}
	for _, p := range access.Permissions() {
		if d := access.Can(c.subject, p, a.instant()); d.Allowed {
			out.Permissions[string(p)] = WhoamiReach{All: d.Reach.All, Teams: d.Reach.Teams, Orgs: d.Reach.Orgs, Members: d.Reach.Members}
		}
	}
	a.reply(w, r, http.StatusOK, out, nil)
}
