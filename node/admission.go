package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"purser/internal/children"
	"purser/internal/purse"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

// counted is what a budget counts, and in which windows.
type counted struct {
	unit   ledger.Unit
	window ledger.WindowKind
}

// admission is the purse as the request path sees it.
type admission struct {
	purse    *purse.Purse
	current  *currency
	counted  func(ledger.BudgetID) counted
	breakers *breakers
	refused  func(*purse.Refusal) // is told each; it must not wait
	chains   sync.Pool
}

func newAdmission(p *purse.Purse, current *currency, of func(ledger.BudgetID) counted, b *breakers, refused func(*purse.Refusal)) *admission {
	a := &admission{purse: p, current: current, counted: of, breakers: b, refused: refused}
	a.chains.New = func() any {
		c := &chain{admission: a}
		for p := range c.held {
			c.held[p].chain, c.held[p].part = c, proxy.Part(p)
		}
		return c
	}
	return a
}

// Chain implements proxy.Purse.
func (a *admission) Chain(d *ledger.Dimensions) (proxy.Chain, error) {
	if err := a.current.err(); err != nil {
		return nil, err
	}
	c := a.chains.Get().(*chain)
	if err := a.purse.Resolve(&c.chain, d); err != nil {
		a.chains.Put(c)
		return nil, undecided{err}
	}
	if children.Sliced(d) {
		if id := children.Uncapped(d, c.chain.Money.Budgets); id != "" {
			a.chains.Put(c)
			return nil, undecided{fmt.Errorf("this node does not go by the budget %s, which caps the slice of this child key; nothing was sent, try again", id)}
		}
	}
	c.tripped, c.probes = a.breakers.enter(&c.chain, c.probes[:0])
	return c, nil
}

// Room implements proxy.Purse.
func (a *admission) Room(c proxy.Chain) (proxy.Room, bool) {
	r, ok := c.(*chain).chain.Money.Tightest()
	if children.IsSlice(r.Account.Budget) {
		r.ResetsAt = ledger.MaxInstant // its account lasts longer than the child
	}
	return proxy.Room(r), ok
}

// Rate implements proxy.Purse.
func (a *admission) Rate(c proxy.Chain, u ledger.Unit) (proxy.Room, bool) {
	part := &c.(*chain).chain.Limits
	if u == ledger.Tokens {
		part = &c.(*chain).chain.Money
	}
	r, ok := part.Rate(u)
	return proxy.Room(r), ok
}

// chain is one request's accounts, and its one hold for each part.
type chain struct {
	admission *admission
	chain     purse.Chain
	held      [2]held
	tripped   *ledger.BreakerTrip // refuses the request, whatever is left
	probes    []probe             // of half-open breakers, which it is one of
}

type held struct {
	chain   *chain
	part    proxy.Part
	hold    purse.Hold
	charges []purse.Charge
}

func (c *chain) part(p proxy.Part) *purse.Part {
	if p == proxy.Limits {
		return &c.chain.Limits
	}
	return &c.chain.Money
}

// Try implements proxy.Chain.
func (c *chain) Try(p proxy.Part, claim proxy.Claim) (proxy.Hold, bool) {
	if c.tripped != nil {
		return nil, false
	}
	h, ok := c.admission.purse.TryReserve(c.part(p), purse.Claim(claim))
	if !ok {
		return nil, false
	}
	c.held[p].hold = h
	return &c.held[p], true
}

// Reserve implements proxy.Chain.
func (c *chain) Reserve(ctx context.Context, p proxy.Part, claim proxy.Claim) (proxy.Hold, *proxy.Refusal, error) {
	h, refusal, err := c.reserve(ctx, p, claim)
	if err != nil || refusal != nil {
		return nil, refusal, err
	}
	c.held[p].hold = h
	return &c.held[p], nil, nil
}

func (c *chain) reserve(ctx context.Context, p proxy.Part, claim proxy.Claim) (purse.Hold, *proxy.Refusal, error) {
	if c.tripped != nil {
		return purse.Hold{}, c.refusedBy(c.tripped), nil
	}
	h, r, err := c.admission.purse.Reserve(ctx, c.part(p), purse.Claim(claim))
	if err != nil {
		return purse.Hold{}, nil, undecided{err}
	}
	if r.Refused() {
		c.admission.refused(&r)
		c.admission.breakers.refused(&r)
		refusal := &proxy.Refusal{
			Account: r.Account, Unit: r.Unit, Window: c.admission.counted(r.Budget).window,
			Limit: r.Limit, Spent: r.Spent, Held: r.Held, Unreachable: r.Unreachable, Needed: r.Hold, ResetsAt: r.ResetsAt,
		}
		if children.IsSlice(r.Budget) {
			refusal.Window, refusal.ResetsAt = ledger.Total, ledger.MaxInstant
		}
		return purse.Hold{}, refusal, nil
	}
	return h, nil, nil
}

// Extend implements proxy.Hold.
func (h *held) Extend(ctx context.Context, claim proxy.Claim) (*proxy.Refusal, error) {
	more, refusal, err := h.chain.reserve(ctx, h.part, claim)
	if err != nil || refusal != nil {
		return refusal, err
	}
	if !h.hold.Join(more) {
		more.Release()
		return nil, undecided{purse.ErrBusy}
	}
	return nil, nil
}

// refusedBy is the refusal of a breaker.
func (c *chain) refusedBy(t *ledger.BreakerTrip) *proxy.Refusal {
	id := t.Scope.Budget
	of := c.admission.counted(id)
	return &proxy.Refusal{
		Account: ledger.AccountKey{Budget: id, Split: t.Scope.Split}, Unit: of.unit, Window: of.window, ResetsAt: ledger.MaxInstant,
		Trip: &proxy.Trip{HalfOpen: t.State == ledger.HalfOpen, Cause: t.Cause.String(), Reason: t.Reason, Since: t.Since, Until: t.Until},
	}
}

// Recycle implements proxy.Chain.
func (c *chain) Recycle() {
	c.admission.breakers.leave(c.probes)
	c.tripped = nil
	c.chain = purse.Chain{}
	c.admission.chains.Put(c)
}

// Settle implements proxy.Hold.
func (h *held) Settle(actual proxy.Claim, dst []record.Charge) []record.Charge {
	h.charges = h.hold.Settle(purse.Claim(actual), h.charges[:0])
	settleProbes(h.chain.probes, h.charges)
	for _, c := range h.charges {
		dst = append(dst, record.Charge(c))
	}
	return dst
}

// Release implements proxy.Hold.
func (h *held) Release() { h.hold.Release() }

// undecided is an error of the purse with its code on the wire.
type undecided struct{ error }

// Unwrap gives the purse's error.
func (u undecided) Unwrap() error { return u.error }

// DialectCode says what a client is told.
func (u undecided) DialectCode() dialect.Code {
	switch {
	case errors.Is(u.error, purse.ErrDraining):
		return dialect.CodeShuttingDown
	case errors.Is(u.error, purse.ErrBusy):
		return dialect.CodeOverloaded
	case errors.Is(u.error, purse.ErrClosed):
		return dialect.CodeStorage
	default:
		return dialect.CodeUndecided
	}
}
