package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/raftfsm"
)

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

// Leading implements raftfsm.Route.
func (p *peers) Leading() bool { return p.n.raft.Leader() }

// Forward implements raftfsm.Route.
func (p *peers) Forward(ctx context.Context, room raftfsm.Room, command []byte) ([]byte, error) {
	id, address := p.leader(ctx)
	if id == "" {
		return nil, raftfsm.NoLeader("none is known")
	}
	out, err := p.clients.Propose(ctx, id, p.where(id, address), &pb.ProposeRequest{Room: uint32(room), Command: command})
	switch {
	case errors.Is(err, peer.ErrUnsent):
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrNotProposed, err)
	case err != nil:
		p.hint.Store(nil)
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrAmbiguous, err)
	}
	switch out.Verdict {
	case pb.Verdict_DONE:
		return out.Outcome, nil
	case pb.Verdict_NO_LEADER:
		p.hint.Store(nil)
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
func (p *peers) leader(ctx context.Context) (id, address string) {
	if id, address = p.n.raft.LeaderNode(); id != "" {
		if id == p.n.cfg.Node.ID {
			return "", "" // it has just lost it, or it would not ask
		}
		return id, address
	}
	if h := p.hint.Load(); h != nil && time.Since(h.at) < hintLife {
		return h.id, h.address
	}
	var best *pb.ProgressReply
	for _, said := range p.ask(ctx, p.others()) {
		if said.Leader != "" && said.Leader != p.n.cfg.Node.ID && (best == nil || said.Term > best.Term) {
			best = said
		}
	}
	if best == nil {
		return "", ""
	}
	p.hint.Store(&leaderHint{best.Leader, best.LeaderAddress, time.Now()})
	return best.Leader, best.LeaderAddress
}

// others is where the other members are, as far as anything here says.
func (p *peers) others() map[string]string {
	list := map[string]string{}
	for _, k := range p.standing.Members {
		list[k.Node] = k.Address
	}
	if m := p.n.member; m != nil {
		if servers, err := m.raft.Servers(); err == nil {
			for _, s := range servers {
				list[s.ID] = s.Address
			}
		}
	}
	for _, d := range p.n.fsm.Directory().Nodes() {
		list[string(d.ID)] = d.Address
		if d.State == directory.NodeRemoved || d.Role == directory.Gateway {
			delete(list, string(d.ID))
		}
	}
	delete(list, p.n.cfg.Node.ID)
	return list
}

// gateways is where the other nodes are that are no members.
func (p *peers) gateways() map[string]string {
	list := map[string]string{}
	for _, d := range p.n.fsm.Directory().Nodes() {
		if d.Role == directory.Gateway && d.State != directory.NodeRemoved && string(d.ID) != p.n.cfg.Node.ID {
			list[string(d.ID)] = d.Address
		}
	}
	return list
}

// where is a node's address: as it said itself of late, or else as the cluster
// has it. A node that has moved tells the others before a leader can tell all. One
// that does not answer there is looked for where gossip says (port.Credentials).
func (p *peers) where(node, address string) string {
	if v, ok := p.moved.Load(node); ok {
		return v.(string)
	}
	return address
}

// question asks for progress, and says where this node is.
func (p *peers) question() *pb.ProgressRequest {
	return &pb.ProgressRequest{Address: p.address, Gossip: p.gossip.address()}
}

// ask asks nodes for their progress, all at once, and returns what they
// answered in time.
func (p *peers) ask(ctx context.Context, nodes map[string]string) map[string]*pb.ProgressReply {
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
			if said, err := p.clients.Progress(ctx, id, p.where(id, address), p.question()); err == nil {
				p.gossip.hear(id, said.Gossip)
				mu.Lock()
				out[id] = said
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
func (p *peers) readIndex(ctx context.Context, id, address string) (uint64, error) {
	if id == "" {
		if id, address = p.leader(ctx); id == "" {
			return 0, errors.New("no leader is known")
		}
	}
	in := p.question()
	in.Linearizable = true
	said, err := p.clients.Progress(ctx, id, p.where(id, address), in)
	if err != nil {
		p.hint.Store(nil)
		return 0, err
	}
	return said.Applied, nil
}

// progress answers how far this node is.
func (p *peers) progress(_ context.Context, from string, in *pb.ProgressRequest) (*pb.ProgressReply, error) {
	if in.Address != "" {
		p.moved.Store(from, in.Address)
		p.gossip.hear(from, in.Gossip)
	}
	s := p.n.raft.Stats()
	out := &pb.ProgressReply{
		Term: s.Term, Last: s.Last, Commit: s.Commit, Applied: s.Applied,
		Clock: time.Now().UnixNano(), Version: p.n.version, Level: raftfsm.Level, Gossip: p.gossip.address(),
	}
	out.Leader, out.LeaderAddress = p.n.raft.LeaderNode()
	if !in.Linearizable {
		return out, nil
	}
	index, err := p.n.raft.ReadIndex()
	if errors.Is(err, cluster.ErrNotLeader) {
		return nil, fmt.Errorf("%w: %w", peer.ErrNotLeader, err)
	}
	out.Applied = index
	return out, err
}
