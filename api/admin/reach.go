package admin

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"purser/internal/access"
)

// belonging are the dimensions by which something belongs to somebody, or through
// which that follows.
var belonging = []string{"org", "team", "project", "member", "agent"}

// boundTo is whose something is that is bound to dimensions, with what follows from
// them: a key. Of dimensions that contradict each other it is nobody's.
func (a *API) boundTo(bound map[string]string) access.Resource {
	of := map[string]string{}
	for _, name := range belonging {
		if v := bound[name]; v != "" {
			of[name] = v
		}
	}
	all, ok := a.Hierarchy.Complete(of)
	if !ok {
		return access.Resource{}
	}
	return access.Resource{Teams: some(all["team"]), Orgs: some(all["org"]), Members: some(all["member"])}
}

// owns says that what is bound to dimensions is within the reach.
func (a *API) owns(reach access.Reach, bound map[string]string) bool {
	return reach.All || reach.Covers(a.boundTo(bound))
}

// mayBind refuses what a key is to be bound to beyond the reach. An organisation is
// within it if it is one of the reach's, or follows from the rest: a key that is bound
// to one shares its cached answers, so that it is not chosen by who runs a team of none.
func (a *API) mayBind(reach access.Reach, bound map[string]string) *Fault {
	if !a.owns(reach, bound) {
		return outside("a key that is not bound to a team")
	}
	org := bound["org"]
	if reach.All || org == "" || slices.Contains(reach.Orgs, org) {
		return nil
	}
	rest := maps.Clone(bound)
	delete(rest, "org")
	if !slices.Contains(a.boundTo(rest).Orgs, org) {
		return outside("the organisation " + strconv.Quote(org) + ", which no team that the key is bound to is registered with,")
	}
	return nil
}

func some(v string) []string {
	if v == "" {
		return nil
	}
	return []string{v}
}

// matches is whose a budget is: of those it matches.
func (b *Budget) matches() access.Resource {
	return access.Resource{Teams: b.Match["team"], Orgs: b.Match["org"], Members: b.Match["member"]}
}

// reaching is a subject whose organisations bring their teams along.
func (a *API) reaching(s access.Subject) access.Subject {
	s.Grants = slices.Clone(s.Grants)
	for i := range s.Grants {
		r := &s.Grants[i].Reach
		for _, org := range r.Orgs {
			r.Teams = slices.Concat(r.Teams, a.Hierarchy.TeamsOf(org))
		}
	}
	return s
}

// placed are the fields of specs that say whose an object is.
type placed struct {
	Org, Team, Project, Parent string
	Teams                      []string
}

// covers says that an object of a kind is within the reach, as a spec has it. A
// spec that cannot be read is nobody's.
func (a *API) covers(reach access.Reach, kind, id string, spec json.RawMessage) bool {
	var p placed
	if reach.All {
		return true
	}
	if json.Unmarshal(spec, &p) != nil {
		return false
	}
	of := access.Resource{}
	switch kind {
	case "orgs":
		of.Orgs = []string{id}
	case "teams":
		of.Teams, of.Orgs = []string{id}, some(p.Org)
		if p.Org == "" && p.Parent != "" {
			of.Orgs = a.boundTo(map[string]string{"team": p.Parent}).Orgs
		}
	case "members":
		of = access.Resource{Teams: p.Teams, Orgs: some(p.Org), Members: []string{id}}
		for _, team := range p.Teams {
			if p.Org != "" && len(a.boundTo(map[string]string{"team": team, "org": p.Org}).Teams) == 0 {
				return false // of a team of one org, and of another org: nobody's
			}
		}
	case "projects":
		of = a.boundTo(map[string]string{"team": p.Team, "org": p.Org})
	case "agents":
		if p.Team == "" && p.Project == "" {
			of = a.boundTo(map[string]string{"agent": p.Parent})
		} else {
			of = a.boundTo(map[string]string{"team": p.Team, "project": p.Project})
		}
	}
	return reach.Covers(of)
}

