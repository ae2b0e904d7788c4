package cluster

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"purser/internal/purse"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/jepsen-style-tests/check"
	"purser/ledger"
)

// ending is how a request ended, for the one who made it.
type ending int

const (
	admitted ending = iota
	refused
	undecided
	down   // nobody answered
	broken // the node died on it: whether it was billed is not known
)

// order is a request and what will come of it.
type order struct {
	customer   string
	hold, cost ledger.Amount
	before     time.Duration // from the hold to the call
	during     time.Duration // of the call
	acked      bool          // the client waits until its settlement is durable
}

// request has a node carry out an order, to the end.
func (w *world) request(ctx context.Context, m *member, o order, rng *rand.Rand) ending {
	e := w.carry(ctx, m, o, rng)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e {
	case admitted:
		w.counts.admitted++
	case refused:
		w.counts.refused++
	case undecided:
		w.counts.undecided++
	case down:
		w.counts.down++
	case broken:
		w.counts.broken++
	}
	return e
}

func (w *world) carry(ctx context.Context, m *member, o order, rng *rand.Rand) ending {
	l := m.running()
	if l == nil {
		return down
	}
	var chain purse.Chain
	d := ledger.Dimensions{}
	d.Values[ledger.DimCustomer] = o.customer
	if err := l.purse.Resolve(&chain, &d); err != nil {
		return undecided
	}
	invoked := w.at()
	h, no, err := l.purse.Reserve(ctx, &chain.Money, purse.Claim{USD: o.hold})
	returned := w.at()
	if !l.alive(func() {}) {
		return broken // what a dead node decides is heard by nobody
	}
	switch {
	case err != nil:
		return undecided
	case no.Refused():
		w.mu.Lock()
		w.refusals = append(w.refusals, check.Refusal{
			Node: m.name, Invoke: invoked, Return: returned, Exhausted: no.Code == purse.Exhausted,
			Account: no.Account, Limit: no.Limit, Hold: no.Hold,
		})
		w.mu.Unlock()
		return refused
	}
	return w.call(ctx, l, h, o, rng)
}

// call has the provider carry out a call that is held for, and settles it. The
// death of the node may come at any point: what was on its way to the provider may
// arrive, and nothing is settled after it.
func (w *world) call(ctx context.Context, l *life, h purse.Hold, o order, rng *rand.Rand) ending {
	held := h.Held(nil)
	sentBeforeDeath := rng.IntN(2) == 0
	w.pass(ctx, o.before)
	var call uint64
	if !l.alive(func() { call = w.provide(held, o.cost) }) {
		if sentBeforeDeath {
			w.provide(held, o.cost)
		}
		return broken
	}
	w.pass(ctx, o.during)
	var receipt usage.Receipt
	var parts []check.Settle
	if !l.alive(func() {
		charges := h.Settle(purse.Claim{USD: o.cost}, nil)
		r := recordOf(call, w.wall(), charges)
		parts = settlesOf(r)
		w.mu.Lock()
		w.settles = append(w.settles, parts...)
		w.mu.Unlock()
		receipt = l.usage.Commit(usage.Entry{Record: r})
	}) {
		return broken
	}
	if o.acked && receipt.Wait(ctx) == nil {
		l.alive(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.acked = append(w.acked, parts...)
		})
	}
	return admitted
}

// provide is the provider: it bills a call, whatever becomes of its answer.
func (w *world) provide(held []purse.Charge, cost ledger.Amount) (call uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	at := w.at()
	for _, c := range held {
		w.bill = append(w.bill, check.Row{Call: w.calls, Account: c.Account, Cost: cost, At: at})
	}
	return w.calls
}

// recordOf is the usage record of a call; the provider's id is in it.
func recordOf(call uint64, at ledger.Instant, charges []purse.Charge) *record.Record {
	r := &record.Record{ID: record.NewID(at), At: at, Attempt: 1, Outcome: record.Completed, UpstreamID: strconv.FormatUint(call, 10)}
	for _, c := range charges {
		r.Charges = append(r.Charges, record.Charge(c))
	}
	return r
}

func settlesOf(r *record.Record) (parts []check.Settle) {
	call, _ := strconv.ParseUint(r.UpstreamID, 10, 64)
	for _, c := range r.Charges {
		parts = append(parts, check.Settle{Call: call, Account: c.Account, Amount: c.Spent})
	}
	return parts
}

// pass lets time go by, of a call or between faults. Nothing is waited for.
func (w *world) pass(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// load is clients that ask any node, one request after another.
type load struct {
	customers []string
	most      ledger.Amount // of a hold
	think     time.Duration // between two requests of a client, about
	call      time.Duration // of a call, about
	nodes     []*member
}

// client makes requests until ctx ends.
func (w *world) client(ctx context.Context, number int, p load) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(number)+100))
	about := func(d time.Duration) time.Duration {
		return time.Duration(rng.ExpFloat64() * float64(d))
	}
	for ctx.Err() == nil {
		o := order{hold: 1 + ledger.Amount(rng.Int64N(int64(p.most))), before: about(p.call / 4), during: about(p.call), acked: rng.IntN(4) == 0}
		o.cost = ledger.Amount(rng.Int64N(int64(o.hold) + 1))
		if len(p.customers) > 0 {
			o.customer = p.customers[rng.IntN(len(p.customers))]
		}
		// What has begun is ended, also when the clients are told to stop.
		w.request(context.WithoutCancel(ctx), p.nodes[rng.IntN(len(p.nodes))], o, rng)
		w.pass(ctx, about(p.think))
	}
}

// reader reads accounts on any node until ctx ends.
func (w *world) reader(ctx context.Context, session int, every time.Duration) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(session)+10_000))
	for ctx.Err() == nil {
		m := w.members[rng.IntN(len(w.members))]
		if l := m.running(); l != nil {
			if known := accounts(l.fsm.Ledger()); len(known) > 0 {
				w.read(session, m, known[rng.IntN(len(known))].Key)
			}
		}
		w.pass(ctx, every)
	}
}
