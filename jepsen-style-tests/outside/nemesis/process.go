package nemesis

import (
	"errors"
	"sync"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/workload"
)

var processFaults = []Fault{
	{Name: "kill-leader", Class: Process, What: "SIGKILL of the leader, started again after up to 3 s", Weight: 3, Strike: func(s *Strike) error {
		n, release, err := s.Leader()
		return s.killOne(n, release, err)
	}},
	{Name: "kill-follower", Class: Process, What: "SIGKILL of a follower", Weight: 3, Strike: func(s *Strike) error {
		n, release, err := s.Follower()
		return s.killOne(n, release, err)
	}},
	{Name: "kill-holder", Class: Process, What: "SIGKILL of the node with the most holds under way", Weight: 2, Strike: func(s *Strike) error {
		n, release, err := s.Holder()
		return s.killOne(n, release, err)
	}},
	{Name: "kill-twice", Class: Process, What: "SIGKILL of a node, and again as soon as it is started", Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		for range 2 {
			if err := s.kill(n); err != nil {
				return err
			}
			if err := s.Revive(n); err != nil {
				return err
			}
			s.Last(s.Between(0, 300*time.Millisecond))
		}
		return nil
	}},
	{Name: "kill-majority", Class: Process, What: "SIGKILL of a majority, the leader among them", Strike: func(s *Strike) error {
		nodes, release, err := s.Some(len(s.Cluster.Nodes)/2 + 1)
		return s.killSome(nodes, release, err)
	}},
	{Name: "kill-all", Class: Process, What: "SIGKILL of every node", Strike: func(s *Strike) error {
		nodes, release, err := s.Some(len(s.Cluster.Nodes))
		return s.killSome(nodes, release, err)
	}},
	{Name: "restart", Class: Process, What: "SIGTERM of a node, which must end well under load, and a start", Weight: 2, Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		if err := s.stop(n); err != nil {
			return err
		}
		s.Saw("%s ended in peace", n.Place)
		s.Last(s.Between(0, time.Second))
		return s.Revive(n)
	}},
}

// Holder claims the node that says that it has the most holds under way.
func (s *Strike) Holder() (*rig.Node, func(), error) {
	var most *rig.Node
	holds := -1
	for _, n := range s.Cluster.Nodes {
		if !n.Up() {
			continue
		}
		if st, err := n.Here().Status(s); err == nil && st.Holds > holds {
			most, holds = n, st.Holds
		}
	}
	if most == nil {
		return s.Any()
	}
	release, err := s.Take(Processes(most)...)
	s.On(most)
	return most, release, err
}

func (s *Strike) killOne(n *rig.Node, release func(), err error) error {
	return s.killSome([]*rig.Node{n}, release, err)
}

func (s *Strike) killSome(nodes []*rig.Node, release func(), err error) error {
	if err != nil {
		return err
	}
	defer release()
	for _, n := range nodes {
		if err := s.kill(n); err != nil {
			return err
		}
	}
	s.Last(s.Between(100*time.Millisecond, 3*time.Second))
	return s.Revive(nodes...)
}

// stop ends a node in peace, with slow answers under way. That it cannot give back what it
// held has a reason as long as other faults are under way, or just were.
func (s *Strike) stop(n *rig.Node) error {
	if n.PID() == 0 {
		return nil
	}
	const answers, before = 3, 400 * time.Millisecond
	var going sync.WaitGroup
	for range answers {
		going.Go(func() {
			s.Town.Trial(s, n, workload.Trials, func(q *workload.Question, c *workload.Call) {
				q.Stream, q.Cap, c.Mode = true, 60, "slow-chunks=40ms+tokens=30"
			})
		})
	}
	defer going.Wait()
	s.Last(before)
	st := history.Stop{Node: n.Place, Is: n.ID(), From: s.History.Now()}
	err := n.Stop()
	st.To, st.Well = s.History.Now(), err == nil
	s.fault.Stops = append(s.fault.Stops, st)
	if errors.Is(err, rig.ErrLeasesOut) && !s.alone() {
		return nil
	}
	return err
}

func (s *Strike) kill(n *rig.Node) error {
	pid := n.PID()
	if err := n.Kill(); err != nil {
		return err
	}
	if pid != 0 {
		s.fault.Kills = true
		s.Saw("%s died as process %d", n.Place, pid)
	}
	return nil
}
