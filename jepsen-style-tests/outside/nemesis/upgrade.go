package nemesis

import (
	"time"

	"purser/jepsen-style-tests/outside/rig"
)

var upgradeFaults = []Fault{
	{Name: "rolling-restart", Class: Upgrade, What: "every node stopped in peace and started, one after the other", Strike: func(s *Strike) error {
		return s.roll(s.drawn(), "")
	}},
	{Name: "rolling-upgrade", Class: Upgrade, What: "every node goes from the older build to this one, one after the other", Weight: 2, Needs: Needs{Older: true}, Strike: func(s *Strike) error {
		return s.roll(s.drawn(), s.Newer)
	}},
	{Name: "mixed-versions", Class: Upgrade, What: "one node goes from the older build to this one, and stays alone with it for a while", Weight: 2, Needs: Needs{Older: true}, Strike: func(s *Strike) error {
		if err := s.roll(s.drawn()[:1], s.Newer); err != nil {
			return err
		}
		s.Last(s.Between(2*time.Second, 8*time.Second))
		return nil
	}},
}

// roll restarts nodes in peace, with another binary if one is named.
func (s *Strike) roll(nodes []*rig.Node, binary string) error {
	s.On(nodes...)
	for _, n := range nodes {
		release, err := s.Take(Processes(n)...)
		if err != nil {
			return err
		}
		err = s.restart(n, binary)
		release()
		if err != nil {
			return err
		}
		s.Last(s.Between(200*time.Millisecond, 2*time.Second))
	}
	return nil
}

func (s *Strike) restart(n *rig.Node, binary string) error {
	was := n.PID()
	if err := s.stop(n); err != nil {
		return err
	}
	if binary != "" {
		n.Use(binary)
	}
	if err := s.Revive(n); err != nil {
		return err
	}
	s.Saw("%s went from process %d to %d", n.Place, was, n.PID())
	return nil
}
