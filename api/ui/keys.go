package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
)

// keyRow is a virtual key in the list.
type keyRow struct {
	admin.Key
	Path string
}

type keysView struct {
	Rows     []keyRow
	Find     string
	All      bool // those that are revoked or expired, too
	Hidden   int
	MayWrite bool
}

// keysPage lists the keys that can be used, the last used first.
func keysPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewKey(c, nil)
	}
	var list struct{ Keys []admin.Key }
	if err := c.Get("/keys", nil, &list); err != nil {
		return err
	}
	v := keysView{Find: c.Q.Get("find"), All: c.Q.Get("all") == "yes", MayWrite: c.Can("keys:write")}
	for _, k := range list.Keys {
		text := strings.ToLower(strings.Join([]string{k.ID, k.Name, k.Owner, splitName(k.Bound)}, " "))
		switch {
		case !strings.Contains(text, strings.ToLower(v.Find)):
		case !v.All && (k.State == "revoked" || k.State == "expired"):
			v.Hidden++
		default:
			v.Rows = append(v.Rows, keyRow{k, keyPath(k.ID)})
		}
	}
	slices.SortStableFunc(v.Rows, func(a, b keyRow) int {
		return cmp.Or(cmp.Compare(b.LastUsed, a.LastUsed), cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID))
	})
	return c.Render("keys", "Keys", &v)
}

func keyPath(id string) string { return "/ui/keys/" + url.PathEscape(id) }

// usualKeyFields is how many fields of a key are not folded away.
const usualKeyFields = 5

// keyFields are what both a new key and a change of one ask for.
func keyFields(k *admin.Key) []field {
	var bound []string
	for _, dim := range sortedKeys(k.Bound) {
		bound = append(bound, dim+"="+k.Bound[dim])
	}
	list := func(s []string) string { return strings.Join(s, ", ") }
	return []field{
		{Name: "name", Label: "Name", Required: true, Value: k.Name},
		{Name: "owner", Label: "Owner", Value: k.Owner, Hint: "member:<id>, agent:<id> or team:<id>"},
		{Name: "expires", Label: "Expires", Value: k.Expires, Words: []string{"time"}, Hint: "From now, such as 90d, or a time such as 2027-01-31T00:00:00Z; empty: never"},
		{Name: "models", Label: "Models", Value: list(k.Models), Words: []string{"model"}, Hint: "Patterns such as gpt-4o*, by commas; empty: all"},
		{Name: "bound", Label: "Bound to", Kind: "area", Wide: true, Value: strings.Join(bound, "\n"), Words: []string{"dimension"}, Hint: "One dimension=value to a line, such as team=search: its requests are those, whatever their headers say"},
		{Name: "required", Label: "Requests have to say", Value: list(k.Required), Suggest: splits, Hint: "Dimensions, by commas"},
		{Name: "scopes", Label: "Scopes", Value: list(k.Scopes), Words: []string{"scope"}, Hint: "inference, embeddings, models:list, usage:self; empty: these"},
		{Name: "providers", Label: "Providers", Value: list(k.Providers), Hint: "Patterns, by commas; empty: all"},
		{Name: "upstreams", Label: "Upstreams", Value: list(k.Upstreams), Hint: "Patterns, by commas; empty: all"},
		{Name: "endpoints", Label: "Endpoints", Value: list(k.Endpoints), Hint: "Patterns such as /v1/chat/*; empty: all"},
		{Name: "description", Label: "Description", Value: k.Description},
		{Name: "cache_off", Label: "Never answered from a cache", Kind: "check", Value: mark(k.CacheOff)},
	}
}

func newKeyForm() *form {
	fields := keyFields(&admin.Key{})
	budget := []field{
		{Name: "limit", Label: "Limit of its own, in dollars", Kind: "number", Words: []string{"budgets"}, Hint: "Beside the budgets that cover it; empty: none"},
		{Name: "window", Label: "Window of that limit", Kind: "select", Required: true, Value: "month", Options: options("month", "week", "day", "hour", "total")},
	}
	return &form{ID: "new", Action: "/ui/keys", Submit: "Create the key", Fields: slices.Concat(fields[:1], budget, fields[1:usualKeyFields]), More: fields[usualKeyFields:]}
}

func showNewKey(c *Call, wrong *refused) error {
	if !c.Can("keys:write") {
		return &fault{status: http.StatusForbidden, code: "forbidden", message: "You may not make keys: keys:write is missing."}
	}
	return c.RenderAs(wrong.status(), "newkey", "New key", wrong.into(newKeyForm()))
}

// secretView shows a secret, this once.
type secretView struct {
	Key  admin.CreatedKey
	Path string
	Base string // URL for clients
	Old  string // until when the secret before it counts, ""
}

// createKey makes a key and shows its secret.
func createKey(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	in, err := keyFrom(v, c.Now)
	var out admin.CreatedKey
	if err == nil {
		err = c.Do(http.MethodPost, "/keys", in, &out)
	}
	if err != nil {
		return again(err, "new", v, func(r *refused) error { return showNewKey(c, r) })
	}
	return c.showSecret("The key is made", out)
}

func (c *Call) showSecret(title string, k admin.CreatedKey) error {
	scheme := "https"
	if insecure(c.R) {
		scheme = "http"
	}
	return c.Render("secret", title, &secretView{Key: k, Path: keyPath(k.ID), Base: scheme + "://" + c.R.Host + "/v1", Old: k.OldUntil})
}

// keyFrom reads a key from a form.
func keyFrom(v url.Values, now time.Time) (k admin.NewKey, err error) {
	k = admin.NewKey{
		Name: strings.TrimSpace(v.Get("name")), Required: textList(v.Get("required")), Models: textList(v.Get("models")),
		CacheOff: checked(v, "cache_off"), KeyRights: admin.KeyRights{
			Description: v.Get("description"), Owner: strings.TrimSpace(v.Get("owner")), Scopes: textList(v.Get("scopes")),
			Endpoints: textList(v.Get("endpoints")), Providers: textList(v.Get("providers")), Upstreams: textList(v.Get("upstreams")),
		},
	}
	if text := strings.TrimSpace(v.Get("expires")); text != "" {
		k.Expires = untilFrom(now, text)
	}
	if k.Bound, err = pairs("bound", v.Get("bound")); err != nil {
		return k, err
	}
	if text := strings.TrimSpace(v.Get("limit")); text != "" {
		limit, err := number("limit", text)
		if err != nil {
			return k, err
		}
		k.Budgets = []admin.KeyBudget{{Limit: limit, Window: v.Get("window")}}
	}
	return k, nil
}
