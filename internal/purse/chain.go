package purse

import "purser/ledger"

// MaxChain is how many accounts one part of a request's chain may have. A hold
// has its legs in a fixed array of this length, so that it needs no allocation.
const MaxChain = 16

// Chain is the accounts one request is charged to. It stays valid for the life
// of the request, whatever happens to the rules meanwhile. A Chain may be used
// again for another request; it must not be used by two goroutines at once.
type Chain struct {
	Limits Part // requests and slots
	Money  Part // usd and tokens
}

// Part is the accounts of a chain that are held together, all or none.
type Part struct {
	n      int
	series [MaxChain]*series
}

// Len is how many accounts the part has. A hold on none always succeeds.
func (p *Part) Len() int { return p.n }

// Budgets calls yield with the id of each budget of the part.
func (p *Part) Budgets(yield func(ledger.BudgetID) bool) {
	for i := range p.n {
		if !yield(p.series[i].book.id) {
			return
		}
	}
}

// Accounts calls yield with the budget and the split of each account of the part.
func (p *Part) Accounts(yield func(ledger.BudgetID, ledger.Split) bool) {
	for i := range p.n {
		if !yield(p.series[i].book.id, p.series[i].split) {
			return
		}
	}
}

func (p *Part) add(s *series) bool {
	if p.n == MaxChain {
		return false
	}
	p.series[p.n] = s
	p.n++
	return true
}

// Claim is an amount by unit. Requests and slots are not in it: a hold takes
// one of each, a settle spends one request and gives the slot back.
type Claim struct {
	USD    ledger.Amount // nano-dollars, 0 to MaxAmount
	Tokens ledger.Amount // tokens, 0 to MaxAmount
}

// hold is what c takes of an account that counts u.
func (c Claim) hold(u ledger.Unit) ledger.Amount {
	switch u {
	case ledger.USD:
		return c.USD
	case ledger.Tokens:
		return c.Tokens
	default:
		return 1
	}
}

// spend is what c, as an actual cost, spends of an account that counts u.
func (c Claim) spend(u ledger.Unit) ledger.Amount {
	switch u {
	case ledger.USD:
		return c.USD
	case ledger.Tokens:
		return c.Tokens
	case ledger.Requests:
		return 1
	default:
		return 0 // a slot comes back
	}
}

// least is what c and o have in common.
func (c Claim) least(o Claim) Claim {
	return Claim{USD: min(c.USD, o.USD), Tokens: min(c.Tokens, o.Tokens)}
}

func (c Claim) plus(o Claim) Claim {
	return Claim{USD: c.USD + o.USD, Tokens: c.Tokens + o.Tokens}
}

func (c Claim) minus(o Claim) Claim {
	return Claim{USD: c.USD - o.USD, Tokens: c.Tokens - o.Tokens}
}

func (c Claim) valid() bool {
	return c.USD >= 0 && c.USD <= ledger.MaxAmount && c.Tokens >= 0 && c.Tokens <= ledger.MaxAmount
}

// Charge is one account's part of a settled request: what was held and what was
// spent. It is the material of the usage record.
type Charge struct {
	Account     ledger.AccountKey
	Incarnation uint32
	Held        ledger.Amount
	Spent       ledger.Amount
}
