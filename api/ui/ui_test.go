package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// shown are the pages, with the ids that their paths need.
func shown(t *testing.T, w *world) []string {
	t.Helper()
	list := []string{"/ui/login", "/ui/nowhere"}
	for _, r := range w.ui.routes() {
		path, ok := strings.CutPrefix(r.pattern, "GET ")
		if !ok || strings.Contains(path, "{path...}") || path == "/ui/statement" { // the API's own page
			continue
		}
		path = strings.NewReplacer("{$}", "", "/requests/{id}", "/requests/"+requestID, "{run}", "a%20run%2Fof", "{id}", "x", "{name}", "x").Replace(path)
		list = append(list, path)
	}
	return list
}

var (
	attribute = regexp.MustCompile(`(?i)\s(style|on[a-z]+)\s*=`)
	tag       = regexp.MustCompile(`<[a-zA-Z/][^>]*>`)
	quoted    = regexp.MustCompile(`"[^"]*"`)
	script    = regexp.MustCompile(`(?is)<script[^>]*>.*?</script>|<style`)
	link      = regexp.MustCompile(`(?:href|src|action|hx-get)="([^"]*)"`)
)

// Whatever a model, a tag, a customer, a program or a person is named, it stays text.
func TestNothingThatIsShownIsMarkup(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	for _, path := range shown(t, w) {
		body := w.ask("GET", path, nil).Body.String()
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img") {
			t.Errorf("%s: a name became markup:\n%s", path, around(body, "<script>", "<img"))
		}
		if !strings.Contains(body, "&lt;script&gt;alert") && path != "/ui/login" && path != "/ui/score" && path != "/ui/units" { // which are numbers
			t.Errorf("%s shows nothing hostile, and so proves nothing", path)
		}
		for _, s := range script.FindAllString(body, -1) {
			if !strings.HasPrefix(s, `<script src="/ui/assets/`) || !strings.HasSuffix(s, "></script>") {
				t.Errorf("%s has an inline script or style: %s", path, s)
			}
		}
		for _, tag := range tag.FindAllString(body, -1) {
			if bare := quoted.ReplaceAllString(tag, `""`); attribute.MatchString(bare) {
				t.Errorf("%s has an attribute that the policy forbids: %s", path, tag)
			}
		}
		for _, l := range link.FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(l[1], "/ui/") && l[1] != "#main" && l[1] != "" && !strings.HasPrefix(l[1], "/admin/v1/login?") {
				t.Errorf("%s leads to %s", path, l[1])
			}
		}
	}
}

// around is where in a page any of the texts stands.
func around(body string, any ...string) string {
	for _, s := range any {
		if i := strings.Index(body, s); i >= 0 {
			return body[max(0, i-200):min(len(body), i+200)]
		}
	}
	return ""
}

func TestLoginNeedsATokenOfTheAPI(t *testing.T) {
	w := newWorld(t)
	out := w.ask("GET", "/ui/explorer?by=team", nil)
	if out.Code != http.StatusUnauthorized || !strings.Contains(out.Body.String(), `name="to" value="/ui/explorer?by=team"`) {
		t.Fatalf("somebody unknown is shown %d %s", out.Code, out.Body)
	}
	for _, token := range []string{"", "guess", "two words", "b\x00d", strings.Repeat("x", 5000)} {
		out := w.ask("POST", "/ui/login", url.Values{"token": {token}, "to": {"/ui/"}})
		if out.Code < 400 || len(out.Result().Cookies()) > 0 {
			t.Errorf("%.10q logs in: %d %v", token, out.Code, out.Result().Cookies())
		}
		if token != "" && strings.Contains(out.Body.String(), token) {
			t.Errorf("the page shows the token %.10q", token)
		}
	}
	if asked := w.api.last("/whoami"); asked == nil || asked.RemoteAddr != "192.0.2.7:1234" {
		t.Error("the API cannot count failures by address: it is not told the address")
	}
	out = w.ask("POST", "/ui/login", url.Values{"token": {ownerToken}, "to": {"/ui/explorer?by=team"}})
	if out.Code != http.StatusSeeOther || out.Header().Get("Location") != "/ui/explorer?by=team" {
		t.Fatalf("%d %v", out.Code, out.Header())
	}
	if body := w.page("/ui/"); strings.Contains(body, ownerToken) {
		t.Error("a page shows the token")
	}
	if r := w.api.last("/usage"); r.Header.Get("Authorization") != "Bearer "+ownerToken || r.Header.Get("Cookie") != "" || strings.Contains(r.URL.String(), ownerToken) {
		t.Errorf("the API was asked %s with %v", r.URL, r.Header)
	}
}

