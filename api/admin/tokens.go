package admin

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"purser/internal/access"
)

// Tokens are the admin tokens of the cluster.
type Tokens interface {
	// Tokens is every token, as this node knows them.
	Tokens() *access.Tokens
	// CreateToken keeps a token, gives it an id and a hash, and returns its secret.
	CreateToken(ctx context.Context, t *access.Token) (secret string, err error)
	// RevokeToken ends a token for good.
	RevokeToken(ctx context.Context, id string) (*access.Token, error)
	// EndSession refuses a person's session from now until it would have ended.
	EndSession(ctx context.Context, h access.Hash, expires time.Time) error
}

func (a *API) createAdminToken(w http.ResponseWriter, r *http.Request, c caller) {
	var in NewAdminToken
	if !a.read(w, r, &in) {
		return
	}
	t, err := tokenOf(&in, a.Now())
	if err == nil {
		err = a.mayMake(c.subject, t)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	t.By = c.subject.Name
	secret, err := a.Tokens.CreateToken(r.Context(), t)
	a.reply(w, r, http.StatusCreated, CreatedAdminToken{AdminToken: tokenText(t, a), Secret: secret}, err)
}

// mayMake refuses a token that could do what its maker cannot.
func (a *API) mayMake(s access.Subject, t *access.Token) error {
	if d := access.Delegates(s, t, a.instant()); !d.Allowed {
		return Forbidden(d.Reason)
	}
	if access.Outlives(s, t) {
		return Forbidden("the token would outlast the one that it is made with; give it an earlier end")
	}
	return nil
}

func tokenOf(in *NewAdminToken, now time.Time) (*access.Token, error) {
	t := &access.Token{Name: in.Name, Role: access.Role(in.Role), Teams: in.Teams, Orgs: in.Orgs, Member: in.Member}
	for _, s := range in.Scopes {
		t.Scopes = append(t.Scopes, access.Permission(s))
	}
	if in.Expires != "" {
		at, err := time.Parse(time.RFC3339, in.Expires)
		switch {
		case err != nil:
			return nil, Invalid(fmt.Sprintf("expires %q is not a time like 2026-01-31T08:00:00Z", in.Expires))
		case !at.After(now):
			return nil, Invalid("expires is in the past")
		}
		t.Expires = at.Unix()
	}
	switch {
	case in.Name == "" || len(in.Name) > access.MaxTokenName:
		return nil, Invalid(fmt.Sprintf("name has %d bytes, allowed are 1 to %d", len(in.Name), access.MaxTokenName))
	case in.Role == "":
		return nil, Invalid(fmt.Sprintf("role is missing; known are %v", access.Roles()))
	}
	if err := t.ValidateRights(); err != nil {
		return nil, Invalid(err.Error())
	}
	return t, nil
}

func (a *API) listAdminTokens(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	list := []AdminToken{}
	for _, t := range a.Tokens.Tokens().All() {
		if !t.Session && reach.Covers(t.Resource()) {
			list = append(list, tokenText(t, a))
		}
	}
	a.reply(w, r, http.StatusOK, map[string]any{"tokens": list}, nil)
}

// revokeAdminToken ends a token that the caller could have made, or their own.
func (a *API) revokeAdminToken(w http.ResponseWriter, r *http.Request, c caller) {
	id := r.PathValue("id")
	var t *access.Token
	for _, have := range a.Tokens.Tokens().All() {
		if have.ID == id && !have.Session {
			t = have
		}
	}
	if t == nil || !c.reach.Covers(t.Resource()) {
		a.fail(w, r, NotFound("no admin token "+strconv.Quote(id)))
		return
	}
	if d := access.Delegates(c.subject, t, a.instant()); !d.Allowed && c.subject.Name != t.Subject().Name {
		a.fail(w, r, Forbidden("the token may do more than who wants to end it: "+d.Reason))
		return
	}
	out, err := a.Tokens.RevokeToken(r.Context(), id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.reply(w, r, http.StatusOK, tokenText(out, a), nil)
}

func tokenText(t *access.Token, a *API) AdminToken {
	out := AdminToken{
		ID: t.ID, Name: t.Name, Role: string(t.Role), Teams: t.Teams, Orgs: t.Orgs, Member: t.Member, By: t.By,
		Created: unixText(t.Created), Expires: unixText(t.Expires), Revoked: unixText(t.Revoked), State: t.Status(a.instant()).String(),
	}
	for _, p := range t.Scopes {
		out.Scopes = append(out.Scopes, string(p))
	}
	return out
}

func unixText(at int64) string {
	if at == 0 {
		return ""
	}
	return time.Unix(at, 0).UTC().Format(time.RFC3339)
}
