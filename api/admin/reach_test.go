package admin

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"purser/internal/access"
)

// TestR3NothingIsTakenOverOrHandedOn: a change is within the reach as the thing is,
// and as it will be.
func TestR3NothingIsTakenOverOrHandedOn(t *testing.T) {
	store := &tokenStore{}
	n := &estate{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Budgets, p.Objects, p.Reports, p.Requests, p.Tokens = n, n, n, n, n, store })
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "ads", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	h := api.Handler()
	budget := func(match string) string {
		return `{"unit":"usd","limit":1,"window":"day","match":` + match + `}`
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"one's own":                       {"PUT", "/admin/v1/budgets/ads", budget(`{"team":["ads"]}`), 200},
		"a new one":                       {"PUT", "/admin/v1/budgets/next", budget(`{"team":["ads"],"customer":["x"]}`), 200},
		"taken over":                      {"PUT", "/admin/v1/budgets/chat", budget(`{"team":["ads"]}`), 403},
		"taken over from nobody":          {"PUT", "/admin/v1/budgets/nobody", budget(`{"team":["ads"]}`), 403},
		"handed on":                       {"PUT", "/admin/v1/budgets/ads", budget(`{"team":["chat"]}`), 403},
		"shared":                          {"PUT", "/admin/v1/budgets/ads", budget(`{"team":["ads","chat"]}`), 403},
		"over everybody":                  {"PUT", "/admin/v1/budgets/ads", budget(`{}`), 403},
		"of a customer":                   {"PUT", "/admin/v1/budgets/next", budget(`{"customer":["ads"]}`), 403},
		"a key":                           {"POST", "/admin/v1/keys", `{"name":"k","bound":{"team":"ads","customer":"x"}}`, 201},
		"a key of another's agent":        {"POST", "/admin/v1/keys", `{"name":"k","bound":{"agent":"bot"}}`, 403},
		"a key that contradicts":          {"POST", "/admin/v1/keys", `{"name":"k","bound":{"team":"ads","agent":"bot"}}`, 403},
		"a key without a team":            {"POST", "/admin/v1/keys", `{"name":"k","bound":{"customer":"ads"}}`, 403},
		"an agent":                        {"PUT", "/admin/v1/agents/ads", `{"team":"ads"}`, 200},
		"an agent taken over":             {"PUT", "/admin/v1/agents/chat", `{"team":"ads"}`, 403},
		"an agent handed on":              {"PUT", "/admin/v1/agents/ads", `{"team":"chat"}`, 403},
		"an agent below another's":        {"PUT", "/admin/v1/agents/ads", `{"parent":"bot"}`, 403},
		"a member":                        {"PUT", "/admin/v1/members/ads", `{"teams":["ads"]}`, 200},
		"a member of the team's org":      {"PUT", "/admin/v1/members/ads", `{"teams":["ads"],"org":"acme"}`, 200},
		"a member of another org":         {"PUT", "/admin/v1/members/ads", `{"teams":["ads"],"org":"umbrella"}`, 403},
		"a key of another org":            {"POST", "/admin/v1/keys", `{"name":"k","bound":{"team":"ads","org":"umbrella"}}`, 403},
		"a member of two teams":           {"PUT", "/admin/v1/members/ads", `{"teams":["ads","chat"]}`, 403},
		"a member taken over":             {"PUT", "/admin/v1/members/chat", `{"teams":["ads"]}`, 403},
		"a member taken away":             {"DELETE", "/admin/v1/members/chat", ``, 403},
		"a team whose name is a member's": {"PUT", "/admin/v1/members/ads", `{}`, 403},
	} {
		if got := send(t, h, c.method, c.path, c.body, bearer(secret)); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body.String())
		}
	}
}

// moving is a directory whose agent goes to another team after it was looked at.
type moving struct {
	estate
	expect []Expect
}

func (m *moving) PutObject(_ context.Context, _, id string, expect Expect, spec json.RawMessage) (Object, error) {
	m.expect = append(m.expect, expect)
	return Object{ID: id, Spec: spec}, nil
}

func (m *moving) ShowObject(ctx context.Context, kind, id string, how Read) (Object, Age, error) {
	if id == "next" {
		return Object{}, 0, NotFound("no agent")
	}
	return m.estate.ShowObject(ctx, kind, id, how)
}

