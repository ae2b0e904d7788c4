package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"purser/internal/audit/export"
	"purser/internal/governance"
	"purser/internal/vault"
)

// unaudited are the routes that change nothing, though they are no reads.
var unaudited = map[string]string{
	"POST /admin/v1/policies/explain":       "a question",
	"POST /admin/v1/routes/explain":         "a question",
	"POST /admin/v1/semcache/explain":       "a question",
	"POST /admin/v1/credentials/{id}/match": "a question",
	"POST /admin/v1/logout":                 "of a browser's session, which this test has not; TestPeopleLogIn... has one",
}

// probed is one call of a route.
type probed struct {
	route, path, body string // path "": that of the route; a route: with the id that it made
	want              string // action and target: %s is what path made, a / at the end that which this call makes, "?" before it: the target is not looked at
	before, after     bool   // the entry shows what was, what is
}

// TestEveryRouteThatChangesIsInTheTrail, once, with who did it, from where and what it
// changed, and without what is secret: for each route of docs/access.md that is no read,
// and each kind of object.
func TestEveryRouteThatChangesIsInTheTrail(t *testing.T) {
	newMasterFile(t, vault.NewKeyText())
	r := newRig(t, rigOptions{cluster: true, config: alertsConfig(newEar(t))})
	r.join("e2e-2")
	r.votes("e2e-1", "e2e-2")
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	list := probes(tomorrow)
	for route := range writingRoutes(t) {
		known := unaudited[route] != ""
		for _, p := range list {
			known = known || p.route == route
		}
		if !known {
			t.Errorf("there is no call of %s in this test", route)
		}
	}
	made := map[string]string{} // ids by route
	var secrets []string
	head := r.head(t, 1)
	for _, p := range list {
		method, pattern, _ := strings.Cut(p.route, " ")
		id := made[p.path]
		path := strings.ReplaceAll(pattern, "{id}", id)
		if p.path != "" && id == "" {
			path = p.path
		}
		answer := r.admins(t, method, path, p.body)
		var got struct {
			ID, Secret, Token string
			Key               struct{ ID string }
		}
		_ = json.Unmarshal(answer, &got) // some answer nothing
		if got.ID != "" {
			made[p.route] = got.ID
		}
		for _, s := range []string{got.Secret, got.Token} {
			if s != "" {
				secrets = append(secrets, s)
			}
		}
		entries := r.trailAfter(t, head)
		if len(entries) != 1 {
			t.Errorf("%s %s made %d entries", method, path, len(entries))
		}
		for _, e := range entries {
			head = e.Seq
			want, said := strings.ReplaceAll(p.want, "%s", id), e.Action+" "+e.Target
			if strings.HasSuffix(want, "/") {
				want += made[p.route]
			}
			if action, any := strings.CutPrefix(want, "?"); any {
				want, said = action, e.Action
			}
			if said != want || e.Actor != "root" || e.Address != "127.0.0.1" || e.Node != "e2e-1" || e.Result != "applied" && e.Result != "noted" {
				t.Errorf("%s %s made %+v, want %s", method, path, e, want)
			}
			if (e.Before != nil) != p.before || (e.After != nil) != p.after {
				t.Errorf("%s %s: it was %s, it is %s", method, path, e.Before, e.After)
			}
		}
	}
	text := r.run("audit", "export", "--url", r.url)
	for _, s := range append(secrets, adminToken, "sk-of-the-provider", "sk-of-another") {
		if strings.Contains(text, s) {
			t.Errorf("a secret is in the trail: %.10s…", s)
		}
	}
}

