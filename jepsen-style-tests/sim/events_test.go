package sim

import (
	"fmt"
	"time"

	"purser/internal/purse"
	"purser/ledger"
)

// town is a set of budgets of every unit and window, small enough that
// everything happens: they run out, roll over, and share levels.
func town() []ledger.Budget {
	customer := []ledger.DimRef{{Dim: ledger.DimCustomer}}
	acme := []ledger.Condition{{Dim: ledger.DimRef{Dim: ledger.DimOrg}, Values: []string{"acme"}}}
	return []ledger.Budget{
		{ID: "org", Match: acme, Unit: ledger.USD, Limit: 20_000, Window: ledger.Window{Kind: ledger.Total}},
		{ID: "customer", Each: customer, Unit: ledger.USD, Limit: 3_000, Window: ledger.Window{Kind: ledger.PerHour}},
		{ID: "tokens", Unit: ledger.Tokens, Limit: 9_000, Window: ledger.Window{Kind: ledger.PerMinute}},
		{ID: "rate", Each: customer, Unit: ledger.Requests, Limit: 40, Window: ledger.Window{Kind: ledger.PerMinute}},
		{ID: "slots", Unit: ledger.Slots, Limit: 12, Window: ledger.Window{Kind: ledger.Total}},
		{ID: "watch", Unit: ledger.USD, Limit: 100, Soft: true, Window: ledger.Window{Kind: ledger.PerDay}},
	}
}

// event lets one random thing happen.
func (w *world) event() {
	if w.quorum.cut && w.chance(0.08) {
		w.elect()
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch {
	case n.driver == nil:
		if w.chance(0.2) {
			w.start(n)
		}
		return
	case n.paused:
		if w.chance(0.1) {
			w.resume(n)
		}
		return
	}
	switch w.rng.IntN(21) {
	case 0, 1, 2, 3:
		w.someRequest(n)
	case 20:
		w.someSlice(n)
	case 4, 5:
		if len(n.calls) > 0 {
			w.dispatch(n, n.calls[w.rng.IntN(len(n.calls))])
		}
	case 6, 7, 8:
		if len(n.calls) > 0 {
			w.finish(n, w.rng.IntN(len(n.calls)))
		}
	case 9, 10, 11:
		w.turn(n)
	case 12, 13:
		w.save(n)
	case 14, 15:
		w.converse(n)
	case 16:
		n.sync(w.rng.IntN(len(n.buffer) + 1))
	case 17:
		w.pass(int64(w.rng.IntN(40)) * int64(time.Millisecond))
	case 18:
		w.rare(n)
	case 19:
		w.repeat()
	}
}

func (w *world) someRequest(n *node) {
	var d ledger.Dimensions
	if w.chance(0.8) {
		d.Values[ledger.DimOrg] = "acme"
	}
	d.Values[ledger.DimCustomer] = fmt.Sprint("c", w.rng.IntN(4))
	hold := purse.Claim{USD: ledger.Amount(w.rng.IntN(300)), Tokens: ledger.Amount(w.rng.IntN(400))}
	if w.chance(0.05) {
		hold.USD *= 20
	}
	actual := purse.Claim{USD: w.part(hold.USD), Tokens: w.part(hold.Tokens)}
	w.request(n, &d, hold, actual)
}

// someSlice is a stream that needs more than it holds.
func (w *world) someSlice(n *node) {
	if len(n.calls) == 0 {
		return
	}
	c := n.calls[w.rng.IntN(len(n.calls))]
	if !c.money {
		return
	}
	more := purse.Claim{USD: ledger.Amount(w.rng.IntN(100)), Tokens: ledger.Amount(w.rng.IntN(100))}
	w.reserve(n, &waiting{part: c.part, claim: more, actual: purse.Claim{USD: w.part(more.USD), Tokens: w.part(more.Tokens)}, more: c})
	w.collect(n)
}

// part is what of a hold is spent: mostly less, often all, seldom more.
func (w *world) part(hold ledger.Amount) ledger.Amount {
	switch {
	case w.chance(0.3):
		return hold
	case w.chance(0.03):
		return hold + ledger.Amount(w.rng.IntN(60))
	default:
		return ledger.Amount(w.rng.Int64N(int64(hold) + 1))
	}
}

// rare is what changes the world.
func (w *world) rare(n *node) {
	switch w.rng.IntN(23) {
	case 20, 21:
		w.raise(town()[w.rng.IntN(len(town()))])
	case 22:
		w.unraise(town()[w.rng.IntN(len(town()))].ID)
	case 0, 1, 2:
		w.pass(int64(w.rng.IntN(3000)) * int64(time.Millisecond))
	case 3:
		w.pass(int64(w.rng.IntN(70)) * int64(time.Second)) // authority lapses, leases idle
	case 4, 5, 6:
		if !w.steady {
			w.crash(n)
		}
	case 7:
		b := town()[w.rng.IntN(len(town()))]
		b.Limit = b.Limit * ledger.Amount(50+w.rng.IntN(100)) / 100
		w.put(b)
	case 8:
		if w.chance(0.3) {
			w.remove(town()[w.rng.IntN(len(town()))].ID)
		}
	case 9:
		w.propose(ledger.Tick{})
	case 10:
		if len(n.waiting) > 0 {
			n.driver.Abandon(n.waiting[0].request, errAbandoned)
		}
	case 11:
		w.nudge(n)
	case 12:
		if !w.steady && w.chance(0.15) {
			w.fence(n)
		}
	case 13, 14:
		w.quorum.cut = true
	case 15:
		w.elect()
	case 16:
		w.setClocks(n)
	case 17:
		w.pause(n)
	case 18:
		w.disaster()
	default:
		w.turn(n)
	}
}

// disaster takes a backup, or loses the cluster since the last one. Clocks must
// be right for that, as those who restore are told.
func (w *world) disaster() {
	switch {
	case w.steady || w.clocks:
	case w.backup == nil:
		w.backUp()
	case w.chance(0.2):
		w.restore()
	default:
		w.release(town()[w.rng.IntN(len(town()))].ID)
	}
}

// nudge is the leader's word that others wait for what this node has.
func (w *world) nudge(n *node) {
	var keys []ledger.AccountKey
	for l := range n.driver.Leases() {
		if w.chance(0.5) {
			keys = append(keys, l.Key)
		}
	}
	n.driver.Nudge(keys)
}
