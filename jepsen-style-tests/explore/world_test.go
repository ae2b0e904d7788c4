package explore

import (
	"fmt"

	"purser/ledger"
)

// world is one state of everything. It is comparable: equal worlds have equal
// futures.
type world struct {
	book  int32
	node  [nodes]int32
	old   [nodes]int32 // the Exchange before the one under way; a copy may still arrive
	stray [nodes]int32 // the one that was under way at the last crash; so may this
	was   [nodes]int32 // the last Register; so may this
	wall  uint8
	bill  [windows]uint8
	lifts [windows]uint8 // 1: a raise was in force in the window
	left  bounds
}

// bounds is how often each kind of event may still happen. What has none may
// happen as long as there is anything for it to happen to.
type bounds [7]uint8

// The kinds of events that are bounded.
const (
	requests = iota
	crashes
	rolls
	fences
	waits // of a node, for a second
	nudges
	raises
	free = -1
)

// event is one thing that happens in the world.
type event struct {
	what happening
	node uint8
	move move
}

type happening uint8

const (
	moves      happening = iota + 1 // a node moves by itself
	committed                       // its Exchange is committed; the answer is lost, or late
	answered                        // its Exchange is committed, now or before, and the answer arrives
	late                            // a copy of the Exchange before arrives
	astray                          // the Exchange of before the crash arrives
	registered                      // it registers, and crashes before it knows
	started                         // it starts
	lateStart                       // a copy of its last Register arrives
	rolled                          // a window ends
	fenced                          // an operator says that the node is dead
	raised                          // the limit is raised, until the window after this one ends
	unraised                        // the raise is ended early
	ticked                          // the ledger drops what is long over
)

func (e event) String() string {
	switch e.what {
	case moves:
		return fmt.Sprintf("n%d %s", e.node, e.move)
	case committed:
		return fmt.Sprintf("n%d's exchange is committed, its answer is lost or late", e.node)
	case answered:
		return fmt.Sprintf("n%d's exchange is answered", e.node)
	case late:
		return fmt.Sprintf("a copy of n%d's exchange before arrives", e.node)
	case astray:
		return fmt.Sprintf("n%d's exchange of before its crash arrives", e.node)
	case registered:
		return fmt.Sprintf("n%d registers, and crashes before it knows", e.node)
	case started:
		return fmt.Sprintf("n%d starts", e.node)
	case lateStart:
		return fmt.Sprintf("a copy of n%d's registration arrives", e.node)
	case rolled:
		return "the window ends"
	case fenced:
		return fmt.Sprintf("n%d is fenced", e.node)
	case raised:
		return "the limit is raised"
	case unraised:
		return "the raise is ended"
	case ticked:
		return "the ledger drops what is long over"
	default:
		return "the beginning"
	}
}

// first is the world at its beginning: both nodes run.
func (x *explorer) first(left bounds) world {
	s := ledger.New()
	for _, b := range budgets() {
		s.Apply(at(0), ledger.PutBudget{Budget: b})
	}
	w := world{left: left, book: x.book(s)}
	for n := range nodes {
		p := &process{id: nodeID(n), disk: disk{marks: map[leaseID]ledger.Amount{}, records: map[leaseID]ledger.Amount{}}}
		w.node[n], w.old[n], w.stray[n], w.was[n] = x.node(p, none, move{}), none, none, none
		w, _ = x.start(w, n)
	}
	return w
}

// teller is told what happened, and the world after it.
type teller func(event, world)

// each yields every event that can happen. One that changes nothing is left out.
func (x *explorer) each(w world, yield teller) {
	for n := range nodes {
		here := x.nodes.list[w.node[n]]
		if here.up {
			x.eachMove(w, n, here, yield)
			x.eachExchange(w, n, here, yield)
		} else {
			x.eachStart(w, n, here, yield)
		}
		x.eachCopy(w, n, yield)
		if w.left[fences] > 0 && !x.ledgers.list[w.book].fenced[n] {
			next, _ := x.commit(w, x.command(ledger.Fence{Node: nodeID(n)}))
			next.left[fences]--
			yield(event{what: fenced, node: uint8(n)}, next)
		}
	}
	if w.wall >= 2 {
		if next, _ := x.commit(w, x.command(ledger.Tick{})); next != w {
			yield(event{what: ticked}, next)
		}
	}
	x.eachRaise(w, yield)
	if w.left[rolls] > 0 {
		next := w
		next.left[rolls]--
		next.wall++
		if x.ledgers.list[w.book].raised {
			next.lift()
		}
		yield(event{what: rolled}, next)
	}
}

// lift notes that a raise is in force: accounts of this window have it, and those of
// the next, which may open before it begins.
func (w *world) lift() {
	for i := int(w.wall); i < min(int(w.wall)+2, windows); i++ {
		w.lifts[i] = 1
	}
}

