package ledger

import (
	"flag"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

var exhaustiveDepth = flag.Int("depth", 5, "length of the histories that TestTwinExhaustive plays")

// pair applies every command to the ledger and to its twin.
type pair struct {
	state *State
	twin  *twin
	now   Instant
}

func newPair() *pair { return &pair{state: New(), twin: newTwin()} }

// apply fails when the two disagree about the outcome or about any account.
func (p *pair) apply(t failer, c Command) Outcome {
	t.Helper()
	got, want := p.state.Apply(p.now, c), p.twin.apply(p.now, c)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%#v\ngot  %s\nwant %s", c, printOutcome(got), printOutcome(want))
	}
	p.compare(t, c)
	return got
}

func printOutcome(o Outcome) string {
	if o.Answer == nil {
		return fmt.Sprintf("%+v", o)
	}
	return fmt.Sprintf("%s %+v", o.Code, *o.Answer)
}

func (p *pair) compare(t failer, c Command) {
	t.Helper()
	if p.state.accounts.size != len(p.twin.accounts) || p.state.nodes.size != len(p.twin.nodes) || p.state.budgets.size != len(p.twin.budgets) {
		t.Fatalf("after %#v: %d accounts, %d nodes, %d budgets; want %d, %d, %d", c,
			p.state.accounts.size, p.state.nodes.size, p.state.budgets.size,
			len(p.twin.accounts), len(p.twin.nodes), len(p.twin.budgets))
	}
	for k, a := range p.twin.accounts {
		got, ok := p.state.Account(k)
		want := AccountView{
			Key: k, Unit: p.twin.budgets[k.Budget].Unit, Limit: a.limit(), Available: a.available(),
			Outstanding: a.outstanding(), Spent: a.sum("spend", nil), Presumed: a.sum("presume", nil),
			WrittenOff: a.writtenOff(), Withheld: a.sum("withheld", nil), Overrun: a.sum("overrun", nil),
			State: p.twin.openable(k, false), Holders: len(a.holders()),
		}
		_, want.WindowEnd = p.twin.budgets[k.Budget].Window.Bounds(k.Start)
		if !ok || got != want {
			t.Fatalf("after %#v:\ngot  %+v\nwant %+v", c, got, want)
		}
	}
	for id, n := range p.twin.nodes {
		got, _ := p.state.Node(id)
		if got.Incarnation != n.incarnation || got.MarkSeq != n.markSeq || got.Fenced != n.fenced || got.Store != n.store {
			t.Fatalf("after %#v: node %+v, want %+v", c, got, n)
		}
	}
}

// TestTwin compares the ledger with its naive twin over random histories, in
// which nodes say anything: mostly what honest nodes would, but also reports
// of money they never had, repeats, old sequence numbers and wrong windows.
func TestTwin(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		p := newPair()
		g := &generator{t: t, p: p}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			p.now += rapid.SampledFrom([]Instant{0, 0, 0, 0, 100, Second / 2, Second, 20 * Second, 55 * Second, 70 * Second, 300 * Second}).Draw(t, "pass")
			p.apply(t, g.command())
		}
		if err := p.state.Check(); err != nil {
			t.Fatal(err)
		}
		if p.state.Digest() != reload(t, p.state).Digest() {
			t.Fatal("a loaded snapshot has another digest")
		}
	})
}

// checkOften is rapid.Check with twenty times as many tries: these histories are
// cheap, and the faults they look for need several rare steps in a row.
func checkOften(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rounds := 20
	if testing.Short() || raceEnabled {
		rounds = 3
	}
	for range rounds {
		if rapid.Check(t, property); t.Failed() {
			return
		}
	}
}

// generator draws commands that mean something in the present state.
type generator struct {
	t *rapid.T
	p *pair
}

var worldBudgets = []Budget{
	{ID: "team", Unit: USD, Limit: 100, Window: Window{Kind: Total}},
	{ID: "cust", Unit: USD, Limit: 1000, Window: Window{Kind: PerMinute}, Each: []DimRef{{Dim: DimCustomer}}},
	{ID: "conc", Unit: Slots, Limit: 6, Window: Window{Kind: Total}},
	{ID: "soft", Unit: Tokens, Limit: 50, Window: Window{Kind: PerMinute}, Soft: true},
}

