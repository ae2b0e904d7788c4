package access

import (
	"errors"
	"fmt"
	"slices"

	"purser/ledger"
)

// Subject is who asks.
type Subject struct {
	Name   string // as the audit log names them: "root", "token:<id>", "person:<subject>"
	Grants []Grant
	// Scopes narrow the grants: what they do not name is refused. nil does not narrow.
	Scopes []Permission
	// Expires is when the token or session ends; 0: never.
	Expires ledger.Instant
	// Bounded says that Expires bounds the right itself, not just this proof of it:
	// what such a subject makes must not outlive it. So it is with tokens, not with
	// people, who log in again.
	Bounded bool
}

// Root is the subject of the configured admin token.
func Root() Subject {
	return Subject{Name: "root", Grants: []Grant{{Role: Owner, Reach: Everything}}}
}

// Grant is a role over a part of the cluster.
type Grant struct {
	Role  Role
	Reach Reach
}

// Reach is whose things: everyone's, or those of any of the teams, organisations
// or members. The zero Reach is nobody's.
type Reach struct {
	All     bool
	Teams   []string
	Orgs    []string
	Members []string
}

// Everything is everyone's.
var Everything = Reach{All: true}

// Validate says what is wrong with a grant: the owner is not limited, a team admin
// and a member are.
func (g Grant) Validate() error {
	r := g.Reach
	limited := len(r.Teams)+len(r.Orgs)+len(r.Members) > 0
	switch {
	case !g.Role.Known():
		return fmt.Errorf("there is no role %q; known are %v", g.Role, Roles())
	case slices.Contains(slices.Concat(r.Teams, r.Orgs, r.Members), ""):
		return errors.New("a team, organisation or member without a name")
	case r.All == limited:
		return fmt.Errorf("role %s must reach either everything or some teams, organisations or members", g.Role)
	case g.Role == Owner && limited:
		return errors.New("an owner is not limited to teams, organisations or members: use admin or team_admin")
	case g.Role == TeamAdmin && len(r.Teams)+len(r.Orgs) == 0:
		return errors.New("a team_admin needs teams, or organisations")
	case g.Role == Member && len(r.Members) != 1:
		return errors.New("a member needs the name that is their value of the dimension member")
	case g.Role == Member && len(r.Teams)+len(r.Orgs) > 0:
		return errors.New("a member reaches what is their own, not teams or organisations")
	case g.Role != Member && len(r.Members) > 0:
		return fmt.Errorf("role %s is not limited to members", g.Role)
	}
	return nil
}

// Resource is whose a thing is: a key bound to a team, a budget that matches an
// organisation. A thing may be about several of a dimension; it belongs to a reach
// only if that has all of them.
type Resource struct {
	Teams   []string
	Orgs    []string
	Members []string
}

// Covers says that a thing is within the reach.
func (r Reach) Covers(of Resource) bool {
	return r.All || within(of.Teams, r.Teams) || within(of.Orgs, r.Orgs) || within(of.Members, r.Members)
}

// Includes says that every thing within other is within r.
func (r Reach) Includes(other Reach) bool {
	if r.All {
		return true
	}
	return !other.All && subset(other.Teams, r.Teams) && subset(other.Orgs, r.Orgs) && subset(other.Members, r.Members)
}

// with is the reach of both.
func (r Reach) with(other Reach) Reach {
	if r.All || other.All {
		return Everything
	}
	return Reach{Teams: merge(r.Teams, other.Teams), Orgs: merge(r.Orgs, other.Orgs), Members: merge(r.Members, other.Members)}
}

// within is subset, and not of nothing.
func within(list, of []string) bool { return len(list) > 0 && subset(list, of) }

func subset(list, of []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(of, s) })
}

func merge(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
