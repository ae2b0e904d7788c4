package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"purser/internal/access"
)

// node is a node that has one budget and remembers what it was asked.
type node struct {
	usage      UsageQuery
	exported   ExportQuery
	read       Read
	deliveries DeliveryQuery
	changed    []string
	judged     EfficiencyQuery
	expect     Expect
	breaks     int // bytes after which a backup breaks off; 0: it does not
	err        error
}

func (n *node) CreateKey(_ context.Context, k NewKey) (CreatedKey, error) {
	return CreatedKey{Key: Key{ID: "key_1", Name: k.Name, Bound: k.Bound}, Secret: "pk_secret"}, n.err
}

func (n *node) RevokeKey(_ context.Context, id string) (Key, error) {
	if id != "key_1" {
		return Key{}, NotFound("no key " + id)
	}
	return Key{ID: id, State: "revoked"}, n.err
}
func (n *node) ListKeys(context.Context, string) ([]Key, error) {
	return []Key{{ID: "key_1"}, {ID: "key_2"}}, n.err
}
func (n *node) DeleteBudget(context.Context, string) error { return n.err }
func (n *node) ReleaseBudget(_ context.Context, id string) error {
	n.changed = append(n.changed, "release "+id)
	return n.err
}

const backupText = "all there is"

func (n *node) Backup(_ context.Context, w io.Writer) error {
	text := backupText
	if n.breaks > 0 {
		text = text[:n.breaks]
	}
	if n.breaks == 0 && n.err != nil {
		return n.err
	}
	_, err := io.WriteString(w, text)
	return errors.Join(err, n.err)
}
func (n *node) ShowBudgets(_ context.Context, id string, how Read) ([]BudgetDetail, Age, error) {
	n.read = how
	if id != "" && id != "cap" {
		return nil, 0, nil
	}
	return []BudgetDetail{{Budget: Budget{ID: "cap", Limit: "1"}, Accounts: []Account{{Spent: 7}}}}, Age(1500 * time.Millisecond), n.err
}
func (n *node) Usage(_ context.Context, q UsageQuery) (UsageReport, error) {
	n.usage = q
	return UsageReport{Total: UsageRow{Requests: 3}}, n.err
}
func (n *node) Request(_ context.Context, id string, _ access.Reach) (RequestRecords, error) {
	return RequestRecords{ID: id}, n.err
}
func (n *node) Run(_ context.Context, run string, q UsageQuery) (RunTree, error) {
	n.usage = q
	return RunTree{Run: run}, n.err
}
func (n *node) Records(_ context.Context, q UsageQuery, tell func([]NodeAnswer), w io.Writer) error {
	tell([]NodeAnswer{{Node: "n1", By: "n1"}, {Node: "n2", By: "n1", MayLack: true}})
	n.usage = q
	if n.err != nil {
		return n.err
	}
	_, err := io.WriteString(w, `{"id":"req_1"}`+"\n")
	return err
}
func (n *node) PrepareExport(q ExportQuery) (Export, error) {
	n.exported = q
	return Export{MediaType: "text/csv; charset=utf-8", Name: "focus-1.2.csv", Write: func(_ context.Context, tell func([]NodeAnswer), w io.Writer) error {
		tell([]NodeAnswer{{Node: "n1", By: "n1"}})
		rows := 1
		if n.err != nil {
			rows = 1 << 20 // it breaks off in the middle
		}
		_, err := io.WriteString(w, "BilledCost\r\n"+strings.Repeat("1.0\r\n", rows))
		return errors.Join(err, n.err)
	}}, nil
}
func (n *node) ExportState(context.Context) ([]ExportState, error) {
	return []ExportState{{ID: "daily", State: "written"}}, n.err
}
func (n *node) Status(context.Context, Read) (Status, Age, error) {
	return Status{Node: "n1"}, 0, n.err
}
func (n *node) Members(context.Context, Read) (Members, Age, error) {
	return Members{Cluster: "c", Nodes: []Member{{ID: "n1"}}}, 0, n.err
}
func (n *node) NewToken(context.Context, NewToken) (Token, error) {
	return Token{Token: "purser-join-x"}, n.err
}
func (n *node) ChangeNode(_ context.Context, id string, change NodeChange) error {
	n.changed = append(n.changed, id+" "+string(change))
	return n.err
}

const token = "a-token-of-the-test"

func serve(t *testing.T) (*node, string) {
	t.Helper()
	n := &node{}
	return n, serveAPI(t, newAPI(t, n, nil))
}

// serveParts serves an API in which some parts are others.
func serveParts(t *testing.T, parts Parts) string {
	t.Helper()
	return serveAPI(t, newAPI(t, &node{}, func(p *Parts) {
		if parts.Audit != nil {
			p.Audit = parts.Audit
		}
	}))
}

