package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"purser/api/admin"
)

// TestDashboardInABrowser has a browser do what people do with the dashboard: a first hour on an
// empty node; every page, by those who cannot see it well and on a phone; and names that
// are scripts.
func TestDashboardInABrowser(t *testing.T) {
	s := newBrowserSuite(t)
	if err := os.RemoveAll(s.shots); err != nil {
		t.Fatal(err)
	}
	t.Run("journey", func(t *testing.T) { s.run(t, "journey.mjs", nil) })
	pages := s.furnish(t)
	t.Run("pages", func(t *testing.T) { s.run(t, "pages.mjs", map[string]any{"pages": pages}) })
	visits := s.infest(t)
	t.Run("hostile", func(t *testing.T) { s.run(t, "hostile.mjs", map[string]any{"visits": visits, "payload": payload}) })
	t.Logf("pictures of the pages are in %s", s.shots)
}

// put makes an object; its spec is the API's to refuse.
func (s *browserSuite) put(t *testing.T, kind, id string, spec any) {
	t.Helper()
	text, ok := spec.(string)
	if !ok {
		b, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	if _, err := s.admin.PutObject(context.Background(), kind, id, nil, json.RawMessage(text)); err != nil {
		t.Fatalf("%s %s: %v", kind, id, err)
	}
}

// furnish fills the node with what a company has in it, and returns the pages about it.
func (s *browserSuite) furnish(t *testing.T) map[string]string {
	t.Helper()
	s.put(t, "orgs", "acme", `{}`)
	s.put(t, "teams", "search", `{"org":"acme"}`)
	s.put(t, "policies", "trial", `{"description":"what trial keys may do","rules":[{"id":"dear","outcome":"deny","when":{"over":{"cost_usd":0.25}},"message":"ask for a smaller answer"},{"id":"short","outcome":"rewrite","set":{"max_output_tokens":1024,"n":1}}]}`)
	s.put(t, "policies", "no-previews", `{"mode":"shadow","match":{"env":["prod"]},"rules":[{"id":"preview","outcome":"deny","when":{"cel":"model.contains(\"preview\")"}}]}`)
	s.put(t, "routes", "smart", `{"strategy":"weighted","sticky":"session","baseline":"gpt-4o-mini","candidates":[{"model":"gpt-4o-mini","weight":80},{"model":"gpt-4.1-nano","weight":20}]}`)
	s.put(t, "routes", "fast", `{"model":"gpt-4o-mini"}`)
	for id, limit := range map[string]string{"company": "250", "per-customer": "0.01"} {
		b := usd(id, limit)
		b.Window, b.Alerts = "day", []int{50, 80, 95}
		if id == "per-customer" {
			b.Each, b.Breaker = []string{"customer"}, &admin.BreakerRule{RateTimes: 20, CoolDown: "10m", Probes: 2}
		}
		s.budget(b)
	}
	s.budget(admin.Budget{ID: "agents", Unit: "tokens", Limit: "200000", Window: "hour", Match: map[string][]string{"agent": {"researcher", "coder"}}})
	key := s.key(admin.NewKey{Name: "storefront", Bound: map[string]string{"team": "search"}, KeyRights: admin.KeyRights{Owner: "team:search"}, Budgets: []admin.KeyBudget{{Limit: "5", Window: "day"}}})
	s.eventually("the key serves", func() error { return s.sent(s.ask(key.Secret, body("smart", "hello"))) })
	id := ""
	for i := range 60 {
		_, _, header := s.ask(key.Secret, body([]string{"smart", "gpt-4o-mini", "fast"}[i%3], fmt.Sprint("question ", i)),
			"x-purser-customer", []string{"umbrella", "initech", "hooli"}[i%7%3], "x-purser-agent", []string{"researcher", "coder"}[i%2], "x-purser-feature", []string{"chat", "summaries"}[i%2],
			"x-purser-run", fmt.Sprint("run-", i/12), "x-purser-session", fmt.Sprint("session-", i/12), "x-purser-step", []string{"plan", "search", "write"}[i%3], "x-purser-tag-experiment", "b", "User-Agent", "storefront/2.1")
		id = header.Get("x-purser-request-id")
	}
	for i := range 6 {
		s.ask(key.Secret, fmt.Sprintf(`{"purser_template":{"id":"support@%d","variables":{"question":"why %d"}},"messages":[],"max_tokens":40}`, i%2+1, i))
	}
	return map[string]string{
		"overview": "/ui/", "explorer": "/ui/explorer?by=customer,model", "requests": "/ui/requests", "request": "/ui/requests/" + id, "run": "/ui/runs/run-4", "economics": "/ui/economics", "anomalies": "/ui/anomalies", "statements": "/ui/statements", "statement": "/ui/statement?by=customer",
		"budgets": "/ui/budgets", "budget-new": "/ui/budgets?new", "budget": "/ui/budgets/company", "budget-each": "/ui/budgets/per-customer", "keys": "/ui/keys", "key-new": "/ui/keys?new", "key": "/ui/keys/" + key.ID,
		"policies": "/ui/policies", "policy-new": "/ui/policies?new", "policy": "/ui/policies/trial", "routes": "/ui/routes", "route": "/ui/routes/smart", "prompts": "/ui/prompts", "prompt": "/ui/prompts/support",
		"cluster": "/ui/cluster", "alerts": "/ui/webhooks", "audit": "/ui/audit",
	}
}

func body(model, text string) string {
	b, err := json.Marshal(map[string]any{"model": model, "max_tokens": 40, "messages": []map[string]string{{"role": "user", "content": text}}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sent says whether a request was answered well.
func (*browserSuite) sent(status int, answer string, _ http.Header) error {
	if status != http.StatusOK {
		return fmt.Errorf("%d %.300s", status, answer)
	}
	return nil
}

// payload is what a name would be that hopes to be run.
const payload = `"><img src=x onerror="window.hit=1;alert(1)"><script>window.hit=1</script>'-alert(1)-'{{7*7}}</textarea></title>`

// visit is a page, and what of the hostile texts it has to show.
type visit struct {
	Path  string   `json:"path"`
	Shows []string `json:"shows,omitempty"`
}

// infest puts the payload in wherever a client or an operator may write, and returns the
// pages that show it.
func (s *browserSuite) infest(t *testing.T) []visit {
	t.Helper()
	ctx := context.Background()
	key := s.key(admin.NewKey{Name: payload, Bound: map[string]string{"tag:note": payload}, KeyRights: admin.KeyRights{Description: payload}})
	b := usd("infested", "5")
	b.Each, b.Match = []string{"customer"}, map[string][]string{"agent": {payload}}
	s.budget(b)
	named := []string{"x-purser-customer", payload, "x-purser-agent", payload, "x-purser-feature", payload, "x-purser-run", payload, "x-purser-session", payload, "x-purser-step", payload, "x-purser-parent", payload, "User-Agent", payload}
	id := ""
	s.eventually("the key serves", func() error {
		status, answer, header := s.ask(key.Secret, body("gpt-4o-mini", payload), named...)
		id = header.Get("x-purser-request-id")
		return s.sent(status, answer, header)
	})
	s.ask(key.Secret, body(payload, "hello"), named...) // there is no such model
	split := map[string]string{"customer": payload}
	if _, err := s.admin.TripBudget(ctx, "infested", admin.BreakerChange{Reason: payload, Split: split}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.admin.PutRaise(ctx, "infested", admin.Raise{ID: "r", By: "1", Until: "2099-01-01T00:00:00Z", Reason: payload, Split: split}); err != nil {
		t.Fatal(err)
	}
	s.ask(key.Secret, body("gpt-4o-mini", "refused"), named...)
	s.put(t, "policies", "infested", map[string]any{"mode": "shadow", "description": payload, "match": map[string]any{"customer": []string{payload}}, "rules": []map[string]any{{"id": "r", "outcome": "deny", "message": payload, "when": map[string]any{"models": []string{payload}}}}})
	s.put(t, "routes", "infested", map[string]any{"candidates": []map[string]any{{"model": payload}, {"model": "gpt-4o-mini"}}})
	s.put(t, "templates", "infested@1", map[string]any{"description": payload, "system": strings.ReplaceAll(payload, "{{7*7}}", "")})
	s.put(t, "templates", "infested@2", map[string]any{"description": payload, "system": "none"})
	s.put(t, "prompts", "infested", map[string]any{"description": payload, "environments": map[string]int{"production": 1}, "match": map[string]any{"customer": []string{payload}}})
	in := url.QueryEscape(payload)
	all := []string{payload}
	return []visit{
		{"/ui/", nil}, {"/ui/explorer?by=customer", all}, {"/ui/explorer?by=agent,feature", all}, {"/ui/explorer?by=tag:note", all}, {"/ui/explorer?by=run", all}, {"/ui/explorer?by=model", all},
		{"/ui/explorer?filter=customer:" + in, all}, {"/ui/explorer?by=" + in, nil}, {"/ui/requests", all}, {"/ui/requests/" + id, all}, {"/ui/runs/" + url.PathEscape(payload), all},
		{"/ui/budgets", all}, {"/ui/budgets?find=" + in, all}, {"/ui/budgets/infested", all}, {"/ui/budgets/infested?find=" + in, all}, {"/ui/budgets/" + url.PathEscape(payload), nil},
		{"/ui/keys", all}, {"/ui/keys/" + key.ID, all}, {"/ui/policies", all}, {"/ui/policies/infested", all}, {"/ui/routes", all}, {"/ui/routes/infested", all},
		{"/ui/prompts", all}, {"/ui/prompts/infested", all}, {"/ui/prompts/infested?version=" + in, all}, {"/ui/audit", nil}, {"/ui/audit?actor=" + in, all}, {"/ui/audit?from=" + in, all}, {"/ui/economics?by=agent", all}, {"/ui/economics?filter=customer:" + in, all}, {"/ui/anomalies", nil}, {"/ui/anomalies/" + url.PathEscape(payload), nil}, {"/ui/statements?by=" + in, all}, {"/ui/statement?by=customer", all}, {"/ui/statement?by=" + in, nil}, {"/ui/cluster", nil}, {"/ui/webhooks", nil},
		{"/ui/login?to=" + in, nil}, {"/ui/" + url.PathEscape(payload), nil},
	}
}
