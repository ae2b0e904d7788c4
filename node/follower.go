package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"purser/api/pb"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/internal/directory"
	"purser/ledger"
)

// follower is the part in a cluster of a gateway: a node that leases and serves like
// any other, has no log and no accounts, and goes by what members tell it.
type follower struct {
	*peers
	following *following
	members   []place // as the directory on disk has them; of the following alone
}

const (
	// announcePause is how soon a gateway that could not make itself known tries again.
	announcePause = 500 * time.Millisecond
	// certifySoon is how soon a gateway looks again whether its certificate is due.
	certifySoon = time.Minute
)

func newFollower(p *peers) *follower {
	f := &follower{peers: p, members: p.standing.Members}
	f.following = newFollowing(p.n.fsm, p.n.log, followSeams{
		Members: p.others,
		Leader:  func(ctx context.Context) string { id, _ := p.leader(ctx); return id },
		Follow: func(ctx context.Context, node, address string, after uint64, take func(*pb.FollowReply) error) error {
			return p.clients.Follow(ctx, node, p.where(node, address), &pb.FollowRequest{After: after}, take)
		},
		Kept:    f.keepMembers,
		Refused: func(err error) { p.n.fatal(p.refused(err)) },
	})
	p.proof.Refuse(func(node string) bool {
		known, ok := p.n.fsm.Directory().Node(ledger.NodeID(node))
		return ok && known.State == directory.NodeRemoved && known.Role == directory.Gateway
	})
	return f
}

// service is what a gateway answers its peers.
func (f *follower) service() peer.Service {
	refuse := fmt.Errorf("%w: node %s is a gateway; ask a member", peer.ErrRefused, f.n.cfg.Node.ID)
	return peer.Service{
		Progress: f.progress, Nudge: f.nudged, Caches: f.n.sharing.service(), Outcomes: f.n.outcomeService(), Topics: f.n.topics(),
		Join:        func(context.Context, *pb.JoinRequest) (*pb.JoinReply, error) { return nil, refuse },
		JoinGateway: func(context.Context, *pb.JoinGatewayRequest) (*pb.JoinGatewayReply, error) { return nil, refuse },
		Certify:     func(context.Context, string, *pb.CertifyRequest) (*pb.CertifyReply, error) { return nil, refuse },
		Lead:        func(string) error { return refuse },
		Trail:       func(context.Context, string, *pb.TrailRequest) (*pb.TrailReply, error) { return nil, refuse },
		Propose: func(context.Context, string, *pb.ProposeRequest) *pb.ProposeReply {
			return &pb.ProposeReply{Verdict: pb.Verdict_NO_LEADER, Reason: refuse.Error()}
		},
		Follow: func(context.Context, string, *pb.FollowRequest, func(*pb.FollowReply) error) error { return refuse },
	}
}

// begin answers the others, follows a member, makes known where this node is, and
// waits until it has what the cluster has acknowledged.
func (f *follower) begin(ctx context.Context) error {
	f.answer(f.service())
	if err := f.welcome(ctx); err != nil {
		return err
	}
	f.following.begin()
	for {
		err := f.announce(ctx, directory.AdmitGateway{Node: f.self()})
		if err == nil {
			err = f.n.catchUp(ctx)
		}
		if err == nil || errors.Is(err, peer.ErrRefused) {
			return err
		}
		f.n.log.Warn("this gateway is not known to the cluster yet; trying again", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(announcePause):
		}
	}
}

// keepMembers writes down where the members are, so that the next start finds them:
// those that were there when it joined may be gone by then.
func (f *follower) keepMembers(d *directory.State) {
	var now []place
	for _, n := range d.Nodes() {
		if n.Role == directory.Member && n.State != directory.NodeRemoved {
			now = append(now, place{string(n.ID), n.Address})
		}
	}
	if len(now) == 0 || slices.Equal(now, f.members) {
		return
	}
	standing := f.standing
	standing.Members = now
	if err := standing.save(f.n.cfg.Node.DataDir); err != nil {
		f.n.log.Warn("where the members are could not be written down", "error", err)
		return
	}
	f.members = now
}

// renew replaces this node's certificate before it ends. It returns when ctx is
// done.
func (f *follower) renew(ctx context.Context) {
	t := time.NewTicker(certifySoon)
	defer t.Stop()
	for {
		if now := time.Now(); f.proof.Identity().Due(now) {
			if err := f.certify(ctx, now); err != nil {
				f.n.log.Log(ctx, level(ctx), "the node's certificate could not be renewed; trying again", "until", f.proof.Identity().Until, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// certify makes a new key and has a member sign its certificate.
func (f *follower) certify(ctx context.Context, now time.Time) error {
	id := f.n.cfg.Node.ID
	request, err := pki.NewRequest(id)
	if err != nil {
		return err
	}
	var errs []error
	members := f.others()
	for _, node := range slices.Sorted(maps.Keys(members)) {
		once, cancel := context.WithTimeout(ctx, changeWait)
		out, err := f.clients.Certify(once, node, f.where(node, members[node]), &pb.CertifyRequest{CertificateRequest: request.DER})
		cancel()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next, err := f.proof.Root.Accept(request, out.Certificate, id, now)
		if err != nil {
			return fmt.Errorf("what node %s answered: %w", node, err)
		}
		b, err := next.PEM()
		if err != nil {
			return err
		}
		// On disk first: a node that starts again has the newest.
		if err := writeDurably(filepath.Join(f.n.cfg.Node.DataDir, clusterDir, identityFile), b); err != nil {
			return err
		}
		f.proof.Renew(next)
		f.n.log.Info("the node's certificate was renewed", "by", node, "until", next.Until)
		return nil
	}
	return errors.Join(errs...)
}
