package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/cluster/port"
	"purser/internal/audit/archive"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

// member is the part in a cluster of a node that has a log: it may vote, lead, let
// others in and tell gateways what they go by.
type member struct {
	*peers
	authority *pki.Authority
	raft      *cluster.Node
	opened    atomic.Pointer[cluster.Node] // the same, for handshakes while it is opened
	nudges    chan contention
	followed  *followed
	archive   atomic.Pointer[archive.Archive] // once it is open, for peers that ask before
	levels    levels
	watch     map[string]*sighting // of the leader's loop alone
	stalled   paces                // of the leader's loop alone
	comparing sync.Mutex           // of fit
	compared  uint64               // the term in which the clocks were compared
	checked   time.Time            // of the leader's loop alone: when it last proposed a checkpoint
}

func newMember(p *peers, authority *pki.Authority) *member {
	m := &member{
		peers: p, authority: authority, nudges: make(chan contention, maxContentions),
		watch: map[string]*sighting{}, stalled: paces{},
	}
	m.followed = newFollowed(p.n.fsm, m.whereabouts, p.n.ending)
	p.proof.Refuse(m.isOut)
	return m
}

// raftPeers is how Raft reaches the others.
func (m *member) raftPeers() *cluster.Peers {
	timing := cluster.LAN()
	if m.n.cfg.Cluster.Profile == "wan" {
		timing = cluster.WAN()
	}
	return &cluster.Peers{
		Streams:   raftLane{m.port.Lane(port.Raft), m},
		Advertise: m.address, Found: m.standing.Founder, Timing: timing,
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

// service is what this node answers its peers.
func (m *member) service() peer.Service {
	return peer.Service{
		Join: m.letIn, Propose: m.carry, Progress: m.progress, Nudge: m.nudged, Lead: m.raft.Transfer,
		JoinGateway: m.letGatewayIn, Certify: m.certify, Follow: m.follow,
		Trail: m.giveTrail, Caches: m.n.sharing.service(), Outcomes: m.n.outcomeService(), Topics: m.n.topics(),
	}
}

// begin answers the others from now on, makes known where this node is, and
// waits until it holds what the cluster has acknowledged.
func (m *member) begin(ctx context.Context) error {
	m.answer(m.service())
	if err := m.welcome(ctx); err != nil {
		return err
	}
	if err := m.announce(ctx, directory.AdmitNode{Node: m.self()}); err != nil {
		return err
	}
	return m.raft.WaitReady(ctx, m.readIndex)
}

// isOut reports whether a node was removed and Raft does without it. Until then
// its vote may be needed for that very change.
func (m *member) isOut(node string) bool {
	known, ok := m.n.fsm.Directory().Node(ledger.NodeID(node))
	if !ok || known.State != directory.NodeRemoved {
		return false
	}
	r := m.opened.Load()
	if r == nil {
		return false
	}
	servers, err := r.Servers()
	return err == nil && !slices.ContainsFunc(servers, func(s cluster.Server) bool { return s.ID == node })
}

// carry puts a command that another node forwarded into the log.
func (m *member) carry(ctx context.Context, from string, in *pb.ProposeRequest) *pb.ProposeReply {
	if in.Shard != 0 {
		return &pb.ProposeReply{Verdict: pb.Verdict_NOT_PROPOSED, Reason: fmt.Sprintf("there is no shard %d", in.Shard)}
	}
	known, ok := m.n.fsm.Directory().Node(ledger.NodeID(from))
	if !ok {
		// Admitted by a leader of which this one has not heard everything yet: what it
		// may ask for is not known.
		return &pb.ProposeReply{Verdict: pb.Verdict_NO_LEADER, Reason: fmt.Sprintf("node %s is not known here yet", from)}
	}
	if known.Role == directory.Gateway {
		if err := raftfsm.MayForward(known.ID, raftfsm.Room(in.Room), in.Command); err != nil {
			return &pb.ProposeReply{Verdict: pb.Verdict_NOT_PROPOSED, Reason: err.Error()}
		}
	}
	out, err := m.n.proposer.Carry(ctx, known.ID, raftfsm.Room(in.Room), in.Command)
	switch {
	case err == nil:
		return &pb.ProposeReply{Verdict: pb.Verdict_DONE, Outcome: out}
	case errors.Is(err, raftfsm.ErrNoLeader):
		return &pb.ProposeReply{Verdict: pb.Verdict_NO_LEADER, Reason: err.Error()}
	case errors.Is(err, raftfsm.ErrNotProposed):
		return &pb.ProposeReply{Verdict: pb.Verdict_NOT_PROPOSED, Reason: err.Error()}
	default:
		return &pb.ProposeReply{Verdict: pb.Verdict_UNKNOWN, Reason: err.Error()}
	}
}

// renewEvery is how soon a member looks whether its certificate is due: one that was made
// by a clock which was ahead keeps it out until then.
const renewEvery = 10 * time.Second

// renew replaces this node's certificate before it ends. It returns when ctx is
// done.
func (m *member) renew(ctx context.Context) {
	t := time.NewTicker(renewEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			now := time.Now()
			if !m.proof.Identity().Due(now) {
				continue
			}
			next, err := m.authority.Issue(m.n.cfg.Node.ID, now)
			if err != nil {
				m.n.log.Error("the node's certificate could not be renewed", "until", m.proof.Identity().Until, "error", err)
				continue
			}
			m.proof.Renew(next)
			m.n.log.Info("the node's certificate was renewed", "until", next.Until)
		}
	}
}
