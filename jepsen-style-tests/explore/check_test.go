package explore

import (
	"fmt"

	"purser/ledger"
)

// check returns what is wrong with a world, "" if nothing is. What concerns the
// ledger alone, or a node alone, was checked when it was first met.
func (x *explorer) check(w world) string {
	b := x.ledgers.list[w.book]
	for i := range windows {
		usable, writtenOff := ledger.Amount(0), true
		for n := range nodes {
			here := x.nodes.list[w.node[n]]
			usable += here.usable[i]
			writtenOff = writtenOff && (here.usable[i] == 0 || b.fenced[n])
			if here.granted[i] > b.granted[n][i] && !here.rejected && !b.fenced[n] {
				return fmt.Sprintf("window %d: n%d believes in %d, the ledger granted %d", i, n, here.granted[i], b.granted[n][i])
			}
		}
		billed := ledger.Amount(w.bill[i])
		switch {
		case billed > limit+lift*ledger.Amount(w.lifts[i]):
			return fmt.Sprintf("window %d: %d is billed, the cap is %d, raised by %d", i, billed, limit, lift*ledger.Amount(w.lifts[i]))
		case dropped(w, b, i) && writtenOff: // it cannot be opened again
		case billed+usable > b.taken[i]:
			return fmt.Sprintf("window %d: %d is billed and %d more may be, the ledger has set aside %d", i, billed, usable, b.taken[i])
		}
	}
	return ""
}

// dropped reports whether the ledger has, rightly, forgotten the account of a
// window: one window after its own.
func dropped(w world, b *book, i int) bool { return !b.exists[i] && i+2 <= int(w.wall) }

// rounds bounds a drain. What takes longer does not end.
const rounds = 60

// drain ends the trouble: what is down starts, every call ends, every node
// returns what it has. Then nothing may be out, and the books must have what was
// billed.
func (x *explorer) drain(w world) string {
	faults := w.left
	for n := range nodes {
		if !x.nodes.list[w.node[n]].up {
			var ok bool
			if w, ok = x.start(w, n); !ok {
				continue // fenced
			}
		}
		w = x.drainNode(w, n)
		if here := x.nodes.list[w.node[n]]; !here.drained && !here.rejected {
			return fmt.Sprintf("n%d does not drain", n)
		}
	}
	b := x.ledgers.list[w.book]
	for i := range windows {
		billed := ledger.Amount(w.bill[i])
		switch {
		case b.outstanding[i] != 0:
			return fmt.Sprintf("window %d: %d is out after the drain", i, b.outstanding[i])
		case dropped(w, b, i):
		case billed > b.spent[i]+b.writtenOff[i]:
			return fmt.Sprintf("window %d: %d is billed, spent is %d and written off %d", i, billed, b.spent[i], b.writtenOff[i])
		case x.bounds[crashes] == faults[crashes] && x.bounds[fences] == faults[fences] && billed != b.spent[i]:
			return fmt.Sprintf("window %d: %d is billed, spent is %d, without a crash", i, billed, b.spent[i])
		}
	}
	return x.check(w)
}

func (x *explorer) drainNode(w world, n int) world {
	w, _ = x.make(w, n, drain, 0, free)
	for range rounds {
		here := x.nodes.list[w.node[n]]
		switch {
		case here.drained:
			return w
		case len(here.calls) > 0 && !here.calls[0].dispatched:
			w, _ = x.make(w, n, dispatch, 0, free)
		case len(here.calls) > 0:
			w, _ = x.make(w, n, finish, 0, free)
		case here.rejected:
			return w
		case here.saving:
			w, _ = x.make(w, n, saved, 0, free)
		case here.sent != none:
			next, r := x.commit(w, here.sent)
			w = x.deliver(next, n, r)
		default:
			w, _ = x.make(w, n, wait, 0, free)
		}
	}
	return w
}
