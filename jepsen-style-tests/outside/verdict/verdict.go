// Package verdict judges a run by what was seen of it from outside: the history, and
// the provider's bill. It asks nobody and reads no clock.
//
//	C1   caps.go        the bill is within every cap, at every prefix
//	C2   money.go       each billed call has one record of its cost, or is presumed or written off
//	C3   money.go       what a client was told that it paid is in the records
//	C4   ledger.go      accounts add up whenever they are looked at
//	C5   ledger.go      equal entries of the log, equal digests
//	C6   ledger.go      nothing that only grows is seen to shrink
//	C7   register.go    limits, deletions and reads have one order; what was acknowledged is in the trail
//	C8   ledger.go      after the heal nothing is outstanding
//	C9   refusals.go    who was refused, had to be
//	C10  measure.go     how long until requests were admitted again
//
// Besides: idempotency keys send once (keys.go), revoked keys end (keys.go), nodes end
// well (ledger.go, bounds.go), wrong clocks do not become the ledger's (stamps.go), nodes
// that are cut off go on for a while and no more, and nothing is written off where no disk
// has forgotten (bounds.go). The logs of Raft on the nodes' disks are judged by package logs.
//
// Names of accounts are "budget" or "budget[value]", with "," between several values.
package verdict

import (
	"cmp"
	"fmt"
	"slices"

	"purser/jepsen-style-tests/outside/history"
)

// Finding is something that must not be.
type Finding struct {
	Checker string // C1 ... C10, or what else was judged
	What    string
	At      int64 // where in the run, 0 if nowhere in particular
}

// Judge has all checkers say what they found, nothing when all is well. Whether the run
// is fit to be judged is what [Assume] says.
func Judge(h *history.History, end *history.End) []Finding {
	b := newBook(h, end)
	var found []Finding
	for _, check := range []func(*book) []Finding{
		capped, slots, accounted, told, conserved, agreed, monotone, linear, drained, justified, decided, once, revoked, stamped, apart, forgotten, finished,
	} {
		found = append(found, few(check(b))...)
	}
	return found
}

// few keeps the first of many findings of a checker: after a hundred nobody reads on.
func few(found []Finding) []Finding {
	const most = 100
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.What, b.What)) })
	if len(found) <= most {
		return found
	}
	return append(found[:most], Finding{Checker: found[0].Checker, What: fmt.Sprintf("and %d more", len(found)-most)})
}

func finding(checker string, at int64, format string, args ...any) Finding {
	return Finding{Checker: checker, At: at, What: fmt.Sprintf(format, args...)}
}
