package ledger

import (
	"testing"

	"pgregory.net/rapid"
)

// verify compares the ledger with the bill.
func (w *world) verify() {
	if err := w.state.Check(); err != nil {
		w.t.Fatal(err)
	}
	for k, b := range w.bills {
		a, ok := w.state.Account(k)
		if !ok {
			continue // dropped, and was verified until then
		}
		b.limit = max(b.limit, a.Limit)
		if b.total-b.overrun > b.limit {
			w.t.Fatalf("%s: billed %d within holds, limit %d", k, b.total-b.overrun, b.limit)
		}
		// Overrun is charged to its lease first: until the lease ends, holds that
		// are in flight may come to more than what it has left, by that much.
		unreported := b.lost + w.uncovered(k)
		for _, n := range w.nodes {
			if l := n.leases[k]; l != nil && n.alive {
				known, _ := w.state.Lease(k, n.id)
				unreported += max(0, l.overrun-known.Overrun)
			} else if !n.alive {
				known, _ := w.state.Lease(k, n.id)
				unreported += max(0, n.disk.marks[k].Overrun-known.Overrun)
			}
		}
		if covered := a.Spent + a.WrittenOff + a.Outstanding + unreported; b.total > covered {
			w.t.Fatalf("%s: billed %d, but spent %d + written off %d + outstanding %d + unreported overrun %d",
				k, b.total, a.Spent, a.WrittenOff, a.Outstanding, unreported)
		}
		if sure := a.Spent - a.Presumed; sure > b.total {
			w.t.Fatalf("%s: billed %d, but the ledger is sure of %d", k, b.total, sure)
		}
	}
}

// uncovered is overrun that took the place of money granted for holds.
func (w *world) uncovered(k AccountKey) (sum Amount) {
	a, _ := w.state.accounts.get(k)
	for _, l := range a.leases {
		sum += l.overrun - l.forced
	}
	return sum
}

// TestL1ConservationAgainstTheBill, also L2, L3, L4 and L5: however messages are
// lost, repeated and reordered, and whoever crashes when, no account is billed
// beyond its limit but by overrun; everything billed is spent, outstanding or
// written off; and nothing is called spent, unless presumed, that was not billed.
func TestL1ConservationAgainstTheBill(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		w := newWorldOf(t)
		for range rapid.IntRange(10, 150).Draw(t, "steps") {
			w.step()
			w.verify()
		}
		w.drain()
	})
}

// drain lets every node come back and return what it has: then nothing is
// outstanding anywhere.
func (w *world) drain() {
	for _, n := range w.nodes {
		if n.alive {
			w.crash(n)
		}
		known, _ := w.state.Node(n.id)
		r := Register{Node: n.id, Store: StoreID{1}, Previous: known.Incarnation, MarkSeq: n.disk.markSeq}
		for _, e := range n.disk.marks {
			r.Evidence = append(r.Evidence, e)
		}
		if out := w.apply(r); out.Code == FencedNode {
			for k, e := range n.disk.marks { // overrun that it can never report
				w.bills[k].lost += e.Overrun
			}
		}
		n.leases, n.disk.marks = nil, nil
	}
	w.verify()
	for _, b := range hardBudgets {
		for a := range w.state.Accounts(b.ID) {
			if a.Outstanding != 0 || a.Holders != 0 {
				w.t.Fatalf("%s: outstanding %d with %d holders after every node came back", a.Key, a.Outstanding, a.Holders)
			}
		}
	}
}

// TestL8DeterminismOfWorlds replays the log of a world with clones and snapshots
// taken at other points: the digests are the same after every command.
func TestL8DeterminismOfWorlds(t *testing.T) {
	checkOften(t, func(t *rapid.T) {
		w := newWorldOf(t)
		for range rapid.IntRange(10, 80).Draw(t, "steps") {
			w.step()
		}
		want, got := New(), New()
		var clones []*State
		var digests [][32]byte
		for _, l := range w.log {
			want.replay(l)
			if rapid.IntRange(0, 9).Draw(t, "interrupt") == 0 {
				clones, digests = append(clones, got.Clone()), append(digests, got.Digest())
			} else if rapid.IntRange(0, 19).Draw(t, "restart") == 0 {
				got = reload(t, got)
			}
			got.replay(l)
			if got.Digest() != want.Digest() {
				t.Fatalf("digests differ after %#v", l.cmd)
			}
		}
		if want.Digest() != w.state.Digest() {
			t.Fatal("the replay ends elsewhere")
		}
		for i, c := range clones {
			if c.Digest() != digests[i] {
				t.Fatalf("clone %d changed after it was taken", i)
			}
		}
	})
}

func (s *State) replay(l logged) {
	if m, ok := l.cmd.(markHeard); ok {
		s.editNode(m.node).markSeq = m.seq
		return
	}
	s.Apply(l.now, l.cmd)
}
