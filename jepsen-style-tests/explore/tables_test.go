package explore

import (
	"fmt"

	"purser/internal/purse"
	"purser/ledger"
)

// An explorer knows every ledger and every node that was met, once each, and
// what became of it by each command or move. A world is then a handful of
// numbers, and the same step is computed once, in however many worlds it is
// taken.
type explorer struct {
	commands table[string, ledger.Command]
	answers  table[string, *ledger.Answer]
	ledgers  table[[32]byte, *book]
	nodes    table[[32]byte, *node]
	bounds   bounds
	doing    string // for the first time, when something panicked
	merged   int
	samples  []merge
}

func newExplorer() *explorer {
	x := &explorer{}
	for _, m := range []*map[string]int32{&x.commands.ids, &x.answers.ids} {
		*m = map[string]int32{}
	}
	for _, m := range []*map[[32]byte]int32{&x.ledgers.ids, &x.nodes.ids} {
		*m = map[[32]byte]int32{}
	}
	return x
}

// merge is a node that was met again, by other moves than the first time.
type merge struct {
	node int32
	from int32
	by   move
}

// sampleEvery is how many merges there are to one that is looked at again.
const sampleEvery = 16

// table numbers what is met, by key.
type table[K comparable, V any] struct {
	ids  map[K]int32
	list []V
}

func (t *table[K, V]) id(key K, make func() V) (id int32, fresh bool) {
	if id, ok := t.ids[key]; ok {
		return id, false
	}
	id = int32(len(t.list))
	t.ids[key] = id
	t.list = append(t.list, make())
	return id, true
}

// none is no message, no answer.
const none = int32(-1)

func (x *explorer) command(c ledger.Command) int32 {
	id, _ := x.commands.id(string(ledger.AppendCommand(nil, c)), func() ledger.Command { return c })
	return id
}

// book is a state of the ledger.
type book struct {
	state   *ledger.State // not to be changed
	applied map[entry]result
	// The account of each window, if there is one.
	exists      [windows]bool
	taken       [windows]ledger.Amount // limit - available
	outstanding [windows]ledger.Amount
	spent       [windows]ledger.Amount
	writtenOff  [windows]ledger.Amount
	granted     [nodes][windows]ledger.Amount
	fenced      [nodes]bool
	raised      bool
}

// entry is a command in the log, stamped.
type entry struct {
	command int32
	wall    uint8
}

// result is what an entry did.
type result struct {
	book        int32
	code        ledger.Code
	incarnation uint32
	answer      int32
}

// apply carries out an entry in a state of the ledger.
func (x *explorer) apply(id int32, e entry) result {
	b := x.ledgers.list[id]
	if r, ok := b.applied[e]; ok {
		return r
	}
	x.doing = fmt.Sprintf("the ledger applies %+v", x.commands.list[e.command])
	s := b.state.Clone()
	out := s.Apply(at(e.wall), x.commands.list[e.command])
	r := result{book: x.book(s), code: out.Code, incarnation: out.Incarnation, answer: none}
	if out.Answer != nil {
		r.answer, _ = x.answers.id(fmt.Sprintf("%+v", *out.Answer), func() *ledger.Answer { return out.Answer })
	}
	b.applied[e] = r
	x.doing = ""
	return r
}

func (x *explorer) book(s *ledger.State) int32 {
	id, fresh := x.ledgers.id(s.Digest(), func() *book { return newBook(s) })
	if fresh {
		if err := s.Check(); err != nil {
			panic(err.Error())
		}
	}
	return id
}

func newBook(s *ledger.State) *book {
	b := &book{state: s, applied: map[entry]result{}, raised: len(s.Raises(budget)) > 0}
	for v := range s.Accounts(budget) {
		w := windowOf(v.Key)
		b.exists[w], b.taken[w], b.outstanding[w] = true, v.Limit-v.Available, v.Outstanding
		b.spent[w], b.writtenOff[w] = v.Spent, v.WrittenOff
		for n := range nodes {
			l, _ := s.Lease(v.Key, nodeID(n))
			b.granted[n][w] = l.Granted
		}
	}
	for n := range nodes {
		v, _ := s.Node(nodeID(n))
		b.fenced[n] = v.Fenced
	}
	return b
}