func probes(tomorrow string) (list []probed) {
	specs := map[string][2]string{
		"org": {`{"name":"a"}`, `{"name":"b"}`}, "team": {`{"name":"a"}`, `{"name":"b"}`}, "project": {`{"name":"a"}`, `{"name":"b"}`}, "member": {`{"name":"a"}`, `{"name":"b"}`},
		"agent": {`{"name":"a"}`, `{"name":"b"}`}, "route": {`{"model":"a"}`, `{"model":"b"}`}, "loop": {`{"repeats":5}`, `{"repeats":6}`},
		"redaction": {`{"detectors":["CREDIT_CARD"],"action":"block"}`, `{"detectors":["CREDIT_CARD"],"action":"mask"}`},
		"policy":    {`{"rules":[{"id":"r","outcome":"warn"}]}`, `{"rules":[{"id":"s","outcome":"warn"}]}`},
		"lever":     {`{"cache":{"ttl":"1m"}}`, `{"cache":{"ttl":"2m"}}`},
		"export":    {`{"format":"focus","disabled":true,"to":{"dir":"x"}}`, `{"format":"focus","disabled":true,"every":"hour","to":{"dir":"x"}}`},
		"mapping":   {`{"rules":[{"when":{"team":["a"]},"set":{"team":"b"}}]}`, `{"rules":[{"when":{"team":["a"]},"set":{"team":"c"}}]}`},
		"prompt":    {`{"description":"a"}`, `{"description":"b"}`},
		"router": {
			`{"embedder":"e","dim":1,"alpha":0.5,"top":1,"candidates":[{"id":"a"},{"id":"b"}],"clusters":[{"centroid":"AQ==","quality":[0.5,0.6],"seen":[1,1]}]}`,
			`{"embedder":"e","dim":1,"alpha":0.6,"top":1,"candidates":[{"id":"a"},{"id":"b"}],"clusters":[{"centroid":"AQ==","quality":[0.5,0.6],"seen":[1,1]}]}`,
		},
		"webhook": {`{"url":"https://example.com/a","secret":"ear"}`, `{"url":"https://example.com/b","secret":"ear"}`},
	}
	for _, k := range governance.Kinds {
		if k.Name == "template" { // whose versions never change
			list = append(list,
				probed{"PUT /admin/v1/templates/{id}", "/admin/v1/templates/x@1", `{"system":"a"}`, "template.put template/x@1", false, true},
				probed{"DELETE /admin/v1/templates/{id}", "/admin/v1/templates/x@1", ``, "template.delete template/x@1", true, false})
			continue
		}
		put, del := "PUT /admin/v1/"+k.Plural+"/{id}", "DELETE /admin/v1/"+k.Plural+"/{id}"
		path := "/admin/v1/" + k.Plural + "/x"
		list = append(list,
			probed{put, path, specs[k.Name][0], k.Name + ".put " + k.Name + "/x", false, true},
			probed{put, path, specs[k.Name][1], k.Name + ".put " + k.Name + "/x", true, true},
		)
		switch k.Name {
		case "loop":
			list = append(list, probed{"POST /admin/v1/loops/{id}/reset", path + "/reset", `{"dim":"run","value":"r1"}`, "loop.put loop/x", true, true})
		case "webhook":
			list = append(list, probed{"POST /admin/v1/alerts/test/{webhook}", "/admin/v1/alerts/test/x", ``, "webhook.test webhook/x", false, false})
		}
		list = append(list, probed{del, path, ``, k.Name + ".delete " + k.Name + "/x", true, false})
	}
	const key = "POST /admin/v1/keys"
	const token = "POST /admin/v1/tokens"
	return append(list, []probed{
		{key, "", `{"name":"k"}`, "key.put key/", false, true},
		{"PATCH /admin/v1/keys/{id}", key, `{"name":"l"}`, "key.put key/%s", true, true},
		{"POST /admin/v1/keys/{id}/rotate", key, `{}`, "key.rotate key/%s", true, true},
		{"POST /admin/v1/keys/{id}/revoke", key, ``, "key.revoke key/%s", true, false},
		{"DELETE /admin/v1/keys/{id}", key, ``, "key.forget key/%s", true, false},
		{"PUT /admin/v1/budgets/{id}", "/admin/v1/budgets/b", `{"unit":"usd","limit":1,"window":"total"}`, "budget.put budget/b", false, true},
		{"PUT /admin/v1/budgets/{id}", "/admin/v1/budgets/b", `{"unit":"usd","limit":2,"window":"total"}`, "budget.put budget/b", true, true},
		{"PUT /admin/v1/budgets/{id}/raises/{raise}", "/admin/v1/budgets/b/raises/r", `{"by":1,"until":"` + tomorrow + `"}`, "budget.raise budget/b", false, true},
		{"DELETE /admin/v1/budgets/{id}/raises/{raise}", "/admin/v1/budgets/b/raises/r", ``, "budget.raise.end budget/b", true, false},
		{"POST /admin/v1/budgets/{id}/trip", "/admin/v1/budgets/b/trip", `{"reason":"why"}`, "budget.trip budget/b", false, true},
		{"POST /admin/v1/budgets/{id}/reset", "/admin/v1/budgets/b/reset", `{}`, "budget.reset budget/b", false, true},
		{"POST /admin/v1/budgets/{id}/release", "/admin/v1/budgets/b/release", ``, "budget.release budget/b", false, false},
		{"DELETE /admin/v1/budgets/{id}", "/admin/v1/budgets/b", ``, "budget.delete budget/b", true, false},
		{"PUT /admin/v1/credentials/{id}", "/admin/v1/credentials/c", `{"provider":"openai","secret":"sk-of-the-provider-0123456789"}`, "credential.put credential/c", false, true},
		{"PUT /admin/v1/credentials/{id}", "/admin/v1/credentials/c", `{"provider":"openai","secret":"sk-of-another-0123456789"}`, "credential.put credential/c", true, true},
		{"POST /admin/v1/credentials/{id}/rotate-data", "/admin/v1/credentials/c/rotate-data", ``, "credential.put credential/c", true, true},
		{"POST /admin/v1/vault/rotate-master", "", `{"again":true}`, "credential.put credential/c", true, true},
		{"DELETE /admin/v1/credentials/{id}", "/admin/v1/credentials/c", ``, "credential.delete credential/c", true, false},
		{token, "", `{"name":"t","role":"finance"}`, "admintoken.put admintoken/", false, true},
		{"POST /admin/v1/tokens/{id}/revoke", token, ``, "admintoken.put admintoken/%s", true, true},
		{"POST /admin/v1/adjustments", "", `{"id":"a1","at":"` + time.Now().UTC().Format(time.RFC3339) + `","amount":"-0.25","note":"a credit"}`, "adjustment.post adjustment/a1", false, true},
		{"POST /admin/v1/outcomes", "", `{"id":"a","name":"n","join":{"run":"r"}}`, "outcomes.import outcomes", false, true},
		{"PUT /admin/v1/revenue", "", `[{"id":"a","customer":"c","period":"2026-03","amount":"1"}]`, "revenue.import revenue", false, true},
		{"POST /admin/v1/cache/purge", "", `{"tag":"x"}`, "cache.purge cache", false, true},
		{"POST /admin/v1/semcache/purge", "", `{"tenant":"key:x"}`, "semcache.purge semcache", false, true},
		{"POST /admin/v1/semcache/reset", "", `{}`, "semcache.reset semcache", false, true},
		{"POST /admin/v1/cluster/tokens", "", `{}`, "?token.create", false, true},
		{"POST /admin/v1/cluster/nodes/{id}/{change}", "/admin/v1/cluster/nodes/e2e-2/drain", ``, "node.draining node/e2e-2", true, true},
		{"POST /admin/v1/cluster/nodes/{id}/{change}", "/admin/v1/cluster/nodes/e2e-2/resume", ``, "node.active node/e2e-2", true, true},
	}...)
}

