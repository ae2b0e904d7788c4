package ui

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/login"
	"purser/internal/record"
	"purser/ledger"
)

// hostile is what a client, a customer or a model could be named.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{.}}` + "`javascript:alert(1)"

const (
	ownerToken  = "owner-token-0123456789abcdef0123456789"
	memberToken = "member-token-0123456789abcdef012345678"
	readerToken = "reader-token-0123456789abcdef012345678" // reads everything and writes nothing
)

var (
	start     = time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	requestID = record.NewID(ledger.Instant(start.UnixNano()))
)

// filled is a value of a type with every text hostile and every number seven.
func filled(of reflect.Type, depth int) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString(hostile)
		if of == reflect.TypeFor[json.Number]() {
			v.SetString("7")
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.7)
	case reflect.Pointer:
		if depth > 0 {
			v.Set(filled(of.Elem(), depth-1).Addr())
		}
	case reflect.Slice:
		if of == reflect.TypeFor[json.RawMessage]() {
			text, err := json.Marshal(map[string]string{"x": hostile})
			if err != nil {
				panic(err)
			}
			v.SetBytes(text)
			break
		}
		if depth > 0 {
			v.Set(reflect.Append(v, filled(of.Elem(), depth-1), filled(of.Elem(), depth-1)))
		}
	case reflect.Map:
		if depth > 0 {
			v.Set(reflect.MakeMap(of))
			v.SetMapIndex(filled(of.Key(), 0), filled(of.Elem(), depth-1))
		}
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() {
			return reflect.ValueOf(start)
		}
		for i := range of.NumField() {
			if of.Field(i).IsExported() {
				v.Field(i).Set(filled(of.Field(i).Type, depth))
			}
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(hostile))
	}
	return v
}

// full is [filled] of a type.
func full[T any]() T {
	const deep = 8
	return filled(reflect.TypeFor[T](), deep).Interface().(T)
}

// answers are what the double of the API says, by path.
func answers() map[string]any {
	report := full[admin.UsageReport]()
	report.Complete = false
	names := []string{"model", "team", "customer", "feature", "agent", "run"}
	for i := range report.Rows {
		report.Rows[i].Rest, report.Rows[i].Start = false, start.Format(time.RFC3339)
		for _, n := range names {
			report.Rows[i].Group[n] = hostile
		}
	}
	tree := full[admin.RunTree]()
	tree.Roots[0].At = start.Format(time.RFC3339)
	r := full[request]()
	r.ID = requestID
	one, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	list := map[string]any{
		"/usage":   report,
		"/budgets": struct{ Budgets []admin.BudgetDetail }{full[[]admin.BudgetDetail]()},
		"/alerts":  struct{ Alerts []admin.Alert }{full[[]admin.Alert]()},
		"/cluster": full[admin.Members](),
		"/status":  full[admin.Status](),

		"/anomalies":                   struct{ Anomalies []admin.Anomaly }{full[[]admin.Anomaly]()},
		"/usage/runs/a run/of":         tree,
		"/usage/requests/" + requestID: admin.RequestRecords{ID: requestID, Records: []json.RawMessage{one, one}},
		"/anomalies/x":                 full[admin.Anomaly](),
		"/economics/efficiency":        full[admin.EfficiencyReport](),
		"/economics/units":             full[admin.UnitsReport](),
		"/forecasts":                   struct{ Forecasts []admin.Projection }{full[[]admin.Projection]()},
	}
	maps.Copy(list, controlAnswers())
	return list
}

// statementPolicy is the API's own, of its page.
const statementPolicy = "default-src 'none'; frame-ancestors 'none'"

// api is a double of the admin API: it knows two tokens, and remembers what it was asked.
type api struct {
	mu      sync.Mutex
	asked   []*http.Request
	answers map[string]any
	refuses *admin.Problem // every change, with refusal as status
	refusal int
	live    http.HandlerFunc
	revoked bool                     // every token
	refuse  func(*http.Request) bool // nil: nothing; what it is true of is undecided
}

