package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"purser/api/pb"
	"purser/cluster/port"
)

const (
	// maxMessage bounds a message. The largest is the evidence of a node that
	// comes back with every lease it may have.
	maxMessage = 40 << 20
	// maxStreams bounds the calls under way on one connection. Each request in flight
	// that may be cached is one, to the owner of its key: they have a connection of
	// their own, and the asking node keeps to half of this.
	maxStreams = 4096
	// idleLimit ends connections that nobody uses.
	idleLimit = 10 * time.Minute
	// pingEvery is how often a node asks whether the other end of a connection is there
	// on which it waits for something, and hears nothing.
	pingEvery = 10 * time.Second
	// stopWait bounds how long Close lets calls under way end.
	stopWait = 5 * time.Second
)

// Service is what a node does for its peers. All functions may be called at the
// same time. from is the calling node. Errors are texts for operators; only
// Progress tells [ErrNotLeader] apart.
type Service struct {
	Join     func(ctx context.Context, in *pb.JoinRequest) (*pb.JoinReply, error)
	Propose  func(ctx context.Context, from string, in *pb.ProposeRequest) *pb.ProposeReply
	Progress func(ctx context.Context, from string, in *pb.ProgressRequest) (*pb.ProgressReply, error)
	Nudge    func(accounts [][]byte)
	Lead     func(node string) error

	JoinGateway func(ctx context.Context, in *pb.JoinGatewayRequest) (*pb.JoinGatewayReply, error)
	Certify     func(ctx context.Context, from string, in *pb.CertifyRequest) (*pb.CertifyReply, error)
	// Follow sends until ctx is done or there is an error.
	Follow func(ctx context.Context, from string, in *pb.FollowRequest, send func(*pb.FollowReply) error) error
	Trail  func(ctx context.Context, from string, in *pb.TrailRequest) (*pb.TrailReply, error)
	Caches Caches

	Outcomes Outcomes
	// Topics answer what [Clients.Ask] asks, by name.
	Topics map[string]Topic
}

// Errors that cross the wire as what they are.
var (
	// ErrNotLeader is a question that only the leader answers.
	ErrNotLeader = errors.New("this node does not lead")
	// ErrRefused is a Join that was answered with no, or any call of a node that
	// the cluster has removed.
	ErrRefused = errors.New("the cluster refuses this node")
)

// Server answers the calls that arrive on a port.
type Server struct {
	grpc    *grpc.Server
	serving sync.WaitGroup
}

// Serve answers the gRPC lane of p until Close.
func Serve(p *port.Port, service Service) *Server {
	s := &Server{grpc: grpc.NewServer(
		grpc.Creds(arrived{p.Credentials()}),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleLimit, Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// Without it a connection on which nothing is said for half a minute is ended, since
		// the other end asks whether this one is there.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery / 2}),
		grpc.UnaryInterceptor(onlyNodes), grpc.StreamInterceptor(onlyNodesStream),
	)}
	pb.RegisterClusterServer(s.grpc, &calls{service: service})
	s.serving.Go(func() {
		// It ends when the lane is closed; what it says then is no news.
		_ = s.grpc.Serve(p.Lane(port.GRPC))
	})
	return s
}

// Close takes no further calls, lets those under way end for a while, and
// breaks off the rest.
func (s *Server) Close() {
	timer := time.AfterFunc(stopWait, s.grpc.Stop)
	s.grpc.GracefulStop()
	timer.Stop()
	s.serving.Wait()
}

// onlyNodes refuses every call but those of nodes that join to callers that are no
// node, and every call to those that were removed, also on connections from before.
func onlyNodes(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := mayCall(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, in)
}

func onlyNodesStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := mayCall(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(service, stream)
}

func mayCall(ctx context.Context, method string) error {
	id, err := caller(ctx)
	switch {
	case errors.Is(err, port.ErrRemoved):
		return status.Error(codes.PermissionDenied, err.Error())
	case err != nil: // a certificate that is not good by this node's clock: no word of the cluster's
		return status.Error(codes.Unauthenticated, err.Error())
	case id == "" && method != pb.Cluster_Join_FullMethodName && method != pb.Cluster_JoinGateway_FullMethodName:
		return status.Error(codes.Unauthenticated, "this call needs the certificate of a node of this cluster")
	}
	return nil
}

