package nemesis

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/rig"
)

// A cut is between nodes: clients reach every node, on both sides of it, which is
// what is worst for a cap. Faults that cut nodes from the provider say so.
var networkFaults = []Fault{
	{Name: "partition-leader", Class: Network, What: "the leader cut off from the other nodes", Weight: 3, Strike: func(s *Strike) error {
		n, err := s.leaderThere()
		if err != nil {
			return err
		}
		return s.isolate(n, s.Between(300*time.Millisecond, 8*time.Second))
	}},
	{Name: "partition-node", Class: Network, What: "a node cut off from the others", Weight: 2, Strike: func(s *Strike) error {
		n := s.one()
		return s.isolate(n, s.Between(300*time.Millisecond, 8*time.Second))
	}},
	{Name: "partition-long", Class: Network, What: "the leader cut off for longer than authority_ttl", Strike: func(s *Strike) error {
		n, err := s.leaderThere()
		if err != nil {
			return err
		}
		ttl := s.Cluster.Authority()
		return s.isolate(n, s.Between(ttl+ttl/2, 2*ttl))
	}},
	{Name: "split", Class: Network, What: "two groups of nodes, one with a majority, drawn", Weight: 2, Strike: func(s *Strike) error {
		nodes := s.drawn()
		k := len(nodes)/2 + 1
		s.On(nodes[k:]...)
		return s.cut(netlab.Split(places(nodes[:k]), places(nodes[k:])), s.Between(300*time.Millisecond, 8*time.Second))
	}},
	{Name: "shatter", Class: Network, What: "every node cut off from every other", Strike: func(s *Strike) error {
		var groups [][]string
		for _, n := range s.Cluster.Nodes {
			groups = append(groups, []string{n.Place})
		}
		s.On(s.Cluster.Nodes...)
		return s.cut(netlab.Split(groups...), s.Between(300*time.Millisecond, 5*time.Second))
	}},
	{Name: "one-way", Class: Network, What: "what a node says to another is lost, not what it hears", Weight: 2, Strike: func(s *Strike) error {
		nodes := s.drawn()
		s.On(nodes[:2]...)
		return s.cut(netlab.OneWay(places(nodes[:1]), places(nodes[1:2])), s.Between(300*time.Millisecond, 8*time.Second))
	}},
	{Name: "mute-leader", Class: Network, What: "the leader hears all and is heard by none", Strike: func(s *Strike) error {
		n, err := s.leaderThere()
		if err != nil {
			return err
		}
		return s.cut(netlab.OneWay([]string{n.Place}, places(s.Cluster.Others(n))), s.Between(time.Second, 8*time.Second))
	}},
	{Name: "deaf-leader", Class: Network, What: "the leader is heard by all and hears none", Strike: func(s *Strike) error {
		n, err := s.leaderThere()
		if err != nil {
			return err
		}
		return s.cut(netlab.OneWay(places(s.Cluster.Others(n)), []string{n.Place}), s.Between(time.Second, 8*time.Second))
	}},
	{Name: "bridge", Class: Network, What: "two sides that only the node in the middle reaches", Weight: 2, Strike: func(s *Strike) error {
		nodes := s.drawn()
		k := (len(nodes) - 1) / 2
		s.On(nodes[1:]...)
		return s.cut(netlab.Bridge(places(nodes[1:1+k]), nodes[0].Place, places(nodes[1+k:])), s.Between(time.Second, 8*time.Second))
	}},
	{Name: "ring", Class: Network, What: "every node reaches only its neighbours in a ring; of three, the next one only", Strike: func(s *Strike) error {
		nodes := s.drawn()
		rules := netlab.Rules{}
		for i, a := range nodes {
			for j, b := range nodes {
				apart := (j - i + len(nodes)) % len(nodes)
				if i != j && apart != 1 && (len(nodes) == 3 || apart != len(nodes)-1) {
					rules[netlab.Pair{From: a.Place, To: b.Place}] = netlab.Rule{Drop: true}
				}
			}
		}
		s.On(nodes...)
		return s.cut(rules, s.Between(time.Second, 6*time.Second))
	}},
	{Name: "flap", Class: Network, What: "a node cut off and let in again, every 100 ms or so", Weight: 2, Strike: func(s *Strike) error {
		n := s.one()
		rules := netlab.Isolate(n.Place, places(s.Cluster.Others(n))...)
		for range 10 {
			if err := s.cut(rules, s.Between(30*time.Millisecond, 200*time.Millisecond)); err != nil {
				return err
			}
			s.Last(s.Between(30*time.Millisecond, 200*time.Millisecond))
		}
		return nil
	}},
	{Name: "hold", Class: Network, What: "what goes to and from a node comes late, all at once", Weight: 2, Strike: func(s *Strike) error {
		n := s.one()
		rules := netlab.Isolate(n.Place, places(s.Cluster.Others(n))...).With(netlab.Rule{Hold: true})
		return s.lay(rules, s.Between(300*time.Millisecond, 6*time.Second), func(c netlab.Counts) int64 { return c.Held })
	}},
	{Name: "region-cut", Class: Network, What: "regions 40 to 150 ms apart, then cut off from each other", Strike: func(s *Strike) error {
		nodes := s.drawn()
		k := len(nodes)/2 + 1
		here, there := places(nodes[:k]), places(nodes[k:])
		s.On(nodes[k:]...)
		undo, err := s.Net.Apply(netlab.Region(here, there, s.Between(40*time.Millisecond, 150*time.Millisecond)))
		if err != nil {
			return err
		}
		s.Last(s.Between(time.Second, 3*time.Second))
		err = s.cut(netlab.Split(here, there), s.Between(time.Second, 5*time.Second))
		return errors.Join(err, undo())
	}},
	{Name: "delay", Class: Network, What: "50 to 400 ms on every way between nodes, with jitter", Weight: 2, Strike: func(s *Strike) error {
		d := s.Between(50*time.Millisecond, 400*time.Millisecond)
		rules := s.between().With(netlab.Rule{Delay: d, Jitter: d / 4})
		return s.lay(rules, s.Between(2*time.Second, 8*time.Second), func(c netlab.Counts) int64 { return c.Delayed })
	}},
	{Name: "narrow", Class: Network, What: "16 kB/s between nodes", Strike: func(s *Strike) error {
		return s.lay(s.between().With(netlab.Rule{Rate: 16 << 10}), s.Between(2*time.Second, 6*time.Second), func(c netlab.Counts) int64 { return c.Delayed + c.Overflowed })
	}},
	{Name: "loss", Class: Network, What: "1 to 30 % of the packets between nodes lost", Weight: 2, Needs: Needs{Packets: true}, Strike: func(s *Strike) error {
		share := 0.01 + 0.29*s.Rand.Float64()
		return s.lay(s.between().With(netlab.Rule{Loss: share}), s.Between(2*time.Second, 8*time.Second), func(c netlab.Counts) int64 { return c.Lost })
	}},
	{Name: "duplicate", Class: Network, What: "half of the packets between nodes come twice", Needs: Needs{Packets: true}, Strike: func(s *Strike) error {
		return s.lay(s.between().With(netlab.Rule{Duplicate: 0.5}), s.Between(2*time.Second, 6*time.Second), func(c netlab.Counts) int64 { return c.Duplicated })
	}},
	{Name: "reorder", Class: Network, What: "a third of the packets between nodes overtaken by others", Needs: Needs{Packets: true}, Strike: func(s *Strike) error {
		return s.lay(s.between().With(netlab.Rule{Reorder: 0.33}), s.Between(2*time.Second, 6*time.Second), func(c netlab.Counts) int64 { return c.Reordered })
	}},
	{Name: "provider-cut-off", Class: Network, What: "a node cut off from the provider", Strike: func(s *Strike) error {
		n := s.one()
		return s.cut(netlab.Isolate(n.Place, rig.ProviderHost), s.Between(time.Second, 6*time.Second))
	}},
	{Name: "provider-lossy", Class: Network, What: "10 to 30 % of the packets between nodes and provider lost", Needs: Needs{Packets: true}, Strike: func(s *Strike) error {
		rules := netlab.Split(places(s.Cluster.Nodes), []string{rig.ProviderHost}).With(netlab.Rule{Loss: 0.1 + 0.2*s.Rand.Float64()})
		return s.lay(rules, s.Between(2*time.Second, 6*time.Second), func(c netlab.Counts) int64 { return c.Lost })
	}},
	{Name: "clients-lossy", Class: Network, What: "10 % of the packets between clients and a node lost, and 50 ms", Needs: Needs{Packets: true}, Strike: func(s *Strike) error {
		n := s.one()
		rules := netlab.Isolate(n.Place, rig.ClientHost).With(netlab.Rule{Loss: 0.1, Delay: 50 * time.Millisecond})
		return s.lay(rules, s.Between(2*time.Second, 6*time.Second), func(c netlab.Counts) int64 { return c.Lost })
	}},
}

