package ledger_test

import (
	"fmt"

	"purser/ledger"
)

// One node registers, is granted money for a request that waits, and reports
// what the request cost.
func ExampleState_Apply() {
	s := ledger.New()
	now := 1_767_225_600 * ledger.Second
	team := ledger.AccountKey{Budget: "team"}
	s.Apply(now, ledger.PutBudget{Budget: ledger.Budget{
		ID: "team", Unit: ledger.USD, Limit: 5 * ledger.NanoPerUSD, Window: ledger.Window{Kind: ledger.Total},
	}})
	reg := s.Apply(now, ledger.Register{Node: "n1"})

	out := s.Apply(now, &ledger.Exchange{
		Node: "n1", Incarnation: reg.Incarnation, Seq: 1,
		Rows:  []ledger.Row{{Account: team}},
		Needs: []ledger.Need{{Claims: []ledger.Claim{{Row: 0, Missing: 100_000_000}}}},
	})
	fmt.Println(out.Code, out.Answer.Needs[0].Verdict, out.Answer.Rows[0].Granted)

	s.Apply(now, &ledger.Exchange{
		Node: "n1", Incarnation: reg.Incarnation, Seq: 2,
		Rows: []ledger.Row{{Account: team, Spent: 63_000_000}},
	})
	a, _ := s.Account(team)
	fmt.Println(a.Available, a.Outstanding, a.Spent)
	// Output:
	// applied granted 100000000
	// 4900000000 37000000 63000000
}
