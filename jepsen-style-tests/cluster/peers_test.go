package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/port"
	"purser/internal/purse"
	"purser/internal/record"
	"purser/ledger"
	"purser/raftfsm"
)

// lane is a node's Raft streams, over the links.
type lane struct {
	net.Listener
	life *life
}

// Dial implements cluster.Streams.
func (r lane) Dial(ctx context.Context, _, to string) (net.Conn, error) {
	return r.life.proof.Dial(ctx, r.life.m.w.mesh.Address(r.life.m.name, to), port.Raft, to)
}

func (l *life) address(to string) string { return l.m.w.mesh.Address(l.m.name, to) }

// service is what the node answers the others, as package node does.
func (l *life) service() peer.Service {
	return peer.Service{
		Join:     func(context.Context, *pb.JoinRequest) (*pb.JoinReply, error) { return nil, peer.ErrRefused },
		Propose:  l.carry,
		Progress: l.progress,
		Nudge:    l.nudged,
		Lead:     l.raft.Transfer,
	}
}

func (l *life) carry(ctx context.Context, _ string, in *pb.ProposeRequest) *pb.ProposeReply {
	out, err := l.proposer.Carry(ctx, "", raftfsm.Room(in.Room), in.Command)
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
func (l *life) Leading() bool { return l.raft.Leader() }

// Forward implements raftfsm.Route.
func (l *life) Forward(ctx context.Context, room raftfsm.Room, command []byte) ([]byte, error) {
	id, _ := l.raft.LeaderNode()
	if id == "" || id == l.m.name {
		return nil, raftfsm.NoLeader("none is known")
	}
	out, err := l.clients.Propose(ctx, id, l.address(id), &pb.ProposeRequest{Room: uint32(room), Command: command})
	switch {
	case errors.Is(err, peer.ErrUnsent):
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrNotProposed, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", raftfsm.ErrAmbiguous, err)
	}
	switch out.Verdict {
	case pb.Verdict_DONE:
		return out.Outcome, nil
	case pb.Verdict_NO_LEADER:
		return nil, raftfsm.NoLeader(out.Reason)
	case pb.Verdict_NOT_PROPOSED:
		return nil, fmt.Errorf("%w: %s", raftfsm.ErrNotProposed, out.Reason)
	default:
		return nil, fmt.Errorf("%w: %s", raftfsm.ErrAmbiguous, out.Reason)
	}
}

// readIndex asks the leader what this node must have applied to be up to date.
func (l *life) readIndex(ctx context.Context, id, _ string) (uint64, error) {
	if id == "" || id == l.m.name {
		return 0, errors.New("no leader is known")
	}
	p, err := l.clients.Progress(ctx, id, l.address(id), &pb.ProgressRequest{Linearizable: true})
	if err != nil {
		return 0, err
	}
	return p.Applied, nil
}

func (l *life) progress(context.Context, string, *pb.ProgressRequest) (*pb.ProgressReply, error) {
	index, err := l.raft.ReadIndex()
	if errors.Is(err, cluster.ErrNotLeader) {
		return nil, fmt.Errorf("%w: %w", peer.ErrNotLeader, err)
	}
	return &pb.ProgressReply{Applied: index}, err
}

// current waits until this node has applied all that was acknowledged before.
func (l *life) current(ctx context.Context) error {
	var index uint64
	var err error
	if l.raft.Leader() {
		index, err = l.raft.ReadIndex()
	} else {
		id, _ := l.raft.LeaderNode()
		index, err = l.readIndex(ctx, id, "")
	}
	if err != nil {
		return err
	}
	return l.raft.WaitApplied(ctx, index)
}

// propose puts a command into the log, for the history to know.
func (l *life) propose(ctx context.Context, c ledger.Command) (ledger.Outcome, error) {
	w := l.m.w
	if !l.alive(func() {}) {
		return ledger.Outcome{}, errDead
	}
	answered := w.ops.Invoke(l.m.number, w.at(), c)
	out, err := l.proposer.Propose(ctx, c)
	if deaf := l.deaf.Load(); err == nil && deaf != nil && (*deaf)(c) {
		l.unheard.Add(1)
		return ledger.Outcome{}, fmt.Errorf("%w: the answer is lost", raftfsm.ErrAmbiguous)
	}
	if err == nil {
		answered(w.at(), out)
	}
	return out, err
}

var errDead = errors.New("the node is dead")

// exchanger implements purse.Exchanger.
type exchanger struct{ life *life }

// Register implements purse.Exchanger.
func (e exchanger) Register(ctx context.Context, r ledger.Register) (ledger.Outcome, error) {
	return e.life.propose(ctx, r)
}

// Exchange implements purse.Exchanger.
func (e exchanger) Exchange(ctx context.Context, x *ledger.Exchange) (*ledger.Answer, error) {
	sent := *x // the history keeps it as it is now
	out, err := e.life.propose(ctx, &sent)
	if err != nil {
		return nil, err
	}
	return purse.Answered(out)
}

// contention is accounts in which a node's requests wait for what others have idle.
type contention struct {
	node     ledger.NodeID
	accounts []ledger.AccountKey
}

func (l *life) contended(n ledger.NodeID, accounts []ledger.AccountKey) {
	select {
	case l.nudges <- contention{n, accounts}:
	default:
	}
}

// nudge has the holders of contended accounts report at once.
func (l *life) nudge() {
	for {
		var c contention
		select {
		case <-l.ctx.Done():
			return
		case c = <-l.nudges:
		}
		holders := map[string][]ledger.AccountKey{}
		for _, a := range c.accounts {
			for h := range l.fsm.Ledger().Leases(a) {
				if h.Node != c.node && h.Granted > h.Spent+h.Returned {
					holders[string(h.Node)] = append(holders[string(h.Node)], a)
				}
			}
		}
		for name, accounts := range holders {
			if name == l.m.name {
				l.purse.Nudge(accounts)
				continue
			}
			l.work.Go(func() { l.call(name, accounts) })
		}
	}
}

const nudgeWait = 500 * time.Millisecond

func (l *life) call(name string, accounts []ledger.AccountKey) {
	var keys [][]byte
	for _, a := range accounts {
		keys = append(keys, record.AppendAccount(nil, a))
	}
	ctx, cancel := context.WithTimeout(l.ctx, nudgeWait)
	defer cancel()
	_ = l.clients.Nudge(ctx, name, l.address(name), keys) // a hint; it asks again
}

func (l *life) nudged(keys [][]byte) {
	var accounts []ledger.AccountKey
	for _, k := range keys {
		if a, rest, err := record.DecodeAccount(k); err == nil && len(rest) == 0 {
			accounts = append(accounts, a)
		}
	}
	select {
	case <-l.ready:
		l.purse.Nudge(accounts)
	default:
	}
}
