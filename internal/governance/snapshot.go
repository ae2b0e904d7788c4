package governance

import (
	"fmt"
	"maps"
	"slices"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/loop"
	"purser/proxy/policy"
	"purser/proxy/redaction"
)

// Snapshot is every object, compiled. It is immutable.
type Snapshot struct {
	teams    map[string]Team // each with the org of those above it, if it has none itself
	projects map[string]Project
	members  map[string]Member
	agents   map[string]Agent // each with the team and project of those above it, if it has neither
	routes   map[string]Route
	policies *policy.Set
	loops    []*loop.Rule

	redactions []redaction.Spec
}

// Compile reads every object of a directory. An error is an object that this build
// cannot read: what it would allow or forbid is not known.
func Compile(s *directory.State) (*Snapshot, error) {
	out := &Snapshot{}
	var err error
	if out.teams, err = compile[Team](s, directory.ObjectTeam); err != nil {
		return nil, err
	}
	if out.projects, err = compile[Project](s, directory.ObjectProject); err != nil {
		return nil, err
	}
	if out.members, err = compile[Member](s, directory.ObjectMember); err != nil {
		return nil, err
	}
	if out.agents, err = compile[Agent](s, directory.ObjectAgent); err != nil {
		return nil, err
	}
	for id, t := range out.teams {
		for up := t; t.Org == "" && up.Parent != ""; { // no circles: the directory refuses them
			up = out.teams[up.Parent]
			t.Org = up.Org
		}
		out.teams[id] = t
	}
	for id, a := range out.agents {
		for up := a; a.Team == "" && a.Project == "" && up.Parent != ""; {
			up = out.agents[up.Parent]
			a.Team, a.Project = up.Team, up.Project
		}
		out.agents[id] = a
	}
	if out.routes, err = compile[Route](s, directory.ObjectRoute); err != nil {
		return nil, err
	}
	if out.policies, err = compilePolicies(s); err != nil {
		return nil, err
	}
	if out.loops, err = compileLoops(s); err != nil {
		return nil, err
	}
	if out.redactions, err = redactions(s); err != nil {
		return nil, err
	}
	return out, nil
}

// compile reads the objects of a kind whose specs are of type T.
func compile[T any, P interface {
	*T
	Spec
}](s *directory.State, n directory.ObjectKind) (map[string]T, error) {
	k, ok := kindNumbered(n)
	if !ok {
		return nil, fmt.Errorf("this build knows no objects of kind %d", n)
	}
	out := map[string]T{}
	for o := range s.Objects(n) {
		spec, err := k.Decode(o.Spec)
		if err != nil {
			return nil, fmt.Errorf("%s is not readable by this build: %w", Named(o.Ref), err)
		}
		out[o.ID] = *spec.(P)
	}
	return out, nil
}

// Route is what a name that clients ask for stands for: a model, and the upstream
// that is to be asked, "" for any.
func (s *Snapshot) Route(name string) (model, upstream string, ok bool) {
	r, ok := s.routes[name]
	return r.Model, r.Upstream, ok
}

// RouteNames lists those names, in order.
func (s *Snapshot) RouteNames() []string { return slices.Sorted(maps.Keys(s.routes)) }

// TeamsOf lists the teams of an org, in order.
func (s *Snapshot) TeamsOf(org string) (list []string) {
	for id, t := range s.teams {
		if t.Org == org && org != "" {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// Complete fills the dimensions that follow from those there are, and of a member
// of one team that team, unless the request is of another.
func (s *Snapshot) Complete(d *ledger.Dimensions) error {
	if err := s.Follow(d); err != nil {
		return err
	}
	if m, ok := s.members[d.Values[ledger.DimMember]]; ok && len(m.Teams) == 1 && d.Values[ledger.DimTeam] == "" {
		d.Values[ledger.DimTeam] = m.Teams[0]
		return s.Follow(d)
	}
	return nil
}

// Follow fills the dimensions that no request can have otherwise: the project, team
// and org of an agent, a project, a team, and the org of a member. An error is a
// contradiction, as in a request of a project and of another team.
func (s *Snapshot) Follow(d *ledger.Dimensions) error {
	v := &d.Values
	if a, ok := s.agents[v[ledger.DimAgent]]; ok {
		if err := follow(v, ledger.DimAgent, ledger.DimProject, a.Project); err != nil {
			return err
		}
		if err := follow(v, ledger.DimAgent, ledger.DimTeam, a.Team); err != nil {
			return err
		}
	}
	if p, ok := s.projects[v[ledger.DimProject]]; ok {
		if err := follow(v, ledger.DimProject, ledger.DimTeam, p.Team); err != nil {
			return err
		}
		if err := follow(v, ledger.DimProject, ledger.DimOrg, p.Org); err != nil {
			return err
		}
	}
	if m, ok := s.members[v[ledger.DimMember]]; ok {
		if err := follow(v, ledger.DimMember, ledger.DimOrg, m.Org); err != nil {
			return err
		}
	}
	if t, ok := s.teams[v[ledger.DimTeam]]; ok {
		return follow(v, ledger.DimTeam, ledger.DimOrg, t.Org)
	}
	return nil
}

// follow sets a dimension to what another one means, unless that is nothing.
func follow(v *[ledger.NumDims]string, from, to ledger.Dim, value string) error {
	switch {
	case value == "" || v[to] == value:
		return nil
	case v[to] == "":
		v[to] = value
		return nil
	}
	return fmt.Errorf("%s %q belongs to %s %q, and not to %q", ledger.DimRef{Dim: from}, v[from], ledger.DimRef{Dim: to}, value, v[to])
}
