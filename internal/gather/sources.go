package gather

import (
	"cmp"
	"slices"

	"purser/internal/copies"
)

// Keeper is a node that has copies of an origin's records.
type Keeper struct {
	Node string
	Held copies.Held
}

// Keepers are the nodes that have copies of an origin, the most whole first; held is what
// each node that was heard of has.
func Keepers(origin string, held map[string][]copies.Held) (list []Keeper) {
	for node, all := range held {
		for _, h := range all {
			if h.Origin == origin && node != origin {
				list = append(list, Keeper{node, h})
			}
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
