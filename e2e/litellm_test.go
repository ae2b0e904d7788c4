package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"purser/api/admin"
)

// The secrets of testdata/litellm: of LiteLLM's lists there are their hashes alone.
const (
	searchKey = "sk-search-1111111111111111"
	annKey    = "sk-ann-2222222222222222"
	batchKey  = "sk-batch-3333333333333333"
	oldKey    = "sk-old-4444444444444444"
)

// cli runs a command of the binary and returns what it prints.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// movedRig is a node that took over from the LiteLLM proxy of testdata/litellm, by
// the commands of docs/litellm.md.
func movedRig(t *testing.T, more ...string) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "purser-e2e-litellm-")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, bill: filepath.Join(dir, "bill.jsonl")}
	t.Cleanup(r.cleanup)
	args := []string{"import", "litellm", "--config", "testdata/litellm/config.yaml", "--out", dir}
	if len(more) == 0 {
		more = []string{"--keys", "testdata/litellm/keys.json", "--teams", "testdata/litellm/teams.json", "--users", "testdata/litellm/users.json"}
	}
	report := cli(t, append(args, more...)...)
	for _, says := range []string{"LITELLM_MASTER_KEY", "OPENAI_API_BASE", "key old service: is blocked, and so is suspended", "bedrock/amazon.titan-embed-text-v1"} {
		if !strings.Contains(report, says) {
			t.Errorf("the report does not say %q:\n%s", says, report)
		}
	}
	r.provider, r.upstream = r.start("provider", "provider at ", "simprovider", "--listen", "127.0.0.1:0", "--bill", r.bill, "--key", "sk-e2e", "--prices", filepath.Join(dir, "prices.yaml"))
	t.Setenv("OPENAI_API_BASE", r.upstream)
	t.Setenv("OPENAI_API_KEY", "sk-e2e")
	t.Setenv("LITELLM_MASTER_KEY", adminToken)
	t.Setenv("PURSER_ADMIN_TOKEN", adminToken)
	text, err := os.ReadFile(r.configFile())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("requests:\n"), []byte("requests:\n  deny_status: 429\n"), 1)
	text = fmt.Appendf(text, "node:\n  id: e2e-1\n  data_dir: %q\nlisten:\n  client: 127.0.0.1:0\npurse:\n  idle: 1s\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(r.configFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, "config", "check", r.configFile())
	r.startNode()
	state := filepath.Join(dir, "state.yaml")
	cli(t, "apply", "-f", state, "--url", r.url, "--yes")
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--plan"); !strings.Contains(out, "nothing to do") {
		t.Errorf("after apply, the plan is\n%s", out)
	}
	return r
}

// asOpenAI asks as an application does that knows a base URL and a key.
func (r *rig) asOpenAI(secret, model string, more ...option.RequestOption) (*openai.ChatCompletion, error) {
	client := openai.NewClient(append(more, option.WithBaseURL(r.url+"/v1"), option.WithAPIKey(secret))...)
	return client.Chat.Completions.New(context.Background(), openai.ChatCompletionNewParams{
		Model: model, MaxCompletionTokens: openai.Int(40), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is a purser?")},
	})
}

func statusOf(err error) (int, string) {
	var e *openai.Error
	if errors.As(err, &e) {
		return e.StatusCode, e.RawJSON()
	}
	return 0, fmt.Sprint(err)
}

