package ui

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/proxy"
	policies "purser/proxy/policy"
	"purser/proxy/template"
)

// specOf is an object of a kind, whose spec has every text hostile.
func specOf[T any](id string) admin.Object {
	spec, err := json.Marshal(full[T]())
	if err != nil {
		panic(err)
	}
	return admin.Object{ID: id, Version: 7, Created: "2026-03-01T00:00:00Z", Changed: "2026-03-02T00:00:00Z", Spec: spec}
}

// controlAnswers are what the double says to the pages by which the cluster is run.
func controlAnswers() map[string]any {
	key := full[admin.KeyDetail]()
	key.ID, key.State = "x", "active"
	budget := full[admin.BudgetDetail]()
	budget.ID, budget.Version = "x", 7
	for i := range budget.Accounts {
		budget.Accounts[i].State = "open"
	}
	route := full[routeSpec]()
	route.Model = ""
	pushed := template.Spec{System: hostile}
	first, err := json.Marshal(pushed)
	if err != nil {
		panic(err)
	}
	prompt, err := json.Marshal(template.Prompt{Description: hostile, Environments: map[string]int64{"production": 2}, Before: []template.Promotion{{Environment: "production", Version: 1}}})
	if err != nil {
		panic(err)
	}
	spec, err := json.Marshal(route)
	if err != nil {
		panic(err)
	}
	at := admin.Object{ID: "x", Version: 7, Spec: spec}
	return map[string]any{
		"/keys": struct{ Keys []admin.Key }{[]admin.Key{key.Key}}, "/keys/x": key, "/keys/x/rotate": full[admin.CreatedKey](),
		"/budgets/x": budget,
		"/policies":  map[string]any{"policies": []admin.Object{specOf[policies.Spec]("x")}}, "/policies/x": specOf[policies.Spec]("x"), "/policies/explain": full[policies.Answer](),
		"/routes": map[string]any{"routes": []admin.Object{at}}, "/routes/x": at, "/routes/explain": full[proxy.RouteAnswer](),
		"/templates": map[string]any{"templates": []admin.Object{{ID: "x@1", Spec: first}, {ID: "x@2", Version: 7, Spec: first}, specOf[template.Spec]("x@3")}},
		"/prompts":   map[string]any{"prompts": []admin.Object{{ID: "x", Version: 7, Spec: prompt}}},
		"/webhooks":  map[string]any{"webhooks": []admin.Object{specOf[webhookRow]("x")}}, "/webhooks/x": specOf[webhookRow]("x"),
		"/alerts/deliveries": struct{ Deliveries []admin.Delivery }{full[[]admin.Delivery]()},
		"/audit":             full[entry](), "/audit/head": full[admin.AuditHead](),
		"/cluster/tokens": full[admin.Token](),
	}
}

// controlPages are the pages by which the cluster is run.
func controlPages() (list []string) {
	for _, r := range controlRoutes {
		if path, ok := strings.CutPrefix(r.pattern, "GET "); ok {
			list = append(list, strings.NewReplacer("{id}", "x", "{name}", "x").Replace(path))
		}
	}
	return append(list, "/ui/budgets?new", "/ui/keys?new", "/ui/policies?new", "/ui/routes?new", "/ui/prompts?new", "/ui/webhooks?new")
}

func TestEveryPageOfTheClusterIsThere(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	for _, path := range controlPages() {
		body := w.page(path)
		if strings.Count(body, "<h1>") != 1 {
			t.Errorf("%s has not one heading of the first level", path)
		}
		if strings.Contains(path, "/x") && strings.Count(body, "&lt;script&gt;alert") < 3 {
			t.Errorf("%s shows little of what the API said", path)
		}
	}
}

// Who may not write sees no form that writes, and gets none.
func TestWhoMayNotWriteSeesNoButton(t *testing.T) {
	w := newWorld(t)
	w.login(readerToken)
	for _, path := range controlPages() {
		out := w.ask("GET", path, nil)
		body := out.Body.String()
		if strings.HasSuffix(path, "?new") {
			if out.Code != http.StatusForbidden {
				t.Errorf("%s: %d", path, out.Code)
			}
			continue
		}
		for _, form := range strings.Split(body, "<form method=\"post\"")[1:] {
			form, _, _ = strings.Cut(form, "</form>")
			bench := strings.Contains(form, `value="explain"`)
			if !bench && !strings.Contains(form, "/ui/theme") && !strings.Contains(form, "/ui/logout") {
				t.Errorf("%s has a form that changes: %.200s", path, form)
			}
		}
		if strings.Contains(body, "?new\"") {
			t.Errorf("%s leads to a form", path)
		}
	}
}

