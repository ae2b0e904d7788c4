package ledger

import (
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// A world is a ledger, nodes that keep the rules, a network that loses, repeats
// and reorders, disks, and a provider that writes its own bill. What the ledger
// promises is checked against that bill after every step.
type world struct {
	t       *rapid.T
	state   *State
	now     Instant
	nodes   []*worldNode
	network []Command // sent, and possibly sent again at any later time
	bills   map[AccountKey]*bill
	log     []logged
}

type logged struct {
	now Instant
	cmd Command
}

// bill is what the provider charges to one account.
type bill struct {
	total   Amount
	overrun Amount // part of total beyond the holds
	lost    Amount // part of overrun that neither a report nor a record tells of
	limit   Amount // the highest the account ever had
}

// worldNode is a node: a process, which a crash ends, and its disk.
type worldNode struct {
	id     NodeID
	alive  bool
	fenced bool

	incarnation uint32
	seq         uint64
	leases      map[AccountKey]*worldLease
	waiting     *Exchange

	disk    worldDisk
	backups []worldDisk
}

type worldDisk struct {
	markSeq uint64
	marks   map[AccountKey]Evidence
}

func (d worldDisk) clone() worldDisk { return worldDisk{d.markSeq, maps.Clone(d.marks)} }

// worldLease is what the process knows. Always spent - overrun + held +
// returned <= granted.
type worldLease struct {
	granted, spent, overrun, returned Amount
	holds                             []Amount
}

func (l *worldLease) held() (sum Amount) {
	for _, h := range l.holds {
		sum += h
	}
	return sum
}

func (l *worldLease) free() Amount { return l.granted - l.returned - l.held() - l.spent }

var hardBudgets = []Budget{
	{ID: "rpm", Unit: Tokens, Limit: 40, Window: Window{Kind: PerMinute}},
	{ID: "team", Unit: USD, Limit: 100, Window: Window{Kind: Total}},
}

func newWorldOf(t *rapid.T) *world {
	w := &world{t: t, state: New(), bills: map[AccountKey]*bill{}}
	for _, b := range hardBudgets {
		w.apply(PutBudget{Budget: b})
	}
	for _, id := range worldNodes {
		n := &worldNode{id: id, disk: worldDisk{marks: map[AccountKey]Evidence{}}}
		w.nodes = append(w.nodes, n)
		w.start(n)
	}
	return w
}

func (w *world) apply(c Command) Outcome {
	w.log = append(w.log, logged{w.now, c})
	return w.state.Apply(w.now, c)
}

func (w *world) chance(in int, what string) bool { return rapid.IntRange(0, in-1).Draw(w.t, what) == 0 }

// start registers the node and, once it knows that it has, sends it to work.
func (w *world) start(n *worldNode) {
	known, _ := w.state.Node(n.id)
	r := Register{Node: n.id, Store: StoreID{1}, Previous: known.Incarnation, MarkSeq: n.disk.markSeq}
	for _, k := range slices.SortedFunc(maps.Keys(n.disk.marks), AccountKey.compare) {
		r.Evidence = append(r.Evidence, n.disk.marks[k])
	}
	w.network = append(w.network, r)
	if w.chance(5, "register lost") {
		return
	}
	out := w.apply(r)
	if out.Code != Applied {
		w.t.Fatalf("%s cannot register: %s", n.id, out.Code)
	}
	if w.chance(5, "registration unheard") {
		return
	}
	n.alive, n.incarnation, n.seq, n.waiting = true, out.Incarnation, 0, nil
	n.leases = map[AccountKey]*worldLease{}
	n.disk.markSeq++
	n.disk.marks = map[AccountKey]Evidence{}
}

// crash ends the process. What it has in flight may be billed all the same.
func (w *world) crash(n *worldNode) {
	for k, l := range n.leases {
		for _, h := range l.holds {
			w.bills[k].total += Amount(rapid.Int64Range(0, int64(h)).Draw(w.t, "billed"))
		}
		// Overrun that was settled, and is in no report: the records of a crashed
		// node tell of it, or nothing does.
		reported, _ := w.state.Lease(k, n.id)
		w.bills[k].lost += max(0, l.overrun-max(n.disk.marks[k].Overrun, reported.Overrun))
	}
	n.alive = false
}

func (w *world) step() {
	n := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, "node")]
	switch pick := rapid.IntRange(0, 29).Draw(w.t, "step"); {
	case pick == 0 && n.alive:
		w.crash(n)
	case pick == 1:
		w.now += rapid.SampledFrom([]Instant{Second, 5 * Second, 30 * Second, 61 * Second}).Draw(w.t, "pass")
		w.apply(Tick{})
	case pick == 2:
		b := rapid.SampledFrom(hardBudgets).Draw(w.t, "budget")
		b.Limit = b.Limit * Amount(rapid.IntRange(0, 4).Draw(w.t, "limit")) / 2
		w.apply(PutBudget{Budget: b})
	case pick == 3 && w.chance(3, "raise"):
		w.raise()
	case pick == 3 && w.chance(12, "fence"):
		w.apply(Fence{n.id})
		n.fenced = true
	case pick == 4 && len(w.network) > 0:
		w.apply(rapid.SampledFrom(w.network).Draw(w.t, "late"))
	case pick == 5 && !n.alive && len(n.backups) > 0:
		w.rollBack(n)
	case pick <= 7 && !n.alive && !n.fenced:
		w.start(n)
	case n.alive && pick <= 14:
		w.send(n)
	case n.alive && pick <= 20:
		w.deliver(n)
	case n.alive && pick <= 25:
		w.hold(n)
	case n.alive:
		w.settle(n)
	}
}