func TestALiteLLMProxyMovesOver(t *testing.T) {
	r := movedRig(t)
	t.Run("no secret is written", func(t *testing.T) {
		for _, name := range []string{"node.yaml", "state.yaml", "report.txt", "prices.yaml"} {
			text, err := os.ReadFile(filepath.Join(r.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{searchKey, annKey, batchKey, oldKey, adminToken, "sk-e2e"} {
				if bytes.Contains(text, []byte(secret)) {
					t.Errorf("%s has the secret %.6s...", name, secret)
				}
			}
		}
		if out, err := exec.Command(binary, "import", "litellm", "--config", "testdata/litellm/config.yaml", "--out", r.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "is there already") {
			t.Errorf("files are written over: %v %s", err, out)
		}
	})
	answers := 0
	for _, c := range []struct {
		key, model string
		want       int
	}{
		{searchKey, "gpt-4o", 200}, {searchKey, "cheap", 200}, {searchKey, "gpt-4", 200}, {annKey, "cheap", 200}, {batchKey, "house", 200},
		{searchKey, "house", 403}, {annKey, "house", 403}, {oldKey, "cheap", 401}, {"sk-nobody-0000000000000000", "cheap", 401}, {batchKey, "no-such", 404},
	} {
		res, err := r.asOpenAI(c.key, c.model)
		switch status, body := statusOf(err); {
		case c.want == 200 && err != nil:
			t.Errorf("%s with %.6s: %d %s", c.model, c.key, status, body)
		case c.want == 200:
			answers++
			if res.Choices[0].Message.Content == "" {
				t.Errorf("%s with %.6s: an empty answer", c.model, c.key)
			}
		case status != c.want:
			t.Errorf("%s with %.6s: %d %s, want %d", c.model, c.key, status, body, c.want)
		}
	}
	if rows := r.billRows(); len(rows) != answers {
		t.Errorf("the provider billed %d calls, %d were answered", len(rows), answers)
	}
	// A key's budget, then its team's, refuse as LiteLLM does: with 429.
	exhaust := func(key string) string {
		for range 200 {
			_, err := r.asOpenAI(key, "gpt-4o")
			if err == nil {
				continue
			}
			status, body := statusOf(err)
			if status != http.StatusTooManyRequests || !strings.Contains(body, "budget_exceeded") {
				t.Fatalf("%.6s: %d %s", key, status, body)
			}
			return body
		}
		t.Fatalf("%.6s is never refused", key)
		return ""
	}
	ann := keyID(t, r, annKey)
	if body := exhaust(annKey); !strings.Contains(body, "key."+ann+".usd.day") {
		t.Errorf("the key's budget did not refuse: %s", body)
	}
	if body := exhaust(searchKey); !strings.Contains(body, "team.search.usd") {
		t.Errorf("the team's budget did not refuse: %s", body)
	}
	// Three requests in a minute for the batch key, one of which was made.
	limited := false
	for range 10 {
		if _, err := r.asOpenAI(batchKey, "house", option.WithMaxRetries(0)); err != nil { // it would wait for the next minute
			status, body := statusOf(err)
			limited = status == http.StatusTooManyRequests && strings.Contains(body, "rate_limit_exceeded")
			break
		}
	}
	if !limited {
		t.Error("the rate limit of the batch key does not hold")
	}
	r.agrees(ann)
	t.Run("a key that was blocked can be resumed", func(t *testing.T) {
		old := keyID(t, r, oldKey)
		cli(t, "key", "update", old, "--resume", "--url", r.url)
		if status, body := statusOf(errOf(r.asOpenAI(oldKey, "cheap"))); status == 401 || status == 403 { // its team may have nothing left
			t.Errorf("after it was resumed: %d %s", status, body)
		}
		cli(t, "key", "update", old, "--suspend", "--url", r.url)
		if status, body := statusOf(errOf(r.asOpenAI(oldKey, "cheap"))); status != 401 || !strings.Contains(body, "api_key_suspended") {
			t.Errorf("after it was suspended: %d %s", status, body)
		}
	})
	t.Run("the state file", func(t *testing.T) { stateOfKeys(t, r) })
}

func errOf[T any](_ T, err error) error { return err }

func keyID(t *testing.T, r *rig, secret string) string {
	t.Helper()
	var out struct{ Info struct{ Token string } }
	r.script(t, 200, "GET", "/key/info?key="+secret, "", &out)
	return out.Info.Token
}

// agrees compares what is shown as spent with the provider's bill.
func (r *rig) agrees(ann string) {
	r.t.Helper()
	byTeam, byKey, all := r.settled("team.search.usd"), r.settled("key."+ann+".usd.day"), r.settled("litellm.usd")
	var batch, total int64
	for _, row := range r.billRows() {
		total += int64(row.Cost)
		if strings.HasPrefix(row.Model, "gpt-4.1-nano") {
			batch += int64(row.Cost)
		}
	}
	if all.Spent != total || byTeam.Spent != total-batch || byKey.Spent > 2_000_000 || byTeam.Spent > 4_000_000 || byKey.Spent == 0 {
		r.t.Errorf("spent: all %d, the team %d, the key %d; billed %d, of which %d without the team", all.Spent, byTeam.Spent, byKey.Spent, total, batch)
	}
	var team struct {
		Info struct {
			Spend json.Number
			Max   json.Number `json:"max_budget"`
		} `json:"team_info"`
	}
	r.script(r.t, 200, "GET", "/team/info?team_id=search", "", &team)
	if want := fmt.Sprintf("%d.%09d", byTeam.Spent/1e9, byTeam.Spent%1e9); team.Info.Spend.String() != want || team.Info.Max != "0.004" {
		r.t.Errorf("the team is shown with %+v, want %s of 0.004", team.Info, want)
	}
}

// script sends a request as scripts for LiteLLM do.
func (r *rig) script(t *testing.T, want int, method, path, body string, out any) {
	t.Helper()
	status, b := r.scriptAs(t, adminToken, method, path, body)
	if status != want {
		t.Fatalf("%s %s: %d %s, want %d", method, path, status, b, want)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			t.Fatalf("%s %s: %s: %v", method, path, b, err)
		}
	}
}

func (r *rig) scriptAs(t *testing.T, token, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b
}

// stateOfKeys: keys in a state file are made, changed, exported and revoked.
func stateOfKeys(t *testing.T, r *rig) {
	t.Helper()
	state := filepath.Join(r.dir, "keys.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exported := cli(t, "export", "--kind", "keys", "--url", r.url)
	if strings.Contains(exported, "sha256") || !strings.Contains(exported, "limit: 0.002") {
		t.Errorf("exported is\n%s", exported)
	}
	write(exported)
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--plan"); !strings.Contains(out, "nothing to do") {
		t.Errorf("what was exported is to change:\n%s", out)
	}
	write(exported + "  made:\n    name: made\n    models: [cheap]\n")
	if out, err := exec.Command(binary, "apply", "-f", state, "--url", r.url, "--yes").CombinedOutput(); err == nil || !strings.Contains(string(out), "without sha256") {
		t.Errorf("a key of no secret: %v %s", err, out)
	}
	const hash = "6d6e6ef1e1ab2f4ba8b0bd5e5f9be02e6ab1d13b5ea93e7ee5f1f7d6f0a70a11"
	write(exported + "  made:\n    name: made\n    sha256: " + hash + "\n    models: [cheap]\n    budgets: [{limit: 1, window: day}]\n")
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--yes"); strings.Contains(out, hash) {
		t.Errorf("the hash is printed: %s", out)
	}
	write(exported + "  made:\n    name: other\n    sha256: " + hash + "\n    budgets: [{limit: 2, window: day}, {unit: requests, limit: 5, window: minute}]\n")
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--yes"); !strings.Contains(out, "~ keys made") || !strings.Contains(out, "models:") {
		t.Errorf("a change is\n%s", out)
	}
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--plan"); !strings.Contains(out, "nothing to do") {
		t.Errorf("after the change the plan is\n%s", out)
	}
	shown, err := r.admin.ShowKey(t.Context(), "made")
	if err != nil || shown.Name != "other" || len(shown.Models) != 0 || len(shown.Budgets) != 2 {
		t.Errorf("the key is %+v, %v", shown, err)
	}
	var f *admin.Fault
	if _, err := r.admin.CreateKey(t.Context(), admin.NewKey{ID: "made", Budgets: []admin.KeyBudget{{Limit: "9", Window: "day"}}}); !errors.As(err, &f) || f.Status != http.StatusConflict {
		t.Errorf("a second key of the id: %v", err)
	}
	if _, err := r.admin.CreateKey(t.Context(), admin.NewKey{ID: "more", Hash: hash}); !errors.As(err, &f) || f.Status != http.StatusConflict {
		t.Errorf("a second key of the secret: %v", err)
	}
	if b, err := r.admin.ShowBudget(t.Context(), "key.made.usd.day"); err != nil || b.Limit != "2" {
		t.Errorf("a refused key changed the budget of the one there is: %+v, %v", b, err)
	}
	write(exported)
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--yes", "--prune"); !strings.Contains(out, "- keys made") {
		t.Errorf("pruning is\n%s", out)
	}
	if shown, err := r.admin.ShowKey(t.Context(), "made"); err != nil || shown.State != "revoked" {
		t.Errorf("a pruned key is %+v, %v", shown, err)
	}
	if out := cli(t, "apply", "-f", state, "--url", r.url, "--plan", "--prune"); !strings.Contains(out, "nothing to do") {
		t.Errorf("after pruning the plan is\n%s", out)
	}
}