// asks is what a form of a page comes to.
type asks struct {
	post string     // path
	form url.Values // beside what is the same for all
	want string     // method, path and body of the API's request
	if_  string     // If-Match or If-None-Match
	to   string     // where it leads; "" for a page that shows something once
}

func TestWhatFormsAskOfTheAPI(t *testing.T) {
	v := func(pairs ...string) url.Values {
		out := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			out.Set(pairs[i], pairs[i+1])
		}
		return out
	}
	spec := `{"model":"gpt-4o"}`
	for name, x := range map[string]asks{
		"a budget":             {"/ui/budgets", v("id", "team-a", "limit", "$25.50", "unit", "usd", "window", "month", "match", "team=a, b\nenv=prod", "each", "customer", "alerts", "50, 80%"), `PUT /budgets/team-a {"id":"team-a","match":{"env":["prod"],"team":["a","b"]},"each":["customer"],"unit":"usd","limit":25.50,"window":"month","alerts":[50,80]}`, "*", "/ui/budgets/team-a"},
		"an edit":              {"/ui/budgets/x", v("do", "edit", "version", "7", "limit", "9", "probes", "3", "cool_down", "10m", "soft", "yes"), "", "", "/ui/budgets/x"},
		"a raise":              {"/ui/budgets/x", v("do", "raise", "by", "5", "until", "2d", "reason", "launch", "split-customer", "acme"), "", "", "/ui/budgets/x"},
		"the end of a raise":   {"/ui/budgets/x", v("do", "end-raise", "raise", "r/1"), "DELETE /budgets/x/raises/r%2F1 ", "", "/ui/budgets/x"},
		"a trip":               {"/ui/budgets/x", v("do", "trip", "reason", "incident", "for", "30m"), `POST /budgets/x/trip {"reason":"incident","for":"30m"}`, "", "/ui/budgets/x"},
		"a reset":              {"/ui/budgets/x", v("do", "reset", "close", "yes", "split-customer", "acme"), `POST /budgets/x/reset {"split":{"customer":"acme"},"close":true}`, "", "/ui/budgets/x"},
		"a budget's end":       {"/ui/budgets/x", v("do", "delete", "confirm", "yes"), "DELETE /budgets/x ", "", "/ui/budgets"},
		"a release":            {"/ui/budgets/x", v("do", "release", "confirm", "yes"), "POST /budgets/x/release ", "", "/ui/budgets/x"},
		"a key":                {"/ui/keys", v("name", "shop", "bound", "team=a", "models", "gpt-4o*, o3", "limit", "5", "window", "day", "cache_off", "yes"), `POST /keys {"name":"shop","bound":{"team":"a"},"models":["gpt-4o*","o3"],"cache_off":true,"budgets":[{"limit":5,"window":"day"}]}`, "", ""},
		"a key's edit":         {"/ui/keys/x", v("do", "edit", "version", "7", "name", "shop"), "", `"7"`, "/ui/keys/x"},
		"a rotation":           {"/ui/keys/x", v("do", "rotate", "overlap", "1h"), `POST /keys/x/rotate {"overlap":"1h"}`, "", ""},
		"an overlap's end":     {"/ui/keys/x", v("do", "end-overlap", "confirm", "yes"), `POST /keys/x/rotate {"overlap":"0s","end_overlap":true}`, "", "/ui/keys/x"},
		"a suspension":         {"/ui/keys/x", v("do", "suspend", "suspended", "yes"), `PATCH /keys/x {"suspended":true}`, "", "/ui/keys/x"},
		"a resumption":         {"/ui/keys/x", v("do", "suspend", "suspended", "no"), `PATCH /keys/x {"suspended":false}`, "", "/ui/keys/x"},
		"a revocation":         {"/ui/keys/x", v("do", "revoke", "confirm", "yes"), "POST /keys/x/revoke ", "", "/ui/keys/x"},
		"forgetting":           {"/ui/keys/x", v("do", "forget", "confirm", "yes"), "DELETE /keys/x ", "", "/ui/keys"},
		"a policy":             {"/ui/policies", v("do", "new", "id", "p", "spec", spec), "PUT /policies/p " + spec, "*", "/ui/policies/p"},
		"a policy's change":    {"/ui/policies/x", v("do", "put", "version", "7", "spec", spec), "PUT /policies/x " + spec, `"7"`, "/ui/policies/x"},
		"a policy's end":       {"/ui/policies/x", v("do", "delete", "version", "7", "confirm", "yes"), "DELETE /policies/x ", `"7"`, "/ui/policies"},
		"a route":              {"/ui/routes", v("do", "new", "id", "r", "spec", spec), "PUT /routes/r " + spec, "*", "/ui/routes/r"},
		"a webhook":            {"/ui/webhooks", v("do", "new", "id", "h", "spec", spec), "PUT /webhooks/h " + spec, "*", "/ui/webhooks/h"},
		"a webhook's test":     {"/ui/webhooks/x", v("do", "test"), "POST /alerts/test/x ", "", "/ui/webhooks"},
		"the policies' bench":  {"/ui/policies", v("do", "explain", "key", "x", "path", "/v1/messages", "headers", "x-purser-team: a", "body", spec), `POST /policies/explain {"call":{"key":"x","path":"/v1/messages","headers":{"x-purser-team":"a"},"body":` + spec + `}}`, "", ""},
		"the routes' bench":    {"/ui/routes", v("do", "explain", "key", "x", "path", "/v1/messages", "body", spec), `POST /routes/explain {"key":"x","path":"/v1/messages","body":` + spec + `}`, "", ""},
		"a prompt":             {"/ui/prompts", v("do", "new", "id", "p", "spec", spec), "PUT /templates/p@1 " + spec, "*", "/ui/prompts/p"},
		"a prompt's version":   {"/ui/prompts/x", v("do", "push", "version", "1", "next", "4", "spec", spec), "PUT /templates/x@4 " + spec, "*", "/ui/prompts/x"},
		"a promotion":          {"/ui/prompts/x", v("do", "promote", "object", "7", "version", "3", "env", "staging"), "", `"7"`, "/ui/prompts/x"},
		"a step back":          {"/ui/prompts/x", v("do", "roll-back", "object", "7", "env", "production"), "", `"7"`, "/ui/prompts/x"},
		"a drain":              {"/ui/cluster", v("do", "drain", "node", "n-2", "confirm", "yes"), "POST /cluster/nodes/n-2/drain ", "", "/ui/cluster"},
		"a resumption of work": {"/ui/cluster", v("do", "resume", "node", "n-2"), "POST /cluster/nodes/n-2/resume ", "", "/ui/cluster"},
		"a join token":         {"/ui/cluster", v("do", "join", "expires", "2h"), `POST /cluster/tokens {"expires":"2026-03-15T14:00:00Z"}`, "", ""},
	} {
		w := newWorld(t)
		w.login(ownerToken)
		out := w.ask("POST", x.post, x.form)
		switch {
		case x.to == "" && out.Code != http.StatusOK:
			t.Errorf("%s: %d %.1000s", name, out.Code, out.Body)
		case x.to != "" && (out.Code != http.StatusSeeOther || out.Header().Get("Location") != x.to):
			t.Errorf("%s: %d, leads to %q\n%.3000s", name, out.Code, out.Header().Get("Location"), out.Body)
		}
		r := w.api.change()
		if r == nil {
			t.Errorf("%s: the API was not asked for a change", name)
			continue
		}
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Method + " " + strings.TrimPrefix(r.URL.EscapedPath(), "/admin/v1") + " " + string(text); x.want != "" && got != x.want {
			t.Errorf("%s asks\n%s, want\n%s", name, got, x.want)
		}
		if got := r.Header.Get("If-Match") + r.Header.Get("If-None-Match"); got != x.if_ {
			t.Errorf("%s goes by %q, want %q", name, got, x.if_)
		}
	}
}

