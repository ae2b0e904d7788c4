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
	part   *purse.Part
	money  bool
	actual purse.Claim
	slices []slice // what it holds; more than one where a window ended in between
	billed bool
}

// slice is what a call took of the same accounts, at once or by and by.
type slice struct {
	claim purse.Claim
	legs  []purse.Charge
}

// waiting is a request that is parked: a call that begins, or more for one that
// is under way.
type waiting struct {
	request purse.Parked
	part    *purse.Part
	money   bool // the part counts usd and tokens
	claim   purse.Claim
	actual  purse.Claim
	more    *call // nil for a call that begins
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
	d.SetRules(w.rules, w.vers, w.now(n), w.raises()...)
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
		w.reserve(n, &waiting{part: part, money: part == &chain.Money, claim: hold, actual: actual})
	}
	w.collect(n)
}

func (w *world) reserve(n *node, q *waiting) {
	if h, ok := n.driver.TryReserve(q.part, q.claim); ok {
		w.granted(n, q, h)
		return
	}
	q.request = n.driver.Park(q.part, q.claim, w.now(n))
	n.waiting = append(n.waiting, q)
}

// granted takes the hold that q waited for. More for a call that has ended
// meanwhile goes back.
func (w *world) granted(n *node, q *waiting, h purse.Hold) {
	switch {
	case q.more == nil:
		w.count.holds++
		c := &call{hold: h, part: q.part, money: q.money, actual: q.actual}
		c.slices = []slice{{q.claim, h.Held(nil)}}
		n.calls = append(n.calls, c)
	case !slices.Contains(n.calls, q.more):
		h.Release()
	default:
		w.extend(q.more, q, h)
	}
}

// extend makes a call's hold larger by what was granted. One that is with the
// provider goes on, and is billed for what it then writes.
func (w *world) extend(c *call, q *waiting, h purse.Hold) {
	legs := h.Held(nil)
	if !c.hold.Join(h) {
		h.Release()
		return
	}
	w.count.extensions++
	if c.billed {
		w.charge(c, -1)
	}
	c.take(q.claim, legs)
	c.actual.USD += q.actual.USD
	c.actual.Tokens += q.actual.Tokens
	if c.billed {
		w.charge(c, 1)
	}
}

// take notes what a call holds since claim was added to it, which had these legs.
func (c *call) take(claim purse.Claim, legs []purse.Charge) {
	last := &c.slices[len(c.slices)-1]
	before := 0
	for i := range c.slices {
		before += len(c.slices[i].legs)
	}
	all := c.hold.Held(nil)
	if len(all) > before || len(legs) == 0 { // of other accounts, or of none
		c.slices = append(c.slices, slice{claim, all[before:]})
		return
	}
	last.claim.USD += claim.USD
	last.claim.Tokens += claim.Tokens
	last.legs = all[before-len(last.legs):]
}

// eachLeg tells what of a call's cost each leg pays: the older slices first, and
// what is beyond all of them the last.
func (w *world) eachLeg(c *call, yield func(leg *purse.Charge, spent ledger.Amount)) {
	left := c.actual
	for i := range c.slices {
		s := &c.slices[i]
		pays := left
		if i+1 < len(c.slices) {
			pays = purse.Claim{USD: min(left.USD, s.claim.USD), Tokens: min(left.Tokens, s.claim.Tokens)}
		}
		left.USD -= pays.USD
		left.Tokens -= pays.Tokens
		for j := range s.legs {
			yield(&s.legs[j], cost(pays, w.units[s.legs[j].Account.Budget]))
		}
	}
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
			w.granted(n, q, hold)
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
