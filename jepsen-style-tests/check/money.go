package check

import (
	"cmp"
	"fmt"
	"slices"

	"purser/ledger"
)

// Row is one account's part of one call, as the provider billed it.
type Row struct {
	Call    uint64
	Account ledger.AccountKey
	Cost    ledger.Amount
	At      int64
}

// Cap is a limit that an operator asked for at a time; whether it was carried out
// is not said.
type Cap struct {
	Budget ledger.BudgetID
	Limit  ledger.Amount
	At     int64
}

// Capped is C1: the bill of an account is never above the highest limit that was
// asked for until then. The bill is in the order in which it was written.
func Capped(bill []Row, caps []Cap) (wrong []string) {
	caps = slices.SortedStableFunc(slices.Values(caps), func(a, b Cap) int { return cmp.Compare(a.At, b.At) })
	limits := map[ledger.BudgetID]ledger.Amount{}
	sums := map[ledger.AccountKey]ledger.Amount{}
	told := map[ledger.AccountKey]bool{}
	for _, r := range bill {
		for len(caps) > 0 && caps[0].At <= r.At {
			limits[caps[0].Budget] = max(limits[caps[0].Budget], caps[0].Limit)
			caps = caps[1:]
		}
		sums[r.Account] += r.Cost
		if limit := limits[r.Account.Budget]; sums[r.Account] > limit && !told[r.Account] {
			told[r.Account] = true
			wrong = append(wrong, fmt.Sprintf("C1: call %d brings the bill of %s to %d, its limit is %d", r.Call, r.Account, sums[r.Account], limit))
		}
	}
	return wrong
}

// Settle is one account's part of a call that a node settled.
type Settle struct {
	Call    uint64
	Account ledger.AccountKey
	Amount  ledger.Amount
}

// Settled is C2: each row of the bill has one settlement of the same amount, or
// is covered by what the ledger calls presumed or written off; nothing else was
// settled; and the ledger's sums agree with the bill. ends is the ledger after
// everything was returned. An account that the ledger has dropped is judged
// without its sums.
func Settled(bill []Row, settles []Settle, ends []ledger.AccountView) (wrong []string) {
	type part struct {
		call    uint64
		account ledger.AccountKey
	}
	open := map[part]ledger.Amount{}
	billed := map[ledger.AccountKey]ledger.Amount{}
	for _, r := range bill {
		open[part{r.Call, r.Account}] += r.Cost
		billed[r.Account] += r.Cost
	}
	for _, s := range settles {
		p := part{s.Call, s.Account}
		cost, ok := open[p]
		switch {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("C2: call %d was settled on %s twice, or never billed", s.Call, s.Account))
		case cost != s.Amount:
			wrong = append(wrong, fmt.Sprintf("C2: call %d was billed %d and settled with %d on %s", s.Call, cost, s.Amount, s.Account))
		}
		delete(open, p)
	}
	unsettled := map[ledger.AccountKey]ledger.Amount{}
	for p, cost := range open {
		unsettled[p.account] += cost
	}
	for _, end := range ends {
		if lost := end.Presumed + end.WrittenOff; unsettled[end.Key] > lost {
			wrong = append(wrong, fmt.Sprintf("C2: %s has %d billed without a settlement, and only %d presumed or written off", end.Key, unsettled[end.Key], lost))
		}
		if sure := end.Spent - end.Presumed; sure > billed[end.Key] {
			wrong = append(wrong, fmt.Sprintf("C2: %s is sure of %d spent, the bill says %d", end.Key, sure, billed[end.Key]))
		}
		if most := end.Spent + end.WrittenOff; billed[end.Key] > most {
			wrong = append(wrong, fmt.Sprintf("C2: %s was billed %d and accounts for %d", end.Key, billed[end.Key], most))
		}
	}
	return wrong
}

// Kept is C3: every settlement that was acknowledged as durable is among the
// records that the disks hold at the end, once.
func Kept(acknowledged, records []Settle) (wrong []string) {
	kept := map[Settle]int{}
	for _, s := range records {
		kept[s]++
	}
	for _, s := range acknowledged {
		if n := kept[s]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("C3: the settlement of call %d with %d on %s was acknowledged and is there %d times", s.Call, s.Amount, s.Account, n))
		}
	}
	return wrong
}

// Drained is C8: nothing is outstanding and each account adds up to its limit.
func Drained(replica string, ends []ledger.AccountView) (wrong []string) {
	for _, a := range ends {
		if a.Outstanding != 0 || a.Available+a.Spent+a.WrittenOff != a.Limit {
			wrong = append(wrong, fmt.Sprintf("C8: %s on %s: outstanding %d, available %d + spent %d + written off %d, limit %d",
				a.Key, replica, a.Outstanding, a.Available, a.Spent, a.WrittenOff, a.Limit))
		}
	}
	return wrong
}
