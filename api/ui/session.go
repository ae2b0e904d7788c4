package ui

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
)

const (
	// sessionTime is how long a login lasts.
	sessionTime = 12 * time.Hour
	// maxCookie bounds a cookie that is looked at; browsers keep about as much.
	maxCookie = 4 << 10
	// flashTime is how long a message waits for the page that shows it.
	flashTime = time.Minute

	sessionCookie = "purser-ui"
	flashCookie   = "purser-flash"
	themeCookie   = "purser-theme"
	hostPrefix    = "__Host-" // binds a cookie to its host, and needs TLS

	sealedUI    = "ui"
	sealedFlash = "ui-flash"
)

// session is what the cookie of a login has. Whether the token is still good the API
// decides each time.
type session struct {
	Token   string `json:"token"`
	Expires int64  `json:"expires"` // Unix seconds
}

// flash is a message for the next page.
type flash struct {
	Kind string `json:"kind"` // good, bad
	Text string `json:"text"`
}

// token is the admin token of a request's session.
func (u *UI) token(r *http.Request) (string, bool) {
	value, ok := cookieOf(r, sessionCookie)
	var s session
	if !ok || u.Cookies.Take(sealedUI, value, &s) != nil || u.Now().Unix() >= s.Expires {
		return "", false
	}
	return s.Token, true
}

func cookieOf(r *http.Request, name string) (string, bool) {
	if !insecure(r) {
		name = hostPrefix + name
	}
	c, err := r.Cookie(name)
	if err != nil || len(c.Value) > maxCookie {
		return "", false
	}
	return c.Value, true
}

// insecure says that a request came in the clear to a loopback address, where a browser
// would not take a cookie that needs TLS.
func insecure(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return r.TLS == nil && (err == nil && address.IsLoopback() || strings.EqualFold(host, "localhost"))
}

// setCookie sets a cookie that no script can read and that other sites' pages never
// send. A lifetime below zero takes it away.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string, lifetime time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: !insecure(r), SameSite: http.SameSiteStrictMode, MaxAge: int(lifetime.Seconds())}
	if lifetime < 0 {
		c.MaxAge = -1
	}
	if c.Secure {
		c.Name = hostPrefix + name
	}
	http.SetCookie(w, c)
}

// loginView is what the login page shows.
type loginView struct {
	To     string
	Wrong  string
	People bool
	OIDC   string // where logging in through the provider begins
}

// askLogin shows the login to somebody who is not known, and leads back afterwards.
func (u *UI) askLogin(w http.ResponseWriter, r *http.Request, why *fault) {
	if r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// Whoever follows a link from another site may well be logged in: browsers do not
		// send a strict cookie with it, but do when this page asks for itself again.
		v := u.view(r, "Opening", nil)
		v.Again = true
		u.render(w, r, http.StatusOK, "opening", v)
		return
	}
	to := "/ui/"
	if r.Method == http.MethodGet {
		to = r.URL.RequestURI()
	}
	wrong := ""
	if _, had := cookieOf(r, sessionCookie); had {
		wrong = "The session has ended: " + why.message
	}
	u.showLogin(w, r, http.StatusUnauthorized, to, wrong)
}

func (u *UI) showLogin(w http.ResponseWriter, r *http.Request, status int, to, wrong string) {
	if !ownPath(to) {
		to = "/ui/"
	}
	v := u.view(r, "Log in", loginView{To: to, Wrong: wrong, People: u.People, OIDC: "/admin/v1/login?return_to=" + url.QueryEscape(to)})
	u.render(w, r, status, "login", v)
}

func (u *UI) loginPage(w http.ResponseWriter, r *http.Request) {
	u.showLogin(w, r, http.StatusOK, r.URL.Query().Get("to"), "")
}

