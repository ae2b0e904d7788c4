package utilisation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"purser/internal/purse"
	"purser/ledger"
)

// setup is one run.
type setup struct {
	seed     uint64
	nodes    int
	requests int // of mean cost, that the cap is
	clients  int
	service  time.Duration // mean time of a request, 0.5 to 1.5 times of it
	dies     bool          // the busiest node dies when half is spent
}

// What a request costs, uniform around the mean, and what it holds.
const (
	meanCost ledger.Amount = 10_000
	holdOf                 = 8 * meanCost
)

// How long things take: a message between nodes, an entry of the log with its
// syncs, a save of marks. They are about those of a local network and an SSD.
const (
	hop        = 500 * time.Microsecond
	commitTime = 3 * time.Millisecond
	saveTime   = 2 * time.Millisecond
	// tick is that of a purse; one without parked requests is looked at less often,
	// for it is turned by everything that happens to it as well.
	tick     = 5 * time.Millisecond
	slowTick = 100 * time.Millisecond
)

// event happens at an instant; those of the same instant in the order they were planned.
type event struct {
	at    int64
	order uint64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*e = old[:len(old)-1]
	return last
}

// world is the virtual time, the load and the cluster.
type world struct {
	setup
	rng    *rand.Rand
	now    int64 // nanoseconds
	order  uint64
	events events
	picks  []float64 // cumulative shares of the nodes
	limit  ledger.Amount
	nodes  []*node
	leader leader
	over   bool
	figures
}

// figures are what a run comes to.
type figures struct {
	admitted, undecided int
	spent, held         ledger.Amount // at the first refusal
	stranded            ledger.Amount // granted to the dead node
	exchanges, asking   int           // all, and those that asked for money
	entries             int
	endAdmitted         int // since 99 % was spent or held
	endEntries          int
	waited              int // requests that were not admitted at once
	refusal             string
}

// node is one gateway.
type node struct {
	id      ledger.NodeID
	driver  *purse.Driver
	chain   purse.Chain
	waiting []*waiting
	ticking bool // at the fast tick
	dead    bool
	held    ledger.Amount // of its requests in flight
}

// waiting is a parked request.
type waiting struct {
	request purse.Parked
	client  int
}

func newWorld(s setup) *world {
	w := &world{setup: s, rng: rand.New(rand.NewPCG(s.seed, uint64(s.nodes))), limit: ledger.Amount(s.requests) * meanCost}
	sum := 0.0
	for i := range s.nodes {
		sum += 1 / float64(i+1)
		w.picks = append(w.picks, sum)
	}
	return w
}

// after plans something.
func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + int64(d), w.order, do})
}