// TestR3WhatWasLookedAtIsWhatChanges: a limited change names the version that was
// found to be within the reach.
func TestR3WhatWasLookedAtIsWhatChanges(t *testing.T) {
	store := &tokenStore{}
	n := &moving{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Objects, p.Tokens = n, store })
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "ads", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{secret, token} {
		for _, id := range []string{"ads", "next"} {
			if got := send(t, api.Handler(), "PUT", "/admin/v1/agents/"+id, `{"team":"ads"}`, bearer(by)); got.status != 200 {
				t.Fatalf("%s: %d %s", id, got.status, got.body.String())
			}
		}
	}
	if len(n.expect) != 4 || n.expect[0] == nil || *n.expect[0] != 7 || n.expect[1] == nil || *n.expect[1] != 0 || n.expect[2] != nil || n.expect[3] != nil {
		t.Errorf("the changes expect %v", n.expect)
	}
}

// TestR3AStatedVersionIsThatWhichWasLookedAt: who names another one may mean what
// somebody else is about to make of the thing.
func TestR3AStatedVersionIsThatWhichWasLookedAt(t *testing.T) {
	store := &tokenStore{}
	n := &estate{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Budgets, p.Objects, p.Tokens = n, n, n, store })
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "ads", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, body, seen string }{
		{"PUT", "/admin/v1/agents/ads", `{"team":"ads"}`, `"7"`},
		{"DELETE", "/admin/v1/agents/ads", ``, `"7"`},
		{"PATCH", "/admin/v1/keys/ads", `{"name":"x"}`, `"7"`},
		{"PUT", "/admin/v1/budgets/ads", `{"unit":"usd","limit":1,"window":"day","match":{"team":["ads"]}}`, ""}, // of version 0, which no header names
	} {
		for _, match := range []string{`"8"`, c.seen} {
			header := bearer(secret)
			header["If-Match"] = match
			want := 409
			if match == c.seen {
				want = 200
			}
			if got := send(t, api.Handler(), c.method, c.path, c.body, header); got.status != want && (want != 200 || got.status != 204) {
				t.Errorf("%s %s of version %s: %d %s", c.method, c.path, match, got.status, got.body.String())
			}
		}
	}
}

// TestAKeyIsBoundToNoOrgBeyondTheReach: keys of an org share its cached answers, and a
// team without an org could be of any.
func TestAKeyIsBoundToNoOrgBeyondTheReach(t *testing.T) {
	store := &tokenStore{}
	n := &estate{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Tokens = n, store })
	secret := map[string]string{"root": token}
	for name, k := range map[string]access.Token{"teams": {Teams: []string{"ads", "free"}}, "org": {Orgs: []string{"umbrella"}, Teams: []string{"ads", "free"}}} {
		k.Name, k.Role = name, access.TeamAdmin
		s, err := store.CreateToken(t.Context(), &k)
		if err != nil {
			t.Fatal(err)
		}
		secret[name] = s
	}
	for _, c := range []struct {
		by, bound string
		refused   bool
	}{
		{"teams", `{"team":"free"}`, false}, {"teams", `{"team":"free","org":"umbrella"}`, true}, {"teams", `{"team":"ads","org":"acme"}`, false},
		{"org", `{"team":"free","org":"umbrella"}`, false}, {"org", `{"team":"free","org":"acme"}`, true}, {"root", `{"team":"free","org":"umbrella"}`, false},
	} {
		create := send(t, api.Handler(), "POST", "/admin/v1/keys", `{"name":"k","bound":`+c.bound+`}`, bearer(secret[c.by]))
		update := send(t, api.Handler(), "PATCH", "/admin/v1/keys/ads", `{"bound":`+c.bound+`}`, bearer(secret[c.by]))
		if (create.status == 403) != c.refused || (update.status == 403) != c.refused || !c.refused && (create.status != 201 || update.status != 200) {
			t.Errorf("%s binds a key to %s: %d %s, %d %s", c.by, c.bound, create.status, create.body.String(), update.status, update.body.String())
		}
	}
}

// handedOn is a node whose keys go to another team while they are rotated.
type handedOn struct{ estate }

func (*handedOn) RotateKey(_ context.Context, id string, _ Rotation) (CreatedKey, error) {
	return CreatedKey{Key: Key{ID: id, Bound: bound("chat")}, Secret: "pk_secret"}, nil
}

func TestR3ASecretIsNotGivenToWhoseTheKeyWas(t *testing.T) {
	store := &tokenStore{}
	n := &handedOn{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Tokens = n, store })
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "ads", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, api.Handler(), "POST", "/admin/v1/keys/ads/rotate", `{}`, bearer(secret)); got.status != 404 || strings.Contains(got.body.String(), "pk_secret") {
		t.Errorf("a key that went to another team meanwhile: %d %s", got.status, got.body.String())
	}
}

