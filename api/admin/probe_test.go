package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"purser/internal/access"
)

// probe is how a route that touches what belongs to somebody is asked about one
// target. An inside request is answered with want; one from outside with 403 or 404.
type probe struct {
	path, body string
	want       int
	list       bool // there is no target: the answer shows those within
}

// probes are of every route of ownScope. The others need none.
var probes = map[string]func(id string) probe{
	"POST /admin/v1/keys": func(id string) probe {
		return probe{"/admin/v1/keys", jsonOf(NewKey{Name: "x", Bound: bound(id)}), 201, false}
	},
	"GET /admin/v1/keys":              func(string) probe { return probe{"/admin/v1/keys", "", 200, true} },
	"GET /admin/v1/keys/{id}":         func(id string) probe { return probe{"/admin/v1/keys/" + id, "", 200, false} },
	"DELETE /admin/v1/keys/{id}":      func(id string) probe { return probe{"/admin/v1/keys/" + id, "", 204, false} },
	"PATCH /admin/v1/keys/{id}":       func(id string) probe { return probe{"/admin/v1/keys/" + id, `{"name":"y"}`, 200, false} },
	"POST /admin/v1/keys/{id}/rotate": func(id string) probe { return probe{"/admin/v1/keys/" + id + "/rotate", `{}`, 200, false} },
	"POST /admin/v1/keys/{id}/revoke": func(id string) probe { return probe{"/admin/v1/keys/" + id + "/revoke", "", 200, false} },
	"PUT /admin/v1/budgets/{id}": func(id string) probe {
		b := Budget{Unit: "usd", Limit: "2", Window: "day"}
		for dim, v := range bound(id) {
			b.Match = map[string][]string{dim: {v}}
		}
		return probe{"/admin/v1/budgets/" + id, jsonOf(b), 200, false}
	},
	"GET /admin/v1/budgets":             func(string) probe { return probe{"/admin/v1/budgets", "", 200, true} },
	"GET /admin/v1/budgets/{id}":        func(id string) probe { return probe{"/admin/v1/budgets/" + id, "", 200, false} },
	"DELETE /admin/v1/budgets/{id}":     func(id string) probe { return probe{"/admin/v1/budgets/" + id, "", 204, false} },
	"GET /admin/v1/budgets/{id}/raises": func(id string) probe { return probe{"/admin/v1/budgets/" + id + "/raises", "", 200, false} },
	"PUT /admin/v1/budgets/{id}/raises/{raise}": func(id string) probe {
		return probe{"/admin/v1/budgets/" + id + "/raises/r", `{"by":"1","until":"2026-06-01T00:00:00Z"}`, 200, false}
	},
	"DELETE /admin/v1/budgets/{id}/raises/{raise}": func(id string) probe { return probe{"/admin/v1/budgets/" + id + "/raises/r", "", 204, false} },
	"POST /admin/v1/budgets/{id}/trip":             func(id string) probe { return probe{"/admin/v1/budgets/" + id + "/trip", `{"reason":"x"}`, 200, false} },
	"POST /admin/v1/budgets/{id}/reset":            func(id string) probe { return probe{"/admin/v1/budgets/" + id + "/reset", `{}`, 200, false} },
	"GET /admin/v1/usage/records":                  func(string) probe { return probe{"/admin/v1/usage/records", "", 200, true} },
	"GET /admin/v1/usage/live":                     func(string) probe { return probe{"/admin/v1/usage/live", "", 200, true} },
	"GET /admin/v1/usage/requests/{id}":            func(id string) probe { return probe{"/admin/v1/usage/requests/" + id, "", 200, false} },
	"GET /admin/v1/usage/runs/{run}":               func(id string) probe { return probe{"/admin/v1/usage/runs/" + id, "", 200, false} },
	"GET /admin/v1/usage":                          func(string) probe { return probe{"/admin/v1/usage", "", 200, true} },
	"GET /admin/v1/tokens":                         func(string) probe { return probe{"/admin/v1/tokens", "", 200, true} },
	"POST /admin/v1/tokens": func(id string) probe {
		in := NewAdminToken{Name: "made", Role: "finance", Scopes: []string{"usage:read"}}
		switch b := bound(id); {
		case b["team"] != "":
			in.Teams = []string{id}
		case b["org"] != "":
			in.Orgs = []string{id}
		case b["member"] != "":
			in.Role, in.Member = "member", id
		}
		return probe{"/admin/v1/tokens", jsonOf(in), 201, false}
	},
	"POST /admin/v1/tokens/{id}/revoke": func(id string) probe { return probe{"/admin/v1/tokens/" + id + "/revoke", "", 200, false} },
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// callers are who probes: a token of each role, unlimited or not.
var callers = []access.Token{
	{Name: "owner", Role: access.Owner},
	{Name: "admin", Role: access.Admin},
	{Name: "admin-of-ads", Role: access.Admin, Teams: []string{"ads"}},
	{Name: "finance", Role: access.Finance},
	{Name: "finance-of-acme", Role: access.Finance, Orgs: []string{"acme"}},
	{Name: "team-admin", Role: access.TeamAdmin, Teams: []string{"ads"}},
	{Name: "org-admin", Role: access.TeamAdmin, Orgs: []string{"acme"}},
	{Name: "member", Role: access.Member, Member: "eve"},
}

// owners are the dimensions by which an object of a kind belongs to somebody.
var owners = map[string][]string{
	"orgs": {"org"}, "teams": {"team", "org"}, "projects": {"team", "org"}, "members": {"team", "org", "member"}, "agents": {"team"},
}

// owns says, by the token's text alone, that what a target has of a kind is the
// caller's. The team ads is of the organisation acme.
func owns(k *access.Token, kind, id string) bool {
	if len(k.Teams)+len(k.Orgs) == 0 && k.Member == "" {
		return true
	}
	for dim := range bound(id) {
		if by, object := owners[kind]; object && !slices.Contains(by, dim) {
			return false
		}
		if id == "ads" && slices.Contains(k.Orgs, "acme") && kind != "orgs" {
			return true
		}
	}
	return slices.Contains(slices.Concat(k.Teams, k.Orgs, []string{k.Member}), id)
}

// probeOf finds the probe of a route of ownScope; those of objects are alike.
func probeOf(rt route) func(id string) probe {
	if p := probes[rt.method+" "+rt.pattern]; p != nil {
		return p
	}
	kind, _, item := strings.Cut(strings.TrimPrefix(rt.pattern, "/admin/v1/"), "/")
	if owners[kind] == nil {
		return nil
	}
	return func(id string) probe {
		p := probe{path: strings.Replace(rt.pattern, "{id}", id, 1), want: 200, list: !item}
		switch rt.method {
		case "PUT":
			p.body = spec(kind, id)
		case "DELETE":
			p.want = 204
		}
		return p
	}
}

// matrixOf reads which roles docs/access.md gives a permission.
func matrixOf(t *testing.T) func(access.Permission, access.Role) bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	has := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.NewReplacer(" ", "", "`", "", "\n", "").Replace(line), "|")
		switch {
		case len(cells) > 2 && cells[1] == "permission":
			roles = cells[2:]
		case len(cells) == len(roles)+2:
			for i, c := range cells[2:] {
				has[cells[1]+" "+roles[i]] = c == "yes"
			}
		}
	}
	return func(p access.Permission, r access.Role) bool { return has[string(p)+" "+string(r)] }
}

