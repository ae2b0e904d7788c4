package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"purser/cluster/peer"
	"purser/cluster/port"
	"purser/internal/directory"
	"purser/ledger"
)

// peers is what a node of a cluster has, a member or a gateway: its port, and its
// ways to the others.
type peers struct {
	n        *Node
	standing clusterFile
	proof    *port.Credentials
	port     *port.Port
	clients  *peer.Clients
	server   *peer.Server // once it answers
	gossip   *hearsay     // nil: this node does not gossip
	address  string       // of the port, as others reach it
	hint     atomic.Pointer[leaderHint]
	moved    sync.Map // node to the address it said it has; as many as there are nodes
}

// openPeers makes this node one of a cluster's if it is to be one: a member or a
// gateway.
func (n *Node) openPeers() error {
	creds, err := n.credentials()
	if creds == nil || err != nil {
		return err
	}
	if err := sealPlainGiven(n.cfg.Node.DataDir); err != nil {
		n.log.Warn("what this node was given when it joined stays readable in its data directory", "error", err)
	}
	identity := creds.identity
	if creds.authority != nil {
		if identity, err = creds.authority.Issue(n.cfg.Node.ID, time.Now()); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", n.cfg.Cluster.Listen)
	if err != nil {
		return fmt.Errorf("cluster.listen: %w", err)
	}
	p := &peers{n: n, standing: creds.standing, address: n.cfg.Cluster.Advertise}
	if p.address == "" {
		p.address = l.Addr().String()
	}
	if p.gossip, err = n.openGossip(creds, p.address); err != nil {
		return errors.Join(err, l.Close())
	}
	p.proof = port.NewCredentials(creds.root, identity, time.Now)
	p.proof.Elsewhere(p.gossip.where)
	p.port = port.New(l, p.proof, n.log)
	p.clients = peer.NewClients(p.proof)
	n.peers, n.colleagues = p, newColleagues(p)
	if creds.authority != nil {
		n.member = newMember(p, creds.authority)
	} else {
		n.follower = newFollower(p)
	}
	return nil
}

// credentials are those of the data directory, nil for a node that is alone.
func (n *Node) credentials() (*credentials, error) {
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
	if err := creds.serves(&n.cfg); err != nil {
		return nil, err
	}
	return creds, creds.ended(time.Now())
}

// answer answers the others from now on.
func (p *peers) answer(s peer.Service) {
	p.server = peer.Serve(p.port, s)
	p.port.Run()
}

// welcome fails if another node says that this one was removed: it would wait for
// the cluster in vain.
func (p *peers) welcome(ctx context.Context) error {
	for id, address := range p.others() {
		once, cancel := context.WithTimeout(ctx, askWait)
		answer, err := p.clients.Progress(once, id, p.where(id, address), p.question())
		cancel()
		if err == nil {
			p.gossip.hear(id, answer.Gossip)
		}
		if errors.Is(err, peer.ErrRefused) {
			return p.refused(fmt.Errorf("node %s says: %w", id, err))
		}
	}
	return nil
}

// refused says what an operator can do about a refusal.
func (p *peers) refused(err error) error {
	return fmt.Errorf("cluster %s: %w; a new node needs another id and an empty data directory", p.standing.Cluster, err)
}

// announce tells the directory where this node is. It needs no log of its own:
// a node that has moved is out of the leader's reach until it has said so. An error
// that wraps [peer.ErrRefused] is final.
func (p *peers) announce(ctx context.Context, c directory.Command) error {
	out, err := insist(ctx, func(ctx context.Context) (directory.Outcome, error) { return p.n.proposer.ProposeDirectory(ctx, c) })
	if err != nil {
		return fmt.Errorf("announcing this node to cluster %s (is a quorum of it running?): %w", p.standing.Cluster, err)
	}
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	default:
		return fmt.Errorf("cluster %s: %w: %s", p.standing.Cluster, peer.ErrRefused, refusedNode(out.Code, p.n.cfg.Node.ID))
	}
}

// self is this node as it announces itself.
func (p *peers) self() directory.Node {
	cfg := &p.n.cfg
	return directory.Node{
		ID: ledger.NodeID(cfg.Node.ID), Store: p.n.store.Identity().ID, Address: p.address,
		Region: cfg.Cluster.Region, Zone: cfg.Cluster.Zone,
	}
}

const (
	// obeyEvery is how soon a node takes note of what was decided about it.
	obeyEvery = 250 * time.Millisecond
	// missEvery is how often, in looks, a member that knows of no leader asks the others
	// whether they do without it: every 3 s.
	missEvery = 12
)

// obey does what the directory says of this node: one that drains takes no more
// requests and returns its leases, one that was removed ends when the others do
// without it. A member that was fenced while it was out of reach does not get the
// entry that says so any more; it hears of no leader, and is told by the others. It
// returns when ctx is done.
func (p *peers) obey(ctx context.Context) {
	missed := 0 // looks since there was a leader
	t := time.NewTicker(obeyEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if missed++; p.led() {
			missed = 0
		}
		self, ok := p.n.fsm.Directory().Node(ledger.NodeID(p.n.cfg.Node.ID))
		switch removed := ok && self.State == directory.NodeRemoved; {
		case removed || missed > 0 && missed%missEvery == 0:
			if err := p.welcome(ctx); err != nil && ctx.Err() == nil {
				p.n.fatal(err)
				return
			}
		case !ok || self.State == directory.NodeActive:
		case !p.n.draining.Swap(true):
			p.n.log.Info("draining on an operator's word: no new requests; what is leased goes back")
			p.n.gateway.Drain()
			if err := p.n.purse.Drain(ctx); err != nil {
				p.n.log.Log(ctx, level(ctx), "the leases could not be returned", "error", err)
				continue
			}
			p.n.log.Info("drained: this node holds nothing; it may be stopped, or removed with purser node remove")
		}
	}
}

// led says whether this node knows of a leader. A gateway does without.
func (p *peers) led() bool {
	if p.n.raft == nil {
		return true
	}
	leader, _ := p.n.raft.LeaderNode()
	return leader != ""
}

// close ends what openPeers and answer started. Raft has closed its lane.
func (p *peers) close() error {
	err := p.gossip.close()
	p.clients.Close()
	if p.server != nil {
		p.server.Close()
	}
	return errors.Join(err, p.port.Close())
}

// level is how a message about another node is logged.
func level(ctx context.Context) slog.Level {
	if ctx.Err() != nil {
		return slog.LevelDebug // this node is stopping; its calls break off
	}
	return slog.LevelWarn
}
