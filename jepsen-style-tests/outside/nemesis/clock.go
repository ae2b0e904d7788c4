package nemesis

import (
	"fmt"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/rig"
)

var clocks = Needs{Clocks: true}

var clockFaults = []Fault{
	{Name: "clock-forward", Class: Clock, What: "a node's clock jumps 1 to 60 minutes forward, and back", Weight: 2, Needs: clocks, Strike: func(s *Strike) error {
		return s.jump(s.one(), s.Between(time.Minute, time.Hour))
	}},
	{Name: "clock-back", Class: Clock, What: "a node's clock jumps 1 to 60 minutes back, and forward", Weight: 2, Needs: clocks, Strike: func(s *Strike) error {
		return s.jump(s.one(), -s.Between(time.Minute, time.Hour))
	}},
	{Name: "clock-day", Class: Clock, What: "a node's clock jumps 26 hours, forward or back", Needs: clocks, Strike: func(s *Strike) error {
		d := 26 * time.Hour
		if s.Rand.IntN(2) == 0 {
			d = -d
		}
		return s.jump(s.one(), d)
	}},
	{Name: "clock-leader", Class: Clock, What: "the leader's clock jumps up to an hour forward", Needs: clocks, Strike: func(s *Strike) error {
		n, err := s.leaderThere()
		if err != nil {
			return err
		}
		return s.jump(n, s.Between(2*time.Second, time.Hour))
	}},
	{Name: "clock-candidate", Class: Clock, What: "a follower's clock jumps up to an hour forward, and it is asked to lead", Needs: clocks, Strike: (*Strike).oddCandidate},
	{Name: "clock-drift", Class: Clock, What: "the nodes' clocks drift by up to 5 %, each its own way", Weight: 2, Needs: clocks, Strike: func(s *Strike) error {
		release, err := s.Take(clockOf(s.Cluster.Nodes...)...)
		if err != nil {
			return err
		}
		defer release()
		s.On(s.Cluster.Nodes...)
		for _, n := range s.Cluster.Nodes {
			n.Clock.Drift(s.Rand.Int64N(100_001) - 50_000)
		}
		s.Last(s.Between(2*time.Second, 10*time.Second))
		for _, n := range s.Cluster.Nodes {
			if off := n.Clock.Offset().Abs(); off > 0 {
				s.Saw("%s was off by %v", n.Place, off)
			}
			n.Clock.Reset()
		}
		return nil
	}},
	{Name: "clock-strobe", Class: Clock, What: "a node's clock swings by up to a minute, many times a second", Needs: clocks, Strike: func(s *Strike) error {
		n := s.one()
		release, err := s.Take(clockOf(n)...)
		if err != nil {
			return err
		}
		defer release()
		swing := s.Between(100*time.Millisecond, time.Minute)
		n.Clock.Strobe(swing, s.Between(5*time.Millisecond, 100*time.Millisecond))
		s.Saw("%s swung by %v", n.Place, swing)
		s.Last(s.Between(2*time.Second, 8*time.Second))
		n.Clock.Reset()
		return nil
	}},
	{Name: "clock-restart", Class: Clock, What: "a node is killed and starts with a clock that is up to an hour wrong, either way", Needs: clocks, Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		mine, err := s.Take(clockOf(n)...)
		if err != nil {
			return err
		}
		defer mine()
		if err := s.kill(n); err != nil {
			return err
		}
		d := s.Between(-time.Hour, time.Hour)
		n.Clock.Jump(d)
		err = s.Revive(n)
		s.Last(s.Between(time.Second, 5*time.Second))
		n.Clock.Reset()
		return err
	}},
	{Name: "clock-days-ahead", Class: Clock, What: "a node is killed and starts with a clock that is two to four days ahead, which is set right; it must come back", Needs: clocks, Strike: (*Strike).aheadAtStart},
}

// oddCandidate has a node lead whose clock is wrong: it must not stamp by it.
func (s *Strike) oddCandidate() error {
	release, err := s.Take(clockOf(s.Cluster.Nodes...)...)
	if err != nil {
		return err
	}
	defer release()
	was := s.Cluster.Leader(s)
	if was == nil {
		return errBusy("there is no leader")
	}
	others := s.Cluster.Others(was)
	n := others[s.Rand.IntN(len(others))]
	s.On(n)
	n.Clock.Jump(s.Between(time.Minute, time.Hour))
	if err := was.Admin().ChangeNode(s, n.ID(), admin.LeadNode); err == nil {
		s.Saw("%s was asked to lead with a clock that is off by %v", n.Place, n.Clock.Offset())
	}
	s.Last(s.Between(time.Second, 5*time.Second))
	n.Clock.Reset()
	return nil
}

// aheadAtStart has a node start with a clock that is days ahead, and set right. What it
// made meanwhile is from the future: others refuse its certificate until it has made
// another one, which it does within a minute.
func (s *Strike) aheadAtStart() error {
	n, release, err := s.Any()
	if err != nil {
		return err
	}
	defer release()
	mine, err := s.Take(clockOf(n)...)
	if err != nil {
		return err
	}
	defer mine()
	if err := s.kill(n); err != nil {
		return err
	}
	const day = 24 * time.Hour
	n.Clock.Jump(s.Between(2*day+2*time.Hour, 4*day))
	if err := n.Start(); err != nil {
		return err
	}
	s.Last(s.Between(time.Second, 5*time.Second))
	n.Clock.Reset()
	ctx, cancel := s.healing()
	defer cancel()
	for err = n.Ready(ctx); err != nil && ctx.Err() == nil; {
		err = n.Ready(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s started with a clock that was days ahead and has been right since: %w", n.Place, err)
	}
	s.Saw("%s came back", n.Place)
	return nil
}

func clockOf(nodes ...*rig.Node) (what []string) {
	for _, n := range nodes {
		what = append(what, n.Place+"/clock")
	}
	return what
}

// jump sets a node's clock wrong, and right again.
func (s *Strike) jump(n *rig.Node, d time.Duration) error {
	release, err := s.Take(clockOf(n)...)
	if err != nil {
		return err
	}
	defer release()
	n.Clock.Jump(d)
	s.Saw("%s was off by %v", n.Place, n.Clock.Offset())
	s.Last(s.Between(500*time.Millisecond, 8*time.Second))
	n.Clock.Reset()
	return nil
}