// login takes an admin token that the API knows. Failed attempts are counted, and
// limited, by the API.
func (u *UI) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		u.showLogin(w, r, http.StatusBadRequest, "/ui/", "The form could not be read.")
		return
	}
	to, token := r.PostForm.Get("to"), strings.TrimSpace(r.PostForm.Get("token"))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		u.showLogin(w, r, http.StatusBadRequest, to, "That is no admin token: it is empty, or has a character that none has.")
		return
	}
	if strings.HasPrefix(r.Header.Get("Origin"), "http://") && !insecure(r) {
		u.showLogin(w, r, http.StatusBadRequest, to, "This page came without TLS, so the browser would not keep the session. Open the dashboard over https, or on a loopback address.")
		return
	}
	known := r.Clone(r.Context())
	known.Header.Del("Cookie")
	sealed, err := u.Cookies.Put(sealedUI, session{Token: token, Expires: u.Now().Add(sessionTime).Unix()})
	if err == nil && len(sealed) > maxCookie {
		u.showLogin(w, r, http.StatusBadRequest, to, "That token is too long for a cookie.")
		return
	}
	if err == nil {
		name := sessionCookie
		if !insecure(r) {
			name = hostPrefix + name
		}
		known.AddCookie(&http.Cookie{Name: name, Value: sealed})
		var who admin.Whoami
		err = u.ask(known, http.MethodGet, "/whoami", nil, nil, &who)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		u.showLogin(w, r, f.status, to, f.message)
	case err != nil:
		u.problem(w, r, err)
	default:
		setCookie(w, r, sessionCookie, sealed, sessionTime)
		if !ownPath(to) {
			to = "/ui/"
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// logout forgets the token, and ends the session of a person on every node.
func (u *UI) logout(w http.ResponseWriter, r *http.Request) {
	if _, ok := u.token(r); !ok && u.People {
		res, err := u.send(r, http.MethodPost, "/logout", nil, nil)
		if err == nil {
			for _, line := range res.header.Values("Set-Cookie") {
				w.Header().Add("Set-Cookie", line)
			}
			err = faultOf(res)
		}
		var f *fault
		if err != nil && (!errors.As(err, &f) || f.status != http.StatusUnauthorized) {
			u.problem(w, r, err)
			return
		}
	}
	setCookie(w, r, sessionCookie, "", -1)
	http.Redirect(w, r, "/ui/login", http.StatusSeeOther)
}

// themes are the looks that a reader can choose; "auto" is what their system says.
var themes = []string{"auto", "light", "dark"}

// setTheme keeps the chosen look. Its cookie is no secret, and decides nothing else.
func (u *UI) setTheme(w http.ResponseWriter, r *http.Request) {
	to := r.FormValue("to")
	if !ownPath(to) {
		to = "/ui/"
	}
	const year = 365 * 24 * time.Hour
	for _, t := range themes {
		if r.FormValue("theme") == t {
			setCookie(w, r, themeCookie, t, year)
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// ownPath says that a browser which is led to it stays on a page of the dashboard.
// Browsers leave tabs and line breaks out of an address, and take a backslash for a slash.
func ownPath(to string) bool {
	const most = 2048
	odd := func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }
	u, err := url.Parse(to)
	if err != nil || slices.Contains(strings.Split(u.Path, "/"), "..") { // %2e%2e is .. for a browser, too
		return false
	}
	return (to == "/ui" || strings.HasPrefix(to, "/ui/") || strings.HasPrefix(to, "/ui?")) && len(to) <= most && !strings.ContainsFunc(to, odd)
}

// Redirect leads to a page after a change, which shows a message there. Kind is good or bad.
func (c *Call) Redirect(to, kind, text string) error {
	if text != "" {
		sealed, err := c.u.Cookies.Put(sealedFlash, flash{kind, text})
		if err != nil {
			return err
		}
		if len(sealed) <= maxCookie {
			setCookie(c.W, c.R, flashCookie, sealed, flashTime)
		}
	}
	http.Redirect(c.W, c.R, to, http.StatusSeeOther)
	return nil
}

// takeFlash takes the message that waits, for this page to show.
func (c *Call) takeFlash() {
	value, ok := cookieOf(c.R, flashCookie)
	var f flash
	if ok && c.R.Header.Get("HX-Request") == "" && c.u.Cookies.Take(sealedFlash, value, &f) == nil {
		c.flash = []flash{f}
		setCookie(c.W, c.R, flashCookie, "", -1)
	}
}
