package purse

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"purser/ledger"
)

// A world is a real ledger, some nodes whose cores are driven directly, their
// disks, a network that loses, delays and repeats, and a provider that writes
// its own bill. One seed decides everything; there is no goroutine and no clock.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	seed   uint64
	ledger *ledger.State
	wall   ledger.Instant
	mono   int64
	nodes  []*simNode
	rules  []ledger.Budget
	vers   uint64
	late   []*ledger.Exchange // copies that may reach the ledger at any later time
	lateR  []ledger.Register

	bill    map[ledger.AccountKey]ledger.Amount // what the provider charges, within holds
	over    map[ledger.AccountKey]ledger.Amount // beyond holds
	lost    map[ledger.AccountKey]ledger.Amount // of over: a crash came before any record of it
	top     map[ledger.BudgetID]ledger.Amount   // highest limit ever
	soft    map[ledger.BudgetID]bool            // ever
	steady  bool                                // no crashes
	removed map[ledger.BudgetID]bool            // ever
	quiet   bool                                // no faults from here on
	granted int
	refused map[RefusalCode]int
	errors  int
	crashes int
	fences  int
	dropped int // messages and answers
}

type simNode struct {
	id      ledger.NodeID
	disk    memoryMarks
	records map[proofKey]Proof // durable usage records, summed
	buffer  []Charge           // settled, not yet durable
	purse   *Purse             // no loops; nil while down
	calls   []*call
	waiting []*parkedCall
}

type proofKey struct {
	account     ledger.AccountKey
	incarnation uint32
}

// call is one request in flight.
type call struct {
	hold   Hold
	part   *Part
	actual Claim
	held   []Charge
	billed bool
}

type parkedCall struct {
	w      *waiter
	part   *Part
	actual Claim
}

func newWorld(t *testing.T, seed uint64, nodes int, budgets []ledger.Budget) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		ledger:  ledger.New(),
		wall:    ledger.Instant(1_772_323_180) * ledger.Second, // 20 s before a minute, hour, day, month
		bill:    map[ledger.AccountKey]ledger.Amount{},
		over:    map[ledger.AccountKey]ledger.Amount{},
		lost:    map[ledger.AccountKey]ledger.Amount{},
		top:     map[ledger.BudgetID]ledger.Amount{},
		soft:    map[ledger.BudgetID]bool{},
		removed: map[ledger.BudgetID]bool{},
		refused: map[RefusalCode]int{},
	}
	for i := range nodes {
		w.nodes = append(w.nodes, &simNode{id: ledger.NodeID(fmt.Sprint("n", i)), records: map[proofKey]Proof{}})
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
	w.t.Errorf("seed %d: %s\nto repeat: go test ./internal/purse -run '%s' -seed %d -steps %d", w.seed, fmt.Sprintf(format, args...), w.t.Name(), w.seed, *stepsFlag)
	runtime.Goexit()
}

func (w *world) now() Moment { return Moment{Wall: w.wall, Mono: w.mono} }

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) put(b ledger.Budget) {
	if out := w.ledger.Apply(w.wall, ledger.PutBudget{Budget: b}); out.Code != ledger.Applied {
		w.failf("put %s: code %d", b.ID, out.Code)
	}
	w.rules = slices.DeleteFunc(slices.Clone(w.rules), func(o ledger.Budget) bool { return o.ID == b.ID })
	w.rules = append(w.rules, b)
	w.top[b.ID] = max(w.top[b.ID], b.Limit)
	w.soft[b.ID] = w.soft[b.ID] || b.Soft
	w.tell()
}

func (w *world) remove(id ledger.BudgetID) {
	w.removed[id] = true
	w.ledger.Apply(w.wall, ledger.DeleteBudget{ID: id})
	w.rules = slices.DeleteFunc(slices.Clone(w.rules), func(o ledger.Budget) bool { return o.ID == id })
	w.tell()
}

func (w *world) tell() {
	w.vers++
	for _, n := range w.nodes {
		if n.purse != nil {
			n.adopt(w)
		}
	}
}

func (n *simNode) adopt(w *world) {
	p := n.purse
	r := compile(w.rules, w.vers, p.core.rules)
	p.core.setRules(r, w.rules, w.now())
	p.rules.Store(r)
}

