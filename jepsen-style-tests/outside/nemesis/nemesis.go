// Package nemesis makes faults on a cluster of real processes: a table of named ones,
// and a plan of them that follows from a seed.
package nemesis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/workload"
)

// Class is what a fault is about.
type Class string

// The classes of faults.
const (
	Process  Class = "process"
	Pause    Class = "pause"
	Network  Class = "network"
	Clock    Class = "clock"
	Disk     Class = "disk"
	Raft     Class = "raft"
	Upgrade  Class = "upgrade"
	Provider Class = "provider"
	Client   Class = "client"
	Budget   Class = "budget"
)

// Classes are all of them.
var Classes = []Class{Process, Pause, Network, Clock, Disk, Raft, Upgrade, Provider, Client, Budget}

// Needs is what a fault cannot be made without.
type Needs struct {
	Packets bool // a network that loses single packets: namespaces
	Disks   bool // faultfs below the nodes
	Clocks  bool // builds whose clock can be set
	Tiny    bool // builds that take tiny snapshots
	Older   bool // an older build
}

// Fault is one kind of trouble.
type Fault struct {
	Name  string
	Class Class
	What  string // in a few words, for the list
	// Weight is how often it is drawn beside others; 0 counts as 1.
	Weight int
	Needs  Needs
	// Strike makes it, lets it last, and heals it, also when its time ends early. An
	// error is something that must not be, such as a node that does not come back.
	Strike func(*Strike) error
}

// Strike is one fault as it is made.
type Strike struct {
	context.Context // ends when the run's faults are over; then it is healed
	*Env
	Rand *rand.Rand

	fault history.Fault
	laid  int64 // when rules of links came into force
}

// Env is what faults are made on.
type Env struct {
	Cluster *rig.Cluster
	History *history.History
	Town    *workload.Town // budgets, keys and clients
	Net     *Net
	Newer   string // binary that the nodes are upgraded to

	mu     sync.Mutex
	claims map[string]bool
	going  int       // faults under way
	over   time.Time // when the last one ended
}

// NewEnv is faults on a cluster under load.
func NewEnv(c *rig.Cluster, h *history.History, t *workload.Town) *Env {
	return &Env{Cluster: c, History: h, Town: t, Net: NewNet(c.Lab), claims: map[string]bool{}}
}

// errBusy is a fault for which nothing is left to be broken.
type errBusy string

func (e errBusy) Error() string { return string(e) }

// Claim takes things for a fault alone, such as "n1/process" or "membership", until
// release; none of them if one is taken.
func (e *Env) Claim(what ...string) (release func(), ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range what {
		if e.claims[w] {
			return nil, false
		}
	}
	for _, w := range what {
		e.claims[w] = true
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, w := range what {
			delete(e.claims, w)
		}
	}, true
}

// begin and end count the faults under way.
func (e *Env) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.going++
}

func (e *Env) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.going--
	e.over = time.Now()
}

// alone says that no other fault than the one that asks is under way, or was shortly
// before.
func (e *Env) alone() bool {
	const shortly = 10 * time.Second
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.going == 1 && time.Since(e.over) > shortly
}

// Membership is claimed by what changes who is in the cluster, or takes from a disk
// what it had acknowledged; and, with it, the processes of all nodes.
const Membership = "membership"

// Made is claimed by faults that make budgets or keys, change or end them, and go by that:
// a backup from before takes it back.
const Made = "made"

// Processes names the processes of nodes, to be claimed.
func Processes(nodes ...*rig.Node) (what []string) {
	for _, n := range nodes {
		what = append(what, n.Place+"/process")
	}
	return what
}

// Take claims what is named, or ends the fault as skipped.
func (s *Strike) Take(what ...string) (release func(), err error) {
	release, ok := s.Claim(what...)
	if !ok {
		return nil, errBusy(strings.Join(what, ", ") + ": in another fault's hands")
	}
	return release, nil
}

// Leader claims the process of the leader, or of any node when there is none.
func (s *Strike) Leader() (*rig.Node, func(), error) {
	n := s.Cluster.Leader(s)
	if n == nil {
		return s.Any()
	}
	release, err := s.Take(Processes(n)...)
	s.On(n)
	return n, release, err
}

// Follower claims the process of a node that does not lead.
func (s *Strike) Follower() (*rig.Node, func(), error) {
	leader := s.Cluster.Leader(s)
	return s.free(s.Cluster.Others(leader))
}

// Any claims the process of a node.
func (s *Strike) Any() (*rig.Node, func(), error) { return s.free(s.Cluster.Nodes) }

func (s *Strike) free(list []*rig.Node) (*rig.Node, func(), error) {
	for _, i := range s.Rand.Perm(len(list)) {
		if !list[i].Up() {
			continue
		}
		if release, ok := s.Claim(Processes(list[i])...); ok {
			s.On(list[i])
			return list[i], release, nil
		}
	}
	return nil, nil, errBusy("every node is down or in another fault's hands")
}

// Some claims the processes of that many nodes, the leader among them.
func (s *Strike) Some(count int) ([]*rig.Node, func(), error) {
	leader := s.Cluster.Leader(s)
	nodes := slices.Clone(s.Cluster.Nodes)
	s.Rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	slices.SortStableFunc(nodes, func(a, b *rig.Node) int {
		switch {
		case a == leader && b != leader:
			return -1
		case b == leader && a != leader:
			return 1
		}
		return 0
	})
	nodes = nodes[:count]
	release, err := s.Take(Processes(nodes...)...)
	s.On(nodes...)
	return nodes, release, err
}

// On names the nodes that the fault is about, for those who judge availability.
func (s *Strike) On(nodes ...*rig.Node) {
	for _, n := range nodes {
		s.fault.Targets = append(s.fault.Targets, n.Place)
	}
}

// Saw says that the fault had its effect, and how that was seen. A fault that is not
// seen to bite does not count.
func (s *Strike) Saw(format string, args ...any) {
	s.fault.Bit = true
	if s.fault.Seen == "" {
		s.fault.Seen = fmt.Sprintf(format, args...)
	}
}

// Between draws a time.
func (s *Strike) Between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.Rand.Int64N(int64(high-low)+1))
}

// Last lets the fault go on for so long, or until the run's faults are over.
func (s *Strike) Last(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.Done():
	}
}

// healing is a context for what heals: it outlives the faults' time.
func (s *Strike) healing() (context.Context, context.CancelFunc) {
	const patience = 2 * time.Minute
	return context.WithTimeout(context.WithoutCancel(s), patience)
}

// Revive starts nodes that are down, and waits a while until they are ready. Whether they
// come to that may depend on others that other faults keep down: the end of the run
// sees to it.
func (s *Strike) Revive(nodes ...*rig.Node) error {
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return fmt.Errorf("starting %s again: %w", n.Place, err)
		}
	}
	const while = 10 * time.Second
	ctx, cancel := s.healing()
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, while)
	defer stop()
	for _, n := range nodes {
		_ = n.Ready(ctx)
	}
	return nil
}

// Table is every fault, by its class.
func Table() (all []Fault) {
	for _, list := range [][]Fault{processFaults, pauseFaults, networkFaults, clockFaults, diskFaults, raftFaults, upgradeFaults, providerFaults, clientFaults, budgetFaults} {
		all = append(all, list...)
	}
	return all
}