func serveAPI(t *testing.T, api *API) string {
	t.Helper()
	s := httptest.NewServer(api.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

func TestClientAndAPIAgree(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url + "/", Token: token}
	ctx := context.Background()
	key, err := c.CreateKey(ctx, NewKey{Name: "a", Bound: map[string]string{"team": "x"}})
	if err != nil || key.Secret != "pk_secret" || key.Bound["team"] != "x" {
		t.Errorf("created %+v, %v", key, err)
	}
	if keys, err := c.ListKeys(ctx); err != nil || len(keys) != 2 {
		t.Errorf("listed %+v, %v", keys, err)
	}
	if k, err := c.RevokeKey(ctx, "key_1"); err != nil || k.State != "revoked" {
		t.Errorf("revoked %+v, %v", k, err)
	}
	if b, err := c.PutBudget(ctx, Budget{ID: "cap", Unit: "usd", Limit: "1.5", Window: "day"}); err != nil || b.Limit != "1.5" {
		t.Errorf("put %+v, %v", b, err)
	}
	if list, err := c.ListBudgets(ctx); err != nil || len(list) != 1 || list[0].Accounts[0].Spent != 7 {
		t.Errorf("budgets %+v, %v", list, err)
	}
	if b, err := c.ShowBudget(ctx, "cap"); err != nil || b.ID != "cap" {
		t.Errorf("budget %+v, %v", b, err)
	}
	if err := c.DeleteBudget(ctx, "cap"); err != nil {
		t.Error(err)
	}
	if err := c.ReleaseBudget(ctx, "cap"); err != nil || len(n.changed) != 1 || n.changed[0] != "release cap" {
		t.Errorf("released %v, %v", n.changed, err)
	}
	n.changed = nil
	q := UsageQuery{From: "2026-01-01T00:00:00Z", Group: []string{"customer", "tag:plan"}, Filter: map[string]string{"tag:plan": "a:b", "team": "x"}, Limit: 5}
	if r, err := c.Usage(ctx, q); err != nil || r.Total.Requests != 3 {
		t.Errorf("usage %+v, %v", r, err)
	}
	q.Reach = access.Everything
	if fmt.Sprint(n.usage) != fmt.Sprint(q) {
		t.Errorf("asked %+v, the node saw %+v", q, n.usage)
	}
	if m, err := c.Members(ctx); err != nil || m.Nodes[0].ID != "n1" {
		t.Errorf("members %+v, %v", m, err)
	}
	if k, err := c.NewToken(ctx, NewToken{}); err != nil || k.Token != "purser-join-x" {
		t.Errorf("token %+v, %v", k, err)
	}
	if err := c.ChangeNode(ctx, "n2", FenceNode); err != nil || len(n.changed) != 1 || n.changed[0] != "n2 fence" {
		t.Errorf("changed %v, %v", n.changed, err)
	}
	if err := c.ChangeNode(ctx, "n2", "hug"); err == nil || len(n.changed) != 1 {
		t.Errorf("an unknown change: %v, %v", n.changed, err)
	}
	if s, err := c.Status(ctx); err != nil || s.Node != "n1" {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestABackupIsWholeOrAnError(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	var b bytes.Buffer
	if err := c.Backup(t.Context(), &b); err != nil || b.String() != backupText {
		t.Errorf("backup %q, %v", b.String(), err)
	}
	n.err = Undecided("no quorum")
	var f *Fault
	b.Reset()
	if err := c.Backup(t.Context(), &b); !errors.As(err, &f) || f.Code != "undecided" || b.Len() != 0 {
		t.Errorf("a node that cannot: %q, %v", b.String(), err)
	}
	n.err, n.breaks = errors.New("the disk broke"), 5
	b.Reset()
	if err := c.Backup(t.Context(), &b); err == nil {
		t.Errorf("a backup that broke off came as %q without an error", b.String())
	}
}

func TestFaultsReachTheClient(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	for want, ask := range map[string]func() error{
		"not_found":    func() error { _, err := c.ShowBudget(context.Background(), "none"); return err },
		"unauthorized": func() error { _, err := (&Client{URL: url, Token: "wrong"}).ListKeys(context.Background()); return err },
	} {
		var f *Fault
		if err := ask(); !errors.As(err, &f) || f.Code != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	n.err = errors.New("a secret of the inside")
	var f *Fault
	if _, err := c.Status(context.Background()); !errors.As(err, &f) || f.Status != 500 || strings.Contains(f.Message, "secret") {
		t.Errorf("an inner error came out as %v", err)
	}
}

// TestAnswersAreReadInTerminals: what a fault says has its characters as they are.
func TestAnswersAreReadInTerminals(t *testing.T) {
	_, url := serve(t)
	resp, err := http.Get(url + "/admin/v1/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "Bearer <token>") {
		t.Errorf("%s, %v", body, err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	_, url := serve(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"not JSON":          {"POST", "/admin/v1/keys", "{", 400},
		"unknown field":     {"POST", "/admin/v1/keys", `{"nmae":"x"}`, 400},
		"two values":        {"POST", "/admin/v1/keys", `{"name":"x"} {}`, 400},
		"too large":         {"POST", "/admin/v1/keys", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		"another id":        {"PUT", "/admin/v1/budgets/a", `{"id":"b"}`, 400},
		"unknown parameter": {"GET", "/admin/v1/usage?form=x", "", 400},
		"filter":            {"GET", "/admin/v1/usage?filter=team", "", 400},
		"limit":             {"GET", "/admin/v1/usage?limit=-1", "", 400},
		"unknown route":     {"GET", "/admin/v1/secrets", "", 404},
		"unknown key":       {"POST", "/admin/v1/keys/none/revoke", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(b), `"code"`) {
				t.Errorf("%d %s, want %d", res.StatusCode, b, c.status)
			}
		})
	}
}

func TestEveryRouteAsksForTheToken(t *testing.T) {
	_, url := serve(t)
	for _, header := range []string{"", "Bearer ", "Bearer wrong", token, "Basic " + token} {
		for _, path := range []string{"/admin/v1/keys", "/admin/v1/budgets", "/admin/v1/usage", "/admin/v1/status", "/admin/v1/alerts", "/admin/v1/alerts/deliveries", "/admin/none"} {
			req, err := http.NewRequest("GET", url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 401 {
				t.Errorf("%s with %q answers %d", path, header, res.StatusCode)
			}
		}
	}
	if _, err := New("", Parts{}, nil); err == nil {
		t.Error("an empty token was accepted")
	}
}

func TestReadsSayHowOldTheyAre(t *testing.T) {
	n, url := serve(t)
	get := func(query string) *http.Response {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, url+"/admin/v1/budgets"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	if res := get(""); n.read != Linearizable || res.Header.Get(ageHeader) != "1.500" {
		t.Errorf("read %v, age %q", n.read, res.Header.Get(ageHeader))
	}
	if get("?stale=ok"); n.read != Stale {
		t.Errorf("read %v", n.read)
	}
	if res := get("?stale=maybe"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a stale that is none: %s", res.Status)
	}
	c := &Client{URL: url, Token: token, Read: Stale}
	n.read = Linearizable
	if _, err := c.ListBudgets(context.Background()); err != nil || n.read != Stale {
		t.Errorf("the client read %v, %v", n.read, err)
	}
}

func (n *node) ObjectKinds() []string { return []string{"teams"} }
func (n *node) ListObjects(_ context.Context, kind string, how Read) ([]Object, Age, error) {
	n.read = how
	return []Object{{ID: "blue", Version: 7, Spec: json.RawMessage(`{"org":"acme"}`)}}, 0, n.err
}
func (n *node) ShowObject(_ context.Context, kind, id string, _ Read) (Object, Age, error) {
	if id != "blue" {
		return Object{}, 0, NotFound("no team")
	}
	return Object{ID: id, Version: 7, Spec: json.RawMessage(`{"org":"acme"}`)}, 0, n.err
}
func (n *node) PutObject(_ context.Context, kind, id string, expect Expect, spec json.RawMessage) (Object, error) {
	n.changed = append(n.changed, "put "+kind+"/"+id+" "+expectText(expect)+" "+string(spec))
	return Object{ID: id, Version: 8, Spec: spec}, n.err
}
func (n *node) DeleteObject(_ context.Context, kind, id string, expect Expect) error {
	n.changed = append(n.changed, "delete "+kind+"/"+id+" "+expectText(expect))
	return n.err
}

func expectText(e Expect) string {
	if e == nil {
		return "any"
	}
	return fmt.Sprint(*e)
}

func TestObjectsChangeFromTheVersionThatIsExpected(t *testing.T) {
	n, url := serve(t)
	c := &Client{URL: url, Token: token}
	ctx := t.Context()
	if list, err := c.ListObjects(ctx, "teams"); err != nil || len(list) != 1 || list[0].ID != "blue" || string(list[0].Spec) != `{"org":"acme"}` {
		t.Errorf("listed %+v, %v", list, err)
	}
	if o, err := c.ShowObject(ctx, "teams", "blue"); err != nil || o.Version != 7 {
		t.Errorf("shown %+v, %v", o, err)
	}
	for _, expect := range []Expect{nil, Version(0), Version(7)} {
		if _, err := c.PutObject(ctx, "teams", "blue", expect, json.RawMessage(`{"org":"b"}`)); err != nil {
			t.Error(err)
		}
	}
	if err := c.DeleteObject(ctx, "teams", "a b", Version(7)); err != nil {
		t.Error(err)
	}
	want := []string{`put teams/blue any {"org":"b"}`, `put teams/blue 0 {"org":"b"}`, `put teams/blue 7 {"org":"b"}`, `delete teams/a b 7`}
	if fmt.Sprint(n.changed) != fmt.Sprint(want) {
		t.Errorf("asked %q", n.changed)
	}
	n.changed = nil
	for _, h := range []http.Header{
		{"If-Match": {"7"}}, {"If-Match": {`W/"7"`}}, {"If-Match": {`"0"`}}, {"If-Match": {`"seven"`}}, {"If-None-Match": {`"7"`}}, {"If-Match": {`"7"`}, "If-None-Match": {"*"}},
	} {
		req, err := http.NewRequest("PUT", url+"/admin/v1/teams/blue", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 400 || len(n.changed) != 0 {
			t.Errorf("%v: %d, %q", h, res.StatusCode, n.changed)
		}
	}
}
