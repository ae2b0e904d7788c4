package gather

import (
	"cmp"
	"slices"

	"purser/internal/copies"
	"purser/ledger"
)

// Keeper is a node that has copies of an origin's records.
type Keeper struct {
	Node string
	Held copies.Held
}

// Keepers are the nodes that have copies of an origin, the most whole first; held is what
// each node that was heard of has, and incarnation the latest of the origin that is known, 0
// for none. Copies are not sealed any more when the origin has been back since: of a later
// incarnation, or heard of by another keeper, it may have written what they lack.
func Keepers(origin string, incarnation uint32, held map[string][]copies.Held) (list []Keeper) {
	var latest ledger.Instant
	for node, all := range held {
		for _, h := range all {
			if h.Origin == origin && node != origin {
				list = append(list, Keeper{node, h})
				latest = max(latest, h.Upto)
			}
		}
	}
	for i := range list {
		if h := &list[i].Held; h.Sealed && (h.Upto < latest || h.Incarnation < incarnation) {
			h.Sealed = false
		}
	}
	slices.SortFunc(list, func(a, b Keeper) int {
		switch {
		case a.Held.Better(b.Held):
			return -1
		case b.Held.Better(a.Held):
			return 1
		}
		return cmp.Compare(a.Node, b.Node)
	})
	return list
}

// Forgotten are the origins that somebody holds copies of and that are not known, in order:
// nodes that had left before their cluster was restored from a backup.
func Forgotten(known map[string]bool, held map[string][]copies.Held) (list []string) {
	for _, all := range held {
		for _, h := range all {
			if !known[h.Origin] && !slices.Contains(list, h.Origin) {
				list = append(list, h.Origin)
			}
		}
	}
	slices.Sort(list)
	return list
}
