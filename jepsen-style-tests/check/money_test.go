package check

import (
	"strings"
	"testing"

	"purser/ledger"
)

var (
	key   = ledger.AccountKey{Budget: "b"}
	other = ledger.AccountKey{Budget: "b", Start: 60}
)

// expect fails unless exactly the checkers named found something, each once.
func expect(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: found %q, want %d of it", name, got, len(want))
		return
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Errorf("%s: found %q, want %q", name, got[i], w)
		}
	}
}

func TestC1SeesABillAboveItsCap(t *testing.T) {
	caps := []Cap{{Budget: "b", Limit: 10, At: 0}, {Budget: "b", Limit: 5, At: 15}, {Budget: "b", Limit: 20, At: 20}}
	row := func(at int64, cost ledger.Amount) Row { return Row{Account: key, Cost: cost, At: at} }
	expect(t, "within", Capped([]Row{row(1, 6), row(2, 4), row(25, 10)}, caps))
	expect(t, "above at a prefix only", Capped([]Row{row(1, 6), row(2, 5), row(25, 1)}, caps), "C1: call 0 brings the bill of b[]@0 to 11, its limit is 10")
	expect(t, "above for good", Capped([]Row{row(1, 10), row(25, 11)}, caps), "C1")
	expect(t, "another window", Capped([]Row{row(1, 10), {Account: other, Cost: 10, At: 2}}, caps))
	expect(t, "a budget without a limit", Capped([]Row{{Account: ledger.AccountKey{Budget: "c"}, Cost: 1, At: 1}}, caps), "C1")
}

func TestC2SeesCallsThatAreNotAccountedFor(t *testing.T) {
	end := func(spent, presumed, off ledger.Amount) []ledger.AccountView {
		return []ledger.AccountView{{Key: key, Spent: spent, Presumed: presumed, WrittenOff: off}}
	}
	bill := []Row{{Call: 1, Account: key, Cost: 3}, {Call: 2, Account: key, Cost: 4}}
	one, two := Settle{1, key, 3}, Settle{2, key, 4}
	expect(t, "settled", Settled(bill, []Settle{one, two}, end(7, 0, 0)))
	expect(t, "presumed", Settled(bill, []Settle{one}, end(7, 4, 0)))
	expect(t, "written off", Settled(bill, []Settle{one}, end(3, 0, 4)))
	expect(t, "settled twice", Settled(bill, []Settle{one, two, two}, end(7, 0, 0)), "twice")
	expect(t, "never billed", Settled(bill, []Settle{one, two, {3, key, 1}}, end(7, 0, 0)), "never billed")
	expect(t, "another amount", Settled(bill, []Settle{one, {2, key, 3}}, end(7, 0, 0)), "billed 4 and settled with 3")
	expect(t, "a call is lost", Settled(bill, []Settle{one}, end(7, 0, 0)), "has 4 billed without a settlement")
	expect(t, "spending is invented", Settled(bill, []Settle{one, two}, end(9, 1, 0)), "sure of 8 spent")
	expect(t, "spending is forgotten", Settled(bill, []Settle{one, two}, end(6, 0, 0)), "billed 7 and accounts for 6")
}

func TestC3SeesAMissingSettlement(t *testing.T) {
	one, two := Settle{1, key, 3}, Settle{2, key, 4}
	expect(t, "all there", Kept([]Settle{one}, []Settle{two, one}))
	expect(t, "missing", Kept([]Settle{one, two}, []Settle{one}), "call 2")
	expect(t, "of another amount", Kept([]Settle{one}, []Settle{{1, key, 2}}), "there 0 times")
	expect(t, "twice", Kept([]Settle{one}, []Settle{one, one}), "there 2 times")
}

func TestC8SeesWhatIsStillOut(t *testing.T) {
	expect(t, "drained", Drained("n1", []ledger.AccountView{{Limit: 10, Available: 5, Spent: 3, WrittenOff: 2}}))
	expect(t, "outstanding", Drained("n1", []ledger.AccountView{{Limit: 10, Available: 5, Spent: 3, Outstanding: 2}}), "outstanding 2")
	expect(t, "money is gone", Drained("n1", []ledger.AccountView{{Limit: 10, Available: 5, Spent: 3}}), "C8")
}
