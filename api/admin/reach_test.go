package admin

import (
	"context"
	"encoding/json"
	"testing"

	"purser/internal/access"
)

// TestR3NothingIsTakenOverOrHandedOn: a change is within the reach as the thing is,
// and as it will be.
func TestR3NothingIsTakenOverOrHandedOn(t *testing.T) {
	store := &tokenStore{}
	n := &estate{}
	api := newAPI(t, &n.node, func(p *Parts) { p.Keys, p.Budgets, p.Objects, p.Reports, p.Tokens = n, n, n, n, store })
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

func TestABudgetOfEveryTeamShowsOnesOwnAccounts(t *testing.T) {
	api := newAPI(t, &node{}, nil)
	ads := access.Reach{Teams: []string{"ads"}}
	each := BudgetDetail{Budget: Budget{ID: "each", Each: []string{"team"}}, Accounts: []Account{
		{Split: map[string]string{"team": "ads"}}, {Split: map[string]string{"team": "chat"}}, {Split: map[string]string{"model": "ads"}},
	}}
	got := api.shown([]BudgetDetail{each, {Budget: Budget{ID: "all"}, Accounts: []Account{{}}}}, ads)
	if len(got) != 1 || len(got[0].Accounts) != 1 || got[0].Accounts[0].Split["team"] != "ads" {
		t.Errorf("shown %+v", got)
	}
	if len(each.Accounts) != 3 || each.Accounts[1].Split["team"] != "chat" {
		t.Error("what was given was written")
	}
}
