package verdict

import (
	"testing"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

func TestC9SeesRefusalsWithoutAReason(t *testing.T) {
	refuse := func(m *made, f history.Budget) {
		m.h.Requests = append(m.h.Requests, history.Request{ID: "no", Node: "n1", Begun: 49 * second, Ended: 50 * second, Status: 402, Code: "insufficient_quota", Budgets: []string{"all"}, Refusal: &f})
	}
	full := history.Budget{ID: "all", Account: "all", Unit: "usd", Limit: 200_000, Spent: 98_000, Held: 2_000, Needed: 100_001}
	with := func(change func(*history.Budget)) func(*made) {
		return func(m *made) { f := full; change(&f); refuse(m, f) }
	}
	each(t, []spoilt{
		{"no room", with(func(*history.Budget) {}), nil},
		{"room, by its own words", with(func(f *history.Budget) { f.Needed = 100_000 }), []string{"C9: n1 refused no by all although 98000 spent + 2000 held + 0 unreachable + 100000 needed are within 200000"}},
		{"a limit that never was", with(func(f *history.Budget) { f.Limit = 150_000 }), []string{"C9: n1 refused no by all for a limit of 150000; those in force were 200000 to 200000"}},
		{"a limit that was, until lately", func(m *made) {
			f := full
			f.Limit = 150_000
			refuse(m, f)
			m.change("limit", "all", 150_000, 10*second, 11*second)
			m.change("limit", "all", 200_000, 48*second, 49*second)
		}, nil},
		{"more spent than was", with(func(f *history.Budget) { f.Spent = 150_000 }), []string{"C9: n1 refused no by all for 150000 spent"}},
		{"more spent, because it is presumed", func(m *made) {
			f := full
			f.Spent = 150_000
			refuse(m, f)
			m.accounts("all", func(a *admin.Account) {
				a.Presumed, a.Spent = 50_000, 150_000
				a.Available = a.Limit - a.Spent
			})
		}, nil},
		{"held ahead of need, more than nodes may have in quiet times", with(func(f *history.Budget) { f.Held, f.Needed = 95_000, 10_000 }), []string{"C9: n1 refused 10000 of all to no although"}},
		{"held where a fault keeps it", func(m *made) {
			f := full
			f.Held, f.Needed = 95_000, 10_000
			refuse(m, f)
			m.fault("pause", "pause", 45*second, 47*second, "n2")
		}, nil},
		{"by a budget that nobody made", with(func(f *history.Budget) { f.ID, f.Account = "ghost", "ghost" }), []string{"C9: no was refused by ghost"}},
		{"by a breaker", with(func(f *history.Budget) { f.Needed, f.Breaker = 1, &history.Breaker{State: "open"} }), nil},
	})
}

func TestC9SeesUndecidedWithoutAFault(t *testing.T) {
	undecided := func(m *made, status int, code string) {
		m.h.Requests = append(m.h.Requests, history.Request{ID: "no", Node: "n1", Begun: 30 * second, Ended: 31 * second, Status: status, Code: code})
	}
	each(t, []spoilt{
		{"undecided", func(m *made) { undecided(m, 503, "undecided") }, []string{"C9: no had no decision from n1 (503 undecided )"}},
		{"no answer", func(m *made) { undecided(m, 0, "") }, []string{"C9: no had no decision from n1"}},
		{"undecided during a fault", func(m *made) { undecided(m, 503, "undecided"); m.fault("split", "network", 29*second, 35*second) }, nil},
		{"undecided soon after a fault", func(m *made) { undecided(m, 503, "undecided"); m.fault("split", "network", 19*second, 21*second) }, nil},
		{"undecided long after a fault", func(m *made) { undecided(m, 503, "undecided"); m.fault("split", "network", 9*second, 11*second) }, []string{"C9: no had no decision"}},
		{"a fault that was not made", func(m *made) {
			undecided(m, 503, "undecided")
			m.fault("split", "network", 29*second, 35*second).Skipped = "busy"
		}, []string{"C9"}},
		{"undecided on a machine that was starved", func(m *made) {
			undecided(m, 503, "undecided")
			m.h.Starved = []history.Starved{{From: 29 * second, To: 30 * second}}
		}, nil},
		{"undecided long after a machine was starved", func(m *made) {
			undecided(m, 503, "undecided")
			m.h.Starved = []history.Starved{{From: 26 * second, To: 27 * second}}
		}, []string{"C9"}},
		{"the provider's error", func(m *made) { undecided(m, 529, "") }, nil},
		{"a request that asked for trouble", func(m *made) { undecided(m, 0, ""); m.h.Requests[calls].Mode = "cut=3" }, nil},
		{"a client that left", func(m *made) { undecided(m, 0, ""); m.h.Requests[calls].Left = true }, nil},
	})
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		r    history.Request
		want Kind
	}{
		{history.Request{Status: 200}, Admitted},
		{history.Request{Status: 402, Code: "insufficient_quota", Refusal: &history.Budget{}}, Refused},
		{history.Request{Status: 429, Code: "rate_limit_exceeded", Refusal: &history.Budget{}}, Refused},
		{history.Request{Status: 429, Code: "rate_limit_exceeded"}, Admitted}, // the provider's
		{history.Request{Status: 502, Code: "upstream_unavailable"}, Admitted},
		{history.Request{Status: 503, Code: "undecided"}, Undecided},
		{history.Request{Status: 401, Code: "api_key_revoked"}, Denied},
		{history.Request{}, Lost},
		{history.Request{Left: true}, Gone},
	} {
		if got := KindOf(&c.r); got != c.want {
			t.Errorf("%+v is %v, want %v", c.r, got, c.want)
		}
	}
	if len(kindNames) != len(Kinds) {
		t.Error("a kind has no name")
	}
}