// raise lifts a limit for a while.
func (w *world) raise() {
	b := rapid.SampledFrom(hardBudgets).Draw(w.t, "budget")
	w.apply(PutRaise{Raise{
		Budget: b.ID, ID: "r", All: true, Amount: Amount(rapid.IntRange(1, 60).Draw(w.t, "raise")),
		Until: w.now + rapid.SampledFrom([]Instant{Second, 10 * Second, 70 * Second}).Draw(w.t, "until"),
	}})
}

// rollBack puts the disk back to an image that is older than what the ledger
// has heard of. (One that is not cannot be told from the latest.)
func (w *world) rollBack(n *worldNode) {
	known, _ := w.state.Node(n.id)
	old := rapid.SampledFrom(n.backups).Draw(w.t, "backup")
	if old.markSeq >= known.MarkSeq {
		return
	}
	for k, e := range n.disk.marks { // records of overrun go with the disk
		reported, _ := w.state.Lease(k, n.id)
		w.bills[k].lost += max(0, e.Overrun-max(old.marks[k].Overrun, reported.Overrun))
	}
	n.disk = old.clone()
}

func (w *world) someAccount() AccountKey {
	b := rapid.SampledFrom(hardBudgets).Draw(w.t, "budget")
	k := AccountKey{Budget: b.ID}
	k.Start, _ = b.Window.Bounds(w.now)
	return k
}

// send writes the node's next Exchange, unless one is under way.
func (w *world) send(n *worldNode) {
	if n.waiting != nil {
		return
	}
	n.seq++
	x := &Exchange{Node: n.id, Incarnation: n.incarnation, Seq: n.seq, MarkSeq: n.disk.markSeq}
	asked := w.someAccount()
	if n.leases[asked] == nil {
		n.leases[asked] = &worldLease{}
		w.billOf(asked)
	}
	for _, k := range slices.SortedFunc(maps.Keys(n.leases), AccountKey.compare) {
		l := n.leases[k]
		if back := l.free(); back > 0 && w.chance(4, "give back") {
			l.returned += back
		}
		if l.overrun > 0 {
			w.mark(n, k, l.spent+l.held()) // before it is reported
		}
		r := Row{Account: k, Spent: l.spent, Overrun: l.overrun, Returned: l.returned, Rate: 1}
		if k == asked {
			r.Want = Amount(rapid.IntRange(0, 30).Draw(w.t, "want"))
			x.Needs = append(x.Needs, Need{[]Claim{{len(x.Rows), Amount(rapid.IntRange(0, 15).Draw(w.t, "missing"))}}})
		} else if len(l.holds) == 0 && w.chance(4, "done") {
			r.Done = true
		}
		x.Rows = append(x.Rows, r)
	}
	n.waiting = x
	w.network = append(w.network, x)
}