// change is the last request for a change, or for an answer to a question with a body.
func (a *api) change() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.asked) - 1; i >= 0; i-- {
		if a.asked[i].Method != http.MethodGet {
			return a.asked[i]
		}
	}
	return nil
}

// An edit changes what its form shows, and leaves the rest of the budget as it is.
func TestAnEditLeavesTheRest(t *testing.T) {
	w := newWorld(t)
	w.login(ownerToken)
	b := admin.BudgetDetail{Budget: admin.Budget{ID: "x", Unit: "tokens", Limit: "5", Window: "day", Zone: "Europe/Berlin", Each: []string{"customer", "tag:job"}, Version: 8}}
	w.api.answers["/budgets/x"] = b
	w.ask("POST", "/ui/budgets/x", url.Values{"do": {"edit"}, "version": {"7"}, "limit": {"9"}, "match": {"team=a"}})
	var sent admin.Budget
	if err := json.NewDecoder(w.api.change().Body).Decode(&sent); err != nil {
		t.Fatal(err)
	}
	if sent.Unit != "tokens" || sent.Zone != "Europe/Berlin" || len(sent.Each) != 2 || sent.Limit != "9" || sent.Match["team"][0] != "a" {
		t.Errorf("the API is asked for %+v", sent)
	}
	if sent.Version != 7 {
		t.Errorf("the change is of version %d, not of that of the form", sent.Version)
	}
}

