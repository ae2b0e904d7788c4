package nemesis

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"purser/jepsen-style-tests/faultfs"
	"purser/jepsen-style-tests/outside/rig"
)

var disks = Needs{Disks: true}

var diskFaults = []Fault{
	{Name: "power-cut", Class: Disk, What: "a node dies, and its disk loses what was not synced, in part", Weight: 3, Needs: disks, Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		asked := s.twice(s.Cluster.Others(n))
		var first sync.WaitGroup
		first.Go(func() { asked.ask(0) })
		s.Last(s.Between(10*time.Millisecond, 100*time.Millisecond)) // some are claimed, and not answered
		err = s.powerCut(n)
		first.Wait()
		asked.ask(1)
		return err
	}},
	{Name: "power-cut-all", Class: Disk, What: "the same of every node at once", Needs: disks, Strike: func(s *Strike) error {
		nodes, release, err := s.Some(len(s.Cluster.Nodes))
		if err != nil {
			return err
		}
		defer release()
		return s.powerCut(nodes...)
	}},
	{Name: "fsync-error", Class: Disk, What: "fsync fails: the node must end by itself; what was not synced is lost", Weight: 2, Needs: disks, Strike: func(s *Strike) error {
		return s.failing(faultfs.Fault{FailSync: true}, func(st faultfs.Stats) uint64 { return st.Failed })
	}},
	{Name: "raft-fsync-error", Class: Disk, What: "fsync of Raft's log alone fails", Needs: disks, Strike: func(s *Strike) error {
		return s.failing(faultfs.Fault{FailSync: true, Match: "*/raft"}, func(st faultfs.Stats) uint64 { return st.Failed })
	}},
	{Name: "write-error", Class: Disk, What: "writes fail: the node must end by itself", Needs: disks, Strike: func(s *Strike) error {
		return s.failing(faultfs.Fault{FailWrite: true}, func(st faultfs.Stats) uint64 { return st.Failed })
	}},
	{Name: "disk-full", Class: Disk, What: "no room but for 64 KiB: the node must end by itself, and come back when there is room", Weight: 2, Needs: disks, Strike: func(s *Strike) error {
		return s.failing(faultfs.Fault{Full: 64 << 10}, func(st faultfs.Stats) uint64 { return st.Refused })
	}},
	{Name: "disk-slow", Class: Disk, What: "every write and sync takes 5 to 50 ms more", Weight: 2, Needs: disks, Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		return s.onDisk(n, faultfs.Fault{Delay: s.Between(5*time.Millisecond, 50*time.Millisecond)}, s.Between(2*time.Second, 8*time.Second),
			func(st faultfs.Stats) uint64 { return st.Delayed })
	}},
	{Name: "disk-stall", Class: Disk, What: "writes and syncs hang for 1 to 15 s; a node that waits for ten ends by itself", Weight: 2, Needs: disks, Strike: func(s *Strike) error {
		n, release, err := s.Any()
		if err != nil {
			return err
		}
		defer release()
		n.Expect()
		err = s.onDisk(n, faultfs.Fault{Stall: true}, s.Between(time.Second, 15*time.Second), func(st faultfs.Stats) uint64 { return st.Stalled })
		return errors.Join(err, s.again(n))
	}},
	{Name: "wipe", Class: Disk, What: "a node's disk is emptied: it must not start; another joins at its place", Needs: disks, Strike: func(s *Strike) error {
		return s.lost(func(n *rig.Node) error { return n.Empty() })
	}},
	{Name: "log-lost", Class: Disk, What: "Raft's log is gone from a node's disk: it must not start; another joins at its place", Needs: disks, Strike: func(s *Strike) error {
		return s.lost(func(n *rig.Node) error { return os.RemoveAll(filepath.Join(n.Dir(), "raft")) })
	}},
	{Name: "roll-back", Class: Disk, What: "a node's store is that of some seconds ago, its log is not: what it may have spent since is not given again", Needs: disks, Strike: func(s *Strike) error {
		n, release, err := s.member()
		if err != nil {
			return err
		}
		defer release()
		return s.rollBack(n)
	}},
	{Name: "bit-flip", Class: Disk, What: "bits of a node's files are flipped: it must not go on as if nothing were; another joins at its place", Needs: disks, Strike: func(s *Strike) error {
		n, release, err := s.member()
		if err != nil {
			return err
		}
		defer release()
		if err := s.kill(n); err != nil {
			return err
		}
		flipped, err := n.Disk.Flip("", 1+s.Rand.IntN(16))
		if err != nil {
			return fmt.Errorf("flipping bits of %s: %w", n.Place, err)
		}
		s.Saw("%d bits, the first in %s", len(flipped), flipped[0].Path)
		if err := n.Start(); err != nil {
			return err
		}
		n.Expect()
		_, _ = n.Ended(s.Between(time.Second, 5*time.Second)) // it may or may not notice within this time
		return s.replace(n)
	}},
}

