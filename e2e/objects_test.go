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
