package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/internal/access"
	"purser/internal/attempts"
	"purser/internal/governance"
)

// clock is the time of the tests, in which nothing expires by itself.
var clock = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// newAPI is an API of a node; tokens, people and the rest are as change says.
func newAPI(t *testing.T, n *node, change func(*Parts)) *API {
	t.Helper()
	p := Parts{
		Keys: n, Budgets: n, Raises: n, Breakers: n, Loops: n, Learning: n, Caches: emptyCaches{}, Alerts: n, Audit: &trail{}, Credentials: safe{}, Semcache: noSemcache{}, Objects: n, Reports: n, Requests: n, Live: nothingLive{}, Adjustments: noAdjustments{}, Cluster: n, Hierarchy: hierarchy{}, Tokens: &tokenStore{}, Attempts: &attempts.Table{},
		Now: func() time.Time { return clock },
	}
	if change != nil {
		change(&p)
	}
	api, err := New(token, p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// nothingLive says the filter that it was given, and whose records would be seen.
type nothingLive struct{}

func (nothingLive) Watch(_ context.Context, q UsageQuery, say func(LiveEvent) error) error {
	for _, t := range targets {
		if q.Reach.Covers(ownedBy(t.id)) {
			if err := say(LiveEvent{Records: []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"id":%q}`, t.id))}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// noAdjustments takes what it is given.
type noAdjustments struct{}

func (noAdjustments) PostAdjustment(_ context.Context, in NewAdjustment) (Adjustment, bool, error) {
	return Adjustment{ID: in.ID}, true, nil
}

// noSemcache is a semantic cache that has nothing.
type noSemcache struct{}

func (noSemcache) SemcacheStats(context.Context) (SemcacheStats, error) { return SemcacheStats{}, nil }

func (noSemcache) ExplainSemcache(_ context.Context, q SemcacheQuestion) (SemcacheTrace, error) {
	return SemcacheTrace{Verdict: "miss", Reason: q.Call.Key}, nil
}

func (noSemcache) PurgeSemcache(_ context.Context, p SemcachePurge) (SemcachePurged, error) {
	return SemcachePurged{Removed: len(p.Tenant)}, nil
}

func (noSemcache) ResetSemcache(context.Context, SemcacheReset) (SemcachePurged, error) {
	return SemcachePurged{}, nil
}

// tokenStore keeps tokens in memory. The secret of one is "pka_" and its name.
type tokenStore struct{ list []*access.Token }

func (s *tokenStore) Tokens() *access.Tokens { return access.NewTokens(slices.Clone(s.list)) }

func (s *tokenStore) CreateToken(_ context.Context, t *access.Token) (string, error) {
	secret := access.TokenPrefix + t.Name
	t.ID, t.Hash, t.Created = "tok_"+t.Name, access.HashOf(secret), clock.Unix()
	s.list = append(s.list, t)
	return secret, t.Validate()
}

func (s *tokenStore) RevokeToken(_ context.Context, id string) (*access.Token, error) {
	for _, t := range s.list {
		if t.ID == id {
			t.Revoked = clock.Unix()
			return t, nil
		}
	}
	return nil, NotFound("no token")
}

func (s *tokenStore) EndSession(_ context.Context, h access.Hash, expires time.Time) error {
	s.list = append(s.list, &access.Token{ID: "ses_x", Name: "session", Hash: h, Session: true, Expires: expires.Unix()})
	return nil
}

// people knows three: the name of each is their token and their cookie.
type people struct{ down bool }

func (p *people) Verify(_ context.Context, token string) (access.Subject, error) {
	switch {
	case p.down:
		return access.Subject{}, fmt.Errorf("no route to the provider")
	case token == "h.eve.s":
		return person("eve", access.Grant{Role: access.TeamAdmin, Reach: access.Reach{Teams: []string{"ads"}}}), nil
	case token == "h.stranger.s":
		return access.Subject{}, &access.Refusal{Reason: "none of the groups has a role here", Kind: access.Stranger}
	}
	return access.Subject{}, &access.Refusal{Reason: "the signature is no good"}
}

func person(name string, g ...access.Grant) access.Subject {
	return access.Subject{Name: "person:" + name, Grants: g}
}

func (p *people) Resume(cookie string) (access.Session, error) {
	if cookie != "cookie-of-eve" {
		return access.Session{}, &access.Refusal{Reason: "the session has ended"}
	}
	s, err := p.Verify(context.Background(), "h.eve.s")
	return access.Session{ID: "17", Subject: s, Email: "eve@example.com", Expires: clock.Add(time.Hour)}, err
}

func (p *people) Begin(_ context.Context, to string) (access.Begun, error) {
	if p.down {
		return access.Begun{}, fmt.Errorf("no route to the provider")
	}
	return access.Begun{Page: "https://idp.example/authorize?state=1", Kept: "kept-for-" + url.QueryEscape(to), For: time.Minute}, nil
}

func (p *people) Finish(_ context.Context, q url.Values, kept string) (access.Finished, error) {
	to, ok := strings.CutPrefix(kept, "kept-for-")
	if !ok || q.Get("code") != "good" {
		return access.Finished{}, &access.Refusal{Reason: "the provider did not confirm"}
	}
	to, err := url.QueryUnescape(to)
	return access.Finished{Cookie: "cookie-of-eve", Expires: clock.Add(time.Hour), To: to}, err
}

func (p *people) Client() access.LoginClient {
	return access.LoginClient{Issuer: "https://idp.example"}
}

// targets are whose the things of the probed node are: one each, of the same name.
var targets = []struct {
	id, dimension string
}{{"ads", "team"}, {"chat", "team"}, {"acme", "org"}, {"umbrella", "org"}, {"eve", "member"}, {"bob", "member"}, {"nobody", ""}}

func bound(id string) map[string]string {
	for _, t := range targets {
		if t.id == id && t.dimension != "" {
			return map[string]string{t.dimension: id}
		}
	}
	return nil
}

// ownedBy is the same as whose it is.
func ownedBy(id string) (r access.Resource) {
	for dim, v := range bound(id) {
		switch dim {
		case "team":
			r.Teams = []string{v}
		case "org":
			r.Orgs = []string{v}
		case "member":
			r.Members = []string{v}
		}
	}
	return r
}

// hierarchy is one in which ads is a team of acme, and a bot of chat.
type hierarchy struct{}

func (hierarchy) Complete(d map[string]string) (map[string]string, bool) {
	out := maps.Clone(d)
	if d["agent"] == "bot" {
		out["team"] = "chat"
	}
	if d["team"] == "ads" {
		if d["org"] != "" && d["org"] != "acme" {
			return nil, false
		}
		out["org"] = "acme"
	}
	return out, d["agent"] != "bot" || d["team"] == "" || d["team"] == "chat"
}

func (hierarchy) TeamsOf(org string) []string {
	if org == "acme" {
		return []string{"ads"}
	}
	return nil
}

// estate is a node with one key and one budget of every target.
type estate struct{ node }

func (e *estate) ListKeys(context.Context, string) (list []Key, err error) {
	for _, t := range targets {
		list = append(list, Key{ID: t.id, Bound: bound(t.id)})
	}
	return list, nil
}

func (e *estate) ShowKey(_ context.Context, id string, _ Read) (KeyDetail, Age, error) {
	return KeyDetail{Key: Key{ID: id, Bound: bound(id), Version: 7}}, 0, nil
}

func (e *estate) UpdateKey(_ context.Context, id string, _ Expect, _ KeyChange) (Key, error) {
	return Key{ID: id}, nil
}

func (e *estate) RotateKey(_ context.Context, id string, _ Rotation) (CreatedKey, error) {
	return CreatedKey{Key: Key{ID: id, Bound: bound(id)}, Secret: "pk_secret"}, nil
}

func (e *estate) ForgetKey(context.Context, string) error { return nil }

func (e *estate) RevokeKey(_ context.Context, id string) (Key, error) {
	return Key{ID: id, State: "revoked"}, nil
}

func (e *estate) ShowBudgets(_ context.Context, id string, _ Read) (list []BudgetDetail, age Age, err error) {
	for _, t := range targets {
		b := BudgetDetail{Budget: Budget{ID: t.id, Unit: "usd", Limit: "1", Window: "day"}, Accounts: []Account{}}
		if t.dimension != "" {
			b.Match = map[string][]string{t.dimension: {t.id}}
		}
		if id == "" || id == b.ID {
			list = append(list, b)
		}
	}
	return list, 0, nil
}

func (e *estate) ObjectKinds() (list []string) {
	for _, k := range governance.Kinds {
		list = append(list, k.Plural)
	}
	return list
}

// spec is an object's of a kind that belongs to a target.
func spec(kind, id string) string {
	switch b := bound(id); {
	case b["team"] != "" && kind == "members":
		return `{"teams":["` + id + `"]}`
	case b["team"] != "":
		return `{"team":"` + id + `"}`
	case b["org"] != "":
		return `{"org":"` + id + `"}`
	}
	return `{}`
}

func (e *estate) ListObjects(_ context.Context, kind string, _ Read) (list []Object, age Age, err error) {
	for _, t := range targets {
		list = append(list, Object{ID: t.id, Version: 7, Spec: json.RawMessage(spec(kind, t.id))})
	}
	return list, 0, nil
}

func (e *estate) ShowObject(_ context.Context, kind, id string, _ Read) (Object, Age, error) {
	return Object{ID: id, Version: 7, Spec: json.RawMessage(spec(kind, id))}, 0, nil
}

func (e *estate) Usage(_ context.Context, q UsageQuery) (r UsageReport, err error) {
	for _, t := range targets {
		if q.Reach.Covers(ownedBy(t.id)) {
			r.Rows = append(r.Rows, UsageRow{Group: map[string]string{"id": t.id}})
		}
	}
	return r, nil
}

func (e *estate) Records(_ context.Context, q UsageQuery, tell func([]NodeAnswer), w io.Writer) error {
	tell(nil)
	for _, t := range targets {
		if q.Reach.Covers(ownedBy(t.id)) {
			if _, err := fmt.Fprintf(w, "{\"id\":%q}\n", t.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Request shows one to those whose it is; its id says so.
func (e *estate) Request(_ context.Context, id string, reach access.Reach) (RequestRecords, error) {
	if !reach.Covers(ownedBy(id)) {
		return RequestRecords{}, NotFound("no record of it")
	}
	return RequestRecords{ID: id}, nil
}

func (e *estate) Run(_ context.Context, run string, q UsageQuery) (RunTree, error) {
	if !q.Reach.Covers(ownedBy(run)) {
		return RunTree{}, NotFound("no request of it")
	}
	return RunTree{Run: run}, nil
}

// send sends one request to a handler and gives the status and the body.
func send(t *testing.T, h http.Handler, method, path, body string, header map[string]string) *recorded {
	t.Helper()
	req, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "192.0.2.7:4711"
	for name, value := range header {
		req.Header.Set(name, value)
	}
	w := &recorded{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, req)
	return w
}

type recorded struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(b []byte) (int, error) { return r.body.Write(b) }
func (r *recorded) Flush()                      {}

// safe answers everything about credentials with nothing.
type safe struct{ Credentials }

func (safe) ListCredentials(context.Context, Read) ([]Credential, Age, error) { return nil, 0, nil }
func (safe) PutCredential(context.Context, string, Expect, NewCredential) (Credential, error) {
	return Credential{}, nil
}
func (safe) DeleteCredential(context.Context, string, Expect) error { return nil }
func (safe) MatchCredential(context.Context, string, string) (bool, error) {
	return false, nil
}
func (safe) RotateData(context.Context, string) (Credential, error) { return Credential{}, nil }
func (safe) RotateMaster(context.Context, RotateMaster) (MasterRotation, error) {
	return MasterRotation{}, nil
}
func (safe) VaultStatus(context.Context, Read) (VaultStatus, Age, error) {
	return VaultStatus{}, 0, nil
}

// emptyCaches is a node without others, whose cache has nothing.
type emptyCaches struct{}

func (emptyCaches) CacheStats(context.Context) ([]CacheNode, error) {
	return []CacheNode{{Node: "n1", Counts: map[string]int64{"entries": 0}}}, nil
}

func (emptyCaches) PurgeCache(context.Context, CachePurge) ([]CachePurged, error) {
	return []CachePurged{{Node: "n1"}}, nil
}
