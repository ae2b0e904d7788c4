package access

import (
	"fmt"
	"slices"

	"purser/ledger"
)

// Decision is the answer to "may they?".
type Decision struct {
	Allowed bool
	Reach   Reach  // over whose things; of a refusal nobody's
	Reason  string // of a refusal: what is missing, without a secret
}

func refuse(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...)}
}

// Can decides whether a subject has a permission at an instant, and over whose
// things: those of all its grants that have it. What it then does must be
// [Reach.Covers]ed.
func Can(s Subject, p Permission, now ledger.Instant) Decision {
	if !p.Known() {
		return refuse("there is no permission %q", string(p))
	}
	if s.Expires != 0 && now >= s.Expires {
		return refuse("%s has expired", s.Name)
	}
	if s.Scopes != nil && !slices.Contains(s.Scopes, p) {
		return refuse("the scopes of %s leave out %s", s.Name, p)
	}
	d := Decision{}
	limited := false
	for _, g := range s.Grants {
		switch {
		case g.Validate() != nil || !g.Role.Has(p):
		case !g.Reach.All && !p.Owned():
			limited = true
		default:
			d.Allowed, d.Reach = true, d.Reach.with(g.Reach)
		}
	}
	switch {
	case d.Allowed:
		return d
	case limited:
		return refuse("%s is about the whole cluster, and %s is limited to a part of it", p, s.Name)
	case len(s.Grants) == 0:
		return refuse("%s has no role here", s.Name)
	}
	return refuse("the role of %s (%s) does not have %s", s.Name, s.roles(), p)
}

func (s Subject) roles() string {
	text := ""
	for i, g := range s.Grants {
		if i > 0 {
			text += ", "
		}
		text += string(g.Role)
	}
	return text
}

// Delegates decides whether a subject may make, or end, a token (R2): it must have
// everything that the token has, as far as the token reaches, and for as long.
func Delegates(s Subject, t *Token, now ledger.Instant) Decision {
	if d := Can(s, TokensWrite, now); !d.Allowed {
		return d
	}
	if err := t.ValidateRights(); err != nil {
		return refuse("%v", err)
	}
	made := t.Subject()
	for _, p := range Permissions() {
		has := Can(made, p, 0)
		if !has.Allowed {
			continue
		}
		own := Can(s, p, now)
		if !own.Allowed {
			return refuse("the token would have %s, and %s", p, own.Reason)
		}
		if !own.Reach.Includes(has.Reach) {
			return refuse("the token would have %s beyond what %s reaches", p, s.Name)
		}
	}
	return Decision{Allowed: true, Reach: Everything}
}

// Outlives says that a token would last longer than the right it is made by.
func Outlives(s Subject, t *Token) bool {
	return s.Bounded && s.Expires != 0 && (t.Expires == 0 || instant(t.Expires) > s.Expires)
}
