package lookalike

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"purser/api/admin"
	"purser/internal/litellm"
)

// team is the spec of a team.
type team struct {
	Org         string `json:"org,omitempty"`
	Parent      string `json:"parent,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// member is the spec of a member.
type member struct {
	Org   string   `json:"org,omitempty"`
	Teams []string `json:"teams,omitempty"`
	Name  string   `json:"name,omitempty"`
	Email string   `json:"email,omitempty"`
}

// specAs reads the spec of an object.
func specAs[T any](o *admin.Object) (out T, err error) {
	if err := json.Unmarshal(o.Spec, &out); err != nil {
		return out, admin.Conflict(o.ID + " is of a form that this node does not read")
	}
	return out, nil
}

func (s *session) putSpec(kind, id string, expect admin.Expect, spec any) (admin.Object, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return admin.Object{}, err
	}
	return s.PutObject(s.ctx, kind, id, expect, b)
}

// world is what rows of teams and users are made of.
type world struct {
	budgets  []admin.BudgetDetail
	policies []admin.Object
	known    bool // the policies: not everybody may see them
	spent    map[string]int64
}

func (s *session) world(dim string) (w world, err error) {
	if w.budgets, err = s.ListBudgets(s.ctx); err != nil {
		return w, err
	}
	if w.spent, err = s.spentBy(dim); err != nil {
		return w, err
	}
	w.policies, err = s.ListObjects(s.ctx, "policies")
	var f *admin.Fault
	if errors.As(err, &f) && f.Status == http.StatusForbidden {
		return w, nil
	}
	w.known = err == nil
	return w, err
}

// models are those that a policy limits something to; null to who may not see it.
func (w *world) models(dim, id string) any {
	if !w.known {
		return nil
	}
	i := slices.IndexFunc(w.policies, func(p admin.Object) bool { return p.ID == litellm.PolicyID(dim, id) })
	if i < 0 {
		return []string{}
	}
	return listed(litellm.ModelsOf(w.policies[i].Spec))
}

// putModels makes the policy of what a team or a user may ask for.
func (s *session) putModels(dim, id string, models []string) (undo, error) {
	if slices.Contains(models, "all-proxy-models") {
		models = nil
	}
	policy := litellm.PolicyID(dim, id)
	if len(models) == 0 {
		if err := s.DeleteObject(s.ctx, "policies", policy, nil); err != nil && !isNotFound(err) {
			return nil, err
		}
		return nil, nil
	}
	was, err := s.ShowObject(s.ctx, "policies", policy)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if _, err := s.putSpec("policies", policy, admin.Version(was.Version), litellm.ModelPolicy(dim, id, models)); err != nil {
		return nil, err
	}
	if was.Version != 0 {
		return nil, nil
	}
	return undo{func() error { return s.DeleteObject(s.ctx, "policies", policy, nil) }}, nil
}

// teamRow is a team as LiteLLM shows it.
func teamRow(o *admin.Object, w *world, members []admin.Object) map[string]any {
	t, err := specAs[team](o)
	if err != nil {
		t.Name = o.ID
	}
	l := limitsOf(litellm.OwnerOf("team", o.ID, ""), w.budgets)
	with := []map[string]any{}
	for i := range members {
		if m, err := specAs[member](&members[i]); err == nil && slices.Contains(m.Teams, o.ID) {
			with = append(with, map[string]any{"user_id": members[i].ID, "user_email": orNull(m.Email), "role": "user"})
		}
	}
	row := map[string]any{
		"team_id": o.ID, "team_alias": orNull(t.Name), "organization_id": orNull(t.Org), "metadata": labels(t.Description), "models": w.models("team", o.ID),
		"spend": l.spend(w.spent[o.ID]), "blocked": false, "members_with_roles": with, "admins": []string{}, "members": []string{},
		"model_id": nil, "litellm_model_table": nil, "object_permission": nil, "created_at": o.Created, "updated_at": o.Changed,
	}
	l.into(row)
	return row
}

// joining reads members_with_roles: IDs of users.
func (f *form) joining() (ids []string, given bool) {
	raw, given := f.take("members_with_roles")
	if raw == nil {
		return nil, given
	}
	var list []struct {
		User  string `json:"user_id"`
		Email string `json:"user_email"`
		Role  string `json:"role"`
	}
	if json.Unmarshal(raw, &list) != nil {
		f.fault("members_with_roles", "a list of objects with user_id and role")
	}
	for _, m := range list {
		if m.User == "" || m.Role != "user" {
			f.fault("members_with_roles", "a list of objects with user_id and the role user: who administers a team has an admin token or a group (docs/access.md)")
		}
		ids = append(ids, litellm.Name(m.User))
	}
	return ids, given
}

// teamForm reads what new and update have in common.
type teamForm struct {
	amounts   bool
	models    *[]string
	joining   []string
	joinGiven bool
}

func readTeam(f *form, t *team, l *litellm.Amounts) (out teamForm, err error) {
	if alias, given := f.text("team_alias"); given {
		t.Name = alias
	}
	if org, given := f.text("organization_id"); given {
		t.Org = ""
		if org != "" {
			t.Org = litellm.Name(org)
		}
	}
	if line, given := f.label("metadata"); given {
		t.Description = line
	}
	if models, given := f.texts("models"); given {
		out.models = &models
	}
	out.joining, out.joinGiven = f.joining()
	out.amounts = f.amounts(l)
	f.ignore("tags") // labels, for which a team has no place
	return out, f.end()
}

func (s *session) newTeam(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("team_id")
	if id == "" {
		id = newID()
	}
	id = litellm.Name(id)
	var t team
	var a litellm.Amounts
	in, err := readTeam(f, &t, &a)
	if err != nil {
		return nil, err
	}
	if _, err := s.ShowObject(s.ctx, "teams", id); err == nil {
		return nil, admin.Conflict("there is a team " + strconv.Quote(id) + "; change it with /team/update")
	} else if !isNotFound(err) {
		return nil, err
	}
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.putLimits(litellm.OwnerOf("team", id, ""), a, budgets)
	if err == nil && in.models != nil {
		var more undo
		more, err = s.putModels("team", id, *in.models)
		done = append(done, more...)
	}
	if err == nil {
		_, err = s.putSpec("teams", id, admin.Version(0), t)
	}
	if err != nil {
		return nil, done.back(err)
	}
	if err := s.join(id, in.joining); err != nil {
		return nil, err
	}
	return s.teamShown(id)
}

// join makes members of a team, who are made if they are not there.
func (s *session) join(id string, ids []string) error {
	for _, user := range ids {
		o, err := s.ShowObject(s.ctx, "members", user)
		if err != nil && !isNotFound(err) {
			return err
		}
		var m member
		if err == nil {
			if m, err = specAs[member](&o); err != nil {
				return err
			}
		}
		if slices.Contains(m.Teams, id) {
			continue
		}
		m.Teams = append(m.Teams, id)
		if _, err := s.putSpec("members", user, admin.Version(o.Version), m); err != nil {
			return err
		}
	}
	return nil
}

// leave takes everybody out of a team but those who stay.
func (s *session) leave(id string, stay []string) error {
	members, err := s.ListObjects(s.ctx, "members")
	if err != nil {
		return err
	}
	for i := range members {
		m, err := specAs[member](&members[i])
		if err != nil || !slices.Contains(m.Teams, id) || slices.Contains(stay, members[i].ID) {
			continue
		}
		m.Teams = slices.DeleteFunc(m.Teams, func(t string) bool { return t == id })
		if _, err := s.putSpec("members", members[i].ID, admin.Version(members[i].Version), m); err != nil {
			return err
		}
	}
	return nil
}

// teamShown is a team as it is now.
func (s *session) teamShown(id string) (map[string]any, error) {
	o, err := s.ShowObject(s.ctx, "teams", id)
	if err != nil {
		return nil, err
	}
	members, err := s.ListObjects(s.ctx, "members")
	if err != nil {
		return nil, err
	}
	w, err := s.world("team")
	if err != nil {
		return nil, err
	}
	return teamRow(&o, &w, members), nil
}

func (s *session) updateTeam(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("team_id")
	if id == "" {
		return nil, admin.Invalid("team_id is missing")
	}
	id = litellm.Name(id)
	o, err := s.ShowObject(s.ctx, "teams", id)
	if err != nil {
		return nil, err
	}
	t, err := specAs[team](&o)
	if err != nil {
		return nil, err
	}
	was := t
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	owner := litellm.OwnerOf("team", id, "")
	l := limitsOf(owner, budgets)
	in, err := readTeam(f, &t, &l.Amounts)
	if err != nil {
		return nil, err
	}
	if t != was { // first what not everybody may change: nothing is done by halves
		if _, err := s.putSpec("teams", id, admin.Version(o.Version), t); err != nil {
			return nil, err
		}
	}
	if in.models != nil {
		if _, err := s.putModels("team", id, *in.models); err != nil {
			return nil, err
		}
	}
	if in.amounts {
		if _, err := s.putLimits(owner, l.Amounts, budgets); err != nil {
			return nil, err
		}
	}
	if in.joinGiven {
		if err := errors.Join(s.join(id, in.joining), s.leave(id, in.joining)); err != nil {
			return nil, err
		}
	}
	row, err := s.teamShown(id)
	return map[string]any{"team_id": id, "data": row}, err
}

// deleteTeams deletes teams, and as LiteLLM does their keys.
func (s *session) deleteTeams(r *http.Request) (any, error) {
	f := readForm(r)
	given, _ := f.texts("team_ids")
	if err := f.end(); err != nil {
		return nil, err
	}
	if len(given) == 0 {
		return nil, admin.Invalid("team_ids are missing")
	}
	ids := make([]string, len(given))
	for i, id := range given {
		ids[i] = litellm.Name(id)
		if err := s.unused(ids[i]); err != nil {
			return nil, err
		}
	}
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.ListKeys(s.ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		for i := range keys {
			if k := &keys[i]; k.Bound["team"] == id && k.State != "revoked" {
				if _, err := s.RevokeKey(s.ctx, k.ID); err != nil {
					return nil, err
				}
			}
		}
		if err := s.leave(id, nil); err != nil {
			return nil, err
		}
		if err := s.DeleteObject(s.ctx, "teams", id, nil); err != nil {
			return nil, err
		}
		if err := s.dropLimits(litellm.OwnerOf("team", id, ""), budgets, nil); err != nil {
			return nil, err
		}
		if _, err := s.putModels("team", id, nil); err != nil {
			return nil, err
		}
	}
	return map[string]any{"deleted_teams": given}, nil
}

// unused refuses a team that is not there, or that something but members belongs to.
func (s *session) unused(id string) error {
	if _, err := s.ShowObject(s.ctx, "teams", id); err != nil {
		return err
	}
	for _, kind := range []string{"teams", "projects", "agents"} {
		list, err := s.ListObjects(s.ctx, kind)
		if err != nil {
			return err
		}
		for i := range list {
			var of struct{ Team, Parent string }
			if json.Unmarshal(list[i].Spec, &of) == nil && (of.Team == id || kind == "teams" && of.Parent == id) {
				return admin.Conflict("team " + strconv.Quote(id) + " has others below it, such as " + strconv.Quote(list[i].ID) + " of the " + kind + ": move or delete them first")
			}
		}
	}
	return nil
}
