package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"purser/api/pb"
	"purser/cluster/port"
)

// Clients are the connections to other nodes, one for each.
type Clients struct {
	creds *port.Credentials

	mu     sync.Mutex
	conns  map[string]*connection // by node
	closed bool
}

type connection struct {
	address string
	grpc    *grpc.ClientConn
	calls   pb.ClusterClient
}

// NewClients returns no connections yet.
func NewClients(creds *port.Credentials) *Clients {
	return &Clients{creds: creds, conns: map[string]*connection{}}
}

// errClosed is a call after Close.
var errClosed = errors.New("this node is closing its connections")

// to returns the connection to a node at an address, making it if need be. It
// does not wait: the connection is established by the first call.
func (c *Clients) to(node, address string) (pb.ClusterClient, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if have := c.conns[node]; have != nil {
		if have.address == address {
			return have.calls, nil
		}
		_ = have.grpc.Close() // it leads to where the node is no more
		delete(c.conns, node)
	}
	conn, err := connect(address, func(ctx context.Context, _ string) (net.Conn, error) {
		return c.creds.Dial(ctx, address, port.GRPC, node)
	})
	if err != nil {
		return nil, err
	}
	c.conns[node] = &connection{address: address, grpc: conn, calls: pb.NewClusterClient(conn)}
	return c.conns[node].calls, nil
}

// connect makes a connection whose dialler does the TLS.
func connect(address string, dial func(context.Context, string) (net.Conn, error)) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		// A peer that was away is asked again soon: a new leader may be there.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: 5 * time.Second}),
		grpc.WithIdleTimeout(0),
	)
	if err != nil {
		return nil, fmt.Errorf("a connection to %s: %w", address, err)
	}
	return conn, nil
}

// Forget closes the connections to nodes that keep does not name.
func (c *Clients) Forget(keep func(node string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for node, conn := range c.conns {
		if !keep(node) {
			_ = conn.grpc.Close() // the node is gone
			delete(c.conns, node)
		}
	}
}

// Propose asks a node, the leader, to put a command into the log. An error
// leaves open whether it did, unless it wraps [ErrUnsent].
func (c *Clients) Propose(ctx context.Context, node, address string, in *pb.ProposeRequest) (*pb.ProposeReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	out, err := calls.Propose(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("asking node %s: %w", node, err)
	}
	return out, nil
}

// ErrUnsent is a call that was never made.
var ErrUnsent = errors.New("not sent")

// Progress asks a node how far it is.
func (c *Clients) Progress(ctx context.Context, node, address string, in *pb.ProgressRequest) (*pb.ProgressReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.Progress(ctx, in)
	switch status.Code(err) {
	case codes.FailedPrecondition:
		return nil, fmt.Errorf("node %s: %w", node, ErrNotLeader)
	case codes.PermissionDenied:
		return nil, fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	}
	if err != nil {
		return nil, fmt.Errorf("asking node %s for its progress: %w", node, err)
	}
	return out, nil
}

// Nudge asks a node to report some accounts at once.
func (c *Clients) Nudge(ctx context.Context, node, address string, accounts [][]byte) error {
	calls, err := c.to(node, address)
	if err != nil {
		return err
	}
	_, err = calls.Nudge(ctx, &pb.NudgeRequest{Accounts: accounts})
	return err
}

// Lead asks the leader to hand leadership to a node.
func (c *Clients) Lead(ctx context.Context, leader, address, to string) error {
	calls, err := c.to(leader, address)
	if err != nil {
		return err
	}
	if _, err = calls.Lead(ctx, &pb.LeadRequest{Node: to}); err != nil {
		return fmt.Errorf("node %s: %s", leader, status.Convert(err).Message())
	}
	return nil
}

// Certify asks a member for the next certificate.
func (c *Clients) Certify(ctx context.Context, node, address string, in *pb.CertifyRequest) (*pb.CertifyReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.Certify(ctx, in)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out, nil
}

// Follow has take called with everything that a member says, until it fails, the
// stream ends or ctx is done. The error is never nil; one that wraps [ErrRefused] is
// final.
func (c *Clients) Follow(ctx context.Context, node, address string, in *pb.FollowRequest, take func(*pb.FollowReply) error) error {
	calls, err := c.to(node, address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := calls.Follow(ctx, in)
	if err != nil {
		return refusedBy(node, err)
	}
	for {
		out, err := stream.Recv()
		if err != nil {
			return refusedBy(node, err)
		}
		if err := take(out); err != nil {
			return fmt.Errorf("what node %s says: %w", node, err)
		}
	}
}

// Trail asks a member for entries of the audit trail, or how far it goes.
func (c *Clients) Trail(ctx context.Context, node, address string, in *pb.TrailRequest) (*pb.TrailReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.Trail(ctx, in)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out, nil
}

// refusedBy tells a refusal of a node from a failure.
func refusedBy(node string, err error) error {
	if status.Code(err) == codes.PermissionDenied {
		return fmt.Errorf("node %s: %w: %s", node, ErrRefused, status.Convert(err).Message())
	}
	return fmt.Errorf("asking node %s: %w", node, err)
}

// Close ends all connections; calls under way fail.
func (c *Clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.conns {
		_ = conn.grpc.Close() // its only error is to be closed already
	}
	clear(c.conns)
}
