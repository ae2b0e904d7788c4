package sim

import (
	"errors"
	"slices"

	"purser/internal/purse"
	"purser/ledger"
)

// node is one node: its disk, and a purse while it runs.
type node struct {
	id      ledger.NodeID
	disk    disk
	images  []disk         // older states of the disk
	buffer  []purse.Charge // settled, not yet durable
	driver  *purse.Driver  // nil while down
	calls   []*call        // in flight
	waiting []*waiting     // parked
	off     ledger.Instant // how wrong its clock is
	paused  bool           // the process gets no time
}

// call is one request in flight.
type call struct {
	hold   purse.Hold
	actual purse.Claim
	held   []purse.Charge
	billed bool
}

type waiting struct {
	request purse.Parked
	actual  purse.Claim
}

var errAbandoned = errors.New("the client went away")

func newNode(id ledger.NodeID) *node { return &node{id: id, disk: newDisk()} }

// now is the time on the node's clocks.
func (w *world) now(n *node) purse.Moment {
	return purse.Moment{Wall: w.wall + n.off, Mono: w.mono}
}

// start registers the node, with answers lost and old commands repeated on the
// way.
func (w *world) start(n *node) {
	cfg := purse.Default()
	cfg.Node, cfg.Store = n.id, ledger.StoreID{byte(len(n.id)), n.id[1]}
	d, err := purse.NewDriver(cfg, purse.Seams{Marks: &n.disk, Proofs: n.disk.proofs, Overruns: n.disk.overruns}, w.now(n), w.register)
	if err != nil {
		w.failf("%s does not start: %v", n.id, err)
	}
	n.driver, n.paused = d, false
	d.SetRules(w.rules, w.vers, w.now(n))
}

func (w *world) register(r ledger.Register) (uint32, error) {
	for tries := 0; ; tries++ {
		out, known := w.propose(r)
		switch {
		case !known && tries > 2:
			w.elect()
		case !known:
		case out.Code == ledger.Applied && (w.quiet || tries >= 4 || !w.chance(0.2)):
			w.lateR = append(w.lateR, r)
			return out.Incarnation, nil
		case out.Code == ledger.Applied: // the answer is lost: the node tries again
			w.lateR = append(w.lateR, r)
			w.count.ambiguous++
		case out.Code == ledger.StaleIncarnation && tries < 16:
			r.Previous = out.Incarnation
		default:
			return 0, &purse.RejectedError{Code: out.Code}
		}
	}
}

// turn steps the purse and lets it hand out what is to be done.
func (w *world) turn(n *node) {
	now := w.now(n)
	n.driver.Step(now)
	n.driver.NextMarks()
	n.driver.NextExchange(now)
	if err := n.driver.Broken(); err != nil {
		w.failf("%s broke down: %v", n.id, err)
	}
	w.collect(n)
}

// save completes the save under way.
func (w *world) save(n *node) {
	seq, marks, ok := n.driver.Saving()
	if !ok {
		return
	}
	if !w.steady && w.chance(0.05) {
		n.images = append(n.images, n.disk.image())
	}
	if err := n.disk.SaveMarks(seq, marks); err != nil {
		w.failf("save: %v", err)
	}
	n.driver.Saved(w.now(n))
}

// converse lets the Exchange under way reach the leader, and perhaps its answer
// come back.
func (w *world) converse(n *node) {
	x := n.driver.Sent()
	if x == nil {
		return
	}
	if !w.quiet && w.chance(0.15) {
		w.count.dropped++
		return // lost on the way there
	}
	if !w.quiet && w.chance(0.1) {
		w.late = append(w.late, x)
	}
	out, known := w.propose(x)
	if !known {
		return
	}
	ans, err := purse.Answered(out)
	if err != nil {
		w.failf("%s exchange %d: %v", n.id, x.Seq, err)
	}
	if !w.quiet && w.chance(0.15) {
		w.count.ambiguous++
		return // committed, and the answer lost on the way back
	}
	if !n.driver.Answer(ans, w.now(n)) {
		w.failf("%s did not take the answer to %d", n.id, x.Seq)
	}
	if n.driver.Answer(ans, w.now(n)) {
		w.failf("%s took an answer twice", n.id)
	}
	w.collect(n)
}

// request resolves and reserves as a request does.
func (w *world) request(n *node, dims *ledger.Dimensions, hold, actual purse.Claim) {
	chain := new(purse.Chain)
	if err := n.driver.Resolve(chain, dims); err != nil {
		w.failf("resolve: %v", err)
	}
	for _, part := range []*purse.Part{&chain.Limits, &chain.Money} {
		if h, ok := n.driver.TryReserve(part, hold); ok {
			w.begin(n, h, actual)
			continue
		}
		n.waiting = append(n.waiting, &waiting{n.driver.Park(part, hold, w.now(n)), actual})
	}
	w.collect(n)
}

func (w *world) begin(n *node, h purse.Hold, actual purse.Claim) {
	w.count.holds++
	n.calls = append(n.calls, &call{hold: h, actual: actual, held: h.Held(nil)})
}

// collect takes the decisions on parked requests.
func (w *world) collect(n *node) {
	n.waiting = slices.DeleteFunc(n.waiting, func(q *waiting) bool {
		if !q.request.Decided() {
			return false
		}
		hold, refusal, err := q.request.Decision()
		switch {
		case hold.Valid():
			w.begin(n, hold, q.actual)
		case refusal.Refused():
			w.count.refuse(refusal.Code)
			w.justified(n, refusal)
		case err != nil:
			w.count.undecided++
		default:
			w.failf("a request ended without a decision")
		}
		return true
	})
}

// finish ends a call: settled if it was billed, else released.
func (w *world) finish(n *node, i int) {
	c := n.calls[i]
	n.calls = slices.Delete(n.calls, i, i+1)
	if !c.billed {
		c.hold.Release()
		return
	}
	n.buffer = c.hold.Settle(c.actual, n.buffer)
}

// sync makes the first k usage records durable.
func (n *node) sync(k int) {
	for _, c := range n.buffer[:k] {
		n.disk.record(c)
	}
	n.buffer = slices.Delete(n.buffer, 0, k)
}
