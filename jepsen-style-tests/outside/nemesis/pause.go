package nemesis

import (
	"errors"
	"time"

	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/rig"
)

var pauseFaults = []Fault{
	{Name: "pause-leader", Class: Pause, What: "SIGSTOP of the leader, 0.1 to 8 s", Weight: 3, Strike: func(s *Strike) error {
		n, release, err := s.Leader()
		return s.pause(n, release, err, s.Between(100*time.Millisecond, 8*time.Second))
	}},
	{Name: "pause-follower", Class: Pause, What: "SIGSTOP of a follower, 0.1 to 8 s", Weight: 2, Strike: func(s *Strike) error {
		n, release, err := s.Follower()
		return s.pause(n, release, err, s.Between(100*time.Millisecond, 8*time.Second))
	}},
	{Name: "pause-holder", Class: Pause, What: "SIGSTOP of a node between its holds and its sends: what it sends to the provider is kept back meanwhile", Weight: 3, Strike: func(s *Strike) error {
		n, release, err := s.Holder()
		if err != nil {
			return err
		}
		undo, err := s.Net.Apply(netlab.Rules{{From: n.Place, To: rig.ProviderHost}: {Hold: true}})
		if err != nil {
			release()
			return err
		}
		s.Last(s.Between(100*time.Millisecond, 400*time.Millisecond)) // holds gather
		err = s.pause(n, release, nil, s.Between(100*time.Millisecond, 6*time.Second))
		return errors.Join(err, undo())
	}},
	{Name: "pause-long", Class: Pause, What: "SIGSTOP of a node beyond authority_ttl, up to 120 s in long runs", Strike: func(s *Strike) error {
		n, release, err := s.Any()
		ttl := s.Cluster.Authority()
		return s.pause(n, release, err, s.Between(ttl+ttl/10, 12*ttl))
	}},
	{Name: "pause-all", Class: Pause, What: "SIGSTOP of every node, 0.1 to 3 s", Strike: func(s *Strike) error {
		nodes, release, err := s.Some(len(s.Cluster.Nodes))
		return s.pauseSome(nodes, release, err, s.Between(100*time.Millisecond, 3*time.Second))
	}},
	{Name: "pause-stutter", Class: Pause, What: "SIGSTOP and SIGCONT in quick turns, ten times", Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		for range 10 {
			if err := s.halt(n, s.Between(20*time.Millisecond, 300*time.Millisecond)); err != nil {
				return err
			}
			s.Last(s.Between(20*time.Millisecond, 200*time.Millisecond))
		}
		return nil
	}},
}

func (s *Strike) pause(n *rig.Node, release func(), err error, d time.Duration) error {
	return s.pauseSome([]*rig.Node{n}, release, err, d)
}

func (s *Strike) pauseSome(nodes []*rig.Node, release func(), err error, d time.Duration) error {
	if err != nil {
		return err
	}
	defer release()
	for _, n := range nodes {
		err = errors.Join(err, n.Pause())
	}
	if err == nil {
		s.Saw("stopped for %v", d.Round(time.Millisecond))
		s.Last(d)
	}
	for _, n := range nodes {
		err = errors.Join(err, n.Resume())
	}
	return err
}

func (s *Strike) halt(n *rig.Node, d time.Duration) error {
	return s.pauseSome([]*rig.Node{n}, func() {}, nil, d)
}
