package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// fence takes a node for dead that is only stopped, or cut off: what it holds is written
// off. When it hears of that it must end by itself. Then another takes its place.
func (s *Strike) fence() error {
	release, err := s.Take(append(Processes(s.Cluster.Nodes...), Membership)...)
	if err != nil {
		return err
	}
	defer release()
	n := s.node()
	s.On(n)
	for _, other := range s.Cluster.Nodes {
		if !other.Up() {
			return errBusy(other.Place + " is down")
		}
	}
	away, back := n.Pause, n.Resume
	if s.Rand.IntN(2) == 0 {
		away, back = s.apart(n)
	}
	n.Expect()
	if err := away(); err != nil {
		return err
	}
	ctx, cancel := s.healing() // whether it is fenced has to be known, or nothing takes its place
	defer cancel()
	fenced := s.fenceAt(ctx, n)
	if fenced == nil {
		s.Last(s.Between(200*time.Millisecond, 8*time.Second)) // the others do without it, or not yet
	}
	if err := back(); err != nil {
		return err
	}
	if fenced != nil {
		return unmade(fenced)
	}
	const hears = 30 * time.Second // an election that fails, the question, and a busy machine
	if ended, _ := n.Ended(hears); !ended {
		return fmt.Errorf("%s was fenced, is in reach of the others, and goes on for %v", n.ID(), hears)
	}
	s.Saw("%s ended by itself", n.ID())
	s.fault.Loses = true // with the disk goes what no other node has a copy of
	return errors.Join(n.Replace(ctx, true), s.Cluster.Vote(ctx))
}

// apart is how a node is taken away from the others, and brought back; clients reach it.
func (s *Strike) apart(n *rig.Node) (away, back func() error) {
	undo := func() error { return nil }
	away = func() (err error) {
		undo, err = s.Net.Apply(netlab.Isolate(n.Place, places(s.Cluster.Others(n))...))
		return err
	}
	return away, func() error { return undo() }
}

// fenceAt has the other nodes fence one, asking one after the other.
func (s *Strike) fenceAt(ctx context.Context, n *rig.Node) error {
	session, id := s.Town.Session(), n.ID()
	others := s.Cluster.Others(n)
	const within = 30 * time.Second
	i := 0
	return rig.Eventually(ctx, within, "node "+id+" is fenced", func() error {
		i++
		return s.Town.Change(ctx, history.Change{Session: session, Kind: "fence", Of: id}, others[i%len(others)], func(ctx context.Context, a *admin.Client) error {
			return a.ChangeNode(ctx, id, admin.FenceNode)
		})
	})
}
