package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/port"
	"purser/internal/directory"
	"purser/ledger"
)

// member is this node's part in a cluster: its port, what it answers there, and
// its ways to the others.
type member struct {
	n       *Node
	creds   *credentials
	proof   *port.Credentials
	port    *port.Port
	clients *peer.Clients
	server  *peer.Server // once the ledger is open
	gossip  *hearsay     // nil: this node does not gossip
	address string       // of the port, as others reach it
	nudges  chan contention
	watch   map[string]*sighting // of the leader's loop alone
	stalled paces                // of the leader's loop alone
	levels  map[string]uint32    // of the leader's loop alone: what each node can read
	checked time.Time            // of the leader's loop alone: when it last proposed a checkpoint
	hint    atomic.Pointer[leaderHint]
	moved   sync.Map // node to the address it said it has; as many as there are nodes
}

// openMember makes this node a member if it is to be one: nil for a node that is
// alone.
func (n *Node) openMember() (*member, error) {
	cfg := &n.cfg.Cluster
	creds, err := readCredentials(n.cfg.Node.DataDir, n.cfg.Node.ID)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the cluster's credentials: %w", err)
	case cfg.Listen == "" && creds != nil:
		return nil, fmt.Errorf("%s belongs to node %s of cluster %s: set cluster.listen, or use another node.data_dir", n.cfg.Node.DataDir, creds.standing.Node, creds.standing.Cluster)
	case cfg.Listen == "":
		return nil, nil
	case creds == nil:
		return nil, errors.New("this node belongs to no cluster: begin one with `purser cluster init`, or join one with a token that `purser cluster token` makes on a node of it (purser join --token, or PURSER_JOIN_TOKEN)")
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	m := &member{n: n, creds: creds, address: cfg.Advertise, nudges: make(chan contention, maxContentions), watch: map[string]*sighting{}, stalled: paces{}, levels: map[string]uint32{}}
	if m.address == "" {
		m.address = l.Addr().String()
	}
	identity, err := creds.authority.Issue(n.cfg.Node.ID, time.Now())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if m.gossip, err = n.openGossip(creds, m.address); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	m.proof = port.NewCredentials(&creds.authority.Root, identity, time.Now)
	m.proof.Refuse(m.isOut)
	m.proof.Elsewhere(m.gossip.where)
	m.port = port.New(l, m.proof, n.log)
	m.clients = peer.NewClients(m.proof)
	return m, nil
}

// peers is how Raft reaches the others.
func (m *member) peers() *cluster.Peers {
	timing := cluster.LAN()
	if m.n.cfg.Cluster.Profile == "wan" {
		timing = cluster.WAN()
	}
	return &cluster.Peers{
		Streams:   raftLane{m.port.Lane(port.Raft), m},
		Advertise: m.address, Found: m.creds.standing.Founder, Timing: timing,
	}
}

// raftLane implements cluster.Streams.
type raftLane struct {
	net.Listener
	member *member
}

// Dial implements cluster.Streams.
func (r raftLane) Dial(ctx context.Context, address, node string) (net.Conn, error) {
	return r.member.proof.Dial(ctx, r.member.where(node, address), port.Raft, node)
}

// begin answers the others from now on, makes known where this node is, and
// waits until it holds what the cluster has acknowledged.
func (m *member) begin(ctx context.Context) error {
	m.server = peer.Serve(m.port, m.service())
	m.port.Run()
	if err := m.welcome(ctx); err != nil {
		return err
	}
	if err := m.announce(ctx); err != nil {
		return err
	}
	return m.n.raft.WaitReady(ctx, m.readIndex)
}

// isOut reports whether a node was removed and Raft does without it. Until then
// its vote may be needed for that very change.
func (m *member) isOut(node string) bool {
	known, ok := m.n.fsm.Directory().Node(ledger.NodeID(node))
	if !ok || known.State != directory.NodeRemoved {
		return false
	}
	r := m.n.raftNow.Load()
	if r == nil {
		return false
	}
	servers, err := r.Servers()
	return err == nil && !slices.ContainsFunc(servers, func(s cluster.Server) bool { return s.ID == node })
}

// welcome fails if another node says that this one was removed: it would wait for
// the cluster in vain.
func (m *member) welcome(ctx context.Context) error {
	for id, address := range m.others() {
		once, cancel := context.WithTimeout(ctx, askWait)
		answer, err := m.clients.Progress(once, id, m.where(id, address), m.question())
		cancel()
		if err == nil {
			m.gossip.hear(id, answer.Gossip)
		}
		if errors.Is(err, peer.ErrRefused) {
			return fmt.Errorf("node %s of cluster %s says: %w; a new node needs another id and an empty data directory", id, m.creds.standing.Cluster, err)
		}
	}
	return nil
}

