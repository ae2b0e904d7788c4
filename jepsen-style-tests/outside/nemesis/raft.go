package nemesis

import (
	"fmt"
	"path/filepath"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/rig"
)

var raftFaults = []Fault{
	{Name: "transfer", Class: Raft, What: "leadership handed to another node", Weight: 2, Strike: func(s *Strike) error {
		s.transfer()
		return nil
	}},
	{Name: "transfer-storm", Class: Raft, What: "leadership handed on ten times in a row", Weight: 2, Strike: func(s *Strike) error {
		for range 10 {
			s.transfer()
			s.Last(s.Between(50*time.Millisecond, 500*time.Millisecond))
		}
		return nil
	}},
	{Name: "far-behind", Class: Raft, What: "a follower cut off until the log it needs is gone: it comes back by a snapshot", Weight: 2, Needs: Needs{Tiny: true}, Strike: func(s *Strike) error {
		others := s.Cluster.Others(s.Cluster.Leader(s))
		n := others[s.Rand.IntN(len(others))]
		s.On(n)
		return s.isolate(n, s.Between(3*time.Second, 10*time.Second))
	}},
	{Name: "far-behind-down", Class: Raft, What: "a follower down until the log it needs is gone", Needs: Needs{Tiny: true}, Strike: func(s *Strike) error {
		n, release, err := s.Follower()
		if err != nil {
			return err
		}
		defer release()
		if err := s.kill(n); err != nil {
			return err
		}
		s.Last(s.Between(3*time.Second, 10*time.Second))
		return s.Revive(n)
	}},
	{Name: "replace-voter", Class: Raft, What: "a voter leaves for good, and another joins at its place", Strike: func(s *Strike) error {
		n, release, err := s.member()
		if err != nil {
			return err
		}
		defer release()
		ctx, cancel := s.healing()
		defer cancel()
		was := n.ID()
		if err := n.Leave(ctx); err != nil {
			return err
		}
		s.Last(s.Between(0, 2*time.Second))
		if err := n.Join(ctx); err != nil {
			return fmt.Errorf("joining in the place of %s: %w", was, err)
		}
		s.Saw("%s in the place of %s", n.ID(), was)
		return s.Cluster.Vote(ctx)
	}},
	{Name: "restore-backup", Class: Raft, What: "every node dies; another cluster begins with a backup from before; of what it withholds, what was not billed is released", Strike: func(s *Strike) error {
		_, release, err := s.member()
		if err != nil {
			return err
		}
		defer release()
		mine, err := s.Take(Made)
		if err != nil {
			return err
		}
		defer mine()
		ctx, cancel := s.healing()
		defer cancel()
		file := filepath.Join(s.Cluster.Dir, fmt.Sprintf("backup-%d", s.fault.Seq))
		since := time.Now()
		if err := s.Cluster.Backup(ctx, file); err != nil {
			return err
		}
		s.Last(s.Between(0, 4*time.Second)) // what is spent now, the backup does not know
		for _, n := range s.Cluster.Nodes {
			if err := n.Kill(); err != nil {
				return err
			}
		}
		if err := s.Cluster.Restore(ctx, file); err != nil {
			return err
		}
		s.Saw("all nodes are of another generation")
		return s.Town.GiveBack(ctx, since)
	}},
}

// transfer asks a node to lead. That it does not come to it is no fault of Purser's:
// others are under way.
func (s *Strike) transfer() {
	was := s.Cluster.Leader(s)
	to := s.one()
	if was == nil || was == to || !was.Up() {
		return
	}
	if err := was.Admin().ChangeNode(s, to.ID(), admin.LeadNode); err == nil {
		s.Saw("%s was asked to lead", to.Place)
	}
}

// member claims a node for a change of who is in the cluster, which needs all others:
// nobody else may touch a process meanwhile.
func (s *Strike) member() (*rig.Node, func(), error) {
	release, err := s.Take(append(Processes(s.Cluster.Nodes...), Membership)...)
	if err != nil {
		return nil, nil, err
	}
	return s.one(), release, nil
}
