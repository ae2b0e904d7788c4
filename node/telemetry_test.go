package node

import (
	"testing"

	"purser/ledger"
)

func TestShownBudgets(t *testing.T) {
	each := func(dims ...ledger.Dim) *ledger.Budget {
		b := &ledger.Budget{ID: "b"}
		for _, d := range dims {
			b.Each = append(b.Each, ledger.DimRef{Dim: d})
		}
		return b
	}
	for name, c := range map[string]struct {
		b    *ledger.Budget
		want bool
	}{
		"of all":            {each(), true},
		"of each team, key": {each(ledger.DimTeam, ledger.DimKey), true},
		"of each customer":  {each(ledger.DimTeam, ledger.DimCustomer), false},
		"of each run":       {each(ledger.DimRun), false},
		"of each tag":       {&ledger.Budget{ID: "b", Each: []ledger.DimRef{{Dim: ledger.DimTag, Tag: "x"}}}, false},
	} {
		if got := shownSplit(c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestABudgetsLabels(t *testing.T) {
	b := &ledger.Budget{
		ID: "teams", Window: ledger.Window{Kind: ledger.PerMonth}, Each: []ledger.DimRef{{Dim: ledger.DimTeam}},
		Match: []ledger.Condition{{Dim: ledger.DimRef{Dim: ledger.DimOrg}, Values: []string{"acme"}}, {Dim: ledger.DimRef{Dim: ledger.DimProject}, Values: []string{"a", "b"}}},
	}
	v := &ledger.AccountView{Key: ledger.AccountKey{Budget: "teams", Split: ledger.MakeSplit("core")}, Limit: 10e9, Spent: 4e9, WrittenOff: 1e9, Presumed: 2e9, Outstanding: 3e9}
	got := budgetAmount(b, v)
	if got.Org != "acme" || got.Team != "core" || got.Project != "" || got.Key != "" || got.Window != "month" || got.Limit != 10 || got.Spent != 5 || got.Presumed != 3 || got.Outstanding != 3 {
		t.Errorf("%+v", got)
	}
}