// probed is an API over the estate, with a token for each target to be looked for.
func probed(t *testing.T) (*API, *tokenStore) {
	t.Helper()
	store := &tokenStore{}
	for _, target := range targets {
		k := &access.Token{ID: target.id, Name: target.id, Hash: access.HashOf(target.id), Role: access.Finance, Scopes: []access.Permission{access.UsageRead}}
		switch target.dimension {
		case "team":
			k.Teams = []string{target.id}
		case "org":
			k.Orgs = []string{target.id}
		case "member":
			k.Role, k.Member = access.Member, target.id
		}
		store.list = append(store.list, k)
	}
	n := &estate{}
	return newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Budgets, p.Objects, p.Reports, p.Requests, p.Tokens = n, n, n, n, n, store }), store
}

// TestEveryRouteForEveryRole probes each route of the table as each caller, about
// something of each target, and compares with what docs/access.md says.
func TestEveryRouteForEveryRole(t *testing.T) {
	documented := matrixOf(t)
	api, _ := probed(t)
	asked, refused := 0, 0
	for _, rt := range api.routes() {
		name := rt.method + " " + rt.pattern
		kind, _, _ := strings.Cut(strings.TrimPrefix(rt.pattern, "/admin/v1/"), "/")
		if rt.serves.scope == ownScope && probeOf(rt) == nil {
			t.Errorf("%s touches what belongs to somebody, and has no probe", name)
			continue
		}
		for _, k := range callers {
			for _, target := range targets {
				p, may := probe{path: fill(rt.pattern)}, true
				unlimited := owns(&k, kind, "nobody")
				switch rt.serves.scope {
				case wholeScope:
					may = documented(rt.needs, k.Role) && unlimited
				case ownScope:
					p = probeOf(rt)(target.id)
					may = documented(rt.needs, k.Role) && (p.list || owns(&k, kind, target.id))
				case selfScope, openScope:
					if rt.pattern == "/admin/v1/logout" {
						continue // a token has no session: TestASession
					}
				}
				got, body := askAs(t, k, rt, p)
				asked++
				switch {
				case !may:
					refused++
					if got != 403 && got != 404 {
						t.Errorf("%s as %s about %s: %d %s, want a refusal", name, k.Name, target.id, got, body)
					}
				case p.want != 0 && got != p.want, got == 401 || got == 403:
					t.Errorf("%s as %s about %s: %d %s, want %d", name, k.Name, target.id, got, body, p.want)
				case p.list:
					shows(t, name, kind, &k, body)
				}
			}
		}
	}
	t.Logf("%d requests, %d refused", asked, refused)
}

