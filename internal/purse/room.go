package purse

import "purser/ledger"

// unknown stands for the rest of an account of which the ledger has not said it.
const unknown = -1

// Room is what is left of an account, as this node knows it.
type Room struct {
	Account ledger.AccountKey
	Limit   ledger.Amount
	// Left is the limit less what was spent: here until now, elsewhere until the
	// ledger last said it. Holds are not taken off.
	Left ledger.Amount
	// ResetsAt is the end of the window; MaxInstant when it never ends.
	ResetsAt ledger.Instant
}

// Tightest is the account of money that has the least left, of those that refuse.
// It is false where none does, or the ledger has not said yet. It takes no lock
// and allocates nothing: it is told to people and decides nothing.
func (p *Part) Tightest() (Room, bool) {
	return p.tightest(func(a *account) bool { return a.unit == ledger.USD })
}

// Rate is Tightest of the limits of a rate: accounts of the unit whose window is an
// hour or less.
func (p *Part) Rate(u ledger.Unit) (Room, bool) {
	const hour = 3600 * ledger.Second
	return p.tightest(func(a *account) bool {
		return a.unit == u && a.end != ledger.MaxInstant && a.end-a.key.Start <= hour
	})
}

func (p *Part) tightest(of func(*account) bool) (r Room, ok bool) {
	for i := range p.n {
		a := p.series[i].current.Load()
		if a == nil || !of(a) || a.soft.Load() {
			continue
		}
		heard := a.heard.Load()
		if heard == unknown {
			continue
		}
		if left := max(0, ledger.Amount(heard-a.spent.Load())); !ok || left < r.Left {
			r, ok = Room{Account: a.key, Limit: a.book.limitOf(a.key.Split), Left: left, ResetsAt: a.end}, true
		}
	}
	return r, ok
}
