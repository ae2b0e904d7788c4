package login

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"purser/internal/access"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// loginTime is how long a person may take at the provider.
const loginTime = 10 * time.Minute

// begun is a login's cookie: what only the browser that began it has.
type begun struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	To       string `json:"to"`
	Expires  int64  `json:"expires"` // Unix seconds
}

// Begin implements admin.Logins.
func (p *Provider) Begin(ctx context.Context, to string) (access.Begun, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return access.Begun{}, err
	}
	b := begun{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to, Expires: p.now().Add(loginTime).Unix()}
	kept, err := p.seal.Put(sealedLogin, b)
	if err != nil {
		return access.Begun{}, err
	}
	page := d.oauth.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier))
	return access.Begun{Page: page, Kept: kept, For: loginTime}, nil
}

// Finish implements admin.Logins.
func (p *Provider) Finish(ctx context.Context, q url.Values, kept string) (access.Finished, error) {
	var b begun
	switch err := p.seal.Take(sealedLogin, kept, &b); {
	case err != nil:
		return access.Finished{}, forged(err.Error())
	case p.now().Unix() >= b.Expires:
		return access.Finished{}, over("the login took too long; begin again")
	case !same(q.Get("state"), b.State):
		return access.Finished{}, forged("the answer is not to the login that this browser began; begin again")
	case q.Get("iss") != "" && q.Get("iss") != p.cfg.Issuer:
		return access.Finished{}, forged("the answer is of another provider")
	case q.Get("error") != "":
		return access.Finished{}, over("the provider did not log anybody in: " + plain(q.Get("error")))
	case q.Get("code") == "":
		return access.Finished{}, forged("the answer has no code")
	}
	t, err := p.redeem(ctx, q.Get("code"), &b)
	if err != nil {
		return access.Finished{}, err
	}
	subject, err := p.subject(t.person)
	if err != nil {
		return access.Finished{}, err
	}
	cookie, expires, err := p.newSession(t.person)
	return access.Finished{Cookie: cookie, Expires: expires, To: b.To, Subject: subject}, err
}

func over(reason string) *access.Refusal { return &access.Refusal{Kind: access.Over, Reason: reason} }

// redeem exchanges a code for the ID token of this login.
func (p *Provider) redeem(ctx context.Context, code string, b *begun) (*token, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := d.oauth.Exchange(oidc.ClientContext(ctx, p.client), code, oauth2.VerifierOption(b.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError:
		return nil, over("the provider does not take the code: it was used, or is not of this login; begin again (" + plain(refused.ErrorCode) + ")")
	case err != nil:
		return nil, fmt.Errorf("redeeming a code at %s: %w", p.cfg.Issuer, unsaid(err))
	}
	raw, ok := answer.Extra("id_token").(string)
	if !ok {
		return nil, fmt.Errorf("redeeming a code at %s: its answer has no ID token", p.cfg.Issuer)
	}
	t, err := p.check(ctx, raw)
	switch {
	case err != nil:
		return nil, err
	case !same(t.Nonce, b.Nonce):
		return nil, forged("the ID token is of another login")
	case t.AccessTokenHash != "" && t.VerifyAccessToken(answer.AccessToken) != nil:
		return nil, forged("the ID token does not go with the access token")
	}
	return t, nil
}

// unsaid keeps a provider's answer, which may have tokens, out of an error.
func unsaid(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil {
		return fmt.Errorf("it answered %s", refused.Response.Status)
	}
	if errors.Is(err, errUnreachable) {
		return errUnreachable
	}
	return errors.New("its answer cannot be read")
}

// plain keeps of a provider's error code what such a code is made of.
func plain(code string) string {
	const most = 64
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r == '_' {
			return r
		}
		return -1
	}
	code = strings.Map(keep, code)
	return code[:min(len(code), most)]
}