// fill puts something into the holes of a pattern.
func fill(pattern string) string {
	return strings.NewReplacer("{id}", "x", "{change}", "drain", "{version}", "1").Replace(pattern)
}

// askAs sends one probe to a fresh API, so that no probe changes another's world.
func askAs(t *testing.T, k access.Token, rt route, p probe) (int, string) {
	t.Helper()
	api, store := probed(t)
	secret, err := store.CreateToken(t.Context(), &k)
	if err != nil {
		t.Fatalf("%s: %v", k.Name, err)
	}
	res := send(t, api.Handler(), rt.method, p.path, p.body, map[string]string{"Authorization": "Bearer " + secret})
	return res.status, res.body.String()
}

// shows compares a list with what the caller owns.
func shows(t *testing.T, name, kind string, k *access.Token, body string) {
	t.Helper()
	for _, target := range targets {
		if got, want := strings.Contains(body, `"`+target.id+`"`), owns(k, kind, target.id); got != want {
			t.Errorf("%s as %s: %s is shown: %v, want %v", name, k.Name, target.id, got, want)
		}
	}
}

func TestEveryRouteRefusesACredentialThatIsNoGood(t *testing.T) {
	api, store := probed(t)
	for _, k := range []*access.Token{
		{Name: "expired", Role: access.Owner, Expires: clock.Unix()},
		{Name: "revoked", Role: access.Owner},
	} {
		if _, err := store.CreateToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.RevokeToken(t.Context(), "tok_revoked"); err != nil {
		t.Fatal(err)
	}
	for _, rt := range api.routes() {
		if rt.serves.scope == openScope {
			continue
		}
		name := rt.method + " " + rt.pattern
		for what, header := range map[string]map[string]string{
			"no credentials":    nil,
			"another scheme":    {"Authorization": "Basic " + token},
			"an empty token":    {"Authorization": "Bearer "},
			"an unknown token":  {"Authorization": "Bearer pka_none"},
			"an expired token":  {"Authorization": "Bearer pka_expired"},
			"a revoked token":   {"Authorization": "Bearer pka_revoked"},
			"a person's":        {"Authorization": "Bearer a.b.c"}, // there is no provider
			"a cookie":          {"Cookie": "purser-session=cookie-of-eve"},
			"a token's hash":    {"Authorization": "Bearer " + string(access.HashOf("pka_expired"))},
			"a token too large": {"Authorization": "Bearer " + strings.Repeat("x", maxCredential+1)},
		} {
			fresh := newAPI(t, &node{}, func(p *Parts) { p.Tokens = store })
			if got := send(t, fresh.Handler(), rt.method, fill(rt.pattern), "{}", header); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %s: %d %s", name, what, got.status, got.body.String())
			}
		}
		if rt.needs == "" {
			continue
		}
		all := access.Permissions()
		narrowed := access.Token{Name: "narrowed", Role: access.Owner, Scopes: slices.DeleteFunc(all, func(p access.Permission) bool { return p == rt.needs })}
		if got, body := askAs(t, narrowed, rt, probe{path: fill(rt.pattern), body: "{}"}); got != 403 || !strings.Contains(body, string(rt.needs)) {
			t.Errorf("%s with every scope but its own: %d %s", name, got, body)
		}
		exact := access.Token{Name: "exact", Role: access.Owner, Scopes: []access.Permission{rt.needs}}
		if got, body := askAs(t, exact, rt, probe{path: fill(rt.pattern), body: "{}"}); got == 401 || got == 403 && rt.needs != access.TokensWrite {
			t.Errorf("%s with its scope alone: %d %s", name, got, body)
		}
	}
}