// What the API refuses is said beside the field it names, with what was typed; nothing is
// lost, and the page has the API's status.
func TestARefusalStandsBesideItsField(t *testing.T) {
	for name, x := range map[string]struct {
		status  int
		message string
		field   string
	}{
		"a limit":         {400, `limit "abc" is not a usd amount`, "edit-limit"},
		"a breaker":       {400, "breaker: probes 900 is not within 0 to 100", "edit-probes"},
		"a percentage":    {400, "alert level 300 is not a percentage from 1 to 100", "edit-alerts"},
		"a conflict":      {409, "the budget is not of the version that was to be changed", ""},
		"no field's":      {400, "the ledger refused it: invalid", ""},
		"nobody's quorum": {503, "no quorum confirms that this node is up to date", ""},
	} {
		w := newWorld(t)
		w.login(ownerToken)
		w.api.refusal, w.api.refuses = x.status, &admin.Problem{Error: admin.ProblemDetail{Code: "invalid_request", Message: x.message + hostile}}
		out := w.ask("POST", "/ui/budgets/x", url.Values{"do": {"edit"}, "version": {"7"}, "limit": {"12.345"}, "probes": {"900"}, "alerts": {"300"}})
		body := out.Body.String()
		if out.Code != x.status || !strings.Contains(body, `value="12.345"`) || !strings.Contains(body, `<details class="change" open>`) || strings.Contains(body, hostile) {
			t.Errorf("%s: %d; what was typed, or the form, is gone", name, out.Code)
		}
		place := "edit-wrong"
		if x.field != "" {
			place = x.field + "-wrong"
		}
		if !strings.Contains(body, `id="`+place+`"`) || strings.Count(body, "-wrong\">") != 1 {
			t.Errorf("%s is not said at %s:\n%s", name, place, around(body, "-wrong\">"))
		}
		if stale := strings.Contains(body, "Load it again"); stale != (x.status == 409) {
			t.Errorf("%s: says to load it again: %v", name, stale)
		}
	}
}

// What cannot be taken back is asked twice, also of who sends the form by hand.
func TestWithoutConfirmationNothingIsChanged(t *testing.T) {
	for path, list := range map[string][]string{
		"/ui/budgets/x": {"delete", "release"}, "/ui/keys/x": {"revoke", "forget", "end-overlap"}, "/ui/policies/x": {"delete"}, "/ui/cluster": {"drain", "remove", "fence"},
	} {
		for _, do := range list {
			w := newWorld(t)
			w.login(ownerToken)
			out := w.ask("POST", path, url.Values{"do": {do}, "node": {"n-1"}, "version": {"7"}})
			if out.Code != http.StatusBadRequest || w.api.change() != nil {
				t.Errorf("%s of %s: %d", do, path, out.Code)
			}
		}
	}
}

