package node

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"purser/api/admin"
	"purser/api/pb"
	"purser/cluster"
	"purser/cluster/peer"
	"purser/cluster/pki"
	"purser/internal/directory"
	"purser/ledger"
)

// letIn answers a node that shows a token.
func (m *member) letIn(ctx context.Context, in *pb.JoinRequest) (*pb.JoinReply, error) {
	node, token, err := m.asked(ctx, in)
	if err != nil {
		return nil, err
	}
	configuration, prices, err := m.n.cfg.shared()
	if err != nil {
		return nil, err
	}
	authority, err := m.authority.PEM()
	if err != nil {
		return nil, err
	}
	if err := m.admit(ctx, in, directory.AdmitNode{Node: node, Token: token}); err != nil {
		return nil, err
	}
	return &pb.JoinReply{Authority: authority, Configuration: configuration, Prices: prices, Members: m.places()}, nil
}

// letGatewayIn answers a gateway that shows a token: it is given a certificate for
// its key, and not the authority's key.
func (m *member) letGatewayIn(ctx context.Context, in *pb.JoinGatewayRequest) (*pb.JoinGatewayReply, error) {
	if in.Node == nil {
		return nil, fmt.Errorf("%w: the request names no node", peer.ErrRefused)
	}
	node, token, err := m.asked(ctx, in.Node)
	if err != nil {
		return nil, err
	}
	certificate, err := m.authority.Certify(in.CertificateRequest, in.Node.Node, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", peer.ErrRefused, err)
	}
	configuration, prices, err := m.n.cfg.shared()
	if err != nil {
		return nil, err
	}
	if err := m.admit(ctx, in.Node, directory.AdmitGateway{Node: node, Token: token}); err != nil {
		return nil, err
	}
	return &pb.JoinGatewayReply{
		Root: m.authority.Root.PEM(), Certificate: certificate, Configuration: configuration, Prices: prices, Members: m.places(),
	}, nil
}

// asked is the node that asks to be let in, and its token, if it may be at all.
func (m *member) asked(ctx context.Context, in *pb.JoinRequest) (node directory.Node, token directory.Hash, err error) {
	node = directory.Node{ID: ledger.NodeID(in.Node), Address: in.Address, Region: in.Region, Zone: in.Zone}
	if len(in.Store) != len(node.Store) {
		return node, token, fmt.Errorf("%w: the request names no data directory", peer.ErrRefused)
	}
	copy(node.Store[:], in.Store)
	if err := node.Validate(); err != nil {
		return node, token, fmt.Errorf("%w: %w", peer.ErrRefused, err)
	}
	return node, (&pki.Token{Secret: in.Secret}).Hash(), m.isNew(ctx, in.Node)
}

// admit has the directory let a node in.
func (m *member) admit(ctx context.Context, in *pb.JoinRequest, c directory.Command) error {
	who := admin.Actor{Name: "node:" + in.Node, Address: hostOf(in.Address)}
	out, err := m.n.changed(admin.WithActor(ctx, who), c)
	if err != nil {
		return err
	}
	if out.Code != directory.Applied && out.Code != directory.Unchanged {
		m.n.log.Warn("a node was not let in", "node", in.Node, "address", in.Address, "reason", out.Code.String())
		return fmt.Errorf("%w: %s", peer.ErrRefused, refusedNode(out.Code, in.Node))
	}
	m.n.log.Info("a node was let in", "node", in.Node, "address", in.Address, "version", in.Version)
	return nil
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// places is where the members are, this one among them.
func (m *member) places() []*pb.Member {
	list := []*pb.Member{{Node: m.n.cfg.Node.ID, Address: m.address}}
	for id, address := range m.others() {
		list = append(list, &pb.Member{Node: id, Address: address})
	}
	return list
}

// certify gives a gateway its next certificate.
func (m *member) certify(_ context.Context, from string, in *pb.CertifyRequest) (*pb.CertifyReply, error) {
	known, ok := m.n.fsm.Directory().Node(ledger.NodeID(from))
	if !ok || known.Role != directory.Gateway || known.State == directory.NodeRemoved {
		return nil, fmt.Errorf("%w: node %s is no gateway of this cluster", peer.ErrRefused, from)
	}
	certificate, err := m.authority.Certify(in.CertificateRequest, from, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", peer.ErrRefused, err)
	}
	return &pb.CertifyReply{Certificate: certificate}, nil
}

// isNew refuses a node that the others count on already: a voter that has lost its
// log must not come back under its name, for it has forgotten what it voted for.
// One without a vote may ask again: it has not heard the answer.
func (m *member) isNew(ctx context.Context, node string) error {
	if err := (control{m.n}).seen(ctx); err != nil {
		return err
	}
	servers, err := m.raft.Servers()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(servers, func(s cluster.Server) bool { return s.ID == node && s.Voter }) {
		return fmt.Errorf("%w: node %s votes already; if its data directory is lost, give the new node another id, and fence the old one (purser node fence %s)", peer.ErrRefused, node, node)
	}
	return nil
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
	case directory.RoleFixed:
		return fmt.Sprintf("node %s is known in the other role: a member does not become a gateway, nor a gateway a member; give the new node another id and an empty data directory", node)
	case directory.LimitReached:
		return fmt.Sprintf("the cluster knows %d nodes, as many as it takes", directory.MaxNodes)
	default:
		return "the directory answered: " + code.String()
	}
}