// start registers the node as Open does, with answers lost and old commands
// repeated on the way.
func (w *world) start(n *simNode) {
	cfg := Default()
	cfg.Node, cfg.Store = n.id, ledger.StoreID{byte(len(n.id)), n.id[1]}
	seams := Seams{Marks: &n.disk, Proofs: func(a ledger.AccountKey, inc uint32) (Proof, error) {
		return n.records[proofKey{a, inc}], nil
	}, Log: slog.New(slog.DiscardHandler)}
	r, gone, err := evidence(cfg, seams)
	if err != nil {
		w.failf("evidence: %v", err)
	}
	var out ledger.Outcome
	for tries := 0; out.Code != ledger.Applied; tries++ {
		out = w.ledger.Apply(w.wall, r)
		if out.Code == ledger.StaleIncarnation {
			r.Previous = out.Incarnation
			continue
		}
		if out.Code != ledger.Applied || tries > 12 {
			w.failf("register: code %d", out.Code)
		}
		w.lateR = append(w.lateR, r)
		if !w.quiet && tries < 4 && w.chance(0.2) {
			out.Code = 0 // the answer is lost: the node tries again
		}
	}
	if err := n.disk.SaveMarks(r.MarkSeq+1, gone); err != nil {
		w.failf("clearing marks: %v", err)
	}
	p := &Purse{cfg: cfg, seams: seams}
	p.core = newCore(cfg, out.Incarnation, r.MarkSeq+1, w.now())
	n.purse = p
	n.adopt(w)
	n.publish(w)
}

// publish is the end of turn: what the hot path reads.
func (n *simNode) publish(w *world) {
	n.purse.wall.Store(int64(max(w.wall, n.purse.core.horizonWall)))
	n.purse.admit.Store(n.purse.core.admits())
}

// turn steps the core and lets disk and network make some progress.
func (w *world) turn(n *simNode) {
	c := n.purse.core
	c.step(w.now())
	c.nextMarks()
	c.nextExchange(w.now())
	n.publish(w)
	if c.broken != nil {
		w.failf("%s broke down: %v", n.id, c.broken)
	}
	w.collect(n)
}

// save completes the save under way.
func (w *world) save(n *simNode) {
	c := n.purse.core
	if c.saving == nil {
		return
	}
	if err := n.disk.SaveMarks(c.saving.seq, c.saving.marks); err != nil {
		w.failf("save: %v", err)
	}
	c.saved(w.now())
}

// converse lets the Exchange under way reach the ledger, and perhaps its answer
// come back.
func (w *world) converse(n *simNode) {
	c := n.purse.core
	if c.under == nil {
		return
	}
	if !w.quiet && w.chance(0.15) {
		w.dropped++
		return // lost on the way there
	}
	msg := *c.under.msg
	if !w.quiet && w.chance(0.1) {
		w.late = append(w.late, &msg)
	}
	out := w.ledger.Apply(w.wall, c.under.msg)
	ans, err := Answered(out)
	if err != nil {
		w.failf("%s exchange %d: %v", n.id, msg.Seq, err)
	}
	if !w.quiet && w.chance(0.15) {
		w.dropped++
		return // lost on the way back
	}
	if !c.answered(ans, w.now()) {
		w.failf("%s did not take the answer to %d", n.id, msg.Seq)
	}
	if c.answered(ans, w.now()) {
		w.failf("%s took an answer twice", n.id)
	}
	w.collect(n)
}

// request resolves and reserves as a request does.
func (w *world) request(n *simNode, d *ledger.Dimensions, hold, actual Claim) {
	chain := new(Chain)
	if err := n.purse.Resolve(chain, d); err != nil {
		w.failf("resolve: %v", err)
	}
	for _, part := range []*Part{&chain.Limits, &chain.Money} {
		if h, ok := n.purse.TryReserve(part, hold); ok {
			w.begin(n, h, part, actual)
			continue
		}
		pw := n.purse.core.park(part, hold, w.now())
		n.waiting = append(n.waiting, &parkedCall{w: pw, part: part, actual: actual})
	}
	w.collect(n)
}

func (w *world) begin(n *simNode, h Hold, part *Part, actual Claim) {
	w.granted++
	n.calls = append(n.calls, &call{hold: h, part: part, actual: actual, held: h.Held(nil)})
}

// collect takes the decisions on parked requests.
func (w *world) collect(n *simNode) {
	n.waiting = slices.DeleteFunc(n.waiting, func(pc *parkedCall) bool {
		if !pc.w.ended {
			return false
		}
		switch {
		case pc.w.hold.Valid():
			w.begin(n, pc.w.hold, pc.part, pc.actual)
		case pc.w.refusal.Refused():
			w.refused[pc.w.refusal.Code]++
			w.justified(n, pc.w.refusal)
		case pc.w.err != nil:
			w.errors++
		default:
			w.failf("a request ended without a decision")
		}
		return true
	})
}