var worldNodes = []NodeID{"n1", "n2", "n3"}

func (g *generator) command() Command {
	p := g.p
	switch pick := rapid.IntRange(0, 19).Draw(g.t, "command"); {
	case len(p.twin.nodes) == 0 || pick == 0:
		return g.register()
	case len(p.twin.budgets) < len(worldBudgets) || pick == 1:
		b := rapid.SampledFrom(worldBudgets).Draw(g.t, "budget")
		b.Limit = rapid.SampledFrom([]Amount{b.Limit, b.Limit, b.Limit / 2, b.Limit * 2, 0}).Draw(g.t, "limit")
		b.Soft = b.Soft != (rapid.IntRange(0, 7).Draw(g.t, "soften") == 0)
		if rapid.IntRange(0, 19).Draw(g.t, "reshape") == 0 {
			b.Window.Kind = PerHour
		}
		return PutBudget{Budget: b}
	case pick == 2 && rapid.Bool().Draw(g.t, "really"):
		return DeleteBudget{rapid.SampledFrom(worldBudgets).Draw(g.t, "budget").ID}
	case pick == 3 && rapid.IntRange(0, 3).Draw(g.t, "really") == 0:
		return Fence{rapid.SampledFrom(worldNodes).Draw(g.t, "node")}
	case pick == 3 && rapid.Bool().Draw(g.t, "restore"):
		return Restore{p.twin.generation + rapid.SampledFrom([]uint32{1, 1, 1, 0, 2}).Draw(g.t, "generation")}
	case pick == 3:
		return Release{rapid.SampledFrom(worldBudgets).Draw(g.t, "budget").ID}
	case pick == 4:
		return g.raise()
	case pick == 5:
		return Tick{}
	case pick == 6:
		return g.register()
	default:
		return g.exchange()
	}
}

func (g *generator) key() AccountKey {
	b := rapid.SampledFrom(worldBudgets).Draw(g.t, "account")
	k := AccountKey{Budget: b.ID}
	if len(b.Each) > 0 {
		k.Split = MakeSplit(rapid.SampledFrom([]string{"a", "b|c"}).Draw(g.t, "customer"))
	}
	k.Start, _ = b.Window.Bounds(g.p.state.Now())
	if b.Window.Kind == PerMinute {
		k.Start += rapid.SampledFrom([]Instant{0, 0, 0, 0, -Minute, -Minute, Minute, -2 * Minute, 5 * Minute, 1}).Draw(g.t, "window")
	}
	if rapid.IntRange(0, 40).Draw(g.t, "odd") == 0 {
		k.Split = "odd"
	}
	return k
}

// raise begins a raise, or ends one.
func (g *generator) raise() Command {
	k := g.key()
	id := rapid.SampledFrom([]RaiseID{"x", "y"}).Draw(g.t, "raise")
	if rapid.IntRange(0, 3).Draw(g.t, "end") == 0 {
		return EndRaise{k.Budget, id}
	}
	all := k.Split == "" || rapid.IntRange(0, 2).Draw(g.t, "all") == 0
	if all && rapid.IntRange(0, 20).Draw(g.t, "wrong") > 0 {
		k.Split = ""
	}
	until := g.p.now + rapid.SampledFrom([]Instant{Second, 30 * Second, 90 * Second, 400 * Second, 0}).Draw(g.t, "until")
	return PutRaise{Raise{Budget: k.Budget, ID: id, All: all, Split: k.Split, Amount: 1 + g.amount(100), Until: until}}
}

func (g *generator) amount(most Amount) Amount {
	return Amount(rapid.Int64Range(0, int64(max(0, most))).Draw(g.t, "amount"))
}

