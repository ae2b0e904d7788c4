package cluster

import (
	"cmp"
	"slices"
	"time"
)

// MaxVoters is how many nodes vote at most. Each more is one more disk to wait
// for, and two failures are survived by five.
const MaxVoters = 5

// Patience is how long the leader watches a node before it draws conclusions.
type Patience struct {
	// Stable is how long a node must answer without a break before it may vote.
	Stable time.Duration
	// Dead is how long a voter must be silent before another takes its place.
	Dead time.Duration
	// Lag is how many entries behind a node may be to become a voter.
	Lag uint64
}

// Calm is the patience of a cluster in one place, and of one in several: what
// raft-autopilot waits, and longer before a voter is replaced.
func Calm() Patience { return Patience{Stable: 10 * time.Second, Dead: 2 * time.Minute, Lag: 250} }

// CalmWAN is [Calm] for nodes in several regions.
func CalmWAN() Patience {
	return Patience{Stable: 30 * time.Second, Dead: 10 * time.Minute, Lag: 2000}
}

// View is what the leader knows of the cluster at one moment.
type View struct {
	Self    string
	Servers []Server // Raft's configuration
	Nodes   []Seen   // who belongs to the cluster
}

// Seen is a node that was let in, as the leader sees it.
type Seen struct {
	ID      string
	Address string // where it says it is
	Region  string
	Zone    string
	Removed bool
	// Leaving nodes stay in the configuration but do not vote if others can.
	Leaving bool
	// Answers is for how long it has answered without a break; Silent, for how
	// long it has not answered. One of the two is zero.
	Answers, Silent time.Duration
	Behind          uint64 // entries
}

// Plan returns the one next change that brings Raft's configuration nearer to
// what it should be, and false if there is none. It is a pure function; the
// leader asks again after each change (Raft takes one at a time), and leases
// have no part in it.
//
// The order is that of urgency: addresses first, for a node that cannot be
// reached cannot do anything; who was removed goes; a voter that is dead or
// leaving makes room when another can take its place; then the new are added,
// and promoted when they are stable, first where no voter is yet.
func Plan(v View, p Patience) (Change, bool) {
	seen := map[string]*Seen{}
	for i := range v.Nodes {
		seen[v.Nodes[i].ID] = &v.Nodes[i]
	}
	for _, next := range []func(View, map[string]*Seen, Patience) (Change, bool){readdress, expel, replace, enlist, promote} {
		if c, ok := next(v, seen, p); ok {
			return c, true
		}
	}
	return Change{}, false
}

// readdress follows a node that has moved.
func readdress(v View, seen map[string]*Seen, _ Patience) (Change, bool) {
	for _, s := range v.Servers {
		n := seen[s.ID]
		if n == nil || n.Removed || n.Address == s.Address {
			continue
		}
		kind := AddNonvoter
		if s.Voter {
			kind = AddVoter
		}
		return Change{kind, s.ID, n.Address}, true
	}
	return Change{}, false
}

// expel removes who was removed, if those who are left can still decide. A
// server that no node was let in as stays: it is from before the cluster.
func expel(v View, seen map[string]*Seen, _ Patience) (Change, bool) {
	for _, s := range v.Servers {
		n := seen[s.ID]
		if n != nil && n.Removed && (!s.Voter || MayLose(v, s.ID)) {
			return Change{Kind: Remove, ID: s.ID}, true
		}
	}
	return Change{}, false
}

// MayLose reports whether the voters without one have a quorum that answers.
func MayLose(v View, id string) bool {
	rest, alive := 0, 0
	for _, s := range v.Servers {
		if !s.Voter || s.ID == id {
			continue
		}
		rest++
		if s.ID == v.Self || slices.ContainsFunc(v.Nodes, func(n Seen) bool { return n.ID == s.ID && n.Silent == 0 && !n.Removed }) {
			alive++
		}
	}
	return alive > 0 && alive >= rest/2+1
}

// replace takes the vote from a voter that is dead or leaving, when there is one
// that could vote instead or enough remain.
func replace(v View, seen map[string]*Seen, p Patience) (Change, bool) {
	for _, s := range v.Servers {
		n := seen[s.ID]
		if !s.Voter || n == nil || n.Removed || s.ID == v.Self || !n.spent(p) || !MayLose(v, s.ID) {
			continue
		}
		if _, ok := successor(v, seen, p); ok || n.Leaving && voters(v) > 3 {
			return Change{Kind: Demote, ID: s.ID}, true
		}
	}
	return Change{}, false
}

// spent reports whether the node's vote should go to another.
func (n *Seen) spent(p Patience) bool { return n.Leaving || n.Silent >= p.Dead }

// enlist adds nodes that Raft does not know yet, without a vote.
func enlist(v View, _ map[string]*Seen, _ Patience) (Change, bool) {
	for _, n := range v.Nodes {
		if !n.Removed && !slices.ContainsFunc(v.Servers, func(s Server) bool { return s.ID == n.ID }) {
			return Change{AddNonvoter, n.ID, n.Address}, true
		}
	}
	return Change{}, false
}

// promote gives the vote to the best candidate while there is room. The number
// of voters is odd when it can be: an even one survives no more failures than
// the odd one below it.
func promote(v View, seen map[string]*Seen, p Patience) (Change, bool) {
	have := voters(v)
	if have >= MaxVoters {
		return Change{}, false
	}
	if have%2 == 1 && have > 1 && candidates(v, seen, p) < 2 {
		return Change{}, false
	}
	n, ok := successor(v, seen, p)
	if !ok {
		return Change{}, false
	}
	return Change{AddVoter, n.ID, n.Address}, true
}

func voters(v View) (n int) {
	for _, s := range v.Servers {
		if s.Voter {
			n++
		}
	}
	return n
}

func candidates(v View, seen map[string]*Seen, p Patience) (n int) {
	for _, s := range v.Servers {
		if m := seen[s.ID]; !s.Voter && m != nil && m.fit(p) {
			n++
		}
	}
	return n
}

// fit reports whether the node could vote.
func (n *Seen) fit(p Patience) bool {
	return !n.Removed && !n.Leaving && n.Silent == 0 && n.Answers >= p.Stable && n.Behind <= p.Lag
}

// successor is the non-voter that should vote next: the one whose region and
// zone have the fewest voters, then the one that has answered longest.
func successor(v View, seen map[string]*Seen, p Patience) (*Seen, bool) {
	regions, zones := map[string]int{}, map[[2]string]int{}
	for _, s := range v.Servers {
		if n := seen[s.ID]; s.Voter && n != nil {
			regions[n.Region]++
			zones[[2]string{n.Region, n.Zone}]++
		}
	}
	var best *Seen
	for _, s := range v.Servers {
		n := seen[s.ID]
		if s.Voter || n == nil || !n.fit(p) {
			continue
		}
		if best == nil || cmp.Or(
			cmp.Compare(regions[n.Region], regions[best.Region]),
			cmp.Compare(zones[[2]string{n.Region, n.Zone}], zones[[2]string{best.Region, best.Zone}]),
			cmp.Compare(best.Answers, n.Answers),
			cmp.Compare(n.ID, best.ID),
		) < 0 {
			best = n
		}
	}
	return best, best != nil
}
