package explore

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"purser/internal/purse"
	"purser/ledger"
)

// The tiny world: two nodes, one budget of 4 a minute.
const (
	nodes   = 2
	limit   = 4
	lift    = 2 // of a raise
	windows = 4 // that a history of two rolls can reach
	budget  = ledger.BudgetID("cap")
)

// kind is a call: what it holds and what it costs.
type kind struct{ hold, cost ledger.Amount }

var kinds = [...]kind{{1, 1}, {2, 1}, {2, 2}}

// start is a second before the end of a window, so that the next one may be
// opened ahead.
const start = ledger.Instant(1_772_323_199) * ledger.Second

// at is the time after so many rolls.
func at(wall uint8) ledger.Instant { return start + ledger.Instant(wall)*ledger.Minute }

// windowOf is the number of an account's window, from 0.
func windowOf(k ledger.AccountKey) int {
	return int((k.Start - (start - 59*ledger.Second)) / ledger.Minute)
}

// move is one thing that happens to a node. After it the node does all that it
// can do by itself, but for what it waits for: an answer, a save.
type move struct {
	what what
	arg  int32 // of a request its kind; of a call its place; of an answer its id; of a boot the incarnation
	wall uint8
}

type what uint8

const (
	boot       what = iota + 1 // a process starts, under the incarnation arg
	request                    // a call asks for its hold
	answer                     // of the ledger, arg
	reject                     // the ledger says that this node is no more
	saved                      // the save under way is durable
	dispatch                   // a call goes upstream
	finish                     // a call ends: settled if it was dispatched, else released
	wait                       // a second goes by
	nudge                      // the leader says that others wait
	step                       // the node looks at its clock
	crash                      // memory is gone, and the save under way
	crashSaved                 // memory is gone, and the save under way is durable
	drain                      // the node is told to return everything
)

var names = map[what]string{
	boot: "boots", request: "gets a request", answer: "takes the answer", reject: "is rejected", saved: "saves its marks",
	dispatch: "dispatches", finish: "finishes", wait: "waits a second", nudge: "is nudged", step: "looks at the clock",
	crash: "crashes, without its save", crashSaved: "crashes, its save is durable", drain: "drains",
}

func (m move) String() string {
	switch m.what {
	case request:
		return fmt.Sprintf("%s that holds %d and costs %d", names[m.what], kinds[m.arg].hold, kinds[m.arg].cost)
	case dispatch, finish:
		return fmt.Sprintf("%s call %d", names[m.what], m.arg)
	default:
		return names[m.what]
	}
}

// call is one call that has its hold.
type call struct {
	hold       purse.Hold
	kind       int
	window     int
	dispatched bool
}

type parked struct {
	request purse.Parked
	kind    int
}

// process is a node as it runs, or its disk while it does not.
type process struct {
	id     ledger.NodeID
	disk   disk
	driver *purse.Driver
	chain  *purse.Chain
	calls  []call
	parked []parked
	mono   int64
	wall   uint8

	rejected bool
	draining bool
	last     *ledger.Answer // that it took
}

var errStop = errors.New("only asked for its evidence")

func (p *process) now() purse.Moment { return purse.Moment{Wall: at(p.wall), Mono: p.mono} }

func (p *process) config() (purse.Config, purse.Seams) {
	cfg := purse.Default()
	cfg.Node, cfg.Store = p.id, ledger.StoreID{p.id[1]}
	cfg.AuthorityTTL = 3_600_000_000_000
	cfg.Idle = 1_000_000_000
	return cfg, purse.Seams{Marks: &p.disk, Proofs: p.disk.proofs}
}

// register is what the node will ask the ledger when it starts.
func (p *process) register() ledger.Register {
	var asked ledger.Register
	cfg, seams := p.config()
	_, err := purse.NewDriver(cfg, seams, p.now(), func(r ledger.Register) (uint32, error) {
		asked = r
		return 0, errStop
	})
	if !errors.Is(err, errStop) {
		panic(err)
	}
	return asked
}

// do carries out a move. It panics when the purse does what it must not.
func (p *process) do(m move, x *explorer) {
	p.wall = m.wall
	switch m.what {
	case boot:
		p.boot(uint32(m.arg))
	case request:
		p.request(int(m.arg))
	case answer:
		p.take(x.answers.list[m.arg])
	case reject:
		p.driver.Fail(&purse.RejectedError{Code: ledger.FencedNode})
		p.rejected = true
	case saved:
		p.persist()
		p.driver.Saved(p.now())
	case dispatch:
		p.calls[m.arg].dispatched = true
	case finish:
		p.finish(int(m.arg))
	case wait:
		p.mono += 1_000_000_000
	case nudge:
		var keys []ledger.AccountKey
		for l := range p.driver.Leases() {
			keys = append(keys, l.Key)
		}
		p.driver.Nudge(keys)
	case step:
	case crashSaved:
		p.persist()
		p.die()
	case crash:
		p.die()
	case drain:
		p.driver.Drain()
		p.draining = true
	}
	p.turn()
}

