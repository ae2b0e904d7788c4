package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// browser is somebody's, with cookies and without script.
type browser struct {
	t    *testing.T
	url  string
	http *http.Client
}

func (r *rig) browser() *browser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{r.t, r.url, &http.Client{Jar: jar, Timeout: patience}}
}

// get is a page, after whatever it leads to.
func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	res, err := b.http.Get(b.url + path)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

// post sends a form of a page.
func (b *browser) post(path string, form url.Values) (int, string) {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.url)
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.read(res)
}

func (b *browser) read(res *http.Response) (int, string) {
	b.t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		b.t.Errorf("%s has the content security policy %q", res.Request.URL.Path, csp)
	}
	return res.StatusCode, string(body)
}

func (b *browser) login(token string) {
	b.t.Helper()
	if status, body := b.post("/ui/login", url.Values{"token": {token}, "to": {"/ui/"}}); status != http.StatusOK || !strings.Contains(body, "<h1>Overview</h1>") {
		b.t.Fatalf("logging in: %d %s", status, body)
	}
}

// TestTheDashboardShowsWhatItsReaderMaySee: an owner sees every request, a member those of
// their own, each of them what names there are as text, and requests within two seconds.
func TestTheDashboardShowsWhatItsReaderMaySee(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	const evil = `<script>alert(1)</script>`
	ann := r.key(admin.NewKey{Name: "ann", Bound: map[string]string{"member": "ann"}})
	bob := r.key(admin.NewKey{Name: "bob", Bound: map[string]string{"member": "bob"}})
	member, err := r.admin.CreateAdminToken(ctx, admin.NewAdminToken{Name: "ann", Role: "member", Member: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	r.budget(usd("everything", "10"))
	ids := map[string]string{}
	for name, key := range map[string]string{"ann": ann.Secret, "bob": bob.Secret} {
		status, body, header := r.ask(key, fmt.Sprintf(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"I am %s"}]}`, name),
			"x-purser-customer", name+"s-"+evil, "x-purser-tag-job", evil, "User-Agent", evil)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		ids[name] = header.Get("x-purser-request-id")
	}

	owner, reader := r.browser(), r.browser()
	owner.login(adminToken)
	reader.login(member.Secret)
	for _, path := range []string{"/ui/", "/ui/explorer?by=customer", "/ui/explorer?by=customer&metric=p50", "/ui/requests", "/ui/latest", "/ui/download/usage/records"} {
		status, all := owner.get(path)
		if status != http.StatusOK || !strings.Contains(all, "anns-") || !strings.Contains(all, "bobs-") {
			t.Errorf("an owner is not shown both at %s: %d %s", path, status, all)
		}
		status, own := reader.get(path)
		if status != http.StatusOK || !strings.Contains(own, "anns-") || strings.Contains(own, "bobs-") {
			t.Errorf("a member is not shown their own at %s: %d %s", path, status, own)
		}
		if !strings.HasPrefix(path, "/ui/download/") && strings.Contains(all, evil) {
			t.Errorf("%s has a name as markup", path)
		}
	}
	status, page := owner.get("/ui/requests/" + ids["bob"])
	for _, says := range []string{"The upstream answered in full.", "everything", "&lt;script&gt;alert(1)&lt;/script&gt;", ids["bob"]} {
		if status != http.StatusOK || !strings.Contains(page, says) || strings.Contains(page, evil) {
			t.Errorf("a request's page: %d, without %q:\n%s", status, says, page)
		}
	}
	if status, _ := reader.get("/ui/requests/" + ids["bob"]); status != http.StatusNotFound {
		t.Errorf("a member is shown another's request: %d", status)
	}
	if status, body := owner.get("/ui/download/usage?group=customer&format=csv"); status != http.StatusOK || !strings.HasPrefix(body, "customer,") {
		t.Errorf("CSV: %d %s", status, body)
	}

	// Live: within two seconds, and a stopping node does not wait for who watches.
	res, err := reader.http.Get(r.url + "/ui/live")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("the live stream ended: %v", lines.Err())
		return ""
	}
	if first := next(); !strings.Contains(first, `"requests":"1"`) {
		t.Errorf("a member's live values are %s", first)
	}
	asked := time.Now()
	r.ask(bob.Secret, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"bob again"}]}`)
	r.ask(ann.Secret, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"ann again"}]}`)
	second := next()
	took := time.Since(asked)
	t.Logf("a request changed the live values after %v", took)
	if !strings.Contains(second, `"requests":"2"`) || took > 2*time.Second {
		t.Errorf("after %v they are %s", took, second)
	}
	if status, _ := reader.post("/ui/logout", url.Values{}); status != http.StatusOK {
		t.Errorf("logging out: %d", status)
	}
	if status, _ := reader.get("/ui/explorer"); status != http.StatusUnauthorized {
		t.Errorf("after logging out: %d", status)
	}
	r.stopNode()
}

// TestTheDashboardShowsWhatANodeKnows: the parts that others work out, units, efficiency,
// forecasts, anomalies, statements, are on the pages as a real node answers them, and of a
// member only their own.
func TestTheDashboardShowsWhatANodeKnows(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	r.budget(usd("everything", "10"))
	member, err := r.admin.CreateAdminToken(ctx, admin.NewAdminToken{Name: "ann", Role: "member", Member: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	for i, name := range []string{"ann", "bob"} { // what they cost differs
		key := r.key(admin.NewKey{Name: name, Bound: map[string]string{"member": name}})
		status, answer, header := r.ask(key.Secret, body("gpt-4o-mini", strings.Repeat("I am "+name+". ", i*20+1)), "x-purser-customer", name+"s-customer")
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		id = header.Get("x-purser-request-id")
		if status, answer, _ := r.post("/v1/outcomes", key.Secret, fmt.Sprintf(`{"id":%q,"name":"ticket","join":{"request_id":%q},"success":true,"quality":0.75}`, name, id)); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	units, err := r.admin.Units(ctx, admin.UnitsQuery{})
	if err != nil || units.Total.PerSuccess == nil || units.Total.Outcomes == nil || *units.Total.Outcomes != 2 {
		t.Fatalf("%+v %v", units.Total, err)
	}
	if list, err := r.admin.Forecasts(ctx, admin.ProjectionQuery{}, ""); err != nil || len(list) == 0 {
		t.Fatalf("%v %v", list, err)
	}

	owner, reader := r.browser(), r.browser()
	owner.login(adminToken)
	reader.login(member.Secret)
	each := fmt.Sprintf(`<data class="num" value="%d"`, *units.Total.PerSuccess)
	for path, says := range map[string][]string{
		"/ui/": {"everything", "statements"}, "/ui/units": {"<dt>Outcomes</dt><dd>2 ", each, "75%"}, "/ui/score": {"100%", "$0 of waste"}, "/ui/anomalies": {"Nothing unusual."},
		"/ui/economics": {each, "anns-customer", "bobs-customer", "Confirmed"}, "/ui/requests/" + id + "/verdict": {"a success or a value was reported"},
		"/ui/statements": {"Markup"}, "/ui/statement?by=customer": {"anns-customer", "bobs-customer"}, "/ui/download/statements?by=customer&format=csv": {"anns-customer", "bobs-customer"},
		"/ui/download/economics/units?group=customer&format=csv": {"anns-customer", "bobs-customer"}, "/ui/download/export/focus": {"BilledCost", "anns-customer", "bobs-customer"},
	} {
		status, page := owner.get(path)
		for _, text := range says {
			if status != http.StatusOK || !strings.Contains(page, text) || strings.Contains(page, "cannot be had") {
				t.Errorf("%s: %d, without %q:\n%s", path, status, text, page)
			}
		}
		if strings.HasSuffix(path, "/verdict") {
			continue
		}
		if status, own := reader.get(path); status != http.StatusOK || strings.Contains(own, "bobs-") || strings.Contains(own, each) {
			t.Errorf("%s shows a member, with %d, what is another's:\n%s", path, status, own)
		}
	}
	if _, page := owner.get("/ui/requests"); strings.Index(page, "anns-customer") < strings.Index(page, "bobs-customer") {
		t.Errorf("the newest request is not the first:\n%s", page)
	}
	if _, one := owner.get("/ui/download/usage/records?newest=true&limit=1"); strings.Count(one, "\n") != 1 || !strings.Contains(one, "bobs-customer") {
		t.Errorf("the newest record is %s", one)
	}
	if _, page := reader.get("/ui/units"); !strings.Contains(page, "<dt>Outcomes</dt><dd>1 ") {
		t.Errorf("a member's outcomes are %s", page)
	}
	if _, page := reader.get("/ui/requests/" + id + "/verdict"); strings.Contains(page, "reported") {
		t.Errorf("a member is shown what became of another's request: %s", page)
	}
}