// TestACapOfAKeyIsABudget: who may write keys and no budgets takes no cap off.
func TestACapOfAKeyIsABudget(t *testing.T) {
	store := &tokenStore{}
	n := &estate{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Tokens = n, store })
	for name, c := range map[string]struct {
		scopes []access.Permission
		change string
		status int
	}{
		"keys":       {[]access.Permission{access.KeysWrite}, `{"budgets":[]}`, 403},
		"names":      {[]access.Permission{access.KeysWrite}, `{"name":"x"}`, 200},
		"both":       {[]access.Permission{access.KeysWrite, access.BudgetsWrite}, `{"budgets":[]}`, 200},
		"everything": {nil, `{"budgets":[]}`, 200},
	} {
		secret, err := store.CreateToken(t.Context(), &access.Token{Name: name, Role: access.TeamAdmin, Teams: []string{"ads"}, Scopes: c.scopes})
		if err != nil {
			t.Fatal(err)
		}
		if got := send(t, api.Handler(), "PATCH", "/admin/v1/keys/ads", c.change, bearer(secret)); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body.String())
		}
	}
}

// unregistered is a directory without objects, with keys bound to what could be.
type unregistered struct{ estate }

func (*unregistered) ListKeys(context.Context, string) ([]Key, error) {
	return []Key{
		{ID: "k1", Bound: map[string]string{"agent": "crawler"}}, {ID: "k2", Bound: map[string]string{"member": "ceo"}},
		{ID: "k3", Bound: map[string]string{"team": "ads", "agent": "own"}},
	}, nil
}

func (*unregistered) ShowObject(_ context.Context, _, id string, _ Read) (Object, Age, error) {
	return Object{}, 0, NotFound("no " + id)
}

// TestR3ToRegisterANameTakesNoKeyOver: a key that is bound to an agent nobody has
// registered is not got by registering the agent.
func TestR3ToRegisterANameTakesNoKeyOver(t *testing.T) {
	store := &tokenStore{}
	n := &unregistered{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Objects, p.Tokens = n, n, store })
	secret, err := store.CreateToken(t.Context(), &access.Token{Name: "ads", Role: access.TeamAdmin, Teams: []string{"ads"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, spec, by string
		status         int
	}{
		{"agents/crawler", `{"team":"ads"}`, secret, 403}, {"members/ceo", `{"teams":["ads"]}`, secret, 403},
		{"agents/own", `{"team":"ads"}`, secret, 200}, {"agents/free", `{"team":"ads"}`, secret, 200}, {"members/crawler", `{"teams":["ads"]}`, secret, 200},
		{"agents/crawler", `{"team":"ads"}`, token, 200},
	} {
		if got := send(t, api.Handler(), "PUT", "/admin/v1/"+c.path, c.spec, bearer(c.by)); got.status != c.status {
			t.Errorf("%s: %d %s", c.path, got.status, got.body.String())
		}
	}
}

func TestABudgetOfEveryTeamShowsOnesOwnAccounts(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	ads := access.Reach{Teams: []string{"ads"}}
	each := BudgetDetail{Budget: Budget{ID: "each", Each: []string{"team"}}, Accounts: []Account{
		{Split: map[string]string{"team": "ads"}}, {Split: map[string]string{"team": "chat"}}, {Split: map[string]string{"model": "ads"}},
	}, Raises: []Raise{
		{ID: "all", Reason: "launch"}, {ID: "own", Split: map[string]string{"team": "ads"}}, {ID: "others", Split: map[string]string{"team": "chat"}, Reason: "a secret project"},
	}, Breakers: []Breaker{
		{Cause: "rate"}, {Cause: "overrun", Split: map[string]string{"team": "ads"}}, {Cause: "operator", Split: map[string]string{"team": "chat"}},
	}}
	got := api.shown([]BudgetDetail{each, {Budget: Budget{ID: "all"}, Accounts: []Account{{}}}}, ads)
	if len(got) != 1 || len(got[0].Accounts) != 1 || got[0].Accounts[0].Split["team"] != "ads" {
		t.Errorf("shown %+v", got)
	}
	if len(got) == 1 && (len(got[0].Raises) != 2 || got[0].Raises[1].ID != "own" || len(got[0].Breakers) != 2 || got[0].Breakers[1].Cause != "overrun") {
		t.Errorf("raises %+v, breakers %+v", got[0].Raises, got[0].Breakers)
	}
	if len(each.Raises) != 3 || each.Raises[2].ID != "others" || len(each.Accounts) != 3 || each.Accounts[1].Split["team"] != "chat" {
		t.Error("what was given was written")
	}
}