// A login leads back to a page of the dashboard and nowhere else.
func TestLoginLeadsNowhereElse(t *testing.T) {
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "/ui/\\evil", "/ui/\n", "/admin/v1/backup", "/ui/../admin/v1/backup", "/ui/%2e%2e/admin/v1/backup", "/ui/.%2E//evil.example", "/uix", "javascript:alert(1)", "/ui/" + strings.Repeat("x", 3000)} {
		w := newWorld(t)
		if out := w.ask("POST", "/ui/login", url.Values{"token": {ownerToken}, "to": {to}}); out.Header().Get("Location") != "/ui/" {
			t.Errorf("%.30q leads to %s", to, out.Header().Get("Location"))
		}
		if out := w.ask("POST", "/ui/theme", url.Values{"theme": {"dark"}, "to": {to}}); out.Header().Get("Location") != "/ui/" {
			t.Errorf("the look and %.30q lead to %s", to, out.Header().Get("Location"))
		}
	}
}

func TestTheSessionsCookie(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	c := w.cookies["purser-ui"]
	if c == nil || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 12*60*60 || strings.Contains(c.Value, ownerToken) {
		t.Fatalf("on a loopback address in the clear it is %+v", c)
	}
	w.now = start.Add(12 * time.Hour)
	if out := w.ask("GET", "/ui/", nil); out.Code != http.StatusUnauthorized {
		t.Errorf("after its time it is good for %d", out.Code)
	}

	secure := newWorld(t)
	secure.host = "purser.example.com"
	if out := secure.ask("POST", "/ui/login", url.Values{"token": {ownerToken}}); out.Code != http.StatusBadRequest || !strings.Contains(out.Body.String(), "without TLS") {
		t.Errorf("in the clear, elsewhere: %d", out.Code)
	}
	out := secure.ask("POST", "/ui/login", url.Values{"token": {ownerToken}}, "Origin", "https://purser.example.com")
	if c := secure.cookies["__Host-purser-ui"]; out.Code != http.StatusSeeOther || c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" {
		t.Fatalf("%d, over TLS it is %+v", out.Code, c)
	}
	if body := secure.page("/ui/"); !strings.Contains(body, "Overview") {
		t.Error("it is not taken")
	}
	if out := secure.ask("POST", "/ui/logout", url.Values{}, "Origin", "https://purser.example.com"); out.Code != http.StatusSeeOther || secure.cookies["__Host-purser-ui"] != nil {
		t.Errorf("after logging out: %d %v", out.Code, secure.cookies)
	}
}