// writingRoutes are the routes of docs/access.md that are no reads; a test holds it
// against the table that routes are served from.
func writingRoutes(t *testing.T) map[string]bool {
	t.Helper()
	doc, err := os.ReadFile("../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:PUT|POST|PATCH|DELETE) /admin/v1/[^`]*)`").FindAllStringSubmatch(string(doc), -1) {
		routes[m[1]] = true
	}
	if len(routes) < 20 {
		t.Fatalf("docs/access.md has %d routes that write", len(routes))
	}
	return routes
}

// head is the number of the trail's last entry, when it has so many.
func (r *rig) head(t *testing.T, least uint64) (seq uint64) {
	t.Helper()
	r.eventually("the trail has begun", func() error {
		h, err := r.admin.AuditHead(context.Background())
		if err != nil {
			return err
		}
		if _, err := fmt.Sscanf(h.Head, "%d:", &seq); err != nil || seq < least {
			return fmt.Errorf("it ends with %s, %v", h.Head, err)
		}
		return nil
	})
	return seq
}

func (r *rig) trailAfter(t *testing.T, seq uint64) (list []export.Line) {
	t.Helper()
	for line := range bytes.Lines(r.admins(t, "GET", fmt.Sprint("/admin/v1/audit?after=", seq), "")) {
		var e export.Line
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// admins is a call of the admin API that must succeed.
func (r *rig) admins(t *testing.T, method, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, b, err)
	}
	return b
}
