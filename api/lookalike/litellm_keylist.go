package lookalike

import (
	"net/http"
	"net/url"
	"strconv"

	"purser/api/admin"
	"purser/internal/litellm"
)

func (s *session) keyInfo(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "key"); err != nil {
		return nil, err
	}
	k, err := s.key(q.Get("key"))
	if err != nil {
		return nil, err
	}
	row, err := s.shown(k.ID)
	return map[string]any{"key": q.Get("key"), "info": row}, err
}

// listKeys lists keys that are not revoked: LiteLLM has none that are.
func (s *session) listKeys(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := only(q, "page", "size", "user_id", "team_id", "organization_id", "key_alias", "key_hash", "return_full_object", "include_team_keys", "sort_by", "sort_order"); err != nil {
		return nil, err
	}
	rows, err := s.keyRows(func(k *admin.Key) bool {
		for field, dim := range map[string]string{"user_id": "member", "team_id": "team", "organization_id": "org"} {
			if v := q.Get(field); v != "" && k.Bound[dim] != litellm.Name(v) {
				return false
			}
		}
		if hash := q.Get("key_hash"); hash != "" && hash != k.ID {
			return false
		}
		return q.Get("key_alias") == "" || q.Get("key_alias") == k.Name
	})
	if err != nil {
		return nil, err
	}
	page, some, err := paged(q, "size", rows)
	if err != nil {
		return nil, err
	}
	keys := []any{}
	for _, row := range some {
		if q.Get("return_full_object") == "true" {
			keys = append(keys, row)
		} else {
			keys = append(keys, row["token"])
		}
	}
	return map[string]any{"keys": keys, "total_count": len(rows), "current_page": page.number, "total_pages": page.pages}, nil
}

// keyRows are the keys that are not revoked and that a filter lets through.
func (s *session) keyRows(filter func(*admin.Key) bool) ([]map[string]any, error) {
	keys, err := s.ListKeys(s.ctx)
	if err != nil {
		return nil, err
	}
	budgets, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	known, err := s.spentBy("key")
	if err != nil {
		return nil, err
	}
	own := map[string][]admin.BudgetDetail{}
	for _, b := range budgets {
		if of := b.Match["key"]; len(of) == 1 && b.ID == "key."+of[0]+"."+b.Unit+"."+b.Window {
			own[of[0]] = append(own[of[0]], b)
		}
	}
	rows := []map[string]any{}
	for i := range keys {
		if k := &keys[i]; k.State != "revoked" && filter(k) {
			rows = append(rows, keyRow(k, own[k.ID], known[k.ID]))
		}
	}
	return rows, nil
}

// page is a part of a list.
type listPage struct{ number, size, pages int }

// The sizes of pages.
const (
	usualRows = 25
	mostRows  = 1000
)

// paged is the part of a list that a request asks for.
func paged[T any](q url.Values, size string, rows []T) (listPage, []T, error) {
	p := listPage{number: 1, size: usualRows}
	for name, of := range map[string]*int{"page": &p.number, size: &p.size} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || name == size && n > mostRows {
				return p, nil, admin.Invalid(name + " is a number from 1 on; a page has at most 1000")
			}
			*of = n
		}
	}
	p.pages = (len(rows) + p.size - 1) / p.size
	if p.number > p.pages {
		return p, nil, nil
	}
	from := (p.number - 1) * p.size
	return p, rows[from:min(from+p.size, len(rows))], nil
}