func (g *generator) register() Command {
	id := rapid.SampledFrom(worldNodes).Draw(g.t, "node")
	n, _ := g.p.state.Node(id)
	r := Register{Node: id, Store: StoreID{1}, Previous: n.Incarnation, MarkSeq: n.MarkSeq}
	switch rapid.IntRange(0, 12).Draw(g.t, "fault") {
	case 0:
		r.Store[0] = 2
	case 1:
		r.Previous--
	case 2:
		r.MarkSeq -= min(r.MarkSeq, 1)
	case 3:
		r.MarkSeq += 5
	}
	for range rapid.IntRange(0, 4).Draw(g.t, "evidence") {
		k := g.key()
		l, _ := g.p.state.Lease(k, id)
		e := Evidence{Account: k, Mark: l.Spent + g.amount(l.Granted-l.Spent-l.Returned)}
		e.Incarnation = rapid.SampledFrom([]uint32{0, n.Incarnation, n.Incarnation + 1}).Draw(g.t, "incarnation")
		e.Proven = g.amount(e.Mark)
		if rapid.IntRange(0, 4).Draw(g.t, "wrong") == 0 {
			e.Mark, e.Proven = g.amount(200), g.amount(200)
		}
		if rapid.IntRange(0, 4).Draw(g.t, "overran") == 0 {
			e.Overrun = g.amount(e.Proven)
		}
		r.Evidence = append(r.Evidence, e)
	}
	return r
}

func (g *generator) exchange() Command {
	id := rapid.SampledFrom(worldNodes).Draw(g.t, "node")
	n, _ := g.p.state.Node(id)
	x := &Exchange{Node: id, Incarnation: n.Incarnation, Seq: n.Seq + 1, MarkSeq: n.MarkSeq + uint64(g.amount(1))}
	switch rapid.IntRange(0, 24).Draw(g.t, "fault") {
	case 0:
		x.Seq -= min(x.Seq, 2)
	case 1:
		x.Seq--
	case 2:
		x.Incarnation--
	case 3:
		x.Seq += 3
	}
	for range rapid.IntRange(0, 3).Draw(g.t, "rows") {
		x.Rows = append(x.Rows, g.row(id))
	}
	if len(x.Rows) == 0 {
		return x
	}
	for range rapid.IntRange(0, 3).Draw(g.t, "needs") {
		need := Need{}
		for range rapid.IntRange(0, 3).Draw(g.t, "claims") {
			row := rapid.IntRange(0, len(x.Rows)-1).Draw(g.t, "claim")
			if !x.Rows[row].Done {
				need.Claims = append(need.Claims, Claim{Row: row, Missing: g.amount(rapid.SampledFrom([]Amount{3, 30, 150}).Draw(g.t, "scale"))})
			}
		}
		x.Needs = append(x.Needs, need)
	}
	return x
}

func (g *generator) row(id NodeID) Row {
	k := g.key()
	l, _ := g.p.state.Lease(k, id)
	free := l.Granted - l.Spent - l.Returned
	r := Row{Account: k, Spent: l.Spent, Overrun: l.Overrun, Returned: l.Returned, Rate: g.amount(20)}
	if k.Budget != "conc" {
		r.Spent += g.amount(free)
	}
	r.Returned += g.amount(free - (r.Spent - l.Spent))
	switch rapid.IntRange(0, 15).Draw(g.t, "fault") {
	case 0:
		r.Spent += g.amount(20)
	case 1, 2:
		over := g.amount(20)
		r.Spent, r.Overrun = r.Spent+over, r.Overrun+over
	case 3:
		r.Spent -= min(r.Spent, 5)
		r.Overrun = min(r.Overrun, r.Spent)
	case 4:
		r.Returned += g.amount(5)
	case 5:
		r.Overrun = r.Spent
	}
	if rapid.IntRange(0, 5).Draw(g.t, "done") == 0 {
		r.Done = true
	} else if rapid.Bool().Draw(g.t, "wants") {
		r.Want = g.amount(120)
	}
	return r
}

