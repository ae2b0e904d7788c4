package governance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"purser/internal/directory"
)

// maxText is the longest name or description, in bytes.
const maxText = 512

// Org is a company, or what stands for one.
type Org struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Validate implements Spec.
func (o *Org) Validate() error {
	return texts("name", o.Name, "description", o.Description)
}

// Refs implements Spec.
func (*Org) Refs() []directory.Ref { return nil }

// Team is people of an org; it may be a part of another team.
type Team struct {
	Org         string `json:"org,omitempty"`
	Parent      string `json:"parent,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Validate implements Spec.
func (t *Team) Validate() error {
	return errors.Join(ids("org", t.Org, "parent", t.Parent), texts("name", t.Name, "description", t.Description))
}

// Refs implements Spec.
func (t *Team) Refs() []directory.Ref {
	return named(org(t.Org), team(t.Parent))
}

// Project is what a team works on.
type Project struct {
	Org         string `json:"org,omitempty"`
	Team        string `json:"team,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Validate implements Spec.
func (p *Project) Validate() error {
	return errors.Join(ids("org", p.Org, "team", p.Team), texts("name", p.Name, "description", p.Description))
}

// Refs implements Spec.
func (p *Project) Refs() []directory.Ref {
	return named(org(p.Org), team(p.Team))
}

// Member is a person.
type Member struct {
	Org   string   `json:"org,omitempty"`
	Teams []string `json:"teams,omitempty"`
	Name  string   `json:"name,omitempty"`
	Email string   `json:"email,omitempty"`
}

// Validate implements Spec.
func (m *Member) Validate() error {
	if m.Email != "" && !strings.Contains(m.Email, "@") {
		return fmt.Errorf("email %q is no address", m.Email)
	}
	return errors.Join(ids("org", m.Org), list("teams", m.Teams), texts("name", m.Name, "email", m.Email))
}

// Refs implements Spec.
func (m *Member) Refs() []directory.Ref {
	out := named(org(m.Org))
	for _, t := range m.Teams {
		out = append(out, team(t))
	}
	return out
}

// Agent is a program that acts; it may be a part of another agent.
type Agent struct {
	Team        string `json:"team,omitempty"`
	Project     string `json:"project,omitempty"`
	Parent      string `json:"parent,omitempty"`
	Owner       string `json:"owner,omitempty"` // a member
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Validate implements Spec.
func (a *Agent) Validate() error {
	return errors.Join(ids("team", a.Team, "project", a.Project, "parent", a.Parent, "owner", a.Owner), texts("name", a.Name, "description", a.Description))
}

// Refs implements Spec.
func (a *Agent) Refs() []directory.Ref {
	return named(team(a.Team), project(a.Project), agent(a.Parent), member(a.Owner))
}

// named keeps the references that name something.
func named(list ...directory.Ref) []directory.Ref {
	return slices.DeleteFunc(list, func(r directory.Ref) bool { return r.ID == "" })
}

func org(id string) directory.Ref     { return directory.Ref{Kind: directory.ObjectOrg, ID: id} }
func team(id string) directory.Ref    { return directory.Ref{Kind: directory.ObjectTeam, ID: id} }
func project(id string) directory.Ref { return directory.Ref{Kind: directory.ObjectProject, ID: id} }
func member(id string) directory.Ref  { return directory.Ref{Kind: directory.ObjectMember, ID: id} }
func agent(id string) directory.Ref   { return directory.Ref{Kind: directory.ObjectAgent, ID: id} }

// texts checks pairs of a field and its text: one line each.
func texts(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		switch name, s := pairs[i], pairs[i+1]; {
		case len(s) > maxText:
			return fmt.Errorf("%s has %d bytes, the most is %d", name, len(s), maxText)
		case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return fmt.Errorf("%s has control characters or is not UTF-8", name)
		}
	}
	return nil
}

// ids checks pairs of a field and an ID; "" is none.
func ids(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if err := directory.ValidObjectID(pairs[i+1]); err != nil {
			return fmt.Errorf("%s: %w", pairs[i], err)
		}
	}
	return nil
}

func list(name string, of []string) error {
	if len(of) > directory.MaxRefs {
		return fmt.Errorf("%s has %d entries, the most is %d", name, len(of), directory.MaxRefs)
	}
	for _, id := range of {
		if err := directory.ValidObjectID(id); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
