package peer

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/api/pb"
)

// Outcomes are the calls about what answers were worth; nil functions are of a node
// that keeps none.
type Outcomes struct {
	Report func(ctx context.Context, in *pb.OutcomeRequest) (*pb.OutcomeReply, error)
	Heard  func(ctx context.Context, in *pb.HeardRequest) (*pb.HeardReply, error)
}

// Outcome tells a node what the answer to a request was worth.
func (c *Clients) Outcome(ctx context.Context, node, address string, in *pb.OutcomeRequest) (*pb.OutcomeReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.Outcome(ctx, in)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out, nil
}

// Heard asks a node what it has heard of the candidates of a router.
func (c *Clients) Heard(ctx context.Context, node, address string, in *pb.HeardRequest) (*pb.HeardReply, error) {
	calls, err := c.to(node, address)
	if err != nil {
		return nil, err
	}
	out, err := calls.Heard(ctx, in)
	if err != nil {
		return nil, refusedBy(node, err)
	}
	return out, nil
}

var errNoOutcomes = status.Error(codes.Unimplemented, "this node keeps no outcomes")

// Outcome implements pb.ClusterServer.
func (c *calls) Outcome(ctx context.Context, in *pb.OutcomeRequest) (*pb.OutcomeReply, error) {
	if c.service.Outcomes.Report == nil {
		return nil, errNoOutcomes
	}
	out, err := c.service.Outcomes.Report(ctx, in)
	return out, answered(err)
}

// Heard implements pb.ClusterServer.
func (c *calls) Heard(ctx context.Context, in *pb.HeardRequest) (*pb.HeardReply, error) {
	if c.service.Outcomes.Heard == nil {
		return nil, errNoOutcomes
	}
	out, err := c.service.Outcomes.Heard(ctx, in)
	return out, answered(err)
}