// justified checks a refusal against the truth: what is spent, held by anyone,
// or out on other nodes, and this hold, are together more than the limit.
func (w *world) justified(n *simNode, r Refusal) {
	v, ok := w.ledger.Account(r.Account)
	if !ok {
		return // its window is long over
	}
	left := v.Available + v.Outstanding // not spent, as far as the ledger knows
	for _, o := range w.nodes {
		if o.purse == nil {
			continue
		}
		if a := o.purse.core.accounts[r.Account]; a != nil {
			l, _ := w.ledger.Lease(r.Account, o.id)
			left -= ledger.Amount(a.spent.Load()) - l.Spent
			if r.Code == Contended {
				left -= a.held()
				if o != n {
					left -= a.idle() // idle elsewhere: unreachable within the wait
				}
			}
		}
	}
	if r.Code == Contended && left >= r.Hold && len(w.nodes) == 1 && w.quiet {
		w.failf("refused %v although %d is left", r, left)
	}
	if r.Code == Exhausted && left >= r.Hold && w.top[r.Budget] == v.Limit {
		w.failf("refused %+v as exhausted although %d is left", r, left)
	}
}

// dispatch sends a call upstream: from here on the provider bills it.
func (w *world) dispatch(c *call) {
	if c.billed {
		return
	}
	c.billed = true
	for _, leg := range c.held {
		spent := c.actual.spend(c.unit(leg.Account.Budget))
		w.bill[leg.Account] += min(spent, leg.Held)
		w.over[leg.Account] += max(0, spent-leg.Held)
	}
}

func (c *call) unit(id ledger.BudgetID) ledger.Unit {
	for i := range c.part.n {
		if c.part.series[i].book.id == id {
			return c.part.series[i].book.unit
		}
	}
	panic("a charge of another chain")
}

// finish ends a call: settled if it was billed, else released.
func (w *world) finish(n *simNode, i int) {
	c := n.calls[i]
	n.calls = slices.Delete(n.calls, i, i+1)
	if !c.billed {
		c.hold.Release()
		return
	}
	n.buffer = c.hold.Settle(c.actual, n.buffer)
}

// sync makes the first k usage records durable.
func (n *simNode) sync(k int) {
	for _, ch := range n.buffer[:k] {
		key := proofKey{ch.Account, ch.Incarnation}
		p := n.records[key]
		p.Spent += ch.Spent
		p.Overrun += max(0, ch.Spent-ch.Held)
		n.records[key] = p
	}
	n.buffer = slices.Delete(n.buffer, 0, k)
}

// fence is an operator's word that a node is dead, given when it is. Another
// one, of another name, comes in its place.
func (w *world) fence(n *simNode) {
	if len(w.nodes) == 1 {
		return
	}
	for key, a := range n.purse.core.accounts {
		// What was billed beyond its holds and not reported is on the dead disk alone.
		l, _ := w.ledger.Lease(key, n.id)
		w.lost[key] += max(0, ledger.Amount(a.overrun.Load())-l.Overrun)
	}
	w.crash(n)
	w.fences++
	if out := w.ledger.Apply(w.wall, ledger.Fence{Node: n.id}); out.Code != ledger.Applied {
		w.failf("fence %s: code %d", n.id, out.Code)
	}
	next := &simNode{id: ledger.NodeID(fmt.Sprintf("m%d-%s", w.fences, n.id)), records: map[proofKey]Proof{}}
	w.nodes[slices.Index(w.nodes, n)] = next
	w.start(next)
}

// crash drops all memory. What was on its way to the disk may have arrived, and
// calls on their way to the provider too.
func (w *world) crash(n *simNode) {
	w.crashes++
	if s := n.purse.core.saving; s != nil && w.chance(0.5) {
		if err := n.disk.SaveMarks(s.seq, s.marks); err != nil {
			w.failf("save: %v", err)
		}
	}
	if x := n.purse.core.under; x != nil && w.chance(0.5) {
		w.late = append(w.late, x.msg)
	}
	for key, a := range n.purse.core.accounts {
		// A call that held nothing of an account and was billed all the same, at a
		// node that had nothing of the account: there is a record of it, but no mark
		// that names the account in the evidence of the restart.
		if _, named := n.disk.marks[markKey{key, n.purse.core.incarnation}]; !named && a.unit != ledger.Slots {
			w.lost[key] += ledger.Amount(a.overrun.Load())
		}
	}
	n.sync(w.rng.IntN(len(n.buffer) + 1))
	for _, ch := range n.buffer {
		w.lost[ch.Account] += max(0, ch.Spent-ch.Held)
	}
	n.buffer = nil
	for _, c := range n.calls {
		if !c.billed && w.chance(0.5) {
			w.dispatch(c)
		}
		for _, leg := range c.held {
			if c.billed {
				w.lost[leg.Account] += max(0, c.actual.spend(c.unit(leg.Account.Budget))-leg.Held)
			}
		}
	}
	n.calls, n.waiting, n.purse = nil, nil, nil
}
