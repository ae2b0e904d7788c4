package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// network is TCP between the nodes of a test, with links that can be cut.
type network struct {
	mu    sync.Mutex
	cut   map[string]bool // nodes that reach nobody and that nobody reaches
	conns map[*link]struct{}
}

type link struct {
	net.Conn
	from, to string
	net      *network
}

func newNetwork() *network { return &network{cut: map[string]bool{}, conns: map[*link]struct{}{}} }

func (l *link) Close() error {
	l.net.mu.Lock()
	delete(l.net.conns, l)
	l.net.mu.Unlock()
	return l.Conn.Close()
}

// isolate cuts a node off, or lets it back.
func (n *network) isolate(node string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[node] = cut
	for l := range n.conns {
		if cut && (l.from == node || l.to == node) {
			_ = l.Conn.Close()
		}
	}
}

// endpoint is one node's Streams on the network.
type endpoint struct {
	overTCP
	name string
	net  *network
}

func (e endpoint) Dial(ctx context.Context, address, node string) (net.Conn, error) {
	e.net.mu.Lock()
	cut := e.net.cut[e.name] || e.net.cut[node]
	e.net.mu.Unlock()
	if cut {
		return nil, errors.New("the link is cut")
	}
	c, err := e.overTCP.Dial(ctx, address, node)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: c, from: e.name, to: node, net: e.net}
	e.net.mu.Lock()
	e.net.conns[l] = struct{}{}
	e.net.mu.Unlock()
	return l, nil
}

// quick is a timing for tests: the machine's own hiccups are longer than a LAN's.
func quick() Timing {
	return Timing{Election: 300 * time.Millisecond, Lease: 300 * time.Millisecond, Commit: 20 * time.Millisecond, InFlight: 1}
}

// group is nodes that know each other.
type group struct {
	t     *testing.T
	net   *network
	nodes map[string]*Node
	fsms  map[string]*chain
	dirs  map[string]string
	addrs map[string]string

	trailing uint64      // of nodes that start from now on; 0 is the usual
	exit     func(error) // the same; nil panics
}

func newGroup(t *testing.T, names ...string) *group {
	g := &group{t: t, net: newNetwork(), nodes: map[string]*Node{}, fsms: map[string]*chain{}, dirs: map[string]string{}, addrs: map[string]string{}}
	for i, name := range names {
		g.dirs[name] = t.TempDir()
		g.start(name, i == 0)
		if i == 0 {
			ready(t, g.nodes[name])
		} else {
			g.change(Change{AddNonvoter, name, g.addrs[name]})
			g.change(Change{AddVoter, name, g.addrs[name]})
		}
	}
	return g
}

// start opens a node, on the port it had before.
func (g *group) start(name string, found bool) {
	g.t.Helper()
	bind := g.addrs[name]
	if bind == "" {
		bind = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", bind)
	if err != nil {
		g.t.Fatal(err)
	}
	g.addrs[name], g.fsms[name] = l.Addr().String(), &chain{}
	c := testConfig(g.t, g.dirs[name], g.fsms[name])
	c.NodeID, c.trailing = name, g.trailing
	if g.exit != nil {
		c.Exit = g.exit
	}
	c.Peers = &Peers{Streams: endpoint{overTCP{l}, name, g.net}, Advertise: g.addrs[name], Found: found, Timing: quick()}
	n, err := Open(c)
	if err != nil {
		g.t.Fatal(err)
	}
	g.nodes[name] = n
	g.t.Cleanup(func() { _ = n.Close() })
}

// leader waits until one of the nodes leads, and is not among except.
func (g *group) leader(except ...string) (name string) {
	g.t.Helper()
	eventually(g.t, "a leader", func() bool {
		for name = range g.nodes {
			if g.nodes[name].Leader() && !strings.Contains(fmt.Sprint(except), name) {
				_, err := g.nodes[name].ReadIndex()
				return err == nil
			}
		}
		return false
	})
	return name
}

func (g *group) change(c Change) {
	g.t.Helper()
	if err := g.nodes[g.leader()].Change(c); err != nil {
		g.t.Fatal(err)
	}
}

// agree waits until all nodes are in the same state.
func (g *group) agree(entries uint64) {
	g.t.Helper()
	for name, f := range g.fsms {
		eventually(g.t, name+" to have applied everything", func() bool { return f.state()[1] == entries })
	}
	for name, f := range g.fsms {
		if want := g.fsms[g.leader()].state(); f.state() != want {
			g.t.Errorf("%s is in state %v, the leader in %v", name, f.state(), want)
		}
	}
}

// ask is how a follower learns the leader's read index.
func (g *group) ask(_ context.Context, leader, _ string) (uint64, error) {
	if leader == "" {
		return 0, errors.New("nobody to ask")
	}
	return g.nodes[leader].ReadIndex()
}

func TestThreeNodesDecideTogether(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	for i := range 20 {
		apply(t, g.nodes[g.leader()], fmt.Sprint(i))
	}
	g.agree(20)
	servers, err := g.nodes["n3"].Servers()
	if err != nil || len(servers) != 3 {
		t.Fatalf("Servers = %v, %v", servers, err)
	}
	for _, s := range servers {
		if !s.Voter || s.Address != g.addrs[s.ID] {
			t.Errorf("server %+v", s)
		}
	}
	if err := g.nodes["n2"].Change(Change{Kind: Remove, ID: "n3"}); err == nil {
		t.Error("a follower changed the configuration")
	}
	if _, err := g.nodes["n2"].ReadIndex(); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a follower's read index: %v", err)
	}
	if err := g.nodes["n1"].Transfer("n2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "n2 to lead", g.nodes["n2"].Leader)
	if err := g.nodes["n2"].Transfer("nobody"); err == nil {
		t.Error("leadership went to nobody")
	}
}

// TestAReadySeesWhatWasAcknowledged: once a follower says it is ready, it has
// applied all that was acknowledged anywhere before.
func TestAReadySeesWhatWasAcknowledged(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	for i := range 30 {
		apply(t, g.nodes[g.leader()], fmt.Sprint(i))
		if err := g.nodes["n3"].WaitReady(t.Context(), g.ask); err != nil {
			t.Fatal(err)
		}
		if got := g.fsms["n3"].state()[1]; got != uint64(i+1) {
			t.Fatalf("ready after %d entries with %d", i+1, got)
		}
	}
}

func TestALeaderThatIsCutOffIsReplaced(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	old := g.leader()
	apply(t, g.nodes[old], "before")
	g.net.isolate(old, true)
	next := g.leader(old)
	apply(t, g.nodes[next], "after")
	// The old one can neither decide nor claim to be up to date.
	if _, err := g.nodes[old].Apply([]byte("lost"), time.Second); err == nil {
		t.Error("a leader without a quorum acknowledged an entry")
	}
	if _, err := g.nodes[old].ReadIndex(); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a leader without a quorum gave a read index: %v", err)
	}
	g.net.isolate(old, false)
	apply(t, g.nodes[g.leader()], "healed")
	g.agree(3)
}

