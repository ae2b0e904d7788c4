package governance

import (
	"fmt"
	"slices"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/lever"
	"purser/proxy/loop"
	"purser/proxy/policy"
	"purser/proxy/redaction"
	"purser/proxy/route"
	"purser/proxy/route/learned"
	"purser/proxy/template"
)

// Snapshot is every object, compiled. It is immutable.
type Snapshot struct {
	teams    map[string]Team // each with the org of those above it, if it has none itself
	projects map[string]Project
	members  map[string]Member
	agents   map[string]Agent // each with the team and project of those above it, if it has neither
	routers  map[string]*learned.Router
	routes   map[string]*route.Route
	policies *policy.Set
	loops    []*loop.Rule
	levers   []*lever.Rule

	templates map[string]*template.Template // by name@version
	prompts   map[string]Prompt

	redactions []redaction.Spec

	read map[directory.ObjectKind]map[string]readSpec // what the above is made of
}

// readSpec is what the spec of an object said at a version. It is not written.
type readSpec struct {
	version uint64
	spec    Spec
}

// reading is one Compile: of a directory, after a snapshot, into another.
type reading struct {
	of           *directory.State
	before, into *Snapshot
}

// elsewhere are the kinds that other packages read.
var elsewhere = []directory.ObjectKind{directory.ObjectCredential, directory.ObjectAdminToken}

// Compile reads every object of a directory. An error is an object that this build
// cannot read: what it would allow or forbid is not known.
//
// before is a snapshot of the same directory at another time, nil for none. Objects
// that have the version that they had in it are not read again: a directory may have
// tens of thousands, of which one changes.
func Compile(s *directory.State, before *Snapshot) (*Snapshot, error) {
	if before == nil {
		before = &Snapshot{}
	}
	out := &Snapshot{read: map[directory.ObjectKind]map[string]readSpec{}}
	r := &reading{of: s, before: before, into: out}
	for _, n := range s.ObjectKinds() {
		if _, ok := kindNumbered(n); !ok && !slices.Contains(elsewhere, n) {
			return nil, fmt.Errorf("there are objects of kind %d, which a later build made", n)
		}
	}
	var sameTeams, sameAgents bool
	var err error
	if out.teams, sameTeams, err = compile(r, directory.ObjectTeam, before.teams); err != nil {
		return nil, err
	}
	if out.projects, _, err = compile(r, directory.ObjectProject, before.projects); err != nil {
		return nil, err
	}
	if out.members, _, err = compile(r, directory.ObjectMember, before.members); err != nil {
		return nil, err
	}
	if out.agents, sameAgents, err = compile(r, directory.ObjectAgent, before.agents); err != nil {
		return nil, err
	}
	if !sameTeams {
		inheritOrgs(out.teams)
	}
	if !sameAgents {
		inheritTeams(out.agents)
	}
	if out.routers, err = r.compileRouters(); err != nil {
		return nil, err
	}
	if out.routes, err = r.compileRoutes(); err != nil {
		return nil, err
	}
	if out.policies, err = r.compilePolicies(); err != nil {
		return nil, err
	}
	if out.loops, err = r.compileLoops(); err != nil {
		return nil, err
	}
	if out.levers, err = r.compileLevers(); err != nil {
		return nil, err
	}
	if err = r.compileTemplates(); err != nil {
		return nil, err
	}
	if out.redactions, err = r.redactions(); err != nil {
		return nil, err
	}
	return out, nil
}

// inheritOrgs gives each team the org of those above it, if it has none itself. There
// are no circles: the directory refuses them.
func inheritOrgs(teams map[string]Team) {
	for id, t := range teams {
		for up := t; t.Org == "" && up.Parent != ""; {
			up = teams[up.Parent]
			t.Org = up.Org
		}
		teams[id] = t
	}
}

// inheritTeams gives each agent the team and project of those above it, if it has
// neither.
func inheritTeams(agents map[string]Agent) {
	for id, a := range agents {
		for up := a; a.Team == "" && a.Project == "" && up.Parent != ""; {
			up = agents[up.Parent]
			a.Team, a.Project = up.Team, up.Project
		}
		agents[id] = a
	}
}

// compile reads the objects of a kind, whose specs are of type T. same: none of them
// has changed, and out is what was made of them before.
func compile[T any, P interface {
	*T
	Spec
}](r *reading, n directory.ObjectKind, made map[string]T) (out map[string]T, same bool, err error) {
	k, ok := kindNumbered(n)
	if !ok {
		return nil, false, fmt.Errorf("this build knows no objects of kind %d", n)
	}
	before, known := r.before.read[n]
	if known && r.same(n) {
		r.into.read[n] = before
		return made, true, nil
	}
	now := make(map[string]readSpec, len(before))
	out = make(map[string]T, len(before))
	for o := range r.of.Objects(n) {
		was := before[o.ID]
		if was.version != o.Version { // no object is of version 0
			spec, err := k.Decode(o.Spec)
			if err != nil {
				return nil, false, fmt.Errorf("%s is not readable by this build: %w", Named(o.Ref), err)
			}
			was = readSpec{o.Version, spec}
		}
		now[o.ID] = was
		out[o.ID] = *was.spec.(P)
	}
	r.into.read[n] = now
	return out, false, nil
}

// same reports whether the objects of a kind are those of before.
func (r *reading) same(n directory.ObjectKind) bool {
	before, count := r.before.read[n], 0
	for o := range r.of.Objects(n) {
		if before[o.ID].version != o.Version {
			return false
		}
		count++
	}
	return count == len(before)
}

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
