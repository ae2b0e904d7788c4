package verdict

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

// conserved is C4: limit = available + outstanding + spent + written off, whenever an
// account is looked at.
func conserved(b *book) (found []Finding) {
	look := func(at int64, who string, list []admin.Account) {
		for i := range list {
			if a := &list[i]; a.Limit != a.Available+a.Outstanding+a.Spent+a.WrittenOff {
				found = append(found, finding("C4", at, "%s: limit %d, but available %d + outstanding %d + spent %d + written off %d, as %s says",
					b.keyOf(a).label(), a.Limit, a.Available, a.Outstanding, a.Spent, a.WrittenOff, who))
			}
		}
	}
	for i := range b.h.Samples {
		look(b.h.Samples[i].At, b.h.Samples[i].Node, b.h.Samples[i].Accounts)
	}
	for i := range b.h.Changes {
		look(b.h.Changes[i].Ended, b.h.Changes[i].Node, b.h.Changes[i].Accounts)
	}
	for _, place := range slices.Sorted(maps.Keys(b.end.Nodes)) {
		for _, d := range b.end.Nodes[place].Budgets {
			look(b.end.Left, place+" at the end", d.Accounts)
		}
	}
	return found
}

// point is a place in the log of a cluster.
type point struct {
	generation uint32
	index      uint64
}

// word is what a node said of a place in the log.
type word struct {
	point
	at          int64
	who, digest string
}

// digests are what nodes said of the ledger after an entry of the log. A node reads
// state and index one after the other: what belongs together is sure when its next
// sample says both again. At the end nothing moves.
func (b *book) digests() (list []word) {
	last := map[string]*history.Sample{}
	for i := range b.h.Samples {
		s := &b.h.Samples[i]
		before := last[s.Node]
		last[s.Node] = s
		if s.Down || before == nil || before.Down || before.Is != s.Is || s.Digest == "" {
			continue
		}
		if before.Applied == s.Applied && before.Digest == s.Digest && before.Generation == s.Generation {
			list = append(list, word{point{s.Generation, s.Applied}, s.At, s.Is, s.Digest})
		}
	}
	for _, place := range slices.Sorted(maps.Keys(b.end.Nodes)) {
		s := b.end.Nodes[place].Status
		list = append(list, word{point{s.Generation, s.AppliedLog}, b.end.Left, s.Node, s.Digest})
	}
	return list
}

// checkpoints are the digests that nodes take at the same entries.
func (b *book) checkpoints() (list []word) {
	for i := range b.h.Samples {
		if s := &b.h.Samples[i]; s.Checkpoint != nil {
			list = append(list, word{point{s.Generation, s.Checkpoint.Entry}, s.At, s.Is, s.Checkpoint.Digest})
		}
	}
	return list
}

// agreed is C5: nodes that applied the same entries of the same log have the same
// digest.
func agreed(b *book) (found []Finding) {
	for _, list := range [][]word{b.digests(), b.checkpoints()} {
		first := map[point]word{}
		for _, w := range list {
			before, ok := first[w.point]
			switch {
			case !ok:
				first[w.point] = w
			case before.digest != w.digest:
				found = append(found, finding("C5", w.at, "after entry %d of generation %d, %s has the digest %.16s and %s %.16s", w.index, w.generation, before.who, before.digest, w.who, w.digest))
			}
		}
	}
	return found
}

// Digests are by entry of the log what a node said of its ledger after it, in a cluster
// that goes back to no backup.
func Digests(h *history.History, end *history.End) map[uint64]string {
	out := map[uint64]string{}
	for _, w := range newBook(h, end).digests() {
		if w.generation == 0 {
			out[w.index] = w.digest
		}
	}
	return out
}