// calls is the service as gRPC wants it.
type calls struct {
	pb.UnimplementedClusterServer
	service Service
}

// Join implements pb.ClusterServer.
func (c *calls) Join(ctx context.Context, in *pb.JoinRequest) (*pb.JoinReply, error) {
	out, err := c.service.Join(ctx, in)
	return out, answered(err)
}

// JoinGateway implements pb.ClusterServer.
func (c *calls) JoinGateway(ctx context.Context, in *pb.JoinGatewayRequest) (*pb.JoinGatewayReply, error) {
	out, err := c.service.JoinGateway(ctx, in)
	return out, answered(err)
}

// Certify implements pb.ClusterServer.
func (c *calls) Certify(ctx context.Context, in *pb.CertifyRequest) (*pb.CertifyReply, error) {
	id, err := caller(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	out, err := c.service.Certify(ctx, id, in)
	return out, answered(err)
}

// Follow implements pb.ClusterServer.
func (c *calls) Follow(in *pb.FollowRequest, stream pb.Cluster_FollowServer) error {
	id, err := caller(stream.Context())
	if err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	return answered(c.service.Follow(stream.Context(), id, in, stream.Send))
}

// Trail implements pb.ClusterServer.
func (c *calls) Trail(ctx context.Context, in *pb.TrailRequest) (*pb.TrailReply, error) {
	id, err := caller(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	out, err := c.service.Trail(ctx, id, in)
	return out, answered(err)
}

// answered is an error as it crosses the wire.
func answered(err error) error {
	switch {
	case errors.Is(err, ErrRefused):
		// The other end says it again.
		return status.Error(codes.PermissionDenied, strings.TrimPrefix(err.Error(), ErrRefused.Error()+": "))
	case err != nil:
		return status.Error(codes.Unavailable, err.Error())
	}
	return nil
}

// Propose implements pb.ClusterServer.
func (c *calls) Propose(ctx context.Context, in *pb.ProposeRequest) (*pb.ProposeReply, error) {
	id, err := caller(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	return c.service.Propose(ctx, id, in), nil
}

// Progress implements pb.ClusterServer.
func (c *calls) Progress(ctx context.Context, in *pb.ProgressRequest) (*pb.ProgressReply, error) {
	id, err := caller(ctx)
	if err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	out, err := c.service.Progress(ctx, id, in)
	switch {
	case errors.Is(err, ErrNotLeader):
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return out, nil
}

// Nudge implements pb.ClusterServer.
func (c *calls) Nudge(_ context.Context, in *pb.NudgeRequest) (*pb.NudgeReply, error) {
	c.service.Nudge(in.Accounts)
	return &pb.NudgeReply{}, nil
}

// Lead implements pb.ClusterServer.
func (c *calls) Lead(_ context.Context, in *pb.LeadRequest) (*pb.LeadReply, error) {
	if err := c.service.Lead(in.Node); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pb.LeadReply{}, nil
}

// arrived are gRPC's credentials for connections whose handshake the port has
// done already.
type arrived struct{ creds *port.Credentials }

// node says which node is at the other end.
type node struct {
	credentials.CommonAuthInfo
	creds *port.Credentials
	state tls.ConnectionState
}

// AuthType implements credentials.AuthInfo.
func (node) AuthType() string { return "purser-node" }

// ServerHandshake implements credentials.TransportCredentials.
func (a arrived) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("a connection of type %T came through no port", c)
	}
	return c, node{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		creds:          a.creds, state: t.ConnectionState(),
	}, nil
}

// ClientHandshake implements credentials.TransportCredentials.
func (arrived) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are a server's credentials")
}

// Info implements credentials.TransportCredentials.
func (arrived) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (a arrived) Clone() credentials.TransportCredentials { return a }

// OverrideServerName implements credentials.TransportCredentials.
func (arrived) OverrideServerName(string) error { return nil }

// caller is the node that makes the call, or "".
func caller(ctx context.Context) (string, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", nil
	}
	n, ok := p.AuthInfo.(node)
	if !ok {
		return "", nil
	}
	return n.creds.Peer(n.state)
}
