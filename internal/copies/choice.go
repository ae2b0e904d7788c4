package copies

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Node is one that may keep copies.
type Node struct {
	ID           string
	Region, Zone string // "" where not known
	Gone         bool   // removed or fenced: it keeps nothing any more
	Leaving      bool   // it drains, and may soon be gone
}

// Choose is the peer of an origin: the first of [Rank], or "" where there is no other node.
func Choose(origin string, nodes []Node) string {
	if list := Rank(origin, nodes); len(list) > 0 {
		return list[0]
	}
	return ""
}

// Rank is every node that may keep copies of an origin's things, the best first: those that
// do not drain, then those of another zone of its region, then those of another region, and
// among equals by rendezvous hashing (Thaler and Ravishankar, 1998), so that a node that
// comes or goes moves the copies of few others.
func Rank(origin string, nodes []Node) []string {
	var home Node
	for _, n := range nodes {
		if n.ID == origin {
			home = n
		}
	}
	type candidate struct {
		id      string
		leaving bool
		near    int
		draw    uint64
	}
	var list []candidate
	for _, n := range nodes {
		if n.Gone || n.ID == origin {
			continue
		}
		list = append(list, candidate{n.ID, n.Leaving, nearness(&home, &n), draw(origin, n.ID)})
	}
	slices.SortFunc(list, func(a, b candidate) int {
		switch {
		case a.leaving && !b.leaving:
			return 1
		case b.leaving && !a.leaving:
			return -1
		}
		return cmp.Or(cmp.Compare(a.near, b.near), cmp.Compare(b.draw, a.draw), cmp.Compare(a.id, b.id))
	})
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].id
	}
	return ids
}

// nearness orders candidates by what they would share with the origin when it is lost.
func nearness(home, n *Node) int {
	known := func(a, b string) bool { return a != "" && b != "" }
	switch {
	case known(home.Region, n.Region) && home.Region != n.Region:
		return 1
	case known(home.Zone, n.Zone) && home.Zone != n.Zone:
		return 0
	default:
		return 2
	}
}

func draw(origin, node string) uint64 {
	sum := sha256.Sum256([]byte(origin + "\x00" + node))
	return binary.BigEndian.Uint64(sum[:])
}
