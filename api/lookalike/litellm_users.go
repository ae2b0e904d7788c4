package lookalike

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
	"purser/internal/litellm"
)

// userRow is a member as LiteLLM shows a user.
func userRow(o *admin.Object, w *world) map[string]any {
	m, err := specAs[member](o)
	if err != nil {
		m.Name = o.ID
	}
	l := limitsOf(litellm.OwnerOf("member", o.ID, ""), w.budgets)
	row := map[string]any{
		"user_id": o.ID, "user_email": orNull(m.Email), "user_alias": orNull(m.Name), "user_role": "internal_user", "teams": listed(m.Teams),
		"organization_id": orNull(m.Org), "models": w.models("member", o.ID), "spend": l.spend(w.spent[o.ID]), "metadata": map[string]any{},
		"created_at": o.Created, "updated_at": o.Changed,
	}
	l.into(row)
	return row
}

// readUser reads what new and update have in common.
func readUser(f *form, m *member, a *litellm.Amounts) (models *[]string, amounts bool) {
	if alias, given := f.text("user_alias"); given {
		m.Name = alias
	}
	if teams, given := f.texts("teams"); given {
		m.Teams = nil
		for _, t := range teams {
			m.Teams = append(m.Teams, litellm.Name(t))
		}
	}
	if org, given := f.text("organization_id"); given {
		m.Org = ""
		if org != "" {
			m.Org = litellm.Name(org)
		}
	}
	if list, given := f.texts("models"); given {
		models = &list
	}
	if role, _ := f.text("user_role"); strings.HasPrefix(role, "proxy_admin") {
		f.fault("user_role", "internal_user: who administers has an admin token or a group (docs/access.md)")
	}
	amounts = f.amounts(a)
	f.ignore("metadata", "send_invite_email", "sso_user_id") // for which a member has no place
	return models, amounts
}

// newUser makes a member, and a key unless auto_create_key is false.
func (s *session) newUser(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("user_id")
	if id == "" {
		id = newID()
	}
	id = litellm.Name(id)
	var m member
	var a litellm.Amounts
	if email, given := f.text("user_email"); given {
		m.Email = email
	}
	models, _ := readUser(f, &m, &a)
	wanted, given := f.flag("auto_create_key")
	forKey := &form{rest: map[string]json.RawMessage{"user_id": json.RawMessage(strconv.Quote(id))}}
	for _, name := range []string{"key_alias", "duration"} {
		if raw, there := f.rest[name]; there {
			forKey.rest[name] = raw
			delete(f.rest, name)
		}
	}
	if err := f.end(); err != nil {
		return nil, err
	}
	if _, err := s.ShowObject(s.ctx, "members", id); err == nil {
		return nil, admin.Conflict("there is a user " + strconv.Quote(id) + "; change it with /user/update")
	} else if !isNotFound(err) {
		return nil, err
	}
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.putLimits(litellm.OwnerOf("member", id, ""), a, budgets)
	if err == nil && models != nil {
		var more undo
		more, err = s.putModels("member", id, *models)
		done = append(done, more...)
	}
	if err == nil {
		_, err = s.putSpec("members", id, admin.Version(0), m)
		done = append(done, func() error { return s.DeleteObject(s.ctx, "members", id, nil) })
	}
	if err != nil {
		return nil, done.back(err)
	}
	row, err := s.userShown(id)
	if err != nil || given && !wanted {
		return row, err
	}
	key, err := s.makeKey(forKey, "")
	if err != nil {
		return nil, done.back(err)
	}
	for _, name := range []string{"key", "key_name", "key_alias", "token", "token_id", "expires"} {
		row[name] = key[name]
	}
	return row, nil
}

// userShown is a user as it is now.
func (s *session) userShown(id string) (map[string]any, error) {
	o, err := s.ShowObject(s.ctx, "members", id)
	if err != nil {
		return nil, err
	}
	w, err := s.world("member")
	if err != nil {
		return nil, err
	}
	return userRow(&o, &w), nil
}

