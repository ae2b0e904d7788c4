package purse

import (
	"cmp"
	"slices"
	"time"

	"purser/ledger"
)

// Status is the purse at one moment, for people and metrics.
type Status struct {
	Incarnation uint32
	MarkSeq     uint64
	Admitting   bool
	Heard       time.Duration // since the last answer of the ledger
	Refill      time.Duration // what an Exchange takes, at worst
	Holds       int           // not ended
	Parked      int
	Accounts    []AccountStatus // by key
}

// AccountStatus is one account as this node sees it.
type AccountStatus struct {
	Key         ledger.AccountKey
	Unit        ledger.Unit
	WindowEnd   ledger.Instant
	Limit       ledger.Amount
	Soft        bool
	Closing     bool
	State       ledger.AccountState // as last answered; 0 before
	Granted     ledger.Amount       // cumulative
	Returned    ledger.Amount       // cumulative
	Free        ledger.Amount       // usable at once
	Unissued    ledger.Amount       // usable after a mark
	Held        ledger.Amount
	Spent       ledger.Amount
	Overrun     ledger.Amount
	Mark        ledger.Amount
	Rate        ledger.Amount // per second
	Outstanding ledger.Amount // granted - returned - spent
}

func (a *account) status() AccountStatus {
	s := AccountStatus{
		Key: a.key, Unit: a.unit, WindowEnd: a.end, Limit: a.book.limitOf(a.key.Split),
		Soft: a.soft.Load(), Closing: a.closing, State: a.state,
		Granted: a.granted, Returned: a.returned, Unissued: a.unissued(), Held: a.held(),
		Spent: ledger.Amount(a.spent.Load()), Overrun: ledger.Amount(a.overrun.Load()),
		Free: ledger.Amount(opened(a.free.Load())), Mark: a.mark, Rate: a.rate,
	}
	s.Outstanding = s.Granted - s.Returned - s.Spent
	return s
}

func (c *core) snapshot() []AccountStatus {
	out := make([]AccountStatus, 0, len(c.live))
	for _, a := range c.live {
		out = append(out, a.status())
	}
	slices.SortFunc(out, func(a, b AccountStatus) int {
		return cmp.Or(cmp.Compare(a.Key.Budget, b.Key.Budget), cmp.Compare(a.Key.Split, b.Key.Split), cmp.Compare(a.Key.Start, b.Key.Start))
	})
	return out
}

// Nudge has the next Exchange report these accounts, and begin at once: the
// answer says what of them other nodes wait for. Accounts in which this node has
// nothing idle are passed over.
func (p *Purse) Nudge(accounts []ledger.AccountKey) {
	p.mu.Lock()
	for _, key := range accounts {
		if a := p.core.accounts[key]; a != nil && a.idle() > 0 {
			p.core.wantRow(a)
		}
	}
	p.mu.Unlock()
	p.core.bell.sound()
}
