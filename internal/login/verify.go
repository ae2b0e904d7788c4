package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"purser/internal/access"
	"purser/ledger"

	"github.com/coreos/go-oidc/v3/oidc"
)

// algorithms are those a token may be signed with: asymmetric ones. With a shared
// secret whoever verifies could sign, and "none" is no signature.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Verify implements admin.People.
func (p *Provider) Verify(ctx context.Context, raw string) (access.Subject, error) {
	t, err := p.check(ctx, raw)
	if err != nil {
		return access.Subject{}, err
	}
	s, err := p.subject(t.person)
	if err != nil {
		return access.Subject{}, err
	}
	s.Expires = ledger.Instant(t.Expiry.UnixNano())
	return s, nil
}

// subject is who a person is here.
func (p *Provider) subject(who access.Person) (access.Subject, error) {
	s, err := p.cfg.Mapping.Subject(who)
	if err != nil {
		return s, &access.Refusal{Kind: access.Stranger, Reason: err.Error()}
	}
	return s, nil
}

// token is one that is good, and whose it is.
type token struct {
	*oidc.IDToken
	person access.Person
}

// check verifies a token.
func (p *Provider) check(ctx context.Context, raw string) (*token, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	keys := &noted{set: d.keys}
	v := oidc.NewVerifier(d.issuer, keys, &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algorithms, Now: p.now})
	t, err := v.Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.Is(keys.err, errUnreachable), errors.Is(keys.err, context.Canceled), errors.Is(keys.err, context.DeadlineExceeded):
		return nil, fmt.Errorf("fetching the keys of %s: %w", p.cfg.Issuer, keys.err)
	case errors.As(err, &expired):
		return nil, &access.Refusal{Kind: access.Over, Reason: "the token has expired; log in again"}
	case err != nil:
		return nil, forged("the token is not good: " + err.Error())
	}
	claims := map[string]any{}
	if err := t.Claims(&claims); err != nil {
		return nil, forged("the token's claims cannot be read")
	}
	if _, logout := claims["events"]; logout {
		return nil, forged("the token is a logout token")
	}
	if err := p.party(t.Audience, claims); err != nil {
		return nil, err
	}
	return &token{t, p.personOf(t.Subject, claims)}, nil
}

func forged(reason string) *access.Refusal {
	return &access.Refusal{Kind: access.Forged, Reason: reason}
}

// noted remembers the error that the verifier only prints.
type noted struct {
	set oidc.KeySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (n *noted) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	payload, n.err = n.set.VerifySignature(ctx, raw)
	return payload, n.err
}

// party checks whom a token was issued for, and to. An ID token is for one of our
// clients and to it; an access token is for our audience, to one of our clients.
func (p *Provider) party(audience []string, claims map[string]any) error {
	ours := p.cfg.clients()
	to, _ := claims["azp"].(string)
	if to == "" {
		to, _ = claims["client_id"].(string) // in access tokens (RFC 9068)
	}
	isOurs := func(name string) bool { return slices.Contains(ours, name) }
	id := slices.ContainsFunc(audience, isOurs)
	switch {
	case !id && (p.cfg.Audience == "" || !slices.Contains(audience, p.cfg.Audience)):
		return forged("the token was issued for another audience")
	case id && to == "" && len(audience) == 1:
		return nil
	case !isOurs(to):
		return forged("the token was issued to another client")
	}
	return nil
}

// personOf reads who a token is of.
func (p *Provider) personOf(subject string, claims map[string]any) access.Person {
	who := access.Person{Subject: subject}
	who.Email, _ = claims["email"].(string)
	switch v := claims["email_verified"].(type) {
	case bool:
		who.Verified = v
	case string: // some providers write it so
		who.Verified = v == "true"
	}
	switch groups := claimAt(claims, p.cfg.GroupsClaim).(type) {
	case string:
		who.Groups = []string{groups}
	case []any:
		for _, g := range groups {
			if name, ok := g.(string); ok {
				who.Groups = append(who.Groups, name)
			}
		}
	}
	who.Groups = p.cfg.Mapping.Known(who.Groups)
	who.Member, _ = claimAt(claims, p.cfg.MemberClaim).(string)
	if p.cfg.MemberClaim == "email" && !who.Verified || len(who.Member) > ledger.MaxDimValue {
		who.Member = ""
	}
	return who
}

// claimAt is the claim of a name, or of a path with dots.
func claimAt(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	below, ok := claims[head].(map[string]any)
	if !ok {
		return nil
	}
	return claimAt(below, rest)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
