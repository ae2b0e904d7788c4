package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"purser/internal/purse"
	"purser/ledger"
)

// A world is everything there is in one history.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	seed   uint64
	quorum quorum
	wall   ledger.Instant // the right time
	mono   int64
	nodes  []*node
	rules  []ledger.Budget
	raised int                                                 // raises begun, for their names
	lifts  map[ledger.BudgetID]map[ledger.RaiseID]ledger.Raise // in force, or over
	vers   uint64
	units  map[ledger.BudgetID]ledger.Unit
	late   []*ledger.Exchange // copies that may reach the ledger at any later time
	lateR  []ledger.Register

	bill    map[ledger.AccountKey]ledger.Amount // what the provider charges, within holds
	over    map[ledger.AccountKey]ledger.Amount // beyond holds
	lost    map[ledger.AccountKey]ledger.Amount // of over: a crash came before any record of it
	top     map[ledger.BudgetID]ledger.Amount   // highest limit ever
	soft    map[ledger.BudgetID]bool            // ever
	removed map[ledger.BudgetID]bool            // ever
	backup  *backup

	steady bool // no crashes
	clocks bool // clocks are wrong at times
	quiet  bool // no faults from here on
	dirty  bool // the ledger changed since the last check
	count  counts
}

func newWorld(t *testing.T, seed uint64, nodes int, budgets []ledger.Budget) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		quorum:  quorum{state: ledger.New()},
		wall:    ledger.Instant(1_772_323_180) * ledger.Second, // 20 s before a minute, hour, day, month
		units:   map[ledger.BudgetID]ledger.Unit{},
		bill:    map[ledger.AccountKey]ledger.Amount{},
		over:    map[ledger.AccountKey]ledger.Amount{},
		lost:    map[ledger.AccountKey]ledger.Amount{},
		top:     map[ledger.BudgetID]ledger.Amount{},
		soft:    map[ledger.BudgetID]bool{},
		removed: map[ledger.BudgetID]bool{},
		lifts:   map[ledger.BudgetID]map[ledger.RaiseID]ledger.Raise{},
	}
	for i := range nodes {
		w.nodes = append(w.nodes, newNode(ledger.NodeID(fmt.Sprint("n", i))))
	}
	for _, b := range budgets {
		w.put(b)
	}
	for _, n := range w.nodes {
		w.start(n)
	}
	return w
}

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	// Not Fatalf: seeds run on goroutines of their own.
	w.t.Errorf("seed %d: %s\nto repeat: go test ./jepsen-style-tests/sim -run '%s' -seed %d -steps %d", w.seed, fmt.Sprintf(format, args...), w.t.Name(), w.seed, *stepsFlag)
	runtime.Goexit()
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// pass lets time go by.
func (w *world) pass(nanos int64) {
	w.mono += nanos
	w.wall += ledger.Instant(nanos)
}

// anHour is how wrong a clock is that jumped: up to an hour, either way.
func (w *world) anHour() ledger.Instant {
	return ledger.Instant(w.rng.IntN(7201)-3600) * ledger.Second
}

func (w *world) put(b ledger.Budget) {
	if out := w.demand(ledger.PutBudget{Budget: b}); out.Code != ledger.Applied && out.Code != ledger.Repeated {
		w.failf("put %s: code %d", b.ID, out.Code)
	}
	w.rules = slices.DeleteFunc(slices.Clone(w.rules), func(o ledger.Budget) bool { return o.ID == b.ID })
	w.rules = append(w.rules, b)
	w.units[b.ID] = b.Unit
	w.noteTop(b.ID)
	w.soft[b.ID] = w.soft[b.ID] || b.Soft
	w.tell()
}

func (w *world) remove(id ledger.BudgetID) {
	w.removed[id] = true
	w.demand(ledger.DeleteBudget{ID: id})
	delete(w.lifts, id)
	w.rules = slices.DeleteFunc(slices.Clone(w.rules), func(o ledger.Budget) bool { return o.ID == id })
	w.tell()
}

// noteTop remembers the highest limit that any account of a budget has had: that
// with every raise in force. In a backup there may be others than those here.
func (w *world) noteTop(id ledger.BudgetID) {
	if b, ok := w.quorum.state.Budget(id); ok {
		top := b.Limit
		for _, x := range w.quorum.state.Raises(id) {
			top += x.Amount
		}
		w.top[id] = max(w.top[id], top)
	}
}

// raise lifts the limits of a budget, or of one of its accounts, until a moment that
// may come in this window or in a later one.
func (w *world) raise(b ledger.Budget) {
	w.raised++
	x := ledger.Raise{
		Budget: b.ID, ID: ledger.RaiseID(fmt.Sprint("r", w.raised%6)), All: true, Amount: 1 + b.Limit*ledger.Amount(w.rng.IntN(80))/100,
		Until: w.quorum.state.Now() + ledger.Instant(1+w.rng.IntN(90_000))*(ledger.Second/1000),
	}
	if len(b.Each) > 0 && w.chance(0.5) {
		x.All, x.Split = false, ledger.MakeSplit(fmt.Sprint("c", w.rng.IntN(4)))
	}
	if out := w.demand(ledger.PutRaise{Raise: x}); out.Code == ledger.Applied {
		w.count.raises++
		if w.lifts[b.ID] == nil {
			w.lifts[b.ID] = map[ledger.RaiseID]ledger.Raise{}
		}
		w.lifts[b.ID][x.ID] = x
		w.noteTop(b.ID)
		w.tell()
	}
}

// unraise ends a raise early, if there is one.
func (w *world) unraise(id ledger.BudgetID) {
	list := w.quorum.state.Raises(id)
	if len(list) == 0 {
		return
	}
	x := list[0].ID
	if out := w.demand(ledger.EndRaise{Budget: id, ID: x}); out.Code == ledger.Applied {
		w.count.unraises++
		delete(w.lifts[id], x)
	}
	w.tell()
}

// raises are those in force, as a node hears of them.
func (w *world) raises() (all []ledger.Raise) {
	for _, b := range w.rules {
		all = append(all, w.quorum.state.Raises(b.ID)...)
	}
	return all
}

func (w *world) tell() {
	w.vers++
	for _, n := range w.nodes {
		if n.driver != nil {
			n.driver.SetRules(w.rules, w.vers, w.now(n), w.raises()...)
		}
	}
}

// dispatch sends a call upstream: from here on the provider bills it.
func (w *world) dispatch(n *node, c *call) {
	if c.billed {
		return
	}
	c.billed = true
	w.eachLeg(c, func(leg *purse.Charge, _ ledger.Amount) {
		if l, ok := n.driver.Lease(leg.Account); ok && l.WindowEnd <= w.wall {
			w.count.afterWindow++
		}
	})
	w.charge(c, 1)
}

// charge puts a call on the provider's bill, once, or with -1 takes it off.
func (w *world) charge(c *call, times ledger.Amount) {
	w.eachLeg(c, func(leg *purse.Charge, spent ledger.Amount) {
		w.bill[leg.Account] += times * min(spent, leg.Held)
		w.over[leg.Account] += times * max(0, spent-leg.Held)
	})
}

// cost is what a call comes to in a unit, by the provider's reckoning.
func cost(actual purse.Claim, u ledger.Unit) ledger.Amount {
	switch u {
	case ledger.USD:
		return actual.USD
	case ledger.Tokens:
		return actual.Tokens
	case ledger.Requests:
		return 1
	default:
		return 0 // a slot comes back
	}
}