// take takes the answer to the Exchange under way, and none besides it.
func (p *process) take(a *ledger.Answer) {
	if p.last != nil && p.driver.Answer(p.last, p.now()) {
		panic(fmt.Sprintf("%s takes an answer of before", p.id))
	}
	if !p.driver.Answer(a, p.now()) {
		panic(fmt.Sprintf("%s does not take its answer", p.id))
	}
	if p.last = a; p.driver.Answer(a, p.now()) {
		panic(fmt.Sprintf("%s takes an answer twice", p.id))
	}
}

func (p *process) boot(incarnation uint32) {
	cfg, seams := p.config()
	d, err := purse.NewDriver(cfg, seams, p.now(), func(ledger.Register) (uint32, error) { return incarnation, nil })
	if err != nil {
		panic(err)
	}
	for id := range p.disk.records { // no evidence will name them again
		if id.incarnation < incarnation {
			delete(p.disk.records, id)
		}
	}
	d.SetRules(budgets(), 1, p.now())
	p.driver, p.chain = d, new(purse.Chain)
	if err := d.Resolve(p.chain, new(ledger.Dimensions)); err != nil {
		panic(err)
	}
}

func budgets() []ledger.Budget {
	return []ledger.Budget{{ID: budget, Unit: ledger.USD, Limit: limit, Window: ledger.Window{Kind: ledger.PerMinute}}}
}

func (p *process) request(k int) {
	claim := purse.Claim{USD: kinds[k].hold}
	if h, ok := p.driver.TryReserve(&p.chain.Money, claim); ok {
		p.begin(h, k)
		return
	}
	p.parked = append(p.parked, parked{p.driver.Park(&p.chain.Money, claim, p.now()), k})
}

func (p *process) begin(h purse.Hold, k int) {
	p.calls = append(p.calls, call{hold: h, kind: k, window: windowOf(h.Held(nil)[0].Account)})
}

func (p *process) finish(i int) {
	c := p.calls[i]
	p.calls = slices.Delete(p.calls, i, i+1)
	if !c.dispatched {
		c.hold.Release()
		return
	}
	for _, charge := range c.hold.Settle(purse.Claim{USD: kinds[c.kind].cost}, nil) {
		p.disk.record(charge)
	}
}

func (p *process) persist() {
	if seq, marks, ok := p.driver.Saving(); ok {
		if err := p.disk.SaveMarks(seq, marks); err != nil {
			panic(err)
		}
	}
}

func (p *process) die() {
	*p = process{id: p.id, disk: p.disk}
}

// turn is what the loops of a purse do: note what happened, hand out what is to
// be done, and let requests take their decisions.
func (p *process) turn() {
	d := p.driver
	if d == nil {
		return
	}
	d.Step(p.now())
	d.NextMarks()
	if d.Sent() == nil {
		p.mono += 1_000_000 // between two Exchanges there is a millisecond at the least
		if d.NextExchange(p.now()) == nil {
			p.mono -= 1_000_000
		}
	}
	p.parked = slices.DeleteFunc(p.parked, func(q parked) bool {
		if h, _, _ := q.request.Decision(); h.Valid() {
			p.begin(h, q.kind)
		}
		return q.request.Decided()
	})
	slices.SortStableFunc(p.calls, func(a, b call) int { // calls that are alike are the same
		return cmp.Or(cmp.Compare(a.window, b.window), cmp.Compare(a.kind, b.kind), cmp.Compare(b2i(a.dispatched), b2i(b.dispatched)))
	})
	if err := d.Broken(); err != nil && !p.rejected {
		panic(fmt.Sprintf("the purse broke down: %v", err))
	}
}

// fingerprint is all that the node's future depends on.
func (p *process) fingerprint() [32]byte {
	f := fingerprint{mono: p.mono}
	f.add(p.id)
	f.add(p.wall)
	f.add(p.rejected)
	f.add(p.draining)
	f.b = p.disk.appendTo(f.b)
	f.add(p.driver)
	for _, c := range p.calls {
		f.add(c.hold)
		f.add(c.kind)
		f.add(c.window)
		f.add(c.dispatched)
	}
	for _, q := range p.parked {
		f.add(q.request)
		f.add(q.kind)
	}
	return sha256.Sum256(f.b)
}

// check returns what is wrong with the node by itself, "" if nothing is.
func (p *process) check() string {
	if p.driver == nil {
		return ""
	}
	var held [windows]ledger.Amount
	for _, c := range p.calls {
		held[c.window] += kinds[c.kind].hold
	}
	for l := range p.driver.Leases() {
		w := windowOf(l.Key)
		durable := p.disk.marks[leaseID{l.Key, p.driver.Incarnation()}]
		switch {
		case l.Free < 0 || l.Issued+l.Unbacked != l.Free+held[w]+l.Spent:
			return fmt.Sprintf("issued %d + unbacked %d != free %d + held %d + spent %d", l.Issued, l.Unbacked, l.Free, held[w], l.Spent)
		case l.Returned+l.Issued > l.Granted:
			return fmt.Sprintf("returned %d + issued %d > granted %d", l.Returned, l.Issued, l.Granted)
		case l.Issued > durable || l.Mark > durable:
			return fmt.Sprintf("issued %d, mark %d, but durable is %d", l.Issued, l.Mark, durable)
		}
	}
	if got := p.driver.Outstanding(); got != len(p.calls) {
		return fmt.Sprintf("%d holds outstanding, %d calls", got, len(p.calls))
	}
	return ""
}
