package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/internal/directory"
	"purser/ledger"
	"purser/raftfsm"
)

// service is what this node answers its peers.
func (m *member) service() peer.Service {
	return peer.Service{Join: m.letIn, Propose: m.carry, Progress: m.progress, Nudge: m.nudged, Lead: m.n.raft.Transfer}
}

// letIn answers a node that shows a token.
func (m *member) letIn(ctx context.Context, in *pb.JoinRequest) (*pb.JoinReply, error) {
	c := directory.AdmitNode{
		Node:  directory.Node{ID: ledger.NodeID(in.Node), Address: in.Address, Region: in.Region, Zone: in.Zone},
		Token: (&pki.Token{Secret: in.Secret}).Hash(),
	}
	if len(in.Store) != len(c.Node.Store) {
		return nil, fmt.Errorf("%w: the request names no data directory", peer.ErrRefused)
	}
	copy(c.Node.Store[:], in.Store)
	if err := c.Node.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", peer.ErrRefused, err)
	}
	if err := m.isNew(ctx, in.Node); err != nil {
		return nil, err
	}
	configuration, prices, err := m.n.cfg.shared()
	if err != nil {
		return nil, err
	}
	authority, err := m.creds.authority.PEM()
	if err != nil {
		return nil, err
	}
	out, err := insist(ctx, func(ctx context.Context) (directory.Outcome, error) { return m.n.proposer.ProposeDirectory(ctx, c) })
	if err != nil {
		return nil, err
	}
	if out.Code != directory.Applied && out.Code != directory.Unchanged {
		m.n.log.Warn("a node was not let in", "node", in.Node, "address", in.Address, "reason", out.Code.String())
		return nil, fmt.Errorf("%w: %s", peer.ErrRefused, refusedNode(out.Code, in.Node))
	}
	m.n.log.Info("a node was let in", "node", in.Node, "address", in.Address, "version", in.Version)
	reply := &pb.JoinReply{Authority: authority, Configuration: configuration, Prices: prices}
	for id, address := range m.others() {
		reply.Members = append(reply.Members, &pb.Member{Node: id, Address: address})
	}
	reply.Members = append(reply.Members, &pb.Member{Node: m.n.cfg.Node.ID, Address: m.address})
	return reply, nil
}

// isNew refuses a node that the others count on already: one that has lost its
// log must not come back under its name, for it has forgotten what it voted for.
func (m *member) isNew(ctx context.Context, node string) error {
	if err := (control{m.n}).seen(ctx); err != nil {
		return err
	}
	servers, err := m.n.raft.Servers()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(servers, func(s cluster.Server) bool { return s.ID == node }) {
		return fmt.Errorf("%w: node %s is a member already; if its data directory is lost, give the new node another id, and fence the old one (purser node fence %s)", peer.ErrRefused, node, node)
	}
	return nil
}

// insist repeats a command that may be repeated while its outcome is open.
func insist(ctx context.Context, try func(context.Context) (directory.Outcome, error)) (directory.Outcome, error) {
	for {
		out, err := try(ctx)
		if err == nil || !errors.Is(err, raftfsm.ErrAmbiguous) || ctx.Err() != nil {
			return out, err
		}
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(insistPause):
		}
	}
}

const insistPause = 50 * time.Millisecond

// carry puts a command that another node forwarded into the log.
func (m *member) carry(ctx context.Context, _ string, in *pb.ProposeRequest) *pb.ProposeReply {
	if in.Shard != 0 {
		return &pb.ProposeReply{Verdict: pb.Verdict_NOT_PROPOSED, Reason: fmt.Sprintf("there is no shard %d", in.Shard)}
	}
	out, err := m.n.proposer.Carry(ctx, raftfsm.Room(in.Room), in.Command)
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

// Leading implements raftfsm.Route.
func (m *member) Leading() bool { return m.n.raft.Leader() }

// Forward implements raftfsm.Route.
func (m *member) Forward(ctx context.Context, room raftfsm.Room, command []byte) ([]byte, error) {
	id, address := m.leader(ctx)
	if id == "" {
		return nil, raftfsm.NoLeader("none is known")
	}
	out, err := m.clients.Propose(ctx, id, m.where(id, address), &pb.ProposeRequest{Room: uint32(room), Command: command})
	switch {
	case errors.Is(err, peer.ErrUnsent):
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrNotProposed, err)
	case err != nil:
		m.hint.Store(nil)
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrAmbiguous, err)
	}
	switch out.Verdict {
	case pb.Verdict_DONE:
		return out.Outcome, nil
	case pb.Verdict_NO_LEADER:
		m.hint.Store(nil)
		return nil, raftfsm.NoLeader(out.Reason)
	case pb.Verdict_NOT_PROPOSED:
		return nil, fmt.Errorf("%w: node %s: %s", raftfsm.ErrNotProposed, id, out.Reason)
	default:
		return nil, fmt.Errorf("%w: node %s: %s", raftfsm.ErrAmbiguous, id, out.Reason)
	}
}

