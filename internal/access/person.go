package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Person is somebody as their identity provider describes them.
type Person struct {
	Subject  string // the provider's name for them, which stays theirs
	Email    string
	Verified bool // the provider says that the address is theirs
	Groups   []string
	Member   string // their value of the dimension member; "" if nothing says it
}

// Mapping turns what a provider says of people into roles.
type Mapping struct {
	Rules   []Rule
	Domains []string // of verified e-mail addresses that may log in; none: all may
}

// AnyGroup is the group of everybody who may log in.
const AnyGroup = "*"

// Rule gives a role to everyone of a group.
type Rule struct {
	Group string
	Role  Role
	Teams []string
	Orgs  []string
}

// grant is what the rule gives to a person.
func (r Rule) grant(member string) Grant {
	g := Grant{Role: r.Role, Reach: Reach{Teams: r.Teams, Orgs: r.Orgs}}
	if r.Role == Member {
		g.Reach.Members = []string{member}
	}
	g.Reach.All = len(g.Reach.Teams)+len(g.Reach.Orgs)+len(g.Reach.Members) == 0
	return g
}

// Validate says what is wrong with a mapping.
func (m Mapping) Validate() error {
	if len(m.Rules) == 0 {
		return errors.New("no group has a role, so nobody could log in")
	}
	for i, r := range m.Rules {
		if r.Group == "" {
			return fmt.Errorf("roles[%d]: group is empty; %q is everybody", i, AnyGroup)
		}
		if err := r.grant("somebody").Validate(); err != nil {
			return fmt.Errorf("roles[%d] (%s): %w", i, r.Group, err)
		}
	}
	for _, d := range m.Domains {
		if d == "" || strings.ContainsAny(d, "@ *") {
			return fmt.Errorf("allowed_domains: %q is no domain such as example.com", d)
		}
	}
	return nil
}

// Known keeps the groups that some rule names.
func (m Mapping) Known(groups []string) (known []string) {
	for _, r := range m.Rules {
		if slices.Contains(groups, r.Group) && !slices.Contains(known, r.Group) {
			known = append(known, r.Group)
		}
	}
	return known
}

// Subject is who a person is here, or why they are nobody.
func (m Mapping) Subject(p Person) (Subject, error) {
	if p.Subject == "" {
		return Subject{}, errors.New("the provider does not say who this is")
	}
	if len(m.Domains) > 0 {
		_, domain, ok := cutLast(p.Email, "@")
		match := func(d string) bool { return strings.EqualFold(d, domain) }
		switch {
		case !ok || !slices.ContainsFunc(m.Domains, match):
			return Subject{}, errors.New("the e-mail address is not of an allowed domain")
		case !p.Verified:
			return Subject{}, errors.New("the provider has not verified the e-mail address")
		}
	}
	s := Subject{Name: "person:" + p.Subject}
	for _, r := range m.Rules {
		if r.Group != AnyGroup && !slices.Contains(p.Groups, r.Group) {
			continue
		}
		if r.Role == Member && p.Member == "" {
			continue
		}
		s.Grants = append(s.Grants, r.grant(p.Member))
	}
	if len(s.Grants) == 0 {
		return Subject{}, errors.New("none of the groups of this account has a role here")
	}
	return s, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Refusal is a credential that is no good, and why. The reason has no secret.
type Refusal struct {
	Reason string
	Kind   RefusalKind
}

// RefusalKind says what a refused credential is.
type RefusalKind uint8

// The kinds of refusal.
const (
	// Forged is one that nobody here has made: a guess.
	Forged RefusalKind = iota
	// Over is one that was good: it has expired, or was used.
	Over
	// Stranger is a good one of somebody who has no role here.
	Stranger
)

// Error implements error.
func (r *Refusal) Error() string { return r.Reason }
