package main

import (
	"slices"
	"strings"
	"testing"

	"purser/api/admin"
)

// TestSettingABudgetKeepsWhatIsNotSaid: what the flags leave out stays, and what
// would widen a budget has to be said twice.
func TestSettingABudgetKeepsWhatIsNotSaid(t *testing.T) {
	three := 3
	was := func() *admin.Budget {
		return &admin.Budget{
			ID: "b", Unit: "usd", Limit: "10", Window: "day", Zone: "Europe/Berlin", Match: map[string][]string{"team": {"search"}},
			Each: []string{"customer"}, Alerts: []int{50}, Breaker: &admin.BreakerRule{RateTimes: 20}, Version: 9,
		}
	}
	for name, c := range map[string]struct {
		cmd     budgetSetCmd
		changes []string
		risky   bool
	}{
		"nothing":          {budgetSetCmd{}, nil, false},
		"the limit":        {budgetSetCmd{Limit: "20"}, []string{"limit: 10 → 20"}, false},
		"the same limit":   {budgetSetCmd{Limit: "10"}, nil, false},
		"more probes":      {budgetSetCmd{Probes: &three}, []string{"breaker: 0 probes, trips at 20 times its rate → 3 probes, trips at 20 times its rate"}, false},
		"another match":    {budgetSetCmd{Match: []string{"team=ads"}}, []string{"match: team=search → team=ads"}, true},
		"the same match":   {budgetSetCmd{Match: []string{"team=search", "team=search"}}, nil, false},
		"no match":         {budgetSetCmd{Clear: []string{"match"}}, []string{"match: team=search → every request"}, true},
		"no breaker":       {budgetSetCmd{Clear: []string{"breaker"}}, []string{"breaker: 0 probes, trips at 20 times its rate → -"}, false},
		"soft":             {budgetSetCmd{Soft: true}, []string{"soft: false → true"}, true},
		"alerts":           {budgetSetCmd{Alert: []int{80}}, []string{"alerts: [50] → [80]"}, false},
		"what cannot be":   {budgetSetCmd{Unit: "tokens"}, []string{"unit: usd → tokens"}, false},
		"another zone":     {budgetSetCmd{Zone: "UTC"}, []string{"zone: Europe/Berlin → UTC"}, false},
		"alerts taken off": {budgetSetCmd{Clear: []string{"alert"}}, []string{"alerts: [50] → []"}, false},
	} {
		c.cmd.ID = "b"
		next, err := c.cmd.apply(was())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if changes, risky := changesOf(was(), next); !slices.Equal(changes, c.changes) || risky != c.risky {
			t.Errorf("%s: %q, risky %v", name, changes, risky)
		}
	}
}

func TestMakingABudgetNeedsItsLimit(t *testing.T) {
	if _, err := (&budgetSetCmd{ID: "b"}).apply(nil); err == nil || !strings.Contains(err.Error(), "say its limit") {
		t.Errorf("%v", err)
	}
	b, err := (&budgetSetCmd{ID: "b", Limit: "5"}).apply(nil)
	if err != nil || b.Unit != "usd" || b.Window != "total" || b.Limit != "5" {
		t.Errorf("%+v, %v", b, err)
	}
	if changes, risky := changesOf(nil, b); changes != nil || risky {
		t.Errorf("%v, %v", changes, risky)
	}
	word := "much"
	for _, bad := range []budgetSetCmd{{ID: "b", Limit: "5", Match: []string{"team"}}, {ID: "b", Limit: "5", Soft: true, Hard: true}, {ID: "b", Limit: "abc"}, {ID: "b", Limit: "5", Overrun: &word}} {
		if _, err := bad.apply(nil); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
