package nemesis

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/workload"
)

// admissions are the requests of one secret, by when they were asked.
type admissions struct {
	mu      sync.Mutex
	last    int64           // when the last was asked that was admitted
	at      string          // the node that did
	good    int             // requests that were admitted
	refused map[string]bool // nodes that have refused the key
}

func (a *admissions) note(r *history.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Status == http.StatusOK:
		a.good++
		if r.Begun > a.last {
			a.last, a.at = r.Begun, r.Node
		}
	case r.Code == "api_key_revoked":
		if a.refused == nil {
			a.refused = map[string]bool{}
		}
		a.refused[r.Node] = true
	}
}

// everywhere says whether so many nodes have refused it.
func (a *admissions) everywhere(nodes int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.refused) == nodes
}

// late is an error if a request was admitted that was asked after a time.
func (a *admissions) late(after int64, what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last > after {
		return fmt.Errorf("%s: %s admitted a request that was asked %v after it may", what, a.at, time.Duration(a.last-after))
	}
	return nil
}

// reach is how soon each node goes by a change that was acknowledged, or admits nothing
// (docs/keys.md): authority_ttl, and what clocks that drift and a busy machine may add.
func (s *Strike) reach() time.Duration {
	const busy = 2 * time.Second
	ttl := s.Cluster.Authority()
	return ttl + ttl/5 + busy
}

// newKey makes a key of the trials' team.
func (s *Strike) newKey(session int, kind string) (name string, err error) {
	name = fmt.Sprintf("%s-%d", kind, s.Town.Number())
	return name, s.Town.NewKey(s, session, admin.NewKey{ID: name, Bound: map[string]string{"team": workload.Trials}, CacheOff: true})
}

// withKey asks at a node with a key, and a secret of it, "" for the present one.
func (s *Strike) withKey(n *rig.Node, key, secret string) history.Request {
	return s.Town.Trial(s, n, workload.Trials, func(_ *workload.Question, c *workload.Call) { c.Key, c.Secret = key, secret })
}

// keyRevoke revokes a key that is in use at all nodes.
func (s *Strike) keyRevoke() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	session := s.Town.Session()
	key, err := s.newKey(session, "revoked")
	if err != nil {
		return unmade(err)
	}
	var seen admissions
	var stop atomic.Bool
	var busy sync.WaitGroup
	busy.Go(func() {
		s.loop(time.Minute, &stop, func(n *rig.Node) {
			r := s.withKey(n, key, "")
			seen.note(&r)
		})
	})
	s.Last(s.Between(300*time.Millisecond, time.Second))
	err = s.Town.Revoke(s, session, s.node(), key)
	acknowledged := s.History.Now()
	if err == nil {
		s.until(s.reach()+time.Second, func() bool { return seen.everywhere(len(s.Cluster.Nodes)) })
	}
	stop.Store(true)
	busy.Wait()
	if err != nil {
		return unmade(err)
	}
	if err := seen.late(acknowledged+int64(s.reach()), "key "+key+" was revoked"); err != nil {
		return err
	}
	if seen.good > 0 && len(seen.refused) > 0 {
		s.Saw("%d requests before, the last %v after the answer; %d nodes refused it", seen.good, time.Duration(seen.last-acknowledged).Round(time.Millisecond), len(seen.refused))
	}
	return nil
}

// keyRevokeBehind revokes a key while a node is cut off from the others, until the log
// that tells of it is gone: what the node comes back by has to tell it, too.
func (s *Strike) keyRevokeBehind() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	leader, err := s.leaderThere()
	if err != nil {
		return err
	}
	others := s.Cluster.Others(leader)
	n := others[s.Rand.IntN(len(others))]
	s.On(n)
	session := s.Town.Session()
	key, err := s.newKey(session, "behind")
	if err != nil {
		return unmade(err)
	}
	before := s.withKey(n, key, "")
	undo, err := s.Net.Apply(netlab.Isolate(n.Place, places(s.Cluster.Others(n))...))
	if err != nil {
		return err
	}
	err = s.Town.Revoke(s, session, leader, key)
	acknowledged := s.History.Now()
	if err == nil {
		s.Last(s.Between(2*time.Second, 4*time.Second)) // snapshots are taken meanwhile
	}
	if e := undo(); err == nil {
		err = e
	}
	if err != nil {
		return unmade(err)
	}
	var seen admissions
	for late := acknowledged + int64(s.reach()); s.Err() == nil && s.History.Now() < late+int64(2*time.Second); s.Last(100 * time.Millisecond) {
		r := s.withKey(n, key, "")
		if seen.note(&r); seen.everywhere(1) && s.History.Now() > acknowledged+int64(5*time.Second) {
			break
		}
	}
	if seen.everywhere(1) && before.Status == http.StatusOK {
		s.Saw("%s refuses a key that was revoked behind its back", n.Place)
	}
	return seen.late(acknowledged+int64(s.reach()), "key "+key+" was revoked")
}

// keyRotate gives a key that is in use another secret, and sees that the new one counts
// and the old one ends.
func (s *Strike) keyRotate() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	const overlap = 2 * time.Second
	session := s.Town.Session()
	key, err := s.newKey(session, "rotated")
	if err != nil {
		return unmade(err)
	}
	before, after, err := s.Town.Rotate(s, session, s.node(), key, overlap)
	acknowledged := s.History.Now()
	if err != nil {
		return unmade(err)
	}
	var old, present admissions
	var stop atomic.Bool
	var busy sync.WaitGroup
	busy.Go(func() {
		s.loop(time.Minute, &stop, func(n *rig.Node) {
			r := s.withKey(n, key, before)
			old.note(&r)
			r = s.withKey(n, key, after)
			present.note(&r)
		})
	})
	s.until(overlap+s.reach()+time.Second, func() bool { return old.everywhere(len(s.Cluster.Nodes)) })
	stop.Store(true)
	busy.Wait()
	// The end of the overlap is a time of day, by the clock of the node that was asked.
	if s.Cluster.Nodes[0].Clock == nil {
		if err := old.late(acknowledged+int64(overlap+s.reach()), "the old secret of key "+key+" ended"); err != nil {
			return err
		}
	}
	if present.good > 0 && len(old.refused) > 0 {
		s.Saw("%d requests with the new secret, %d with the old one, which %d nodes refused in the end", present.good, old.good, len(old.refused))
	}
	return nil
}

// until waits for a condition, at most so long.
func (s *Strike) until(d time.Duration, done func() bool) {
	ctx, cancel := context.WithTimeout(s, d)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if done() {
			tick.Stop()
			return
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}