// TestTwinExhaustive plays every history up to a depth over a tiny alphabet: two
// nodes, one budget of four, a crash, a return, a repeat, an overrun, a window
// that ends.
func TestTwinExhaustive(t *testing.T) {
	depth := *exhaustiveDepth
	if testing.Short() || raceEnabled {
		depth = min(depth, 4)
	}
	k := AccountKey{Budget: "b"}
	budget := Budget{ID: "b", Unit: USD, Limit: 4, Window: Window{Kind: PerMinute}}
	alphabet := []func(p *pair){
		func(p *pair) { p.send(t, "n1", Row{Account: k}, 3) },
		func(p *pair) { p.send(t, "n2", Row{Account: k, Want: 4}, 2) },
		func(p *pair) { p.send(t, "n1", p.spend(k, "n1", 2, 0), 0) },
		func(p *pair) { p.send(t, "n2", p.spend(k, "n2", 1, 1), 0) },
		func(p *pair) { p.send(t, "n1", p.giveBack(k, "n1"), 0) },
		func(p *pair) { p.send(t, "n1", Row{Account: k, Done: true}, 0) },
		func(p *pair) { p.repeat(t, "n1", k) },
		func(p *pair) { p.crash(t, "n1", Evidence{Account: k, Mark: 2, Proven: 1}, 1) },
		func(p *pair) { p.crash(t, "n2", Evidence{Account: k}, 0) },
		func(p *pair) { p.apply(t, Fence{"n2"}) },
		func(p *pair) { p.now += 61 * Second; p.apply(t, Tick{}) },
		func(p *pair) {
			p.apply(t, PutBudget{Budget: Budget{ID: "b", Unit: USD, Limit: 2, Window: budget.Window}})
		},
		func(p *pair) { p.apply(t, DeleteBudget{"b"}) },
		func(p *pair) {
			p.apply(t, PutRaise{Raise{Budget: "b", ID: "r", All: true, Amount: 2, Until: 90 * Second}})
		},
		func(p *pair) { p.apply(t, EndRaise{"b", "r"}) },
		func(p *pair) { p.apply(t, Restore{p.twin.generation + 1}) },
		func(p *pair) { p.apply(t, Release{"b"}) },
	}
	root := newPair()
	root.apply(t, PutBudget{Budget: budget})
	root.apply(t, Register{Node: "n1"})
	root.apply(t, Register{Node: "n2"})
	// Histories that lead to one state have one future: it is played once.
	type place struct {
		digest [32]byte
		left   int
	}
	seen := map[place]bool{}
	var play func(p *pair, left int)
	play = func(p *pair, left int) {
		here := place{p.state.Digest(), left}
		if seen[here] {
			return
		}
		seen[here] = true
		if left == 0 {
			if err := p.state.Check(); err != nil {
				t.Fatal(err)
			}
			return
		}
		for _, step := range alphabet {
			next := p.clone()
			step(next)
			play(next, left-1)
		}
	}
	play(root, depth)
	t.Logf("%d states", len(seen))
}

func (p *pair) clone() *pair {
	return &pair{state: p.state.Clone(), twin: p.twin.clone(), now: p.now}
}

// send is an Exchange of one row that says what the ledger knows, and more.
func (p *pair) send(t failer, id NodeID, r Row, missing Amount) {
	n, _ := p.state.Node(id)
	l, _ := p.state.Lease(r.Account, id)
	r.Spent, r.Overrun, r.Returned = max(r.Spent, l.Spent), max(r.Overrun, l.Overrun), max(r.Returned, l.Returned)
	x := &Exchange{Node: id, Incarnation: n.Incarnation, Seq: n.Seq + 1, MarkSeq: n.MarkSeq, Rows: []Row{r}}
	if missing > 0 {
		x.Needs = []Need{{[]Claim{{0, missing}}}}
	}
	p.apply(t, x)
}

func (p *pair) spend(k AccountKey, id NodeID, amount, overrun Amount) Row {
	l, _ := p.state.Lease(k, id)
	amount = min(amount, l.Granted-l.Returned-l.Spent)
	return Row{Account: k, Spent: l.Spent + amount + overrun, Overrun: l.Overrun + overrun}
}

func (p *pair) giveBack(k AccountKey, id NodeID) Row {
	l, _ := p.state.Lease(k, id)
	return Row{Account: k, Returned: l.Granted - l.Spent}
}

func (p *pair) repeat(t failer, id NodeID, k AccountKey) {
	n, _ := p.state.Node(id)
	p.apply(t, &Exchange{Node: id, Incarnation: n.Incarnation, Seq: max(1, n.Seq), Rows: []Row{{Account: k, Want: 4}}})
}

func (p *pair) crash(t failer, id NodeID, e Evidence, marks uint64) {
	n, _ := p.state.Node(id)
	p.apply(t, Register{Node: id, Previous: n.Incarnation, MarkSeq: n.MarkSeq + marks, Evidence: []Evidence{e}})
}
