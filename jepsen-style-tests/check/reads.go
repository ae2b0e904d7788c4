package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
)

// Read is an account as a session saw it. A session does one thing at a time.
type Read struct {
	Session        int
	Node           string
	Invoke, Return int64
	View           ledger.AccountView
}

// Monotone is C6: in the reads of a session spending never shrinks, and a window
// that was over is not open again.
func Monotone(reads []Read) (wrong []string) {
	type place struct {
		session int
		account ledger.AccountKey
	}
	reads = slices.SortedStableFunc(slices.Values(reads), func(a, b Read) int { return cmp.Compare(a.Invoke, b.Invoke) })
	last := map[place]Read{}
	for _, r := range reads {
		p := place{r.Session, r.View.Key}
		before, ok := last[p]
		last[p] = r
		if !ok {
			continue
		}
		if r.View.Spent < before.View.Spent {
			wrong = append(wrong, fmt.Sprintf("C6: session %d read %d spent of %s on %s, then %d on %s", r.Session, before.View.Spent, r.View.Key, before.Node, r.View.Spent, r.Node))
		}
		if before.View.State == ledger.Ended && r.View.State == ledger.Open {
			wrong = append(wrong, fmt.Sprintf("C6: session %d read %s as over, then as open", r.Session, r.View.Key))
		}
	}
	return wrong
}

// Refusal is a request that was told no, with the node's reason.
type Refusal struct {
	Node           string
	Invoke, Return int64
	Exhausted      bool // no wait helps; else: contended
	Account        ledger.AccountKey
	Limit          ledger.Amount
	Hold           ledger.Amount
}

// Slack is how much later than a request's return the refusal's ground may have
// been seen by the first replica to apply it, and how much earlier than its
// invocation a node may have learnt it: a node believes an answer for 5 s.
const Slack = int64(6 * time.Second)

// Justified is C9: at some time that the refusal may speak of, an exhausted
// account could not have fitted the hold with everything unspent returned to it,
// and a contended one could not fit it with what was available.
func Justified(refusals []Refusal, entries []Applied, bill []Row) (wrong []string) {
	history := map[ledger.AccountKey][]moment{}
	for _, e := range entries {
		for _, v := range e.Accounts {
			history[v.Key] = append(history[v.Key], moment{e.At, v})
		}
	}
	for _, r := range refusals {
		views := during(history[r.Account], r.Invoke-Slack, r.Return)
		if len(views) == 0 {
			wrong = append(wrong, fmt.Sprintf("C9: %s refused %d of %s, of which nothing was ever granted", r.Node, r.Hold, r.Account))
			continue
		}
		if room := leastRoom(&r, views, bill); room >= r.Hold {
			wrong = append(wrong, fmt.Sprintf("C9: %s refused %d of %s (exhausted: %v) although %d was there", r.Node, r.Hold, r.Account, r.Exhausted, room))
		}
	}
	return wrong
}

type moment struct {
	at   int64
	view ledger.AccountView
}

// during returns the views in force at some time from from to to.
func during(views []moment, from, to int64) []moment {
	first := 0
	for i, m := range views {
		if m.at <= from {
			first = i
		}
	}
	end := first
	for end < len(views) && views[end].at <= to {
		end++
	}
	return views[first:end]
}

// leastRoom bounds from below the most that the account could have given.
func leastRoom(r *Refusal, views []moment, bill []Row) ledger.Amount {
	least := ledger.MaxAmount
	for _, m := range views {
		room := m.view.Available
		if r.Exhausted {
			room = m.view.Limit - m.view.WrittenOff - m.view.Presumed
		}
		least = min(least, room)
	}
	if !r.Exhausted {
		return least
	}
	for _, b := range bill {
		if b.Account == r.Account && b.At <= r.Return {
			least -= b.Cost
		}
	}
	return least
}

// underWay is how long after the loss of a leader an entry may be applied that was
// committed before.
const underWay = int64(100 * time.Millisecond)

// Recoveries is C10: for each time at which a leader was lost, how long it took
// until an entry was applied that was not under way then. A loss that was over
// before it was noticed recovers in the same term.
func Recoveries(lost []int64, entries []Applied) (took []time.Duration) {
	for _, t := range lost {
		i := slices.IndexFunc(entries, func(e Applied) bool { return e.At > t+underWay })
		if i >= 0 {
			took = append(took, time.Duration(entries[i].At-t))
		}
	}
	return took
}