// announce tells the directory where this node is. It needs no log of its own:
// a node that has moved is out of the leader's reach until it has said so.
func (m *member) announce(ctx context.Context) error {
	cfg := &m.n.cfg
	c := directory.AdmitNode{Node: directory.Node{
		ID: ledger.NodeID(cfg.Node.ID), Store: m.n.store.Identity().ID, Address: m.address,
		Region: cfg.Cluster.Region, Zone: cfg.Cluster.Zone,
	}}
	out, err := insist(ctx, func(ctx context.Context) (directory.Outcome, error) { return m.n.proposer.ProposeDirectory(ctx, c) })
	if err != nil {
		return fmt.Errorf("announcing this node to cluster %s (is a quorum of it running?): %w", m.creds.standing.Cluster, err)
	}
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	default:
		return fmt.Errorf("cluster %s does not take this node: %s", m.creds.standing.Cluster, refusedNode(out.Code, cfg.Node.ID))
	}
}

// refusedNode says why a node is not let in, and what to do.
func refusedNode(code directory.Code, node string) string {
	switch code {
	case directory.UnknownToken:
		return "the token is not known here; make one with `purser cluster token`"
	case directory.TokenUsed:
		return "the token was used by another node; make one for each with `purser cluster token`"
	case directory.TokenExpired:
		return "the token has expired; make another one with `purser cluster token`"
	case directory.NodeTaken:
		return fmt.Sprintf("node %s is known with another data directory, which was lost or replaced; restore it, or give the new node another id and fence the old one (purser node fence %s)", node, node)
	case directory.NodeIsRemoved:
		return fmt.Sprintf("node %s was removed for good; give the new node another id and an empty data directory", node)
	case directory.LimitReached:
		return fmt.Sprintf("the cluster knows %d nodes, as many as it takes", directory.MaxNodes)
	default:
		return "the directory answered: " + code.String()
	}
}

// obeyEvery is how soon a node takes note of what was decided about it.
const obeyEvery = 250 * time.Millisecond

// obey does what the directory says of this node: one that drains takes no more
// requests and returns its leases, one that was removed ends when the others do
// without it. It returns when ctx is done.
func (m *member) obey(ctx context.Context) {
	t := time.NewTicker(obeyEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		self, ok := m.n.fsm.Directory().Node(ledger.NodeID(m.n.cfg.Node.ID))
		switch {
		case !ok || self.State == directory.NodeActive:
		case self.State == directory.NodeRemoved:
			if err := m.welcome(ctx); err != nil && ctx.Err() == nil {
				m.n.fatal(err)
				return
			}
		case !m.n.draining.Swap(true):
			m.n.log.Info("draining on an operator's word: no new requests; what is leased goes back")
			m.n.gateway.Drain()
			if err := m.n.purse.Drain(ctx); err != nil {
				m.n.log.Log(ctx, level(ctx), "the leases could not be returned", "error", err)
				continue
			}
			m.n.log.Info("drained: this node holds nothing; it may be stopped, or removed with purser node remove")
		}
	}
}

// renew replaces this node's certificate before it ends. It returns when ctx is
// done.
func (m *member) renew(ctx context.Context) {
	t := time.NewTicker(renewEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if now.Before(m.proof.Identity().Due()) {
				continue
			}
			next, err := m.creds.authority.Issue(m.n.cfg.Node.ID, now)
			if err != nil {
				m.n.log.Error("the node's certificate could not be renewed", "until", m.proof.Identity().Until, "error", err)
				continue
			}
			m.proof.Renew(next)
			m.n.log.Info("the node's certificate was renewed", "until", next.Until)
		}
	}
}

const renewEvery = time.Hour

// close ends what begin and openMember started. Raft has closed its lane.
func (m *member) close() error {
	err := m.gossip.close()
	m.clients.Close()
	if m.server != nil {
		m.server.Close()
	}
	return errors.Join(err, m.port.Close())
}

// level is how a message about another node is logged.
func level(ctx context.Context) slog.Level {
	if ctx.Err() != nil {
		return slog.LevelDebug // this node is stopping; its calls break off
	}
	return slog.LevelWarn
}
