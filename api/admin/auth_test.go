package admin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/internal/access"
	"purser/internal/attempts"
)

const origin = "https://purser.example.com"

// withPeople is an API that knows people, of a node with TLS.
func withPeople(t *testing.T, who *people) (*API, *tokenStore) {
	t.Helper()
	store := &tokenStore{}
	n := &estate{}
	return newAPI(t, &n.node, func(p *Parts) {
		p.Keys, p.Budgets, p.Objects, p.Reports, p.Requests, p.Tokens = n, n, n, n, n, store
		p.People, p.Logins, p.Origin = who, who, origin
	}), store
}

func bearer(secret string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + secret}
}

func TestAPersonIsWhoTheProviderSays(t *testing.T) {
	who := &people{}
	api, _ := withPeople(t, who)
	h := api.Handler()
	if got := send(t, h, "GET", "/admin/v1/keys", "", bearer("h.eve.s")); got.status != 200 || !strings.Contains(got.body.String(), `"ads"`) || strings.Contains(got.body.String(), `"chat"`) {
		t.Errorf("eve lists %d %s", got.status, got.body.String())
	}
	if got := send(t, h, "GET", "/admin/v1/keys", "", bearer("h.mallory.s")); got.status != 401 {
		t.Errorf("a bad signature: %d", got.status)
	}
	if got := send(t, h, "GET", "/admin/v1/keys", "", bearer("h.stranger.s")); got.status != 403 || !strings.Contains(got.body.String(), "no") {
		t.Errorf("somebody without a role: %d %s", got.status, got.body.String())
	}
	who.down = true
	if got := send(t, h, "GET", "/admin/v1/keys", "", bearer("h.eve.s")); got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body.String(), "provider_unavailable") || strings.Contains(got.body.String(), "route") {
		t.Errorf("a provider that is down: %d %s", got.status, got.body.String())
	}
	if got := send(t, h, "GET", "/admin/v1/login", "", nil); got.status != 503 {
		t.Errorf("a login at a provider that is down: %d", got.status)
	}
	if got := send(t, h, "GET", "/admin/v1/status", "", bearer(token)); got.status != 200 {
		t.Errorf("the configured token without the provider: %d", got.status)
	}
}

// cookies of an answer, by name.
func cookies(r *recorded) map[string]*http.Cookie {
	out := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		out[c.Name] = c
	}
	return out
}