// TestScriptsForLiteLLMGoOn runs what an administrator's script does, by LiteLLM's routes.
func TestScriptsForLiteLLMGoOn(t *testing.T) {
	r := newRig(t, rigOptions{})
	type row = map[string]any
	var team, key, out row
	var list []row
	r.script(t, 200, "POST", "/team/new", `{"team_id":"search","team_alias":"Search","models":["gpt-4o-mini"],"max_budget":0.01,"budget_duration":"30d","metadata":{"cost_center":"4711"}}`, &team)
	if team["team_id"] != "search" || team["max_budget"] != 0.01 || team["budget_duration"] != "30d" || fmt.Sprint(team["models"], team["metadata"]) != "[gpt-4o-mini] map[cost_center:4711]" {
		t.Errorf("the team is %v", team)
	}
	r.script(t, 409, "POST", "/team/new", `{"team_id":"search"}`, nil)
	r.script(t, 200, "POST", "/user/new", `{"user_id":"ann","user_email":"ann@example.com","teams":["search"],"auto_create_key":false,"max_budget":5}`, &out)
	if out["key"] != nil || out["max_budget"] != 5.0 || fmt.Sprint(out["teams"]) != "[search]" {
		t.Errorf("the user is %v", out)
	}
	r.script(t, 200, "POST", "/key/generate", `{"team_id":"search","user_id":"ann","key_alias":"ci","duration":"30d","max_budget":0.002,"budget_duration":"1d","rpm_limit":100,"tags":["job:7","nightly"],"metadata":{"a":1}}`, &key)
	secret, _ := key["key"].(string)
	if key["team_id"] != "search" || key["max_budget"] != 0.002 || key["rpm_limit"] != 100.0 || key["blocked"] != false || fmt.Sprint(key["tags"]) != "[job:7 nightly]" || key["expires"] == nil {
		t.Errorf("the key is %v", key)
	}
	ask := func(model string) (int, string) { return statusOf(errOf(r.asOpenAI(secret, model))) }
	if status, body := ask("gpt-4o-mini"); status != 0 {
		t.Fatalf("the key does not work: %d %s", status, body)
	}
	if status, body := ask("gpt-4o"); status != 403 {
		t.Errorf("a model that the team has not: %d %s", status, body)
	}
	r.script(t, 200, "POST", "/key/block", `{"key":"`+secret+`"}`, &out)
	if status, _ := ask("gpt-4o-mini"); status != 401 || out["blocked"] != true {
		t.Errorf("a blocked key: %d, %v", status, out)
	}
	r.script(t, 200, "POST", "/key/unblock", `{"key":"`+secret+`"}`, nil)
	if status, body := ask("gpt-4o-mini"); status != 0 {
		t.Errorf("a key that is no longer blocked: %d %s", status, body)
	}
	r.script(t, 200, "POST", "/key/update", `{"key":"`+secret+`","max_budget":3,"rpm_limit":null,"team_id":"search"}`, &out)
	if out["max_budget"] != 3.0 || out["budget_duration"] != "1d" || out["rpm_limit"] != nil || out["key_alias"] != "ci" {
		t.Errorf("the key became %v", out)
	}
	r.script(t, 200, "POST", "/key/regenerate", `{"key":"`+key["token"].(string)+`"}`, &out)
	if status, _ := ask("gpt-4o-mini"); status != 401 {
		t.Errorf("the secret before: %d", status)
	}
	secret, _ = out["key"].(string)
	if status, body := ask("gpt-4o-mini"); status != 0 {
		t.Errorf("the secret after: %d %s", status, body)
	}
	const chosen = "sk-chosen-5555555555555555"
	r.script(t, 200, "POST", "/budget/new", `{"budget_id":"small","max_budget":0.0000001}`, nil)
	r.script(t, 200, "POST", "/key/generate", `{"key":"`+chosen+`","budget_id":"small","key_alias":"tight"}`, &out)
	if out["key"] != chosen || out["budget_id"] != "small" {
		t.Errorf("a key of a budget is %v", out)
	}
	if status, body := statusOf(errOf(r.asOpenAI(chosen, "gpt-4o-mini"))); status != 402 || !strings.Contains(body, "budget.small.usd") {
		t.Errorf("the budget does not hold: %d %s", status, body)
	}
	r.script(t, 409, "POST", "/budget/delete", `{"id":"small"}`, nil)
	r.script(t, 200, "POST", "/budget/update", `{"budget_id":"small","max_budget":1}`, nil)
	if status, body := statusOf(errOf(r.asOpenAI(chosen, "gpt-4o-mini"))); status != 0 {
		t.Errorf("the budget was not raised: %d %s", status, body)
	}
	r.script(t, 200, "POST", "/budget/info", `{"budgets":["small","none"]}`, &list)
	if len(list) != 1 || list[0]["max_budget"] != 1.0 {
		t.Errorf("budgets %v", list)
	}

	account := r.settled("team.search.usd")
	r.eventually("the report has what the team spent", func() error {
		var report []struct {
			Teams []struct {
				Name  string      `json:"team_name"`
				Total json.Number `json:"total_spend"`
			}
		}
		r.script(t, 200, "GET", "/global/spend/report?group_by=team&"+today(t, r), "", &report)
		for _, d := range report {
			for _, of := range d.Teams {
				if of.Name == "Search" && of.Total.String() == fmt.Sprintf("0.%09d", account.Spent) {
					return nil
				}
			}
		}
		return fmt.Errorf("%+v, the account has %d", report, account.Spent)
	})
	var logs []struct{ Spend json.Number }
	r.script(t, 200, "GET", "/spend/logs?"+today(t, r), "", &logs)
	if billed := sum(r.billRows()); len(logs) != 1 || logs[0].Spend.String() != fmt.Sprintf("%d.%09d", billed/1e9, billed%1e9) {
		t.Errorf("the day is shown with %v, billed are %d", logs, billed)
	}
	r.script(t, 200, "GET", "/key/list?team_id=search&return_full_object=true", "", &out)
	if keys := out["keys"].([]any); len(keys) != 1 || out["total_pages"] != 1.0 {
		t.Errorf("keys of the team: %v", out)
	}
	r.script(t, 200, "GET", "/user/info?user_id=ann", "", &out)
	if len(out["keys"].([]any)) != 1 || len(out["teams"].([]any)) != 1 {
		t.Errorf("the user is %v", out)
	}
	r.script(t, 200, "POST", "/key/delete", `{"key_aliases":["tight"]}`, nil)
	r.script(t, 200, "POST", "/budget/delete", `{"id":"small"}`, nil)
	r.script(t, 200, "POST", "/team/delete", `{"team_ids":["search"]}`, &out)
	if status, _ := ask("gpt-4o-mini"); status != 401 {
		t.Errorf("a key of a team that was deleted: %d", status)
	}
	if left, err := r.admin.ListObjects(t.Context(), "policies"); err != nil || len(left) != 0 {
		t.Errorf("policies that are left: %v, %v", left, err)
	}
	for _, bad := range [][2]string{
		{"/key/generate", `{"model_max_budget":{"gpt-4o":1}}`}, {"/key/generate", `{"allowed_routes":["x"]}`}, {"/key/generate", `{"max_budget":-1}`}, {"/key/generate", `{"key":"sk-short"}`},
		{"/key/generate", `{"rpm_limit":1.5}`}, {"/key/generate", `{"duration":"1y"}`}, {"/key/generate", `[]`}, {"/team/new", `{"blocked":true}`}, {"/team/new", `{"team_member_budget":1}`},
		{"/user/new", `{"user_role":"proxy_admin"}`}, {"/budget/new", `{"budget_id":"none"}`}, {"/key/update", `{}`}, {"/key/delete", `{}`}, {"/key/generate", `{"max_budget":1,"soft_budget":2}`},
	} {
		status, b := r.scriptAs(t, adminToken, "POST", bad[0], bad[1])
		var e struct {
			Error struct{ Message, Type, Code string }
		}
		if json.Unmarshal(b, &e) != nil || status != 400 || e.Error.Code != "400" || e.Error.Type != "bad_request_error" || e.Error.Message == "" {
			t.Errorf("%s %s: %d %s", bad[0], bad[1], status, b)
		}
	}
	if keys, err := r.admin.ListKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("keys that refused requests made: %+v, %v", keys, err)
	}
}