// leaderThere is the leader, whose process nobody claims: a link is cut whatever runs
// at its ends.
func (s *Strike) leaderThere() (*rig.Node, error) {
	n := s.Cluster.Leader(s)
	if n == nil {
		return nil, errBusy("there is no leader")
	}
	s.On(n)
	return n, nil
}

// one is a node that is drawn.
func (s *Strike) one() *rig.Node {
	n := s.Cluster.Nodes[s.Rand.IntN(len(s.Cluster.Nodes))]
	s.On(n)
	return n
}

// drawn is all nodes, in an order that is drawn.
func (s *Strike) drawn() (list []*rig.Node) {
	for _, i := range s.Rand.Perm(len(s.Cluster.Nodes)) {
		list = append(list, s.Cluster.Nodes[i])
	}
	return list
}

// between is the directions between nodes.
func (s *Strike) between() netlab.Rules {
	var groups [][]string
	for _, n := range s.Cluster.Nodes {
		groups = append(groups, []string{n.Place})
	}
	return netlab.Split(groups...)
}

func places(nodes []*rig.Node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.Place)
	}
	return list
}

func (s *Strike) cut(rules netlab.Rules, d time.Duration) error {
	return s.lay(rules, d, func(c netlab.Counts) int64 { return c.Dropped })
}

// isolate cuts a node off from all others.
func (s *Strike) isolate(n *rig.Node, d time.Duration) error {
	err := s.cut(netlab.Isolate(n.Place, places(s.Cluster.Others(n))...), d)
	s.fault.Cut = s.laid
	return err
}

// lay puts rules in force for a time. effect counts, in one direction, what they did.
func (s *Strike) lay(rules netlab.Rules, d time.Duration, effect func(netlab.Counts) int64) error {
	sum := func() (n int64) {
		stats := s.Cluster.Lab.Stats()
		for p := range maps.Keys(rules) {
			n += effect(stats[p])
		}
		return n
	}
	before := sum()
	undo, err := s.Net.Apply(rules)
	if err != nil {
		return fmt.Errorf("setting the rules of links: %w", err)
	}
	s.laid = s.History.Now()
	s.Last(d)
	err = undo()
	if n := sum() - before; n > 0 {
		s.Saw("%d packets in %v", n, d.Round(time.Millisecond))
	}
	return err
}