// leaderHint is who was said to lead, for a node that Raft tells nothing.
type leaderHint struct {
	id, address string
	at          time.Time
}

const (
	hintLife = 2 * time.Second
	askWait  = 500 * time.Millisecond
)

// leader is who leads: as Raft knows it, or else as the others say.
func (m *member) leader(ctx context.Context) (id, address string) {
	if id, address = m.n.raft.LeaderNode(); id != "" {
		if id == m.n.cfg.Node.ID {
			return "", "" // it has just lost it, or it would not ask
		}
		return id, address
	}
	if h := m.hint.Load(); h != nil && time.Since(h.at) < hintLife {
		return h.id, h.address
	}
	var best *pb.ProgressReply
	for _, p := range m.ask(ctx, m.others()) {
		if p.Leader != "" && p.Leader != m.n.cfg.Node.ID && (best == nil || p.Term > best.Term) {
			best = p
		}
	}
	if best == nil {
		return "", ""
	}
	m.hint.Store(&leaderHint{best.Leader, best.LeaderAddress, time.Now()})
	return best.Leader, best.LeaderAddress
}

// others is where the other nodes are, as far as anything here says.
func (m *member) others() map[string]string {
	list := map[string]string{}
	for _, k := range m.creds.standing.Members {
		list[k.Node] = k.Address
	}
	if servers, err := m.n.raft.Servers(); err == nil {
		for _, s := range servers {
			list[s.ID] = s.Address
		}
	}
	for _, d := range m.n.fsm.Directory().Nodes() {
		list[string(d.ID)] = d.Address
		if d.State == directory.NodeRemoved {
			delete(list, string(d.ID))
		}
	}
	delete(list, m.n.cfg.Node.ID)
	return list
}

// where is a node's address: as it said itself of late, or else as the cluster
// has it. A node that has moved tells the others before a leader can tell all. One
// that does not answer there is looked for where gossip says (port.Credentials).
func (m *member) where(node, address string) string {
	if v, ok := m.moved.Load(node); ok {
		return v.(string)
	}
	return address
}

// question asks for progress, and says where this node is.
func (m *member) question() *pb.ProgressRequest {
	return &pb.ProgressRequest{Address: m.address, Gossip: m.gossip.address()}
}

// ask asks nodes for their progress, all at once, and returns what they
// answered in time.
func (m *member) ask(ctx context.Context, nodes map[string]string) map[string]*pb.ProgressReply {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	out := map[string]*pb.ProgressReply{}
	slots := make(chan struct{}, maxAsked)
	for id, address := range nodes {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			if p, err := m.clients.Progress(ctx, id, m.where(id, address), m.question()); err == nil {
				m.gossip.hear(id, p.Gossip)
				mu.Lock()
				out[id] = p
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	return out
}

// maxAsked bounds the questions under way.
const maxAsked = 64

// readIndex is what this node must have applied to be up to date, as the leader
// says.
func (m *member) readIndex(ctx context.Context, id, address string) (uint64, error) {
	if id == "" {
		if id, address = m.leader(ctx); id == "" {
			return 0, errors.New("no leader is known")
		}
	}
	in := m.question()
	in.Linearizable = true
	p, err := m.clients.Progress(ctx, id, m.where(id, address), in)
	if err != nil {
		m.hint.Store(nil)
		return 0, err
	}
	return p.Applied, nil
}

// progress answers how far this node is.
func (m *member) progress(_ context.Context, from string, in *pb.ProgressRequest) (*pb.ProgressReply, error) {
	if in.Address != "" {
		m.moved.Store(from, in.Address)
		m.gossip.hear(from, in.Gossip)
	}
	s := m.n.raft.Stats()
	out := &pb.ProgressReply{
		Term: s.Term, Last: s.Last, Commit: s.Commit, Applied: s.Applied,
		Clock: time.Now().UnixNano(), Version: m.n.version, Level: raftfsm.Level, Gossip: m.gossip.address(),
	}
	out.Leader, out.LeaderAddress = m.n.raft.LeaderNode()
	if !in.Linearizable {
		return out, nil
	}
	index, err := m.n.raft.ReadIndex()
	if errors.Is(err, cluster.ErrNotLeader) {
		return nil, fmt.Errorf("%w: %w", peer.ErrNotLeader, err)
	}
	out.Applied = index
	return out, err
}
