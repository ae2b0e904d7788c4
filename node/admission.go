package node

import (
	"context"
	"errors"
	"sync"

	"purser/internal/purse"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

// admission is the purse as the request path sees it.
type admission struct {
	purse   *purse.Purse
	current *currency
	windows func(ledger.BudgetID) ledger.WindowKind
	refused func(*purse.Refusal) // is told each; it must not wait
	chains  sync.Pool
}

func newAdmission(p *purse.Purse, current *currency, windows func(ledger.BudgetID) ledger.WindowKind, refused func(*purse.Refusal)) *admission {
	a := &admission{purse: p, current: current, windows: windows, refused: refused}
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
	return c, nil
}

// Room implements proxy.Purse.
func (a *admission) Room(c proxy.Chain) (proxy.Room, bool) {
	r, ok := c.(*chain).chain.Money.Tightest()
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
	h, r, err := c.admission.purse.Reserve(ctx, c.part(p), purse.Claim(claim))
	if err != nil {
		return purse.Hold{}, nil, undecided{err}
	}
	if r.Refused() {
		c.admission.refused(&r)
		return purse.Hold{}, &proxy.Refusal{
			Account: r.Account, Unit: r.Unit, Window: c.admission.windows(r.Budget),
			Limit: r.Limit, Spent: r.Spent, Held: r.Held, Unreachable: r.Unreachable, Needed: r.Hold, ResetsAt: r.ResetsAt,
		}, nil
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

// Recycle implements proxy.Chain.
func (c *chain) Recycle() {
	c.chain = purse.Chain{}
	c.admission.chains.Put(c)
}

// Settle implements proxy.Hold.
func (h *held) Settle(actual proxy.Claim, dst []record.Charge) []record.Charge {
	h.charges = h.hold.Settle(purse.Claim(actual), h.charges[:0])
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