// run lets things happen until a request is refused.
func (w *world) run() figures {
	for !w.over {
		if len(w.events) == 0 {
			panic("nothing happens any more")
		}
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	return w.figures
}

func (w *world) moment() purse.Moment {
	return purse.Moment{Wall: 1_000_000*ledger.Second + ledger.Instant(w.now), Mono: w.now}
}

// cost is what a request turns out to cost.
func (w *world) cost() ledger.Amount { return 1 + ledger.Amount(w.rng.Int64N(int64(2*meanCost-1))) }

func (w *world) serviceTime() time.Duration {
	return w.service/2 + time.Duration(w.rng.Int64N(int64(w.service)))
}

// pick draws the node of the next request.
func (w *world) pick() int {
	x := w.rng.Float64() * w.picks[len(w.picks)-1]
	return min(sort.SearchFloat64s(w.picks, x), len(w.picks)-1)
}

// ending reports whether the last hundredth has begun.
func (w *world) ending() bool { return w.spent+w.held+w.stranded >= w.limit-w.limit/100 }

// cluster starts the nodes with one budget, and the clients.
func (w *world) cluster() {
	w.leader = leader{w: w, state: ledger.New(), told: map[ledger.NodeID]int64{}}
	budget := ledger.Budget{ID: "cap", Unit: ledger.USD, Limit: w.limit, Window: ledger.Window{Kind: ledger.Total}}
	w.leader.state.Apply(w.moment().Wall, ledger.PutBudget{Budget: budget})
	for i := range w.setup.nodes {
		n := &node{id: ledger.NodeID(fmt.Sprintf("node-%04d", i))}
		cfg := purse.Default()
		cfg.Node, cfg.Store = n.id, ledger.StoreID{1, byte(i), byte(i >> 8)}
		d, err := purse.NewDriver(cfg, purse.Seams{Marks: noDisk{}}, w.moment(), w.leader.register)
		if err != nil {
			panic(err)
		}
		n.driver = d
		d.SetRules([]ledger.Budget{budget}, 1, w.moment())
		if err := d.Resolve(&n.chain, &ledger.Dimensions{}); err != nil {
			panic(err)
		}
		w.nodes = append(w.nodes, n)
		w.after(time.Duration(w.rng.Int64N(int64(slowTick))), func() { w.slowly(n) })
	}
	for c := range w.clients {
		w.after(time.Duration(w.rng.Int64N(int64(w.service))), func() { w.ask(c) })
	}
}

// noDisk keeps nothing: no node starts twice here.
type noDisk struct{}

func (noDisk) SaveMarks(uint64, []purse.Mark) error     { return nil }
func (noDisk) LoadMarks() (uint64, []purse.Mark, error) { return 0, nil, nil }

// ask is a client's next request.
func (w *world) ask(client int) {
	n := w.nodes[w.pick()]
	for n.dead {
		n = w.nodes[w.pick()]
	}
	if h, ok := n.driver.TryReserve(&n.chain.Money, purse.Claim{USD: holdOf}); ok {
		w.admit(n, h, client)
	} else {
		w.waited++
		n.waiting = append(n.waiting, &waiting{n.driver.Park(&n.chain.Money, purse.Claim{USD: holdOf}, w.moment()), client})
		w.quickly(n)
	}
	w.turn(n)
}

func (w *world) admit(n *node, h purse.Hold, client int) {
	w.admitted++
	if w.ending() {
		w.endAdmitted++
	}
	n.held += holdOf
	w.held += holdOf
	w.after(w.serviceTime(), func() {
		if !n.dead {
			actual := w.cost()
			h.Settle(purse.Claim{USD: actual}, nil)
			n.held -= holdOf
			w.held -= holdOf
			w.spent += actual
			w.perish()
			w.turn(n)
		}
		w.ask(client)
	})
}

// turn lets the purse take note of everything and hands out what it decided.
func (w *world) turn(n *node) {
	if n.dead {
		return
	}
	d := n.driver
	d.Step(w.moment())
	w.collect(n)
	if _, _, ok := d.NextMarks(); ok {
		w.after(saveTime, func() {
			if !n.dead {
				d.Saved(w.moment())
				w.turn(n)
			}
		})
	}
	if x := d.NextExchange(w.moment()); x != nil {
		w.exchanges++
		if len(x.Needs) > 0 || slices.ContainsFunc(x.Rows, func(r ledger.Row) bool { return r.Want > 0 }) {
			w.asking++
		}
		w.after(hop, func() { w.leader.take(n, x) })
	}
}

// answered gives the node the answer to its Exchange.
func (w *world) answered(n *node, ans *ledger.Answer) {
	if n.dead {
		return
	}
	if !n.driver.Answer(ans, w.moment()) {
		panic("an answer was not taken")
	}
	w.turn(n)
}

// collect takes the decisions on parked requests. The first refusal ends the run.
func (w *world) collect(n *node) {
	n.waiting = slices.DeleteFunc(n.waiting, func(q *waiting) bool {
		if !q.request.Decided() || w.over {
			return false
		}
		hold, refusal, err := q.request.Decision()
		switch {
		case hold.Valid():
			w.admit(n, hold, q.client)
		case refusal.Refused():
			w.over, w.refusal = true, refusal.Code.String()
		default:
			w.undecided++
			w.after(10*time.Millisecond, func() { w.ask(q.client) })
			if err == nil {
				panic("a request ended without a decision")
			}
		}
		return true
	})
}

// slowly turns a node for as long as it lives, and quickly while requests wait.
func (w *world) slowly(n *node) {
	if !n.dead {
		w.turn(n)
		w.after(slowTick, func() { w.slowly(n) })
	}
}

func (w *world) quickly(n *node) {
	if n.ticking || n.dead {
		return
	}
	n.ticking = true
	w.after(tick, func() {
		n.ticking = false
		w.turn(n)
		if len(n.waiting) > 0 {
			w.quickly(n)
		}
	})
}

// perish ends the busiest node when half of the cap is spent. What it was
// granted is out of reach; its clients go elsewhere.
func (w *world) perish() {
	n := w.nodes[0]
	if !w.dies || n.dead || w.spent < w.limit/2 {
		return
	}
	n.dead = true
	w.held -= n.held
	for l := range n.driver.Leases() {
		w.stranded += l.Outstanding
	}
	for _, q := range n.waiting {
		w.after(hop, func() { w.ask(q.client) })
	}
	n.waiting = nil
}
