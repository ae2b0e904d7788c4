package check

import (
	"slices"
	"testing"
	"time"

	"purser/ledger"
)

func TestC6SeesReadsThatGoBack(t *testing.T) {
	read := func(session int, at int64, spent ledger.Amount, state ledger.AccountState) Read {
		return Read{Session: session, Node: "n", Invoke: at, Return: at + 1, View: ledger.AccountView{Key: key, Spent: spent, State: state}}
	}
	expect(t, "forward", Monotone([]Read{read(1, 3, 5, ledger.Ended), read(1, 1, 4, ledger.Open)}))
	expect(t, "other sessions", Monotone([]Read{read(1, 1, 5, ledger.Open), read(2, 3, 4, ledger.Open)}))
	expect(t, "back", Monotone([]Read{read(1, 1, 5, ledger.Open), read(1, 3, 4, ledger.Open)}), "read 5 spent")
	expect(t, "a window opens again", Monotone([]Read{read(1, 1, 5, ledger.Ended), read(1, 3, 5, ledger.Open)}), "as over, then as open")
}

func TestC9SeesARefusalWithoutAReason(t *testing.T) {
	const s = int64(time.Second)
	entry := func(at int64, available, outstanding, presumed ledger.Amount) Applied {
		return Applied{At: at, Accounts: []ledger.AccountView{{Key: key, Limit: 10, Available: available, Outstanding: outstanding, Spent: 10 - available - outstanding, Presumed: presumed}}}
	}
	entries := []Applied{entry(1*s, 9, 1, 0), entry(20*s, 2, 7, 0), entry(40*s, 8, 1, 0)}
	bill := []Row{{Account: key, Cost: 1, At: 19 * s}}
	no := func(exhausted bool, at int64, hold ledger.Amount) []Refusal {
		return []Refusal{{Node: "n", Invoke: at, Return: at + 1, Exhausted: exhausted, Account: key, Hold: hold}}
	}
	expect(t, "contended", Justified(no(false, 21*s, 3), entries, bill))
	expect(t, "contended, but it was there", Justified(no(false, 21*s, 2), entries, bill), "although 2 was there")
	expect(t, "contended, long ago", Justified(no(false, 60*s, 3), entries, bill), "although 8 was there")
	expect(t, "exhausted", Justified(no(true, 21*s, 10), entries, bill))
	expect(t, "exhausted, but all was to come back", Justified(no(true, 21*s, 9), entries, bill), "although 9 was there")
	expect(t, "exhausted by what is presumed", Justified(no(true, 21*s, 9), []Applied{entry(20*s, 2, 7, 1)}, bill))
	expect(t, "never granted", Justified([]Refusal{{Account: other, Hold: 1, Return: 1}}, entries, bill), "nothing was ever granted")
}

func TestC10MeasuresFromTheLossToTheNextEntry(t *testing.T) {
	const ms = int64(time.Millisecond)
	entries := []Applied{{At: 1000 * ms}, {At: 1050 * ms}, {At: 3000 * ms}, {At: 3001 * ms}}
	if got := Recoveries([]int64{1001 * ms, 2999 * ms, 2800 * ms}, entries); !slices.Equal(got, []time.Duration{1999 * time.Millisecond, 200 * time.Millisecond}) {
		t.Errorf("got %v", got)
	}
}