func (s *session) updateUser(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("user_id")
	email, mailed := f.text("user_email")
	o, err := s.user(id, email)
	if err != nil {
		return nil, err
	}
	m, err := specAs[member](&o)
	if err != nil {
		return nil, err
	}
	if mailed {
		m.Email = email
	}
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	owner := litellm.OwnerOf("member", o.ID, "")
	l := limitsOf(owner, budgets)
	models, amounts := readUser(f, &m, &l.Amounts)
	if err := f.end(); err != nil {
		return nil, err
	}
	if _, err := s.putSpec("members", o.ID, admin.Version(o.Version), m); err != nil {
		return nil, err
	}
	if models != nil {
		if _, err := s.putModels("member", o.ID, *models); err != nil {
			return nil, err
		}
	}
	if amounts {
		if _, err := s.putLimits(owner, l.Amounts, budgets); err != nil {
			return nil, err
		}
	}
	row, err := s.userShown(o.ID)
	return map[string]any{"user_id": o.ID, "data": row}, err
}

// user finds a member by its id, or else by its address.
func (s *session) user(id, email string) (admin.Object, error) {
	switch {
	case id != "":
		return s.ShowObject(s.ctx, "members", litellm.Name(id))
	case email == "":
		return admin.Object{}, admin.Invalid("user_id is missing")
	}
	list, err := s.ListObjects(s.ctx, "members")
	if err != nil {
		return admin.Object{}, err
	}
	has := func(o admin.Object) bool { m, err := specAs[member](&o); return err == nil && m.Email == email }
	i := slices.IndexFunc(list, has)
	switch {
	case i < 0:
		return admin.Object{}, admin.NotFound("no user has this address")
	case slices.ContainsFunc(list[i+1:], has):
		return admin.Object{}, admin.Conflict("several users have this address: name one by user_id")
	}
	return list[i], nil
}

func (s *session) userInfo(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "user_id"); err != nil {
		return nil, err
	}
	o, err := s.user(q.Get("user_id"), "")
	if err != nil {
		return nil, err
	}
	row, err := s.userShown(o.ID)
	if err != nil {
		return nil, err
	}
	keys, err := s.keyRows(func(k *admin.Key) bool { return k.Bound["member"] == o.ID })
	if err != nil {
		return nil, err
	}
	teams := []map[string]any{}
	for _, id := range row["teams"].([]string) {
		t, err := s.teamShown(id)
		if isNotFound(err) {
			continue // beyond what the caller may see
		}
		if err != nil {
			return nil, err
		}
		teams = append(teams, t)
	}
	return map[string]any{"user_id": o.ID, "user_info": row, "keys": keys, "teams": teams}, nil
}

func (s *session) listUsers(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "page", "page_size", "user_ids", "user_email", "team"); err != nil {
		return nil, err
	}
	members, err := s.ListObjects(s.ctx, "members")
	if err != nil {
		return nil, err
	}
	w, err := s.world("member")
	if err != nil {
		return nil, err
	}
	ids := list(q, "user_ids")
	rows := []map[string]any{}
	for i := range members {
		row := userRow(&members[i], &w)
		email, _ := row["user_email"].(string)
		switch {
		case len(ids) > 0 && !slices.Contains(ids, members[i].ID):
		case q.Get("user_email") != "" && !strings.Contains(strings.ToLower(email), strings.ToLower(q.Get("user_email"))):
		case q.Get("team") != "" && !slices.Contains(row["teams"].([]string), litellm.Name(q.Get("team"))):
		default:
			rows = append(rows, row)
		}
	}
	p, some, err := paged(q, "page_size", rows)
	if err != nil {
		return nil, err
	}
	return map[string]any{"users": append([]map[string]any{}, some...), "total": len(rows), "page": p.number, "page_size": p.size, "total_pages": p.pages}, nil
}