func TestALoginInABrowser(t *testing.T) {
	api, _ := withPeople(t, &people{})
	h := api.Handler()
	begun := send(t, h, "GET", "/admin/v1/login?return_to=/admin/v1/keys%3Fa=b", "", nil)
	kept := cookies(begun)["__Host-purser-login"]
	if begun.status != 302 || begun.header.Get("Location") != "https://idp.example/authorize?state=1" || begun.header.Get("Cache-Control") != "no-store" || kept == nil {
		t.Fatalf("begun: %d %v", begun.status, begun.header)
	}
	if !kept.HttpOnly || !kept.Secure || kept.SameSite != http.SameSiteLaxMode || kept.Path != "/" || kept.MaxAge != 60 {
		t.Errorf("the cookie is %+v", kept)
	}
	with := map[string]string{"Cookie": kept.Name + "=" + kept.Value}
	done := send(t, h, "GET", callbackPath+"?code=good", "", with)
	session := cookies(done)["__Host-purser-session"]
	if done.status != 302 || done.header.Get("Location") != "/admin/v1/keys?a=b" || session == nil || cookies(done)["__Host-purser-login"].MaxAge >= 0 {
		t.Fatalf("finished: %d %v", done.status, done.header)
	}
	if !session.HttpOnly || !session.Secure || session.SameSite != http.SameSiteLaxMode || session.Path != "/" || session.MaxAge != 3600 || session.Domain != "" {
		t.Errorf("the session's cookie is %+v", session)
	}
	if got := send(t, h, "GET", callbackPath+"?code=good", "", nil); got.status != 400 || cookies(got)["__Host-purser-session"] != nil {
		t.Errorf("a browser that began nothing: %d", got.status)
	}
	if got := send(t, h, "GET", callbackPath+"?code=stolen", "", with); got.status != 401 || cookies(got)["__Host-purser-session"] != nil {
		t.Errorf("a code that the provider does not confirm: %d", got.status)
	}
	for _, to := range []string{"https://evil.test/", "//evil.test", "/\\evil.test", "evil", "/a\r\nSet-Cookie:x=y", "/\t/evil.test", "/\x00/evil.test", "/\x7f", "/" + strings.Repeat("x", 1024)} {
		req, err := http.NewRequest("GET", "/admin/v1/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		q := req.URL.Query()
		q.Set("return_to", to)
		if got := send(t, h, "GET", "/admin/v1/login?"+q.Encode(), "", nil); got.status != 400 {
			t.Errorf("return_to %q: %d to %s", to, got.status, got.header.Get("Location"))
		}
	}
	none := newAPI(t, &node{}, nil).Handler()
	for _, path := range []string{"/admin/v1/login", callbackPath, "/admin/v1/login/client"} {
		if got := send(t, none, "GET", path, "", nil); got.status != 404 || !strings.Contains(got.body.String(), "admin.oidc") {
			t.Errorf("%s without a provider: %d %s", path, got.status, got.body.String())
		}
	}
}

func TestASession(t *testing.T) {
	api, _ := withPeople(t, &people{})
	h := api.Handler()
	as := func(more ...string) map[string]string {
		out := map[string]string{"Cookie": "__Host-purser-session=cookie-of-eve"}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	if got := send(t, h, "GET", "/admin/v1/whoami", "", as()); got.status != 200 || !strings.Contains(got.body.String(), "eve@example.com") {
		t.Errorf("whoami: %d %s", got.status, got.body.String())
	}
	if got := send(t, h, "GET", "/admin/v1/whoami", "", map[string]string{"Cookie": "purser-session=cookie-of-eve"}); got.status != 401 {
		t.Errorf("a cookie that is not bound to its host: %d", got.status)
	}
	if got := send(t, h, "GET", "/admin/v1/whoami", "", as("Authorization", "Bearer wrong")); got.status != 401 {
		t.Errorf("a bad token beside a good cookie: %d", got.status)
	}
	const change = "/admin/v1/keys/ads/revoke"
	for name, c := range map[string]struct {
		header map[string]string
		status int
	}{
		"our own page":                   {as("Origin", origin), 200},
		"a browser that says so":         {as("Sec-Fetch-Site", "same-origin"), 200},
		"another site":                   {as("Origin", "https://evil.test"), 403},
		"another port":                   {as("Origin", origin+":8443"), 403},
		"no TLS":                         {as("Origin", "http://purser.example.com"), 403},
		"an opaque origin":               {as("Origin", "null"), 403},
		"nothing said":                   {as(), 403},
		"a site below ours":              {as("Sec-Fetch-Site", "same-site"), 403},
		"an origin against the browser":  {as("Origin", "https://evil.test", "Sec-Fetch-Site", "same-origin"), 403},
		"a token instead, from wherever": {map[string]string{"Authorization": "Bearer h.eve.s", "Origin": "https://evil.test"}, 200},
	} {
		if got := send(t, h, "POST", change, "", c.header); got.status != c.status {
			t.Errorf("a change from %s: %d %s", name, got.status, got.body.String())
		}
	}
	if got := send(t, h, "POST", "/admin/v1/logout", "", as("Origin", "https://evil.test")); got.status != 403 {
		t.Errorf("a logout by another site: %d", got.status)
	}
	if got := send(t, h, "POST", "/admin/v1/logout", "", bearer(token)); got.status != 400 {
		t.Errorf("a logout of a token: %d", got.status)
	}
	out := send(t, h, "POST", "/admin/v1/logout", "", as("Origin", origin))
	if c := cookies(out)["__Host-purser-session"]; out.status != 204 || c == nil || c.MaxAge >= 0 {
		t.Errorf("the logout: %d %v", out.status, out.header)
	}
	if got := send(t, h, "GET", "/admin/v1/whoami", "", as()); got.status != 401 {
		t.Errorf("the cookie after the logout: %d", got.status)
	}
	if got := send(t, h, "GET", "/admin/v1/tokens", "", bearer(token)); strings.Contains(got.body.String(), "session") {
		t.Errorf("an ended session is listed as a token: %s", got.body.String())
	}
}

func TestFailuresAreLimitedByAddress(t *testing.T) {
	now := clock
	api, store := withPeople(t, &people{})
	api.Now = func() time.Time { return now }
	if _, err := store.CreateToken(t.Context(), &access.Token{Name: "good", Role: access.Owner}); err != nil {
		t.Fatal(err)
	}
	h := api.Handler()
	for i := range attempts.Burst {
		if got := send(t, h, "GET", "/admin/v1/status", "", bearer("wrong")); got.status != 401 {
			t.Fatalf("failure %d: %d", i+1, got.status)
		}
	}
	blocked := func(name, secret string) {
		t.Helper()
		got := send(t, h, "GET", "/admin/v1/status", "", bearer(secret))
		if got.status != 429 || got.header.Get("Retry-After") != "3" || !strings.Contains(got.body.String(), "too_many_failures") {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body.String())
		}
	}
	blocked("one more", "wrong")
	blocked("a person's token that is no good", "h.mallory.s")
	blocked("the configured token, which could be guessed", token)
	if got := send(t, h, "GET", callbackPath+"?code=good", "", map[string]string{"Cookie": "__Host-purser-login=kept-for-x"}); got.status != 429 {
		t.Errorf("a login, which asks the provider: %d", got.status)
	}
	for name, header := range map[string]map[string]string{
		"an admin token": bearer("pka_good"), "a person": bearer("h.eve.s"), "a session": {"Cookie": "__Host-purser-session=cookie-of-eve"},
	} {
		if got := send(t, h, "GET", "/admin/v1/whoami", "", header); got.status != 200 {
			t.Errorf("%s behind that address: %d", name, got.status)
		}
	}
	if got := send(t, h, "GET", "/admin/v1/status", "", nil); got.status != 401 {
		t.Errorf("no credential is no attempt: %d", got.status)
	}
	api.guessable = false
	if got := send(t, h, "GET", "/admin/v1/status", "", bearer(token)); got.status != 200 {
		t.Errorf("a configured token that cannot be guessed: %d", got.status)
	}
	api.guessable = true
	now = now.Add(attempts.Refill)
	if got := send(t, h, "GET", "/admin/v1/status", "", bearer(token)); got.status != 200 {
		t.Errorf("the configured token after the wait: %d", got.status)
	}
}

func TestWhichConfiguredTokensCouldBeGuessed(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	for token, want := range map[string]bool{strings.Repeat("x", 31): true, strings.Repeat("x", 32): false} {
		if made, err := New(token, api.Parts, api.Log); err != nil || made.guessable != want {
			t.Errorf("%d characters: %v, %v", len(token), made.guessable, err)
		}
	}
}

func TestNobodyMakesATokenThatMayMore(t *testing.T) {
	api, store := withPeople(t, &people{})
	for _, k := range []*access.Token{
		{Name: "short", Role: access.Owner, Expires: clock.Add(time.Hour).Unix()},
		{Name: "admin", Role: access.Admin},
		{Name: "root-like", Role: access.Owner},
	} {
		if _, err := store.CreateToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	h := api.Handler()
	for name, c := range map[string]struct {
		by     string
		in     NewAdminToken
		status int
	}{
		"longer than its maker":           {"pka_short", NewAdminToken{Name: "a", Role: "finance"}, 403},
		"within its maker's time":         {"pka_short", NewAdminToken{Name: "b", Role: "finance", Expires: clock.Add(time.Minute).Format(time.RFC3339)}, 201},
		"an owner, by an admin":           {"pka_admin", NewAdminToken{Name: "c", Role: "owner"}, 403},
		"for a team, by its admin":        {"h.eve.s", NewAdminToken{Name: "d", Role: "team_admin", Teams: []string{"ads"}}, 201},
		"for another team":                {"h.eve.s", NewAdminToken{Name: "e", Role: "team_admin", Teams: []string{"chat"}}, 403},
		"an unknown role":                 {token, NewAdminToken{Name: "f", Role: "king"}, 400},
		"no role":                         {token, NewAdminToken{Name: "g"}, 400},
		"no name":                         {token, NewAdminToken{Role: "owner"}, 400},
		"a scope that the role has not":   {token, NewAdminToken{Name: "h", Role: "finance", Scopes: []string{"keys:write"}}, 400},
		"a scope that does not exist":     {token, NewAdminToken{Name: "i", Role: "finance", Scopes: []string{"keys:eat"}}, 400},
		"an end in the past":              {token, NewAdminToken{Name: "j", Role: "finance", Expires: clock.Format(time.RFC3339)}, 400},
		"an end that is no time":          {token, NewAdminToken{Name: "k", Role: "finance", Expires: "soon"}, 400},
		"a team admin that has no team":   {token, NewAdminToken{Name: "l", Role: "team_admin"}, 400},
		"a control character in its name": {token, NewAdminToken{Name: "m\n", Role: "finance"}, 400},
	} {
		got := send(t, h, "POST", "/admin/v1/tokens", jsonOf(c.in), bearer(c.by))
		if got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body.String())
		}
		if got.status == 201 && !strings.Contains(got.body.String(), `"secret":"pka_`) {
			t.Errorf("%s: no secret in %s", name, got.body.String())
		}
	}
	list := send(t, h, "GET", "/admin/v1/tokens", "", bearer(token)).body.String()
	if strings.Contains(list, "secret") || strings.Contains(list, "hash") || !strings.Contains(list, `"by":"person:eve"`) {
		t.Errorf("the list is %s", list)
	}
	revoke := func(by, id string) int {
		return send(t, h, "POST", "/admin/v1/tokens/"+id+"/revoke", "", bearer(by)).status
	}
	if got := revoke("pka_admin", "tok_root-like"); got != 403 {
		t.Errorf("an admin ends an owner's token: %d", got)
	}
	if got := revoke("h.eve.s", "tok_admin"); got != 404 {
		t.Errorf("a team admin ends an admin's: %d", got)
	}
	if got := revoke("pka_root-like", "tok_admin"); got != 200 {
		t.Errorf("an owner ends an admin's: %d", got)
	}
	if got := send(t, h, "GET", "/admin/v1/whoami", "", bearer("pka_admin")); got.status != 401 {
		t.Errorf("the ended token: %d", got.status)
	}
}

func TestAKeyIsNotMovedOutOfATeamsReach(t *testing.T) {
	api, store := probed(t)
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "t", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		id, body string
		want     int
	}{
		"kept":       {"ads", `{"bound":{"team":"ads"}}`, 200},
		"moved":      {"ads", `{"bound":{"team":"other"}}`, 403},
		"made free":  {"ads", `{"bound":{}}`, 403},
		"taken over": {"acme", `{"bound":{"team":"ads"}}`, 404},
	} {
		res := send(t, api.Handler(), "PATCH", "/admin/v1/keys/"+c.id, c.body, map[string]string{"Authorization": "Bearer " + secret})
		if res.status != c.want {
			t.Errorf("%s: %d, want %d", what, res.status, c.want)
		}
	}
}
