package native

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"purser/internal/access"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// loginTime is how long a person may take in the browser.
	loginTime = 5 * time.Minute
	// askTime bounds one question to the provider.
	askTime = 15 * time.Second
	// early is how long before its end a token is refreshed.
	early = 30 * time.Second

	callback = "/callback"
)

// Login logs a person in: show is given the page that their browser is to open.
// port is that of the loopback address, 0 for any.
func Login(ctx context.Context, c access.LoginClient, port int, show func(page string)) (Kept, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, &http.Client{Timeout: askTime}), loginTime)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, c.Issuer)
	if err != nil {
		return Kept{}, fmt.Errorf("asking the identity provider %s: %w", c.Issuer, err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return Kept{}, fmt.Errorf("opening a port for the browser to come back to: %w", err)
	}
	conf := config(provider, c)
	conf.RedirectURL = "http://" + ln.Addr().String() + callback
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	back := make(chan url.Values, 1)
	server := &http.Server{Handler: returned(state, back), ReadHeaderTimeout: askTime}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	show(conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	var q url.Values
	select {
	case q = <-back:
	case <-ctx.Done():
		err = fmt.Errorf("nobody came back from the provider: %w", ctx.Err())
	}
	// The page that says that it is done is let go out first.
	down, stop := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer stop()
	if e := server.Shutdown(down); e != nil && err == nil {
		err = fmt.Errorf("closing the port: %w", e)
	}
	<-served
	switch {
	case err != nil:
		return Kept{}, err
	case q.Get("error") != "":
		return Kept{}, fmt.Errorf("the provider did not log anybody in: %q", q.Get("error"))
	}
	got, err := conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return Kept{}, fmt.Errorf("redeeming the code: %w", err)
	}
	return keep(ctx, provider, c, got, nonce)
}

func config(p *oidc.Provider, c access.LoginClient) *oauth2.Config {
	scopes := c.Scopes
	if !slices.Contains(scopes, oidc.ScopeOfflineAccess) {
		scopes = append(slices.Clone(scopes), oidc.ScopeOfflineAccess) // for a refresh token
	}
	return &oauth2.Config{ClientID: c.ClientID, Endpoint: p.Endpoint(), Scopes: scopes}
}

// returned takes the first answer that has the state; whatever else comes to the
// port is refused.
func returned(state string, back chan<- url.Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callback, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			page(w, http.StatusBadRequest, "This is not the login that purser waits for.")
			return
		}
		select {
		case back <- q:
			page(w, http.StatusOK, "You can close this page and go back to the terminal.")
		default:
			page(w, http.StatusConflict, "The login is done already.")
		}
	})
	return mux
}

func page(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><title>purser</title><p>%s</p>\n", html.EscapeString(text)) // the browser may have gone
}

// keep verifies an ID token and makes what is kept of it. nonce is "" of a refresh,
// whose ID token may have none.
func keep(ctx context.Context, p *oidc.Provider, c access.LoginClient, got *oauth2.Token, nonce string) (Kept, error) {
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return Kept{}, errors.New("the provider's answer has no ID token")
	}
	t, err := p.VerifierContext(ctx, &oidc.Config{ClientID: c.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Kept{}, fmt.Errorf("the provider's ID token: %w", err)
	}
	if nonce != "" && subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1 {
		return Kept{}, errors.New("the provider's ID token is of another login")
	}
	return Kept{Issuer: c.Issuer, ClientID: c.ClientID, IDToken: raw, Refresh: got.RefreshToken, Expires: t.Expiry}, nil
}

// errLogin says what to do.
var errLogin = errors.New("the login has ended: run `purser login`")

// Token is the ID token for a node's address, refreshed if its time is over; ""
// if nobody has logged in there.
func Token(ctx context.Context, file, address string, now time.Time) (string, error) {
	all, err := Read(file)
	if err != nil {
		return "", err
	}
	k, ok := all[address]
	switch {
	case !ok:
		return "", nil
	case now.Before(k.Expires.Add(-early)):
		return k.IDToken, nil
	case k.Refresh == "":
		return "", errLogin
	}
	next, err := k.refresh(ctx)
	if err != nil {
		return "", err
	}
	return next.IDToken, Change(file, func(all map[string]Kept) { all[address] = next })
}

// refresh asks for another ID token.
func (k Kept) refresh(ctx context.Context) (Kept, error) {
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: askTime})
	provider, err := oidc.NewProvider(ctx, k.Issuer)
	if err != nil {
		return Kept{}, fmt.Errorf("asking the identity provider %s: %w", k.Issuer, err)
	}
	c := access.LoginClient{Issuer: k.Issuer, ClientID: k.ClientID}
	got, err := config(provider, c).TokenSource(ctx, &oauth2.Token{RefreshToken: k.Refresh}).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return Kept{}, errLogin
	case err != nil:
		return Kept{}, fmt.Errorf("refreshing the login: %w", err)
	}
	next, err := keep(ctx, provider, c, got, "")
	if next.Refresh == "" {
		next.Refresh = k.Refresh
	}
	return next, err
}