// ServeHTTP implements http.Handler.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.asked = append(a.asked, r)
	a.mu.Unlock()
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			panic(err)
		}
	}
	fail := func(status int, code, message string) {
		say(status, admin.Problem{Error: admin.ProblemDetail{Code: code, Message: message}})
	}
	path := strings.TrimPrefix(r.URL.Path, "/admin/v1")
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	who := admin.Whoami{Name: hostile, Roles: []string{hostile}, Permissions: map[string]admin.WhoamiReach{}}
	if c, err := r.Cookie("purser-session"); err == nil && c.Value == "ann" && token == "" {
		token = ownerToken
	}
	a.mu.Lock()
	if a.revoked {
		token = ""
	}
	a.mu.Unlock()
	switch token {
	case ownerToken:
		for _, p := range access.Permissions() {
			who.Permissions[string(p)] = admin.WhoamiReach{All: true}
		}
	case readerToken:
		for _, p := range access.Permissions() {
			if strings.HasSuffix(string(p), ":read") {
				who.Permissions[string(p)] = admin.WhoamiReach{All: true}
			}
		}
	case memberToken:
		who.Permissions["usage:read"] = admin.WhoamiReach{Members: []string{"ann"}}
	default:
		fail(http.StatusUnauthorized, "unauthorized", "this is no admin token of this cluster")
		return
	}
	a.mu.Lock()
	answer, ok := a.answers[path]
	a.mu.Unlock()
	switch {
	case a.refuse != nil && a.refuse(r):
		fail(http.StatusServiceUnavailable, "undecided", "this node is making another report")
	case path == "/logout":
		http.SetCookie(w, &http.Cookie{Name: "purser-session", Path: "/", MaxAge: -1})
		w.WriteHeader(http.StatusNoContent)
	case path == "/whoami":
		say(http.StatusOK, who)
	case a.refuses != nil && r.Method != http.MethodGet:
		say(a.refusal, a.refuses)
	case r.Method != http.MethodGet && !ok:
		say(http.StatusOK, struct{}{})
	case token == memberToken && !strings.HasPrefix(path, "/usage"):
		fail(http.StatusForbidden, "forbidden", "the role member does not include this")
	case path == "/usage/live" && a.live != nil:
		a.live(w, r)
	case path == "/usage/records":
		w.Header().Set("Content-Type", "application/x-ndjson")
		one := full[request]()
		one.ID = requestID
		for _, v := range []any{one, one} {
			if err := json.NewEncoder(w).Encode(v); err != nil {
				panic(err)
			}
		}
	case path == "/statements":
		w.Header().Set("Content-Type", "text/"+r.URL.Query().Get("format"))
		w.Header().Set("Content-Security-Policy", statementPolicy)
		_, _ = io.WriteString(w, "a statement")
	case ok:
		say(http.StatusOK, answer)
	default:
		fail(http.StatusNotFound, "not_found", "no such admin route: "+hostile)
	}
}

// last is the last question with a path.
func (a *api) last(path string) *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.asked) - 1; i >= 0; i-- {
		if a.asked[i].URL.Path == "/admin/v1"+path {
			return a.asked[i]
		}
	}
	return nil
}

// world is a dashboard over a double of the API, and a browser's cookies.
type world struct {
	t       *testing.T
	ui      *UI
	handler http.Handler
	api     *api
	host    string
	cookies map[string]*http.Cookie
	now     time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, api: &api{answers: answers()}, host: "127.0.0.1:7070", cookies: map[string]*http.Cookie{}, now: start}
	seal, err := login.NewSealer("the configured token of the cluster")
	if err != nil {
		t.Fatal(err)
	}
	w.ui, err = New(Config{API: w.api, Cookies: seal, People: true, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = w.ui.Handler()
	return w
}

// ask sends a request as a browser does from a page of the dashboard, and keeps cookies.
func (w *world) ask(method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, target, body)
	r.Host, r.RemoteAddr = w.host, "192.0.2.7:1234"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method != http.MethodGet {
		r.Header.Set("Origin", "http://"+w.host)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	for _, c := range w.cookies {
		r.AddCookie(c)
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r)
	for _, c := range out.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		} else {
			w.cookies[c.Name] = c
		}
	}
	if got := out.Header().Get("Content-Security-Policy"); got != policy && (!strings.HasPrefix(target, "/ui/statement?") || got != statementPolicy) {
		w.t.Errorf("%s %s has the content security policy %q", method, target, got)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := out.Header().Get(name); got != want {
			w.t.Errorf("%s %s has %s %q", method, target, name, got)
		}
	}
	return out
}

// login logs in.
func (w *world) login(token string) {
	w.t.Helper()
	if out := w.ask("POST", "/ui/login", url.Values{"token": {token}, "to": {"/ui/"}}); out.Code != http.StatusSeeOther {
		w.t.Fatalf("logging in: %d %s", out.Code, out.Body)
	}
}

// page is a page as text; it must be there.
func (w *world) page(target string) string {
	w.t.Helper()
	out := w.ask("GET", target, nil)
	if out.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", target, out.Code, out.Body)
	}
	return out.Body.String()
}