// within is what a budget shows of itself to a reach: all of it if it is covered,
// else those accounts of it that are, with the raises and breakers of these and of
// the whole budget. A budget of which nothing is covered is not there.
func (a *API) within(reach access.Reach, b BudgetDetail) (BudgetDetail, bool) {
	if reach.Covers(b.matches()) {
		return b, true
	}
	others := func(split map[string]string) bool { return !a.owns(reach, split) }
	b.Accounts = slices.DeleteFunc(slices.Clone(b.Accounts), func(acc Account) bool { return others(acc.Split) })
	b.Raises = slices.DeleteFunc(slices.Clone(b.Raises), func(r Raise) bool { return len(r.Split) > 0 && others(r.Split) })
	b.Breakers = slices.DeleteFunc(slices.Clone(b.Breakers), func(r Breaker) bool { return len(r.Split) > 0 && others(r.Split) })
	return b, len(b.Accounts) > 0
}

// outside is a Fault for a change of, or into, something beyond the caller's reach.
func outside(what string) *Fault {
	return Forbidden(what + " is beyond what you administer: GET /admin/v1/whoami, or purser whoami, says what that is")
}

// keyWithin refuses a key that is not within the reach, as if it were not there, and
// else tells the version at which it is; any, for a reach of everything.
func (a *API) keyWithin(ctx context.Context, reach access.Reach, id string) (Expect, error) {
	if reach.All {
		return nil, nil
	}
	key, _, err := a.Keys.ShowKey(ctx, id, Linearizable)
	if err != nil {
		return nil, err
	}
	if !a.owns(reach, key.Bound) {
		return nil, NotFound("no key " + strconv.Quote(id))
	}
	return Version(key.Version), nil
}

// agreed is the version that a change names: what the caller expects must be what was
// found to be within their reach, and not what somebody else makes of it.
func agreed(expect, seen Expect) (Expect, error) {
	if expect != nil && seen != nil && *expect != *seen {
		return nil, Conflict("it is at version " + strconv.FormatUint(*seen, 10) + ", not the one that was to be changed: read it again")
	}
	if expect == nil {
		expect = seen
	}
	return expect, nil
}

// shown is what a reach sees of a list of budgets.
func (a *API) shown(list []BudgetDetail, reach access.Reach) []BudgetDetail {
	if reach.All {
		return list
	}
	out := []BudgetDetail{}
	for _, b := range list {
		if part, ok := a.within(reach, b); ok {
			out = append(out, part)
		}
	}
	return out
}

// mayPut decides whether a budget may be written: within the reach as it is to
// be, and as it is. It tells the version at which it is that; any, for a reach of
// everything.
func (a *API) mayPut(ctx context.Context, reach access.Reach, to *Budget) (Expect, error) {
	if reach.All {
		return nil, nil
	}
	if !reach.Covers(to.matches()) {
		return nil, outside("a budget that does not match your teams or organisations alone")
	}
	was, err := a.budget(ctx, to.ID)
	switch {
	case err != nil:
		return nil, err
	case was == nil:
		return Version(0), nil
	case !reach.Covers(was.matches()):
		return nil, outside("the budget of this id")
	}
	return Version(was.Version), nil
}

// mayChange decides the same of a budget that stays as it is, or goes.
func (a *API) mayChange(ctx context.Context, reach access.Reach, id string) error {
	if reach.All {
		return nil
	}
	was, err := a.budget(ctx, id)
	if err == nil && (was == nil || !reach.Covers(was.matches())) {
		err = NotFound("no budget " + strconv.Quote(id))
	}
	return err
}

// budget is a budget as the ledger has it; nil if there is none. It looks through
// the list, which a gateway has too.
func (a *API) budget(ctx context.Context, id string) (*Budget, error) {
	list, _, err := a.Budgets.ShowBudgets(ctx, "", Linearizable)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID == id {
			return &list[i].Budget, nil
		}
	}
	return nil, nil
}
