package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// command runs the binary against the rig's node and returns what it printed, and how
// it ended.
func (r *rig) command(args ...string) (string, int) {
	r.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "PURSER_URL="+r.url, "PURSER_ADMIN_TOKEN="+r.admin.Token)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

const stateFile = `
orgs: {acme: {name: Acme}}
teams: {ranking: {parent: search}, search: {org: acme}}
projects: {p1: {team: ranking}}
routes: {fast: {model: gpt-4o-mini}, elsewhere: {model: gpt-4o-mini, upstream: none}}
budgets: {acme: {limit: 3, match: {org: [acme]}}}
`

func TestAFileSaysWhatThereIsAndRequestsGoByIt(t *testing.T) {
	r := newRig(t, rigOptions{})
	path := filepath.Join(t.TempDir(), "state.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(stateFile)
	if out, code := r.command("apply", "-f", path, "--plan"); code != 2 || strings.Count(out, "+ ") != 7 {
		t.Fatalf("a plan ended with %d: %s", code, out)
	}
	if out, code := r.command("get", "teams", "--json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Fatalf("a plan changed something, %d: %s", code, out)
	}
	if out, code := r.command("apply", "-f", path, "--yes"); code != 0 || !strings.Contains(out, "7 changed") {
		t.Fatalf("apply ended with %d: %s", code, out)
	}
	if out, code := r.command("apply", "-f", path, "--plan"); code != 0 {
		t.Fatalf("a second plan ended with %d: %s", code, out)
	}

	key := r.key(admin.NewKey{Name: "k"}).Secret
	const body = `{"model":"fast","max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}`
	if status, answer, _ := r.ask(key, body, "x-purser-project", "p1"); status != http.StatusOK {
		t.Fatalf("a route's name: %d %s", status, answer)
	}
	if status, answer, _ := r.ask(key, body, "x-purser-project", "p1", "x-purser-team", "search"); status != http.StatusBadRequest || !strings.Contains(answer, "invalid_dimension") {
		t.Errorf("a project and another team: %d %s", status, answer)
	}
	if status, answer, _ := r.ask(key, strings.Replace(body, "fast", "elsewhere", 1)); status != http.StatusNotFound || !strings.Contains(answer, "none") {
		t.Errorf("a route to an upstream that is not there: %d %s", status, answer)
	}
	if a := r.settled("acme"); a.Spent == 0 {
		t.Error("the org's budget was not charged for its team's project")
	}
	if rows := r.billRows(); len(rows) != 1 || rows[0].Model != "gpt-4o-mini" {
		t.Errorf("billed %+v", rows)
	}
	report, err := r.admin.Usage(t.Context(), admin.UsageQuery{Group: []string{"org", "team", "project", "model"}})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, row := range report.Rows {
		g := row.Group
		found = found || g["org"] == "acme" && g["team"] == "ranking" && g["project"] == "p1" && g["model"] == "gpt-4o-mini" && row.Cost > 0
	}
	if !found {
		t.Errorf("usage has no row of all dimensions: %+v", report.Rows)
	}

	// Somebody else changes a team between the plan and the change: nothing is lost.
	o, err := r.admin.ShowObject(t.Context(), "teams", "search")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.PutObject(t.Context(), "teams", "search", admin.Version(o.Version), json.RawMessage(`{"org":"acme","name":"Search"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.PutObject(t.Context(), "teams", "search", admin.Version(o.Version), json.RawMessage(`{"name":"lost update"}`)); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a change from an old version: %v", err)
	}
	if out, code := r.command("apply", "-f", path, "--plan"); code != 2 || !strings.Contains(out, `name: "Search" → (none)`) {
		t.Errorf("drift is shown as %d: %s", code, out)
	}
	write(strings.Replace(stateFile, "projects: {p1: {team: ranking}}", "projects: {}", 1))
	if out, code := r.command("apply", "-f", path, "--yes", "--prune"); code != 0 || !strings.Contains(out, "- projects p1") {
		t.Errorf("prune ended with %d: %s", code, out)
	}

	// What export writes is what apply makes.
	out, code := r.command("export")
	if code != 0 {
		t.Fatal(out)
	}
	write(out)
	if out, code := r.command("apply", "-f", path, "--plan", "--prune"); code != 0 {
		t.Errorf("what was exported is not what there is: %s", out)
	}
	r.stopNode()
	r.startNode()
	if out, code := r.command("apply", "-f", path, "--plan", "--prune"); code != 0 {
		t.Errorf("after a restart: %s", out)
	}
}

func TestOtherAdminAPIsAreAnsweredFromOurs(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.budget(admin.Budget{ID: "month", Unit: "usd", Limit: "25", Window: "month"})
	key := r.key(admin.NewKey{Name: "k", Bound: map[string]string{"project": "p1"}}).Secret
	if status, answer, _ := r.ask(key, `{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	spent := r.settled("month").Spent
	read := func(path, header, value string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, value)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.Status + " " + string(b)
	}
	start := "?start_time=" + strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	if got := read("/v1/organization/costs"+start+"&group_by=project_id", "Authorization", "Bearer "+r.admin.Token); !strings.Contains(got, fmt.Sprintf(`"value":%d.%09d`, spent/1e9, spent%1e9)) || !strings.Contains(got, `"project_id":"p1"`) {
		t.Errorf("costs of %d: %s", spent, got)
	}
	if got := read("/v1/organization/usage/completions"+start, "Authorization", "Bearer "+r.admin.Token); !strings.Contains(got, `"num_model_requests":1`) {
		t.Errorf("usage: %s", got)
	}
	if got := read("/v1/organizations/spend_limits", "x-api-key", r.admin.Token); !strings.Contains(got, `"amount":"2500"`) || !strings.Contains(got, `"period":"monthly"`) {
		t.Errorf("limits: %s", got)
	}
	if got := read("/v1/organization/costs"+start, "Authorization", "Bearer "+key); !strings.HasPrefix(got, "401") {
		t.Errorf("with a virtual key: %s", got)
	}
}

const wholeState = `
orgs: {acme: {name: Acme}}
teams: {search: {org: acme}, ranking: {parent: search}}
projects: {p1: {team: ranking, description: "a <b> & c"}}
members: {ada: {org: acme, teams: [search], email: ada@example.com}}
agents: {crawler: {project: p1, owner: ada}, sub: {parent: crawler}}
policies:
  trial:
    match: {team: [trial]}
    priority: -5
    rules:
      - {id: office, outcome: deny, unless: {addresses: [10.0.0.0/8, "2001:db8::/32"]}, message: "use <the office's> network"}
      - {id: nights, outcome: deny, when: {times: [{days: [mon-fri], from: "22:00", to: "06:00", zone: Europe/Berlin}]}}
      - {id: short, outcome: rewrite, set: {max_output_tokens: 1024, n: 1, temperature: 0.5}}
      - {id: dear, outcome: deny, when: {over: {cost_usd: 0.25}}}
  previews: {mode: shadow, rules: [{id: p, outcome: deny, when: {cel: 'model.contains("preview") && dims.env == "prod"'}}]}
redactions:
  pii: {match: {team: [support]}, direction: both, action: tokenise, overrides: {CREDIT_CARD: {action: mask, keep_last: 4}, URL: {off: true}},
        custom: [{name: STAFF, regex: '\bE\d{6}\b', context: [staff]}], exceptions: [{entity: EMAIL, regex: '.*@example\.com'}]}
routes: {fast: {model: gpt-4o-mini}, eu: {model: gpt-4o, upstream: sim}}
loops: {agents: {match: {team: [search]}, mode: enforce, repeats: 8, burn_times: 4, burn_floor: 2.5}}
webhooks: {ops: {url: "https://ops.example.com/purser", secret: ops, events: ["budget.*"], match: {split.team: [search]}}}
budgets:
  acme-month: {limit: 12000.5, window: month, zone: Europe/Berlin, match: {org: [acme]}, alerts: [50, 95], breaker: {probes: 3, rate_times: 20, overrun: 5, cool_down: 10m}}
  team-tokens: {unit: tokens, limit: 1000000, window: hour, each: [team]}
  calm: {unit: slots, limit: 4, each: [session], soft: true}
`

// TestAClusterOfEverythingIsExportedAsItIs: apply changes nothing twice, and neither
// resets of loops, nor keys' own budgets, nor what a role may not read are drift.
func TestAClusterOfEverythingIsExportedAsItIs(t *testing.T) {
	r := newRig(t, rigOptions{})
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same := func(what string, args ...string) {
		t.Helper()
		if out, code := r.command(append([]string{"apply", "--plan", "--prune"}, args...)...); code != 0 || !strings.Contains(out, "nothing to do") {
			t.Errorf("%s: a plan ended with %d: %s", what, code, out)
		}
	}
	file := write("everything.yaml", wholeState)
	out, code := r.command("apply", "-f", file, "--plan")
	if code != 2 || !strings.Contains(out, `<the office's>`) || !strings.Contains(out, "&&") {
		t.Errorf("a plan to be read, %d: %s", code, out)
	}
	if out, code := r.command("apply", "-f", file, "--yes"); code != 0 {
		t.Fatal(out)
	}
	r.key(admin.NewKey{Name: "k", Bound: map[string]string{"team": "search"}, Budgets: []admin.KeyBudget{{Limit: "5", Window: "day"}}})
	if out, code := r.command("loop", "reset", "agents", "--run", "r1"); code != 0 {
		t.Fatal(out)
	}
	same("the file that was applied", "-f", file)
	exported, code := r.command("export")
	if code != 0 || strings.Contains(exported, "forgiven") || strings.Contains(exported, "key.") {
		t.Errorf("exported, %d: %s", code, exported)
	}
	same("what was exported", "-f", write("exported.yaml", exported))
	if out, code := r.command("apply", "-f", file, "--yes"); code != 0 || !strings.Contains(out, "nothing to do") {
		t.Errorf("applied again, %d: %s", code, out)
	}

	// A rule that is put anew forgives whom it forgave.
	if out, code := r.command("put", "loop", "agents", "-f", write("loop.yaml", "{match: {team: [search]}, repeats: 9}")); code != 0 {
		t.Fatal(out)
	}
	if o, err := r.admin.ShowObject(t.Context(), "loops", "agents"); err != nil || !strings.Contains(string(o.Spec), `"value":"r1"`) || !strings.Contains(string(o.Spec), `"repeats":9`) {
		t.Errorf("the rule is %s, %v", o.Spec, err)
	}
	// An object is not emptied by a put that says nothing.
	if out, code := r.command("put", "team", "search"); code == 0 || !strings.Contains(out, "-f or --set") {
		t.Errorf("a put of nothing ended with %d: %s", code, out)
	}
	if out, code := r.command("put", "policy", "x", "-f", file); code == 0 || !strings.Contains(out, "purser apply -f") {
		t.Errorf("a file of everything as one policy: %d: %s", code, out)
	}

	for _, c := range []struct {
		token admin.NewAdminToken
		has   []string
		not   []string
	}{
		{admin.NewAdminToken{Name: "f", Role: "finance"}, []string{"teams:", "ranking:", "acme-month:"}, []string{"policies:", "webhooks:"}},
		{admin.NewAdminToken{Name: "t", Role: "team_admin", Teams: []string{"search"}}, []string{"teams:", "search:"}, []string{"ranking:", "policies:", "acme-month:"}},
		{admin.NewAdminToken{Name: "m", Role: "member", Member: "ada"}, []string{"members:", "ada:"}, []string{"\nteams:", "routes:"}},
	} {
		token := r.mint(c.token).Secret
		out, code := r.command("export", "--token", token)
		what, rest, _ := strings.Cut(out, "\n")
		if code != 0 || !strings.HasPrefix(what, "# Left out") || !strings.Contains(what, "policies") {
			t.Errorf("export by a %s ended with %d: %s", c.token.Role, code, out)
		}
		for _, s := range c.has {
			if !strings.Contains(rest, s) {
				t.Errorf("export by a %s has no %s: %s", c.token.Role, s, out)
			}
		}
		for _, s := range c.not {
			if strings.Contains(rest, s) {
				t.Errorf("export by a %s has %s: %s", c.token.Role, s, out)
			}
		}
		same("export by a "+c.token.Role, "-f", write("limited.yaml", out), "--token", token)
		if out, code := r.command("export", "--token", token, "--kind", "policies"); code == 0 || !strings.Contains(out, "policies:read") {
			t.Errorf("export of policies by a %s ended with %d: %s", c.token.Role, code, out)
		}
	}
}