// A cookie that was changed, or sealed for another use, is none.
func TestForgedCookies(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	good := w.cookies["purser-ui"].Value
	flash, err := w.ui.Cookies.Put(sealedFlash, session{Token: ownerToken, Expires: start.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	changed := "A" + good[1:]
	if changed == good {
		changed = "B" + good[1:]
	}
	for name, value := range map[string]string{"cut": good[:len(good)-2], "of another use": flash, "empty": "", "no base64": "%%%", "changed": changed} {
		w.cookies = map[string]*http.Cookie{"purser-ui": {Name: "purser-ui", Value: value}}
		if out := w.ask("GET", "/ui/", nil); out.Code != http.StatusUnauthorized {
			t.Errorf("a cookie %s is good for %d", name, out.Code)
		}
	}
}

func TestChangesComeFromHere(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	for name, header := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"another site, old":      {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"no origin":              {"Sec-Fetch-Site", "same-origin", "Origin", "null"},
		"a neighbour":            {"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:7070"},
		"an address bar":         {"Sec-Fetch-Site", "none", "Origin", ""},
		"nothing":                {"Sec-Fetch-Site", "", "Origin", ""},
		"another port":           {"Sec-Fetch-Site", "", "Origin", "http://127.0.0.1:7071"},
		"a host with this end":   {"Sec-Fetch-Site", "", "Origin", "http://evil-127.0.0.1:7070"},
		"a host before this one": {"Sec-Fetch-Site", "", "Origin", "http://127.0.0.1:7070.evil.example"},
	} {
		before := len(w.api.asked)
		for _, path := range []string{"/ui/login", "/ui/logout", "/ui/theme", "/ui/budgets", "/ui/keys/x"} {
			if out := w.ask("POST", path, url.Values{"token": {ownerToken}}, header...); out.Code != http.StatusForbidden {
				t.Errorf("%s from %s: %d", path, name, out.Code)
			}
		}
		if len(w.api.asked) != before {
			t.Errorf("from %s, the API was asked", name)
		}
	}
	if out := w.ask("POST", "/ui/theme", url.Values{"theme": {"dark"}}, "Sec-Fetch-Site", "", "Origin", "http://127.0.0.1:7070"); out.Code != http.StatusSeeOther {
		t.Errorf("a browser without Sec-Fetch-Site, from here: %d", out.Code)
	}
	if !strings.Contains(w.page("/ui/"), `data-theme="dark"`) {
		t.Error("the look was not kept")
	}
}

// What the API does not give to a reader, no page shows, and the navigation does not lead to.
func TestAMemberSeesWhatTheAPIGives(t *testing.T) {
	w := newWorld(t)
	w.login(memberToken)
	body := w.page("/ui/")
	if strings.Contains(body, "/ui/budgets") || strings.Contains(body, "/ui/cluster") || strings.Contains(body, "/ui/audit") || !strings.Contains(body, "/ui/explorer") {
		t.Error("the navigation of a member is another's")
	}
	for _, path := range []string{"/ui/budgets", "/ui/download/export/focus"} {
		if out := w.ask("GET", path, nil); out.Code == http.StatusOK {
			t.Errorf("a member is shown %s", path)
		}
	}
	if out := w.ask("GET", "/ui/download/backup", nil); out.Code != http.StatusNotFound || w.api.last("/backup") != nil {
		t.Errorf("downloads are of everything: %d", out.Code)
	}
}

// A page asks with the credential of whoever looks at it.
func TestNobodyIsAskedForInAnothersName(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	w.page("/ui/")
	w.cookies = map[string]*http.Cookie{}
	w.login(memberToken)
	before := len(w.api.asked)
	w.page("/ui/explorer")
	for _, r := range w.api.asked[before:] {
		if r.Header.Get("Authorization") != "Bearer "+memberToken {
			t.Errorf("%s was asked with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
	}
}

// Assets are as they were published.
func TestAssetsAreThoseThatWereVetted(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]string{
		"htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717", // 2.0.11, from the npm package htmx.org
	} {
		out := w.ask("GET", "/ui/assets/"+name, nil)
		sum := sha256.Sum256(out.Body.Bytes())
		if got := hex.EncodeToString(sum[:]); out.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d, SHA-256 %s", name, out.Code, got)
		}
	}
}

func TestAssetsAreKeptByBrowsers(t *testing.T) {
	w := newWorld(t)
	path, err := w.ui.assetPath("app.css")
	if err != nil {
		t.Fatal(err)
	}
	whole := w.ask("GET", path, nil)
	if !strings.Contains(whole.Header().Get("Cache-Control"), "immutable") || whole.Header().Get("Content-Type") != "text/css; charset=utf-8" || whole.Header().Get("ETag") == "" {
		t.Errorf("%v", whole.Header())
	}
	small := w.ask("GET", path, nil, "Accept-Encoding", "gzip, br")
	if small.Header().Get("Content-Encoding") != "gzip" || small.Body.Len() > whole.Body.Len()/2 {
		t.Errorf("%d of %d bytes, %v", small.Body.Len(), whole.Body.Len(), small.Header())
	}
	if again := w.ask("GET", path, nil, "If-None-Match", whole.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d", again.Code)
	}
	if old := w.ask("GET", "/ui/assets/app.css?v=0", nil); strings.Contains(old.Header().Get("Cache-Control"), "immutable") {
		t.Error("an old address is kept for good")
	}
	for _, name := range []string{"htmx.LICENSE", "..%2fdoc.go", "x.css"} {
		if out := w.ask("GET", "/ui/assets/"+name, nil); out.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, out.Code)
		}
	}
}

// Whoever looks when something is wrong sees what can be had, and what cannot.
func TestTheOverviewShowsWhatThereIs(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	if body := w.page("/ui/"); strings.Contains(body, "cannot be had") {
		t.Fatal("something is missing already")
	}
	for _, path := range []string{"/usage", "/budgets", "/forecasts", "/anomalies", "/alerts", "/status", "/usage/records"} {
		w.api.refuse = func(r *http.Request) bool { return r.URL.Path == "/admin/v1"+path }
		body := w.page("/ui/")
		if strings.Count(body, "cannot be had at present") != 1 || strings.Count(body, "this node is making another report") != 1 {
			t.Errorf("without %s it is not said once what is missing", path)
		}
		if rest := map[bool]string{true: "Spent today", false: "Caps"}[path == "/budgets"]; !strings.Contains(body, rest) {
			t.Errorf("without %s there is no %q", path, rest)
		}
	}
}

// The requests that are shown as the last ones are the last ones, of all values that a budget covers.
func TestTheNewestAreAskedFor(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	w.api.answers["/budgets/x"] = admin.BudgetDetail{Budget: admin.Budget{ID: "x", Unit: "usd", Match: map[string][]string{"agent": {"a", "b"}}}}
	for _, path := range []string{"/ui/", "/ui/requests", "/ui/budgets/x"} {
		w.page(path)
		q := w.api.last("/usage/records").URL.Query()
		if q.Get("newest") != "true" || q.Get("limit") == "" {
			t.Errorf("%s asks for %v", path, q)
		}
		if got := strings.Join(q["filter"], " "); path == "/ui/budgets/x" && got != "outcome:refused agent:a agent:b" {
			t.Errorf("the refusals are those of %s", got)
		}
	}
}