// deliver brings the Exchange under way to the ledger, and perhaps the answer back.
func (w *world) deliver(n *worldNode) {
	x := n.waiting
	if x == nil || w.chance(6, "lost on the way") {
		return
	}
	out := w.apply(x)
	if out.Code == FencedNode {
		return
	}
	if out.Code == StaleIncarnation {
		w.t.Fatalf("%s was registered over", n.id)
	}
	if out.Answer == nil {
		w.t.Fatalf("%s: Exchange %d: %s", n.id, x.Seq, out.Code)
	}
	if w.chance(4, "answer lost") {
		return
	}
	n.waiting = nil
	for i, r := range out.Answer.Rows {
		k := x.Rows[i].Account
		switch {
		case r.State == Unbacked:
			w.t.Fatalf("%s: honest row unbacked: %+v", n.id, x.Rows[i])
		case x.Rows[i].Done:
			delete(n.leases, k)
		default:
			n.leases[k].granted = r.Granted
		}
	}
}

func (w *world) someLease(n *worldNode) (AccountKey, *worldLease) {
	if len(n.leases) == 0 {
		return AccountKey{}, nil
	}
	k := rapid.SampledFrom(slices.SortedFunc(maps.Keys(n.leases), AccountKey.compare)).Draw(w.t, "lease")
	return k, n.leases[k]
}

func (w *world) billOf(k AccountKey) *bill {
	if w.bills[k] == nil {
		b, _ := w.state.Budget(k.Budget)
		w.bills[k] = &bill{limit: b.Limit}
	}
	return w.bills[k]
}

// hold sets money aside, after the mark that covers it is on disk. A lease
// that an Exchange under way gives up is not used.
func (w *world) hold(n *worldNode) {
	k, l := w.someLease(n)
	if l == nil || l.free() <= 0 || n.waiting != nil && slices.ContainsFunc(n.waiting.Rows, func(r Row) bool { return r.Account == k && r.Done }) {
		return
	}
	amount := Amount(rapid.Int64Range(1, int64(l.free())).Draw(w.t, "hold"))
	if w.chance(4, "backup") {
		n.backups = append(n.backups, n.disk.clone())
	}
	w.mark(n, k, l.spent+l.held()+amount)
	l.holds = append(l.holds, amount)
}

// mark raises the durable mark of a lease.
func (w *world) mark(n *worldNode, k AccountKey, amount Amount) {
	e := n.disk.marks[k]
	if e.Mark >= amount {
		return
	}
	e.Account, e.Incarnation, e.Mark = k, n.incarnation, amount
	n.disk.marks[k] = e
	n.disk.markSeq++
	// The ledger hears of the mark before it is relied on, so that no rollback
	// goes unnoticed in this test.
	w.state.editNode(n.id).markSeq = n.disk.markSeq
	w.log = append(w.log, logged{w.now, markHeard{n.id, n.disk.markSeq}})
}

// markHeard stands in the log for a report of marks outside an Exchange.
type markHeard struct {
	node NodeID
	seq  uint64
}

func (markHeard) Kind() Kind { return 0 }

// settle ends a hold: usually below it, sometimes beyond, with a record that is
// usually durable.
func (w *world) settle(n *worldNode) {
	k, l := w.someLease(n)
	if l == nil || len(l.holds) == 0 {
		return
	}
	h := l.holds[0]
	l.holds = l.holds[1:]
	actual := Amount(rapid.Int64Range(0, int64(h)).Draw(w.t, "actual"))
	over := Amount(0)
	if w.chance(8, "overrun") {
		over = Amount(rapid.IntRange(1, 5).Draw(w.t, "over"))
		actual = h + over
	}
	l.spent += actual
	l.overrun += over
	w.bills[k].total += actual
	w.bills[k].overrun += over
	if w.chance(4, "record not durable") {
		return
	}
	e := n.disk.marks[k]
	e.Account, e.Incarnation = k, n.incarnation
	e.Proven += actual
	e.Overrun += over
	n.disk.marks[k] = e
}
