package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"purser/ledger"
)

// fault is one kind of trouble. It strikes, and returns how to end it; nil if
// there is nothing to end.
type fault struct {
	name   string
	weight int
	strike func(n *nemesis) (end func())
}

// nemesis makes trouble, one fault at a time, as its seed says.
type nemesis struct {
	w      *world
	rng    *rand.Rand
	struck map[string]int // faults by name
}

const (
	shortest = 200 * time.Millisecond // a fault lasts this long at least
	longest  = 3 * time.Second
	breath   = time.Second // between two faults, at most
)

var faults = []fault{
	{"leader killed", 3, func(n *nemesis) func() { return n.kill(n.leaderOr()) }},
	{"node killed", 3, func(n *nemesis) func() { return n.kill(n.any()) }},
	{"majority killed", 1, func(n *nemesis) func() { return n.kill(n.some(len(n.w.members)/2 + 1)...) }},
	{"all killed", 1, func(n *nemesis) func() { return n.kill(n.w.members...) }},
	{"leader isolated", 3, func(n *nemesis) func() { return n.isolate(n.leaderOr()) }},
	{"node isolated", 2, func(n *nemesis) func() { return n.isolate(n.any()) }},
	{"leader heard by nobody", 2, (*nemesis).mute},
	{"one way lost", 2, (*nemesis).oneWay},
	{"links broken off", 2, (*nemesis).cut},
	{"links flap", 1, (*nemesis).flap},
	{"answers lost", 2, (*nemesis).deafen},
	{"all links slow", 2, (*nemesis).slow},
	{"leadership handed over", 2, (*nemesis).transfer},
	{"limit changed", 3, (*nemesis).setCap},
	{"killed while isolated", 1, (*nemesis).killIsolated},
}

// rage strikes until ctx ends.
func (n *nemesis) rage(ctx context.Context) {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	for ctx.Err() == nil {
		pick := n.rng.IntN(total)
		for _, f := range faults {
			if pick -= f.weight; pick >= 0 {
				continue
			}
			n.struck[f.name]++
			n.w.log.Info("fault", "name", f.name)
			if end := f.strike(n); end != nil {
				n.w.pass(ctx, n.between(shortest, longest))
				end()
			}
			break
		}
		n.w.pass(ctx, n.between(0, breath))
	}
}

func (n *nemesis) between(low, high time.Duration) time.Duration {
	return low + time.Duration(n.rng.Int64N(int64(high-low)))
}

func (n *nemesis) any() *member { return n.w.members[n.rng.IntN(len(n.w.members))] }

// some are different nodes.
func (n *nemesis) some(count int) (list []*member) {
	for _, i := range n.rng.Perm(len(n.w.members))[:count] {
		list = append(list, n.w.members[i])
	}
	return list
}

// leaderOr is the leader, or any node if there is none. That it is about to be
// lost is noted.
func (n *nemesis) leaderOr() *member {
	if m := n.w.leader(); m != nil {
		n.w.mu.Lock()
		n.w.lost = append(n.w.lost, n.w.at())
		n.w.mu.Unlock()
		return m
	}
	return n.any()
}

func (n *nemesis) kill(list ...*member) (end func()) {
	for _, m := range list {
		m.kill(n.rng.IntN(101), n.rng)
	}
	return func() {
		for _, m := range list {
			m.revive()
		}
	}
}

// revive starts a node that is down and not fenced.
func (m *member) revive() {
	m.mu.RLock()
	down := m.life == nil && !m.fenced
	m.mu.RUnlock()
	if down {
		m.start(false)
	}
}

// isolate holds what goes to and from a node: to itself it seems paused, and what
// it said before arrives when it is over.
func (n *nemesis) isolate(m *member) (end func()) {
	n.w.isolate(m, true)
	return n.w.mesh.Heal
}

// mute holds what a leader says; it hears the others.
func (n *nemesis) mute() (end func()) {
	m := n.leaderOr()
	for _, o := range n.w.others(m) {
		n.w.mesh.Hold(m.name, o.name, true)
	}
	return n.w.mesh.Heal
}

func (n *nemesis) oneWay() (end func()) {
	two := n.some(2)
	n.w.mesh.Hold(two[0].name, two[1].name, true)
	return n.w.mesh.Heal
}

func (n *nemesis) cut() (end func()) {
	m := n.any()
	for _, o := range n.w.others(m) {
		n.w.mesh.Cut(m.name, o.name, true)
	}
	return n.w.mesh.Heal
}

// flap cuts and heals in quick succession.
func (n *nemesis) flap() (end func()) {
	two := n.some(2)
	for range 3 + n.rng.IntN(5) {
		n.w.mesh.Cut(two[0].name, two[1].name, true)
		n.w.pass(context.Background(), n.between(20*time.Millisecond, 150*time.Millisecond))
		n.w.mesh.Cut(two[0].name, two[1].name, false)
		n.w.pass(context.Background(), n.between(20*time.Millisecond, 150*time.Millisecond))
	}
	return nil
}

// deafen loses the answers to what a node asks of the ledger, which is carried out.
func (n *nemesis) deafen() (end func()) {
	l := n.any().running()
	if l == nil {
		return nil
	}
	all := func(ledger.Command) bool { return true }
	l.deaf.Store(&all)
	return func() { l.deaf.Store(nil) }
}

func (n *nemesis) slow() (end func()) {
	for _, a := range n.w.members {
		for _, b := range n.w.others(a) {
			n.w.mesh.Slow(a.name, b.name, n.between(0, 60*time.Millisecond))
		}
	}
	return n.w.mesh.Heal
}

func (n *nemesis) transfer() (end func()) {
	if m := n.w.leader(); m != nil {
		if l := m.running(); l != nil {
			_ = l.raft.Transfer("") // it may have been lost by now
		}
	}
	return nil
}

// setCap asks for another limit of a budget: up by as much as a quarter, or down by
// a tenth. No limit is asked for twice.
func (n *nemesis) setCap() (end func()) {
	id := []ledger.BudgetID{hot, each}[n.rng.IntN(2)]
	n.w.mu.Lock()
	b := n.w.limits[id]
	n.w.mu.Unlock()
	if n.rng.IntN(3) == 0 {
		b.Limit -= 1 + ledger.Amount(n.rng.Int64N(int64(b.Limit/10)))
	} else {
		b.Limit += 1 + ledger.Amount(n.rng.Int64N(int64(b.Limit/4)))
	}
	if n.unasked(b) {
		n.w.put(n.any(), b)
	}
	return nil
}

func (n *nemesis) unasked(b ledger.Budget) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, c := range n.w.caps {
		if c.Budget == b.ID && c.Limit == b.Limit {
			return false
		}
	}
	return true
}

// killIsolated kills a node that nobody has heard for a while.
func (n *nemesis) killIsolated() (end func()) {
	m := n.any()
	n.w.isolate(m, true)
	n.w.pass(context.Background(), n.between(shortest, longest))
	revive := n.kill(m)
	return func() { n.w.mesh.Heal(); revive() }
}

// summary is the faults by name.
func (n *nemesis) summary() (text string) {
	for _, f := range faults {
		if k := n.struck[f.name]; k > 0 {
			text += fmt.Sprintf("%d %s, ", k, f.name)
		}
	}
	return text
}
