package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/internal/login/logintest"
)

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// as is a client of the rig's node with another token.
func (r *rig) as(token string) *admin.Client { return &admin.Client{URL: r.url, Token: token} }

func (r *rig) mint(in admin.NewAdminToken) admin.CreatedAdminToken {
	r.t.Helper()
	t, err := r.admin.CreateAdminToken(context.Background(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	return t
}

func forbidden(t *testing.T, what string, err error, codes ...string) {
	t.Helper()
	f, ok := err.(*admin.Fault)
	if !ok || !strings.Contains(strings.Join(codes, " "), f.Code) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestTeamsRunThemselvesAndSeeNoOthers(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := t.Context()
	if _, err := r.admin.PutObject(ctx, "orgs", "acme", nil, json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.PutObject(ctx, "teams", "search", nil, json.RawMessage(`{"org":"acme"}`)); err != nil {
		t.Fatal(err)
	}
	search := r.as(r.mint(admin.NewAdminToken{Name: "search", Role: "team_admin", Teams: []string{"search"}}).Secret)
	acme := r.as(r.mint(admin.NewAdminToken{Name: "acme", Role: "team_admin", Orgs: []string{"acme"}}).Secret)
	ads := r.as(r.mint(admin.NewAdminToken{Name: "ads", Role: "team_admin", Teams: []string{"ads"}}).Secret)

	mine, err := search.CreateKey(ctx, admin.NewKey{Name: "mine", Bound: map[string]string{"team": "search"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = search.CreateKey(ctx, admin.NewKey{Name: "free"})
	forbidden(t, "a key that is bound to nothing", err, "forbidden")
	theirs := r.key(admin.NewKey{Name: "theirs", Bound: map[string]string{"team": "ads"}})
	_, err = search.RevokeKey(ctx, theirs.ID)
	forbidden(t, "another team's key", err, "not_found")
	for name, c := range map[string]*admin.Client{"search": search, "acme": acme} {
		if keys, err := c.ListKeys(ctx); err != nil || len(keys) != 1 || keys[0].ID != mine.ID {
			t.Errorf("%s lists %+v, %v", name, keys, err)
		}
	}

	budget := usd("search", "5")
	budget.Match = map[string][]string{"team": {"search"}}
	if _, err := search.PutBudget(ctx, budget); err != nil {
		t.Fatal(err)
	}
	budget.Match["team"] = []string{"ads"}
	_, err = ads.PutBudget(ctx, budget)
	forbidden(t, "a budget taken over from another team", err, "forbidden")
	_, err = search.PutBudget(ctx, budget)
	forbidden(t, "a budget handed on to another team", err, "forbidden")
	_, err = search.PutBudget(ctx, usd("all", "1"))
	forbidden(t, "a budget over everybody", err, "forbidden")
	each := usd("each", "9")
	each.Each = []string{"team"}
	r.budget(each)

	for _, k := range []admin.CreatedKey{mine, theirs} {
		if status, body, _ := r.ask(k.Secret, `{"model":"gpt-4o-mini","max_tokens":20,"messages":[{"role":"user","content":"Hello"}]}`); status != 200 {
			t.Fatalf("a request: %d %s", status, body)
		}
	}
	all, err := r.admin.Usage(ctx, admin.UsageQuery{})
	if err != nil || all.Total.Requests != 2 {
		t.Fatalf("root counts %+v, %v", all.Total, err)
	}
	for name, c := range map[string]*admin.Client{"search": search, "acme": acme} {
		for _, q := range []admin.UsageQuery{{}, {Group: []string{"team"}}, {Filter: map[string]string{"outcome": "ok"}}} {
			if u, err := c.Usage(ctx, q); err != nil || u.Total.Requests > 1 || len(q.Filter) == 0 && u.Total.Requests != 1 {
				t.Errorf("%s counts %+v, %v", name, u, err)
			}
		}
		if u, err := c.Usage(ctx, admin.UsageQuery{Filter: map[string]string{"team": "ads"}}); err != nil || u.Total.Requests != 0 {
			t.Errorf("%s counts another team's: %+v, %v", name, u.Total, err)
		}
	}
	r.eventually("the accounts of both teams are open", func() error { _, err := r.admin.ShowBudget(ctx, "each"); return err })
	if b, err := search.ShowBudget(ctx, "each"); err != nil || len(b.Accounts) != 1 || b.Accounts[0].Split["team"] != "search" {
		t.Errorf("of a budget of every team, search sees %+v, %v", b, err)
	}
	for what, ask := range map[string]func() error{
		"the status": func() error { _, err := search.Status(ctx); return err },
		"a backup":   func() error { return search.Backup(ctx, &strings.Builder{}) },
		"an owner token": func() error {
			_, err := search.CreateAdminToken(ctx, admin.NewAdminToken{Name: "x", Role: "owner"})
			return err
		},
		"a new team": func() error {
			_, err := search.PutObject(ctx, "teams", "next", nil, json.RawMessage(`{}`))
			return err
		},
	} {
		forbidden(t, what, ask(), "forbidden")
	}
}

func TestAdminTokensEndOnTheWholeNode(t *testing.T) {
	r := newRig(t, rigOptions{})
	made := r.mint(admin.NewAdminToken{Name: "ci", Role: "admin", Scopes: []string{"keys:read", "tokens:read"}})
	if !regexp.MustCompile(`^pka_[a-z2-7]{40}$`).MatchString(made.Secret) {
		t.Errorf("the secret has another form than scanners know")
	}
	c := r.as(made.Secret)
	if _, err := c.ListKeys(t.Context()); err != nil {
		t.Error(err)
	}
	_, err := c.Usage(t.Context(), admin.UsageQuery{})
	forbidden(t, "a scope that it has not", err, "forbidden")
	r.stopNode()
	r.startNode()
	c.URL = r.url
	if list, err := c.ListAdminTokens(t.Context()); err != nil || len(list) != 1 || list[0].By != "root" || list[0].State != "active" {
		t.Errorf("after a restart: %+v, %v", list, err)
	}
	if out, code := r.command("token", "revoke", made.ID); code != 0 {
		t.Fatalf("token revoke: %s", out)
	}
	_, err = c.ListKeys(t.Context())
	forbidden(t, "a revoked token", err, "unauthorized")
	if out, code := r.command("token", "list"); code != 0 || !strings.Contains(out, "revoked") || strings.Contains(out, made.Secret) {
		t.Errorf("token list: %s", out)
	}
	log, err := os.ReadFile(r.node.log)
	if err != nil || strings.Contains(string(log), made.Secret) {
		t.Errorf("the log has the secret in it, or cannot be read: %v", err)
	}
}

// TestPeopleLogInAtARealProvider: in a terminal with the binary, and in a browser.
func TestPeopleLogInAtARealProvider(t *testing.T) {
	address := freeAddress(t)
	idp := logintest.Start(t, "http://"+address+"/admin/v1/login/callback", logintest.User{ID: "eve-17", Email: "eve@example.com", Verified: true, Groups: []string{"search"}})
	r := newRig(t, rigOptions{address: address, admin: "  oidc:\n    issuer: " + idp.URL + "\n    client_id: " + logintest.Client + "\n    client_secret: " + logintest.ClientSecret +
		"\n    cli_client_id: " + logintest.CLIClient + "\n    redirect_url: http://" + address + "/admin/v1/login/callback\n    roles: [{group: search, role: team_admin, teams: [search]}]\n"})

	home := t.TempDir()
	run := func(args ...string) (*exec.Cmd, *lines) {
		cmd := exec.Command(binary, args...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "PURSER_URL=" + r.url}
		out := &lines{found: make(chan string, 1), pattern: regexp.MustCompile(`http://\S+/authorize\?\S+`)}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, out
	}
	cmd, out := run("login", "--no-browser")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	res, err := browser.Get(<-out.found)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "logged in as person:eve-17 (team_admin)") {
		t.Fatalf("purser login: %v\n%s", err, out.String())
	}
	if info, err := os.Stat(home + "/.config/purser/login.json"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login file: %v, %v", info, err)
	}
	for _, args := range [][]string{{"key", "create", "hers", "--bind", "team=search"}, {"key", "list"}, {"whoami"}} {
		cmd, out := run(args...)
		if err := cmd.Wait(); err != nil {
			t.Errorf("purser %v: %v\n%s", args, err, out.String())
		}
	}
	cmd, out = run("status")
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "status:read") {
		t.Errorf("purser status as a team admin: %v\n%s", err, out.String())
	}

	res, err = browser.Get(r.url + "/admin/v1/login")
	if err != nil {
		t.Fatal(err)
	}
	var me admin.Whoami
	err = json.NewDecoder(res.Body).Decode(&me)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 || res.Request.URL.Path != "/admin/v1/whoami" || me.Email != "eve@example.com" {
		t.Fatalf("the browser ends at %s with %d %+v, %v", res.Request.URL, res.StatusCode, me, err)
	}
	post := func(path, origin string) int {
		t.Helper()
		req, err := http.NewRequest("POST", r.url+path, strings.NewReader(`{"name":"x","bound":{"team":"search"}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := post("/admin/v1/keys", "https://evil.test"); got != 403 {
		t.Errorf("a change by another site: %d", got)
	}
	if got := post("/admin/v1/keys", "http://"+address); got != 201 {
		t.Errorf("a change by our own page: %d", got)
	}
	if got := post("/admin/v1/logout", "http://"+address); got != 204 {
		t.Errorf("the logout: %d", got)
	}
	idp.Stop()
	cmd, out = run("key", "list")
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "hers") {
		t.Errorf("purser key list without the provider: %v\n%s", err, out.String())
	}
}

// lines is what a command prints; found gets the first match of the pattern.
type lines struct {
	strings.Builder
	found   chan string
	pattern *regexp.Regexp
	done    bool
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	n, err := l.Builder.Write(b)
	if m := l.pattern.FindString(l.String()); m != "" && !l.done {
		l.done = true
		l.found <- m
	}
	return n, err
}

func TestGuessesAreSlowedDown(t *testing.T) {
	r := newRig(t, rigOptions{token: "a-short-admin-token"})
	good := r.key(admin.NewKey{Name: "good"})
	token := r.mint(admin.NewAdminToken{Name: "good", Role: "admin"})
	const body = `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"Hello"}]}`
	var got []int
	for range 25 {
		status, _, _ := r.ask("pk_guess", body)
		got = append(got, status)
	}
	if got[0] != 401 || got[24] != 429 {
		t.Errorf("guesses of keys are answered with %v", got)
	}
	if status, text, _ := r.ask(good.Secret, body); status != 200 {
		t.Errorf("a good key behind that address: %d %s", status, text)
	}
	if _, err := r.admin.ListKeys(t.Context()); err != nil {
		t.Errorf("the configured token, while keys are guessed: %v", err)
	}
	var last error
	for range 25 {
		_, last = r.as("guess").ListKeys(t.Context())
	}
	forbidden(t, "guesses of tokens", last, "too_many_failures")
	if _, err := r.as(token.Secret).ListKeys(t.Context()); err != nil {
		t.Errorf("a good admin token behind that address: %v", err)
	}
	_, err := r.admin.ListKeys(t.Context())
	forbidden(t, "the configured token, which is a short one, behind that address", err, "too_many_failures")
}