func TestARouteWithoutAPermissionCannotBeServed(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	for name, bad := range map[string]route{
		"nothing":                    {},
		"no permission":              {"GET", "/x", "", whole(api.status)},
		"an unknown one":             {"GET", "/x", "x:read", whole(api.status)},
		"own, of the whole":          {"GET", "/x", access.StatusRead, own(api.listKeys)},
		"open, with a permission":    {"GET", "/x", access.StatusRead, open(api.status)},
		"a handler that is not made": {"GET", "/x", access.StatusRead, served{}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", bad)
				}
			}()
			bad.check()
		})
	}
	for _, rt := range api.routes() {
		rt.check()
	}
	limited := caller{subject: access.Subject{Grants: []access.Grant{{Role: access.TeamAdmin, Reach: access.Reach{Teams: []string{"ads"}}}}}}
	if fault := api.permit(&limited, route{"GET", "/x", access.KeysRead, whole(api.status)}); fault == nil {
		t.Error("a limited caller was let to a route over the whole cluster")
	}
}

// TestTheRoutesAreTheDocumentedOnes compares the table with that of docs/access.md.
func TestTheRoutesAreTheDocumentedOnes(t *testing.T) {
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok && strings.Contains(rest, " /admin/") {
			want = append(want, strings.TrimSpace("| `"+rest))
		}
	}
	scopes := map[scope]string{wholeScope: "the cluster", ownScope: "within the reach", selfScope: "the caller", openScope: "anyone"}
	api := newAPI(t, &node{}, nil)
	objects := api.objectRoutes()
	for _, r := range api.routes() {
		if slices.ContainsFunc(objects, func(o route) bool { return o.method == r.method && o.pattern == r.pattern }) {
			continue // they are alike: <kind>:read and <kind>:write
		}
		needs := "none"
		if r.needs != "" {
			needs = "`" + string(r.needs) + "`"
		}
		got = append(got, fmt.Sprintf("| `%s %s` | %s | %s |", r.method, r.pattern, needs, scopes[r.serves.scope]))
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("docs/access.md lacks the line\n%s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("docs/access.md has a line that no route is\n%s", line)
		}
	}
}
