package ui

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"purser/api/admin"
)

// Config is what a dashboard needs. It does not change while it is used.
type Config struct {
	// API serves /admin/v1. Required.
	API http.Handler
	// Cookies seals sessions. Required.
	Cookies Sealer
	// People says that one can log in through an identity provider.
	People bool
	// Ending says that the node shuts down: live streams end, so that it need not wait
	// for them. nil: never.
	Ending func() bool
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Log gets what went wrong here. Default slog.Default.
	Log *slog.Logger
}

// UI is the dashboard.
type UI struct {
	Config
	assets  map[string]*asset
	pages   map[string]*template.Template
	streams chan struct{} // a slot for each live stream
	pulses  pulses
	scores  lately[admin.EfficiencySum]
	units   lately[admin.Units]
}

// New makes a dashboard. It fails where a template cannot be read.
func New(cfg Config) (*UI, error) {
	if cfg.API == nil || cfg.Cookies == nil {
		return nil, errors.New("ui: the API or the sealer of cookies is missing")
	}
	if cfg.Ending == nil {
		cfg.Ending = func() bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	u := &UI{Config: cfg, streams: make(chan struct{}, maxStreams)}
	var err error
	if u.assets, err = loadAssets(); err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	if u.pages, err = u.loadTemplates(); err != nil {
		return nil, fmt.Errorf("ui: %w", err)
	}
	return u, nil
}

// Handler serves /ui and everything below.
func (u *UI) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui/assets/{name}", u.serveAsset)
	mux.HandleFunc("GET /ui/login", u.loginPage)
	mux.HandleFunc("POST /ui/login", u.login)
	mux.HandleFunc("POST /ui/logout", u.logout)
	mux.HandleFunc("POST /ui/theme", u.setTheme)
	mux.HandleFunc("GET /ui/live", u.live)
	for _, r := range u.routes() {
		mux.Handle(r.pattern, u.page(r.serve))
	}
	mux.Handle("GET /ui", http.RedirectHandler("/ui/", http.StatusMovedPermanently))
	mux.Handle("/ui/", u.page(func(c *Call) error { return notFound("there is no page at " + c.R.URL.Path) }))
	return u.guarded(mux)
}

// policy is the content security policy: everything is from here, and nothing is
// written into a page that a browser would run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxForm bounds the body of a form: the largest is a policy or a prompt, of 64 KiB.
const maxForm = 1 << 20

// guarded sets what every answer has, and refuses changes that come from elsewhere.
func (u *UI) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: with that, browsers send "Origin: null" with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Cookie, HX-Request")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if !fromHere(r) {
				u.problem(w, r, &fault{status: http.StatusForbidden, message: "This change did not come from a page of this dashboard. Open the page here and try again."})
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		next.ServeHTTP(w, r)
	})
}

// fromHere says that a browser sent a request from a page of this origin. Browsers
// set both headers themselves; one that sends neither is too old to be told apart
// from another site.
func fromHere(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin := r.Header.Values("Origin")
	if len(origin) == 0 {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	_, host, ok := strings.Cut(origin[0], "://")
	return len(origin) == 1 && ok && strings.EqualFold(host, r.Host)
}