// powerCut kills nodes and has their disks lose what was not synced.
func (s *Strike) powerCut(nodes ...*rig.Node) error {
	for _, n := range nodes {
		if err := s.kill(n); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		lost, err := n.Disk.Crash([]float64{0, 0.5, 0.9}[s.Rand.IntN(3)])
		if err != nil {
			return fmt.Errorf("cutting the power of %s: %w", n.Place, err)
		}
		s.Saw("%s lost %d bytes and %d names", n.Place, lost.Bytes, lost.Names)
	}
	s.Last(s.Between(0, 2*time.Second))
	return s.Revive(nodes...)
}

// onDisk has a fault of a disk last for a time.
func (s *Strike) onDisk(n *rig.Node, f faultfs.Fault, d time.Duration, effect func(faultfs.Stats) uint64) error {
	before := effect(n.Disk.Stats())
	n.Disk.Set(f)
	s.Last(d)
	n.Disk.Clear()
	if times := effect(n.Disk.Stats()) - before; times > 0 {
		s.Saw("%d operations in %v", times, d.Round(time.Millisecond))
	}
	return nil
}

// failing is a disk that fails: the node must end by itself as soon as it has heard of
// that, and what it could not sync is lost.
func (s *Strike) failing(f faultfs.Fault, heard func(faultfs.Stats) uint64) error {
	n, release, err := s.Any()
	if err != nil {
		return err
	}
	defer release()
	n.Expect()
	before := heard(n.Disk.Stats())
	n.Disk.Set(f)
	const most = 15 * time.Second
	ended, _ := n.Ended(most)
	times := heard(n.Disk.Stats()) - before
	n.Disk.Clear()
	if !ended && times > 0 {
		return fmt.Errorf("%s goes on %v after its disk has failed %d times", n.Place, most, times)
	}
	if !ended { // it has not written anything
		return nil
	}
	s.Saw("%s ended by itself after %d failures", n.Place, times)
	if _, err := n.Disk.Crash(s.Rand.Float64()); err != nil {
		return fmt.Errorf("cutting the power of %s: %w", n.Place, err)
	}
	return s.Revive(n)
}

// again starts a node that has ended by itself.
func (s *Strike) again(n *rig.Node) error {
	if n.PID() != 0 {
		return nil
	}
	return s.Revive(n)
}

// lost takes something from a node's disk with which it must not start, and has another
// node take its place.
func (s *Strike) lost(take func(*rig.Node) error) error {
	n, release, err := s.member()
	if err != nil {
		return err
	}
	defer release()
	if err := s.kill(n); err != nil {
		return err
	}
	if err := take(n); err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	n.Expect()
	const soon = 20 * time.Second
	if ended, _ := n.Ended(soon); !ended {
		return fmt.Errorf("%s goes on %v after it started without what it had", n.Place, soon)
	}
	s.Saw("%s did not start", n.Place)
	return s.replace(n)
}

func (s *Strike) replace(n *rig.Node) error {
	ctx, cancel := s.healing()
	defer cancel()
	if err := n.Replace(ctx, true); err != nil {
		return err
	}
	return s.Cluster.Vote(ctx)
}

// rollBack gives a node the store that it had before, with everything else as it is.
func (s *Strike) rollBack(n *rig.Node) error {
	base := filepath.Join(s.Cluster.Dir, fmt.Sprintf("image-%d", s.fault.Seq))
	before, at := base+"-before", base
	if err := n.Disk.Snapshot(before); err != nil {
		return err
	}
	asked := s.twice(s.Cluster.Nodes)
	asked.ask(0)
	s.Last(s.Between(time.Second, 6*time.Second))
	if err := s.kill(n); err != nil {
		return err
	}
	if err := n.Disk.Snapshot(at); err != nil {
		return err
	}
	store := filepath.Join(filepath.Base(n.Dir()), "store")
	if err := errors.Join(os.RemoveAll(filepath.Join(at, store)), os.Rename(filepath.Join(before, store), filepath.Join(at, store))); err != nil {
		return fmt.Errorf("making the older image of %s: %w", n.Place, err)
	}
	if err := n.Disk.Restore(at); err != nil {
		return err
	}
	s.Saw("%s has the store of some seconds ago", n.Place)
	err := errors.Join(s.Revive(n), os.RemoveAll(before), os.RemoveAll(at))
	asked.ask(1)
	return err
}