// eachRaise yields the beginning and the early end of a raise.
func (x *explorer) eachRaise(w world, yield teller) {
	if x.ledgers.list[w.book].raised {
		next, _ := x.commit(w, x.command(ledger.EndRaise{Budget: budget, ID: "r"}))
		yield(event{what: unraised}, next)
		return
	}
	if w.left[raises] == 0 {
		return
	}
	next, r := x.commit(w, x.command(ledger.PutRaise{Raise: ledger.Raise{
		Budget: budget, ID: "r", All: true, Amount: lift, Until: at(w.wall + 2),
	}}))
	if r.code == ledger.Applied {
		next.left[raises]--
		next.lift()
		yield(event{what: raised}, next)
	}
}

// eachMove yields what a running node may do by itself.
func (x *explorer) eachMove(w world, n int, here *node, yield teller) {
	try := func(what what, arg int32, bound int) {
		if next, ok := x.make(w, n, what, arg, bound); ok {
			yield(event{moves, uint8(n), move{what, arg, w.wall}}, next)
		}
	}
	if !here.rejected {
		for k := range kinds {
			try(request, int32(k), requests)
		}
	}
	if here.saving {
		try(saved, 0, free)
		try(crashSaved, 0, crashes)
	}
	for i, c := range here.calls {
		if i > 0 && c == here.calls[i-1] {
			continue // the same by another name
		}
		if !c.dispatched {
			try(dispatch, int32(i), free)
		}
		try(finish, int32(i), free)
	}
	try(wait, 0, waits)
	try(nudge, 0, nudges)
	try(crash, 0, crashes)
	if here.wall != w.wall {
		try(step, 0, free)
	}
}

// make has a node move, if the bound allows it.
func (x *explorer) make(w world, n int, what what, arg int32, bound int) (world, bool) {
	if bound != free {
		if w.left[bound] == 0 {
			return w, false
		}
		w.left[bound]--
	}
	here := x.nodes.list[w.node[n]]
	switch what {
	case dispatch:
		c := here.calls[arg]
		w.bill[c.window] += uint8(kinds[c.kind].cost)
	case crash, crashSaved:
		w.stray[n], w.old[n] = here.sent, none
	case answer:
		w.old[n] = here.sent
	}
	w.node[n] = x.move(w.node[n], move{what, arg, w.wall})
	return w, true
}

// commit has the ledger apply a command.
func (x *explorer) commit(w world, command int32) (world, result) {
	r := x.apply(w.book, entry{command, w.wall})
	w.book = r.book
	return w, r
}

// eachExchange yields what may become of the Exchange under way. That it is
// lost, or the answer to it, is no event: the node sends it again until it is
// answered, and it is committed again then.
func (x *explorer) eachExchange(w world, n int, here *node, yield teller) {
	if here.sent == none || here.rejected {
		return
	}
	next, r := x.commit(w, here.sent)
	if twice, _ := x.commit(next, here.sent); twice != next {
		panic(fmt.Sprintf("n%d's exchange changes the ledger twice", n))
	}
	if next != w {
		yield(event{what: committed, node: uint8(n)}, next)
	}
	next = x.deliver(next, n, r)
	yield(event{what: answered, node: uint8(n)}, next)
}

// deliver takes the outcome of its Exchange to a node.
func (x *explorer) deliver(w world, n int, r result) world {
	switch {
	case r.code == ledger.Applied || r.code == ledger.Repeated:
		w, _ = x.make(w, n, answer, r.answer, free)
	case r.code == ledger.FencedNode:
		w, _ = x.make(w, n, reject, 0, free)
	default:
		panic(fmt.Sprintf("n%d: the ledger answers its exchange with code %d", n, r.code))
	}
	return w
}

// eachStart yields how a node that is down may come back.
func (x *explorer) eachStart(w world, n int, here *node, yield teller) {
	if next, ok := x.start(w, n); ok {
		yield(event{what: started, node: uint8(n)}, next)
	}
	if w.left[crashes] > 0 {
		if next, r := x.commit(w, here.asks); r.code == ledger.Applied {
			next.was[n] = here.asks
			next.left[crashes]--
			yield(event{what: registered, node: uint8(n)}, next)
		}
	}
}

// start registers a node and boots it. It does not if the ledger refuses.
func (x *explorer) start(w world, n int) (world, bool) {
	asks := x.nodes.list[w.node[n]].asks
	next, r := x.commit(w, asks)
	if r.code == ledger.StaleIncarnation {
		again := x.commands.list[asks].(ledger.Register)
		again.Previous = r.incarnation
		asks = x.command(again)
		next, r = x.commit(w, asks)
	}
	if r.code != ledger.Applied {
		return w, false
	}
	next.was[n] = asks
	next, _ = x.make(next, n, boot, int32(r.incarnation), free)
	return next, true
}

// eachCopy yields what copies of old messages may do.
func (x *explorer) eachCopy(w world, n int, yield teller) {
	for _, c := range []struct {
		what    happening
		command int32
	}{{late, w.old[n]}, {astray, w.stray[n]}, {lateStart, w.was[n]}} {
		if c.command == none {
			continue
		}
		next, r := x.commit(w, c.command)
		if c.what != astray && r.code == ledger.Applied {
			panic(fmt.Sprintf("%v: it was applied before, and is again", event{what: c.what, node: uint8(n)}))
		}
		if next != w {
			yield(event{what: c.what, node: uint8(n)}, next)
		}
	}
}
