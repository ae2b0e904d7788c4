package lookalike

import (
	"net/http"
	"strings"

	"purser/api/admin"
)

// anthropic adds the routes of Anthropic's spend limits. Both are read-only: what
// they show are budgets of money, hard ones, by day, week or month.
func (a *API) anthropic(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/organizations/spend_limits", func(w http.ResponseWriter, r *http.Request) { a.spendLimits(w, r, false) })
	mux.HandleFunc("GET /v1/organizations/spend_limits/effective", func(w http.ResponseWriter, r *http.Request) { a.spendLimits(w, r, true) })
	mux.HandleFunc("/v1/organizations/", func(w http.ResponseWriter, r *http.Request) {
		anthropicError(w, admin.NotFound("of Anthropic's admin API there are GET spend_limits and spend_limits/effective here, not "+r.Method+" "+r.URL.Path))
	})
}

// periods are the windows that Anthropic has, by their names here.
var periods = map[string]string{"day": "daily", "week": "weekly", "month": "monthly"}

func (a *API) spendLimits(w http.ResponseWriter, r *http.Request, effective bool) {
	if err := only(r.URL.Query(), "limit", "page"); err != nil {
		anthropicError(w, err)
		return
	}
	list, err := a.client(r, bearer(r, "x-api-key")).ListBudgets(r.Context())
	if err != nil {
		anthropicError(w, err)
		return
	}
	data := []map[string]any{}
	for i := range list {
		b := &list[i]
		period, ok := periods[b.Window]
		kind, id, whole := scopeOf(b)
		if b.Unit != "usd" || b.Soft || !ok || !whole {
			continue
		}
		line := map[string]any{
			"id": b.ID, "type": "spend_limit", "scope": map[string]any{"type": kind, "id": id},
			"amount": cents(b.Limit.String()), "period": period, "currency": "USD", "is_enabled": true,
		}
		if effective {
			var spent int64
			for _, account := range b.Accounts {
				spent += account.Spent
			}
			line["period_to_date_spend"] = dollars(spent).text(nanoDigits - 2)
		}
		data = append(data, line)
	}
	write(w, http.StatusOK, map[string]any{"data": data, "has_more": false, "next_page": nil})
}

// scopeOf is what a budget covers, in Anthropic's words; whole is false for a budget
// of which there are no words.
func scopeOf(b *admin.BudgetDetail) (kind string, id any, whole bool) {
	if len(b.Each) > 0 {
		return "", nil, false
	}
	if len(b.Match) == 0 {
		return "organization", nil, true
	}
	if len(b.Match) > 1 {
		return "", nil, false
	}
	for dim, kind := range map[string]string{"org": "organization", "team": "workspace", "project": "workspace", "member": "user"} {
		if values := b.Match[dim]; len(values) == 1 {
			return kind, values[0], true
		}
	}
	return "", nil, false
}

// cents writes dollars as cents, without a fraction if there is none.
func cents(usd string) string {
	whole, fraction, _ := strings.Cut(usd, ".")
	fraction += strings.Repeat("0", max(0, 2-len(fraction)))
	out := strings.TrimLeft(whole+fraction[:2], "0")
	if out == "" {
		out = "0"
	}
	if rest := strings.TrimRight(fraction[2:], "0"); rest != "" {
		out += "." + rest
	}
	return out
}

// anthropicError answers as Anthropic does.
func anthropicError(w http.ResponseWriter, err error) {
	f := faultOf(err)
	kind := "invalid_request_error"
	switch {
	case f.Status == http.StatusUnauthorized:
		kind = "authentication_error"
	case f.Status == http.StatusForbidden:
		kind = "permission_error"
	case f.Status == http.StatusNotFound:
		kind = "not_found_error"
	case f.Status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case f.Status >= http.StatusInternalServerError:
		kind = "api_error"
	}
	tell(w, f)
	write(w, f.Status, map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": f.Message}})
}