// today is the present day as reports are asked about it.
func today(t *testing.T, r *rig) string {
	t.Helper()
	s, err := r.admin.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return "start_date=" + s.LedgerTime[:10] + "&end_date=" + s.LedgerTime[:10]
}

// TestLiteLLMRoutesForEveryRole asks each route with credentials that must not do.
func TestLiteLLMRoutesForEveryRole(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, id := range []string{"ads", "other"} {
		r.script(t, 200, "POST", "/team/new", `{"team_id":"`+id+`","max_budget":1}`, nil)
		r.script(t, 200, "POST", "/user/new", `{"user_id":"u-`+id+`","teams":["`+id+`"],"auto_create_key":false}`, nil)
	}
	r.script(t, 200, "POST", "/budget/new", `{"budget_id":"b","max_budget":1}`, nil)
	token := func(in admin.NewAdminToken) string {
		t.Helper()
		k, err := r.admin.CreateAdminToken(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return k.Secret
	}
	revoked := func() string {
		k, err := r.admin.CreateAdminToken(t.Context(), admin.NewAdminToken{Name: "gone", Role: "owner"})
		if err == nil {
			_, err = r.admin.RevokeAdminToken(t.Context(), k.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return k.Secret
	}()
	finance, teamAdmin := token(admin.NewAdminToken{Name: "finance", Role: "finance"}), token(admin.NewAdminToken{Name: "of other", Role: "team_admin", Teams: []string{"other"}})
	const read, write = "read", "write"
	routes := []struct{ method, path, body, does string }{
		{"POST", "/key/generate", `{"team_id":"ads"}`, write}, {"POST", "/key/update", `{"key":"KEY","key_alias":"x"}`, write},
		{"POST", "/key/block", `{"key":"KEY"}`, write}, {"POST", "/key/unblock", `{"key":"KEY"}`, write}, {"POST", "/key/regenerate", `{"key":"KEY"}`, write},
		{"POST", "/key/KEY/regenerate", `{}`, write}, {"POST", "/key/delete", `{"keys":["KEY"]}`, write}, {"GET", "/key/info?key=KEY", "", read}, {"GET", "/key/list", "", read},
		{"POST", "/team/new", `{"team_id":"mine"}`, write}, {"POST", "/team/update", `{"team_id":"ads","max_budget":9}`, write}, {"POST", "/team/delete", `{"team_ids":["ads"]}`, write},
		{"GET", "/team/info?team_id=ads", "", read}, {"GET", "/team/list", "", read},
		{"POST", "/user/new", `{"user_id":"mine","teams":["ads"]}`, write}, {"POST", "/user/update", `{"user_id":"u-ads","user_alias":"x"}`, write},
		{"GET", "/user/info?user_id=u-ads", "", read}, {"GET", "/user/list", "", read},
		{"POST", "/budget/new", `{"budget_id":"c","max_budget":1}`, write}, {"POST", "/budget/update", `{"budget_id":"b","max_budget":99}`, write},
		{"POST", "/budget/info", `{"budgets":["b"]}`, read}, {"POST", "/budget/delete", `{"id":"b"}`, write}, {"GET", "/budget/list", "", read},
		{"GET", "/spend/logs?" + today(t, r), "", read}, {"GET", "/global/spend/report?" + today(t, r), "", read},
	}
	k := r.key(admin.NewKey{Name: "of ads", Bound: map[string]string{"team": "ads"}})
	owner := token(admin.NewAdminToken{Name: "owner", Role: "owner"}) // which no failures keep out
	state := cli(t, "export", "--url", r.url, "--token", owner)
	for _, rt := range routes {
		path, body := strings.ReplaceAll(rt.path, "KEY", k.ID), strings.ReplaceAll(rt.body, "KEY", k.ID)
		for who, secret := range map[string]string{"nobody": "", "revoked": revoked, "a key": k.Secret} {
			if status, b := r.scriptAs(t, secret, rt.method, path, body); !(status == 401 && strings.Contains(string(b), `"auth_error"`) || status == 429 && who == "a key") { // guesses are counted

				t.Errorf("%s %s as %s: %d %s", rt.method, path, who, status, b)
			}
		}
		status, b := r.scriptAs(t, finance, rt.method, path, body)
		if want := map[string]int{read: 200, write: 403}[rt.does]; status != want {
			t.Errorf("%s %s as finance: %d %s, want %d", rt.method, path, status, b, want)
		}
		status, b = r.scriptAs(t, teamAdmin, rt.method, path, body)
		shows := status == 200 && (strings.Contains(string(b), "ads") || strings.Contains(string(b), k.ID))
		if rt.does == write && status != 403 && status != 404 || shows {
			t.Errorf("%s %s as the admin of another team: %d %s", rt.method, path, status, b)
		}
	}
	if after := cli(t, "export", "--url", r.url, "--token", owner); after != state {
		t.Errorf("refused requests changed something:\n%s\nwas\n%s", after, state)
	}
	last := 0
	for range 40 {
		last, _ = r.scriptAs(t, "guess", "GET", "/key/list", "")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("after forty guesses the answer is %d", last)
	}
}