func TestKilledNodesCatchUp(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	for round := range 6 {
		victim := []string{"n1", "n2", "n3"}[round%3]
		shut(t, g.nodes[victim])
		delete(g.nodes, victim)
		for i := range 5 {
			apply(t, g.nodes[g.leader()], fmt.Sprint(round, i))
		}
		g.start(victim, victim == "n1")
	}
	g.agree(30)
}

// TestAJoinerThatWasNeverAddedMayStartAgain: it has promised nothing. Once it
// has an entry, its log must be there.
func TestAJoinerThatWasNeverAddedMayStartAgain(t *testing.T) {
	g := newGroup(t, "n1")
	g.dirs["n2"] = t.TempDir()
	for range 2 {
		g.start("n2", false)
		if as, err := readMember(g.dirs["n2"], "n2"); as != joining || err != nil {
			t.Fatalf("before it was added: %v, %v", as, err)
		}
		shut(t, g.nodes["n2"])
	}
	g.start("n2", false)
	g.change(Change{AddNonvoter, "n2", g.addrs["n2"]})
	apply(t, g.nodes["n1"], "x")
	g.agree(1)
	if as, err := readMember(g.dirs["n2"], "n2"); as != full || err != nil {
		t.Errorf("after its first entry: %v, %v", as, err)
	}
	shut(t, g.nodes["n2"])
	if err := os.Remove(filepath.Join(g.dirs["n2"], logFile)); err != nil {
		t.Fatal(err)
	}
	c := testConfig(t, g.dirs["n2"], &chain{})
	c.NodeID, c.Peers = "n2", &Peers{Streams: newOverTCP(t), Advertise: g.addrs["n2"], Timing: quick()}
	if _, err := Open(c); !errors.Is(err, ErrStateMissing) {
		t.Errorf("without its log: %v", err)
	}
}

// TestANodeAloneBecomesAFounder: a directory from before the cluster goes on as
// its first node, at the address it has now.
func TestANodeAloneBecomesAFounder(t *testing.T) {
	g := &group{t: t, net: newNetwork(), nodes: map[string]*Node{}, fsms: map[string]*chain{}, dirs: map[string]string{"n1": t.TempDir(), "n2": t.TempDir()}, addrs: map[string]string{}}
	c := testConfig(t, g.dirs["n1"], &chain{})
	n := open(t, c)
	apply(t, n, "alone")
	shut(t, n)
	g.start("n1", true)
	g.change(Change{AddVoter, "n1", g.addrs["n1"]})
	g.start("n2", false)
	g.change(Change{AddNonvoter, "n2", g.addrs["n2"]})
	g.change(Change{AddVoter, "n2", g.addrs["n2"]})
	apply(t, g.nodes[g.leader()], "together")
	g.agree(2)
}

func TestErrorsOfALostLeadershipAreTold(t *testing.T) {
	for _, err := range []error{raft.ErrNotLeader, raft.ErrLeadershipLost} {
		if !errors.Is(notLeading(err), ErrNotLeader) {
			t.Errorf("%v is not told", err)
		}
	}
	if errors.Is(notLeading(raft.ErrRaftShutdown), ErrNotLeader) {
		t.Error("an end is not a loss of leadership")
	}
}

// TestAPositionIsWhatIsCarriedOut: on no node does it pass what the state machine has
// done, and with nothing to do it reaches what a leader asks for, which may be an
// entry that no state machine sees.
func TestAPositionIsWhatIsCarriedOut(t *testing.T) {
	g := newGroup(t, "n1", "n2", "n3")
	leader := g.leader()
	stop := make(chan struct{})
	var watching sync.WaitGroup
	for name, n := range g.nodes {
		watching.Go(func() {
			for {
				if at := n.Position(); !n.Applied(at) {
					t.Errorf("%s is at %d and has not carried it out", name, at)
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	for i := range 50 {
		if _, err := g.nodes[leader].Apply(fmt.Append(nil, i), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	index, err := g.nodes[leader].ReadIndex()
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range g.nodes {
		eventually(t, name+" to be at what the leader asks for", func() bool { return n.Position() >= index })
	}
	close(stop)
	watching.Wait()
}
