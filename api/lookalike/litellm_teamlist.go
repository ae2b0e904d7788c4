package lookalike

import (
	"maps"
	"net/http"
	"slices"

	"purser/api/admin"
	"purser/internal/litellm"
)

func (s *session) teamInfo(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "team_id"); err != nil {
		return nil, err
	}
	if q.Get("team_id") == "" {
		return nil, admin.Invalid("team_id is missing")
	}
	id := litellm.Name(q.Get("team_id"))
	row, err := s.teamShown(id)
	if err != nil {
		return nil, err
	}
	keys, err := s.keyRows(func(k *admin.Key) bool { return k.Bound["team"] == id })
	return map[string]any{"team_id": id, "team_info": row, "keys": keys, "team_memberships": []any{}}, err
}

func (s *session) listTeams(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "user_id", "organization_id"); err != nil {
		return nil, err
	}
	teams, err := s.ListObjects(s.ctx, "teams")
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
	keys, err := s.keyRows(func(*admin.Key) bool { return true })
	if err != nil {
		return nil, err
	}
	of := map[any][]map[string]any{}
	for _, k := range keys {
		of[k["team_id"]] = append(of[k["team_id"]], k)
	}
	rows := []map[string]any{}
	for i := range teams {
		row := teamRow(&teams[i], &w, members)
		if org := q.Get("organization_id"); org != "" && row["organization_id"] != any(litellm.Name(org)) {
			continue
		}
		if user := q.Get("user_id"); user != "" && !slices.ContainsFunc(row["members_with_roles"].([]map[string]any), func(m map[string]any) bool { return m["user_id"] == any(litellm.Name(user)) }) {
			continue
		}
		row["keys"], row["team_memberships"] = append([]map[string]any{}, of[teams[i].ID]...), []any{}
		rows = append(rows, maps.Clone(row))
	}
	return rows, nil
}
