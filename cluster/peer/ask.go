package peer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/api/pb"
)

// Topic answers questions on one topic. Each piece that it says is one message; body is
// valid until it returns. from is the asking node.
type Topic func(ctx context.Context, from string, body []byte, say func([]byte) error) error

// ErrNoTopic is a question that the asked node knows nothing of: its build is older, or it
// is a node of another kind.
var ErrNoTopic = errors.New("the node does not know the topic")

// Ask puts a question to a node, and has take called with the pieces of its answer, in
// order. An error of take ends the question and is returned.
func (c *Clients) Ask(ctx context.Context, node, address, topic string, body []byte, take func(piece []byte) error) error {
	calls, err := c.to(node, address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the node still says after an error of take
	stream, err := calls.Ask(ctx, &pb.Question{Topic: topic, Body: body})
	for err == nil {
		var p *pb.Piece
		if p, err = stream.Recv(); err == nil {
			if fault := take(p.Body); fault != nil {
				return fault
			}
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case status.Code(err) == codes.Unimplemented:
		return fmt.Errorf("node %s, %s: %w", node, topic, ErrNoTopic)
	}
	return refusedBy(node, err)
}

// Ask implements pb.ClusterServer.
func (c *calls) Ask(in *pb.Question, stream pb.Cluster_AskServer) error {
	from, err := caller(stream.Context())
	if err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	topic := c.service.Topics[in.Topic]
	if topic == nil {
		return status.Error(codes.Unimplemented, "this node knows nothing of "+in.Topic)
	}
	return answered(topic(stream.Context(), from, in.Body, func(b []byte) error { return stream.Send(&pb.Piece{Body: b}) }))
}