func nodeID(n int) ledger.NodeID { return ledger.NodeID(fmt.Sprint("n", n)) }

// node is a state of a node: what it is, and how it came to be, so that it can
// be made again. Purses cannot be copied; they are driven again from the last
// time the node was down.
type node struct {
	id   ledger.NodeID
	from int32 // the node it was, before by; none when disk says it all
	by   move
	disk disk // while down
	next map[move]int32

	up       bool
	wall     uint8
	rejected bool
	drained  bool
	saving   bool
	sent     int32 // the Exchange under way
	asks     int32 // the Register it will start with, while down
	parked   int
	calls    []call // without their holds
	granted  [windows]ledger.Amount
	usable   [windows]ledger.Amount // free, or held and not dispatched
}

// move has a node make a move.
func (x *explorer) move(id int32, m move) int32 {
	n := x.nodes.list[id]
	if next, ok := n.next[m]; ok {
		return next
	}
	x.doing = fmt.Sprintf("%s %s", n.id, m)
	p := x.rebuild(id)
	p.do(m, x)
	next := x.node(p, id, m)
	n.next[m] = next
	x.doing = ""
	return next
}

// node numbers the state that a process is in.
func (x *explorer) node(p *process, from int32, by move) int32 {
	id, fresh := x.nodes.id(p.fingerprint(), func() *node { return x.describe(p, from, by) })
	if !fresh {
		if x.merged++; x.merged%sampleEvery == 0 && p.driver != nil {
			x.samples = append(x.samples, merge{id, from, by})
		}
	} else if wrong := p.check(); wrong != "" {
		panic(fmt.Sprintf("%s: %s", p.id, wrong))
	}
	return id
}

// checkMerges drives each sampled node the other way that led to it, and has it
// make every move that was made of it: each must lead where it led then. So what
// fingerprints leave out does not matter.
func (x *explorer) checkMerges() string {
	for _, s := range x.samples {
		for m, led := range x.nodes.list[s.node].next {
			p := x.rebuild(s.from)
			p.do(s.by, x)
			p.do(m, x)
			if id, ok := x.nodes.ids[p.fingerprint()]; !ok || id != led {
				return fmt.Sprintf("two ways lead %s to one fingerprint and part when it %s", p.id, names[m.what])
			}
		}
	}
	return ""
}

func (x *explorer) describe(p *process, from int32, by move) *node {
	n := &node{id: p.id, from: from, by: by, next: map[move]int32{}, sent: none, asks: none}
	if p.driver == nil {
		n.from, n.disk = none, p.disk.clone()
		n.asks = x.command(p.register())
		return n
	}
	n.up, n.wall, n.rejected, n.drained = true, p.wall, p.rejected, p.driver.Drained()
	_, _, n.saving = p.driver.Saving()
	if m := p.driver.Sent(); m != nil {
		n.sent = x.command(m)
	}
	n.parked = len(p.parked)
	for _, c := range p.calls {
		c.hold = purse.Hold{}
		n.calls = append(n.calls, c)
		if !c.dispatched {
			n.usable[c.window] += kinds[c.kind].hold
		}
	}
	for l := range p.driver.Leases() {
		if !l.Ending {
			n.granted[windowOf(l.Key)] = l.Granted
		}
		if !l.Closing {
			n.usable[windowOf(l.Key)] += l.Free
		}
	}
	return n
}

// rebuild makes a process that is in this state.
func (x *explorer) rebuild(id int32) *process {
	var moves []move
	n := x.nodes.list[id]
	for ; n.from != none; n = x.nodes.list[n.from] {
		moves = append(moves, n.by)
	}
	p := &process{id: n.id, disk: n.disk.clone()}
	for i := len(moves) - 1; i >= 0; i-- {
		p.do(moves[i], x)
	}
	return p
}
