package peer

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/api/pb"
)

// CacheCall is a call about a cached answer. It ends when the ctx does that it was
// made with.
type CacheCall struct {
	stream pb.Cluster_CacheAskClient
}

// CacheAsk asks a node about a cached answer.
func (c *Clients) CacheAsk(ctx context.Context, node, address string, in *pb.CacheQuestion) (*CacheCall, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	stream, err := calls.CacheAsk(ctx)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	if err := stream.Send(in); err != nil && err != io.EOF { // of io.EOF Next says the reason
		return nil, refusedBy(node, err)
	}
	return &CacheCall{stream}, nil
}

// Next is what the node says next; io.EOF when it has ended the call in order.
func (c *CacheCall) Next() (*pb.CacheReply, error) { return c.stream.Recv() }

// Land says how the flight landed, and that nothing more is said.
func (c *CacheCall) Land(entry []byte) error {
	if err := c.stream.Send(&pb.CacheQuestion{Entry: entry}); err != nil {
		return err
	}
	return c.stream.CloseSend()
}

// CachePut gives a node an answer to keep.
func (c *Clients) CachePut(ctx context.Context, node, address string, in *pb.CachePutRequest) error {
	calls, err := c.to(node, address)
	if err != nil {
		return err
	}
	if _, err := calls.CachePut(ctx, in); err != nil {
		return refusedBy(node, err)
	}
	return nil
}

// CachePurge tells a node of purges, and asks for those that it knows of.
func (c *Clients) CachePurge(ctx context.Context, node, address string, in *pb.CachePurgeRequest) (*pb.CachePurgeReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.CachePurge(ctx, in)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out, nil
}

// CacheStats asks a node what its cache has and did.
func (c *Clients) CacheStats(ctx context.Context, node, address string) (map[string]int64, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.CacheStats(ctx, &pb.CacheStatsRequest{})
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out.Counts, nil
}

// Caches are the calls about cached answers; nil functions are of a node without.
type Caches struct {
	// Ask answers a question. landed waits for how the flight landed that the calling
	// node was told to lead.
	Ask   func(ctx context.Context, in *pb.CacheQuestion, say func(*pb.CacheReply) error, landed func(context.Context) ([]byte, error)) error
	Put   func(in *pb.CachePutRequest) error
	Purge func(in *pb.CachePurgeRequest) (*pb.CachePurgeReply, error)
	Stats func() map[string]int64
}

var errNoCache = status.Error(codes.Unimplemented, "this node has no cache")

// CacheAsk implements pb.ClusterServer.
func (c *calls) CacheAsk(stream pb.Cluster_CacheAskServer) error {
	if c.service.Caches.Ask == nil {
		return errNoCache
	}
	in, err := stream.Recv()
	if err != nil {
		return err
	}
	landed := func(ctx context.Context) ([]byte, error) {
		type said struct {
			in  *pb.CacheQuestion
			err error
		}
		came := make(chan said, 1)
		go func() { // ends with the call at the latest
			in, err := stream.Recv()
			came <- said{in, err}
		}()
		select {
		case s := <-came:
			if s.err != nil {
				return nil, fmt.Errorf("the node that leads is lost: %w", s.err)
			}
			return s.in.Entry, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answered(c.service.Caches.Ask(stream.Context(), in, stream.Send, landed))
}

// CachePut implements pb.ClusterServer.
func (c *calls) CachePut(_ context.Context, in *pb.CachePutRequest) (*pb.CachePutReply, error) {
	if c.service.Caches.Put == nil {
		return nil, errNoCache
	}
	return &pb.CachePutReply{}, answered(c.service.Caches.Put(in))
}

// CachePurge implements pb.ClusterServer.
func (c *calls) CachePurge(_ context.Context, in *pb.CachePurgeRequest) (*pb.CachePurgeReply, error) {
	if c.service.Caches.Purge == nil {
		return nil, errNoCache
	}
	out, err := c.service.Caches.Purge(in)
	return out, answered(err)
}

// CacheStats implements pb.ClusterServer.
func (c *calls) CacheStats(context.Context, *pb.CacheStatsRequest) (*pb.CacheStatsReply, error) {
	if c.service.Caches.Stats == nil {
		return nil, errNoCache
	}
	return &pb.CacheStatsReply{Counts: c.service.Caches.Stats()}, nil
}