// monotone is C6. In the samples of a process, and in the reads of a session, spending
// does not shrink and no window opens again; of a node, incarnation and generation do
// not go back, and its term neither, unless its disk lost what it had.
func monotone(b *book) (found []Finding) {
	last := map[string]*history.Sample{} // of a node, by its id
	reads := map[string]map[key]admin.Account{}
	forget := func(who string) { delete(reads, who) }
	read := func(at int64, who string, list []admin.Account) {
		if reads[who] == nil {
			reads[who] = map[key]admin.Account{}
		}
		for _, a := range list {
			k := b.keyOf(&a)
			before, ok := reads[who][k]
			reads[who][k] = a
			if !ok {
				continue
			}
			if a.Spent < before.Spent && !b.remade(k, at) {
				found = append(found, finding("C6", at, "%s: %d spent was read by %s, then %d", k.label(), before.Spent, who, a.Spent))
			}
			if before.State == "ended" && a.State == "open" && !b.remade(k, at) {
				found = append(found, finding("C6", at, "%s was over for %s, then open", k.label(), who))
			}
		}
	}
	for i := range b.h.Samples {
		s := &b.h.Samples[i]
		if s.Down {
			forget(s.Is)
			continue
		}
		if before := last[s.Is]; before != nil {
			if s.Applied < before.Applied || s.Generation != before.Generation {
				forget(s.Is) // it started again, and reads its log once more
			}
			found = append(found, b.backwards(before, s)...)
		}
		last[s.Is] = s
		read(s.At, s.Is, s.Accounts)
	}
	for i := range b.h.Changes {
		if c := &b.h.Changes[i]; c.Kind == "read" && c.OK {
			read(c.Ended, fmt.Sprintf("session %d", c.Session), c.Accounts)
		}
	}
	return found
}

// remade says whether an account's budget may have been deleted, or a backup restored,
// before a time: then it began anew.
func (b *book) remade(k key, at int64) bool {
	x := b.budgets[history.BudgetOf(k.name)]
	return x == nil || slices.ContainsFunc(x.gone, func(g span) bool { return g.from <= at }) ||
		b.nearBy(-never, at, 0, restores)
}

func (b *book) backwards(before, s *history.Sample) (found []Finding) {
	if b.nearBy(before.At, s.At, 0, func(f *history.Fault) bool { return f.Loses && on(f, s.Node) }) {
		return nil
	}
	for _, v := range []struct {
		name        string
		before, now uint64
	}{{"term", before.Term, s.Term}, {"incarnation", uint64(before.Incarnation), uint64(s.Incarnation)}, {"generation", uint64(before.Generation), uint64(s.Generation)}} {
		// A process that starts does not know its numbers yet.
		if v.now < v.before && s.State != "starting" {
			found = append(found, finding("C6", s.At, "%s was in %s %d, then in %d", s.Is, v.name, v.before, v.now))
		}
	}
	return found
}

// drainWithin is how soon nothing is outstanding when the clients are gone.
const drainWithin = 30 * time.Second

// drained is C8: nothing is outstanding on any node within 30 s of the clients' end,
// and then each account adds up to its limit; and all nodes tell the same of it.
func drained(b *book) (found []Finding) {
	if b.end.Drained <= 0 || b.end.Drained > drainWithin {
		found = append(found, finding("C8", b.end.Left, "it took %v (0: more than was waited) until nothing was outstanding, %v are promised", b.end.Drained, drainWithin))
	}
	for _, place := range slices.Sorted(maps.Keys(b.end.Nodes)) {
		for _, d := range b.end.Nodes[place].Budgets {
			for i := range d.Accounts {
				a := &d.Accounts[i]
				if a.Outstanding != 0 || a.Available+a.Spent+a.WrittenOff != a.Limit {
					found = append(found, finding("C8", b.end.Left, "%s at %s: outstanding %d, available %d + spent %d + written off %d, limit %d",
						b.keyOf(a).label(), place, a.Outstanding, a.Available, a.Spent, a.WrittenOff, a.Limit))
				}
			}
		}
	}
	for _, place := range slices.Sorted(maps.Keys(b.end.Exits)) {
		found = append(found, finding("end", b.end.Left, "%s did not end well: %s", place, b.end.Exits[place]))
	}
	return found
}