// Forms that were made by hand are refused before the API is asked.
func TestFormsThatCannotBeRead(t *testing.T) {
	for name, x := range map[string]struct {
		path string
		form url.Values
	}{
		"no number":            {"/ui/budgets", url.Values{"id": {"b"}, "limit": {`"5"`}}},
		"no name":              {"/ui/budgets", url.Values{"limit": {"5"}}},
		"no pairs":             {"/ui/budgets", url.Values{"id": {"b"}, "limit": {"5"}, "match": {"team"}}},
		"a pair twice":         {"/ui/keys", url.Values{"name": {"k"}, "bound": {"team=a\nteam=b"}}},
		"no version":           {"/ui/budgets/x", url.Values{"do": {"edit"}, "limit": {"5"}}},
		"no version of a key":  {"/ui/keys/x", url.Values{"do": {"edit"}, "version": {"x"}}},
		"no JSON":              {"/ui/policies", url.Values{"do": {"new"}, "id": {"p"}, "spec": {"{"}}},
		"no JSON in the bench": {"/ui/routes", url.Values{"do": {"explain"}, "key": {"x"}, "path": {"/v1/messages"}, "body": {"{"}}},
		"no key in the bench":  {"/ui/routes", url.Values{"do": {"explain"}, "path": {"/v1/messages"}, "body": {"{}"}}},
		"no such change":       {"/ui/keys/x", url.Values{"do": {"explode"}}},
		"no name of a prompt":  {"/ui/prompts", url.Values{"do": {"new"}, "id": {"a@1"}, "spec": {"{}"}}},
	} {
		w := newWorld(t)
		w.login(ownerToken)
		if out := w.ask("POST", x.path, x.form); out.Code != http.StatusBadRequest || w.api.change() != nil {
			t.Errorf("%s: %d", name, out.Code)
		}
	}
}

func TestWhichFieldAMessageIsAbout(t *testing.T) {
	fields := []field{{Name: "do", Kind: "hidden"}, {Name: "limit"}, {Name: "zone", Words: []string{"time"}}, {Name: "match"}}
	for message, want := range map[string]int{
		`limit "x" is not an amount`: 1, "match: there is no dimension limit": 3, "time zone \"x\" is not known": 2, "Zone is missing": 2,
		"the budget has no such limit": -1, "do what": -1, "": -1, "limits are off": -1,
	} {
		if got := aboutField(fields, message); got != want {
			t.Errorf("%q is about %d, want %d", message, got, want)
		}
	}
}

func TestWhatADigestSays(t *testing.T) {
	c := func(entry uint64, digest string) *admin.Checkpoint {
		return &admin.Checkpoint{Entry: entry, Digest: digest}
	}
	v := clusterView{Members: admin.Members{Leader: "a", Nodes: []admin.Member{
		{ID: "a", Checkpoint: c(9, "11")}, {ID: "b", Checkpoint: c(9, "11")}, {ID: "c", Checkpoint: c(5, "00")}, {ID: "d"}, {ID: "e", Checkpoint: c(9, "22")},
	}}}
	v.compare()
	var got []string
	for _, r := range v.Rows {
		got = append(got, r.Digest)
	}
	if strings.Join(got, ",") != "equal,equal,behind,,differs" || v.Agree || v.Compared != 2 {
		t.Errorf("%q, agree %v, compared %d", got, v.Agree, v.Compared)
	}
}

// Sources are read and edited as they mean, not as Go writes them for HTML.
func TestSourcesAreReadable(t *testing.T) {
	text := "a < b && c > d \\u003c \" \\"
	spec, err := json.Marshal(map[string]string{"cel": text})
	if err != nil {
		t.Fatal(err)
	}
	shown := indented(spec)
	if !strings.Contains(shown, "a < b && c > d") {
		t.Errorf("it is shown as %s", shown)
	}
	var again map[string]string
	if err := json.Unmarshal([]byte(shown), &again); err != nil || again["cel"] != text {
		t.Errorf("%s is %q, %v; want %q", shown, again["cel"], err, text)
	}
}

// What a form has not changed is as it was: a customer with a comma in its name is one
// customer after the limit was edited.
func TestAnEditKeepsWhatABudgetCovers(t *testing.T) {
	match := map[string][]string{"customer": {"Acme, Inc", `"quoted"`, "plain", "", " spaced ", "a\nb", "=", `<b>&"`}, "agent": {"coder", "a b"}}
	var lines []string
	for _, dim := range sortedKeys(match) {
		lines = append(lines, dim+"="+listed(match[dim]))
	}
	b, err := budgetFrom(url.Values{"id": {"x"}, "limit": {"5"}, "match": {strings.Join(lines, "\r\n")}})
	if err != nil || !reflect.DeepEqual(b.Match, match) {
		t.Errorf("%q %v", b.Match, err)
	}
	for text, want := range map[string][]string{"": nil, "a, b": {"a", "b"}, " ,a,, b ,": {"a", "b"}, `a, "b, c",d`: {"a", "b, c", "d"}} {
		if got, err := valueList(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %q %v", text, got, err)
		}
	}
	for _, text := range []string{`"a`, `"a" b`, `a, "b`} {
		if got, err := valueList(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}