// A statement is the API's own page, under the policy that the API gives it, or its file.
func TestStatements(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	if body := w.page("/ui/statements"); !strings.Contains(body, `value="2026-03"`) {
		t.Error("the month is not proposed")
	}
	out := w.ask("GET", "/ui/statement?by=team", nil)
	if out.Code != http.StatusOK || out.Body.String() != "a statement" || out.Header().Get("Content-Security-Policy") != statementPolicy || out.Header().Get("Content-Disposition") != "" {
		t.Errorf("%d %v", out.Code, out.Header())
	}
	if q := w.api.last("/statements").URL.Query(); q.Get("format") != "html" || q.Get("by") != "team" {
		t.Errorf("the API was asked for %v", q)
	}
}

// The overview's score is worked out once for each reach, and waits for others' reports.
func TestScoresAreWorkedOutOnceForEachReach(t *testing.T) {
	w := newWorld(t)
	busy := 1
	w.api.refuse = func(r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/economics/efficiency") && busy > 0 {
			busy--
			return true
		}
		return false
	}
	asked := func() (n int) {
		for _, r := range w.api.asked {
			if strings.HasSuffix(r.URL.Path, "/economics/efficiency") {
				n++
			}
		}
		return n
	}
	w.login(ownerToken)
	for range 3 {
		if body := w.page("/ui/score"); !strings.Contains(body, "70%") {
			t.Fatal(body)
		}
	}
	if n := asked(); n != 2 { // once refused
		t.Errorf("the API was asked %d times", n)
	}
	w.cookies = map[string]*http.Cookie{}
	w.login(memberToken)
	if body := w.page("/ui/score"); strings.Contains(body, "70%") {
		t.Errorf("a member is shown an owner's score: %s", body)
	}
	w.cookies = map[string]*http.Cookie{}
	w.login(ownerToken)
	w.now = w.now.Add(keptFor)
	w.page("/ui/score")
	if n := asked(); n != 4 { // the member's is refused
		t.Errorf("after a while the API was asked %d times", n)
	}
}

func TestWhatAFirstVisitLoads(t *testing.T) {
	w := newWorld(t)
	size := 0
	for _, l := range link.FindAllStringSubmatch(w.ask("GET", "/ui/login", nil).Body.String(), -1) {
		if strings.HasPrefix(l[1], "/ui/assets/") {
			size += w.ask("GET", l[1], nil, "Accept-Encoding", "gzip").Body.Len()
		}
	}
	t.Logf("%d bytes of assets, compressed", size)
	if size == 0 || size > 40_000 {
		t.Error("that is nothing, or more than a phone should wait for")
	}
}

// A link from another site leads to the page, although the cookie does not come with it.
func TestLinksFromOtherSites(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	kept := w.cookies
	w.cookies = nil
	out := w.ask("GET", "/ui/explorer?by=team", nil, "Sec-Fetch-Site", "cross-site")
	if out.Code != http.StatusOK || !strings.Contains(out.Body.String(), `http-equiv="refresh" content="0"`) || strings.Contains(out.Body.String(), "Cost") {
		t.Errorf("%d %s", out.Code, out.Body)
	}
	w.cookies = kept
	if body := w.page("/ui/explorer?by=team"); strings.Contains(body, "http-equiv") || !strings.Contains(body, "Cost") {
		t.Error("the page asks for itself for ever")
	}
}

// Somebody whom a provider vouches for has the API's own session, which it decides about.
func TestPeopleOfAProvider(t *testing.T) {
	w := newWorld(t)
	if body := w.ask("GET", "/ui/explorer", nil).Body.String(); !strings.Contains(body, `href="/admin/v1/login?return_to=%2Fui%2Fexplorer"`) {
		t.Errorf("the login does not lead to the provider: %s", body)
	}
	w.cookies = map[string]*http.Cookie{"purser-session": {Name: "purser-session", Value: "ann"}}
	if body := w.page("/ui/"); !strings.Contains(body, "Spent today") {
		t.Error("the session is not taken")
	}
	if r := w.api.last("/usage"); r.Header.Get("Authorization") != "" || !strings.Contains(r.Header.Get("Cookie"), "purser-session=ann") {
		t.Errorf("the API was asked with %v", r.Header)
	}
	if out := w.ask("POST", "/ui/logout", url.Values{}); out.Code != http.StatusSeeOther || len(w.cookies) != 0 {
		t.Errorf("after logging out: %d %v", out.Code, w.cookies)
	}
	if r := w.api.last("/logout"); r == nil || r.Method != http.MethodPost || r.Header.Get("Origin") != "http://127.0.0.1:7070" {
		t.Error("the API was not told where the change comes from")
	}
}
