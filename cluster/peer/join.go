package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"purser/api/pb"
	"purser/cluster/pki"
	"purser/cluster/port"
)

// Join asks the members that a token names, in turn, to let this node in. An error
// that wraps [ErrRefused] is final.
func Join(ctx context.Context, token *pki.Token, in *pb.JoinRequest, now func() time.Time) (*pb.JoinReply, error) {
	return joinAny(ctx, token, now, func(calls pb.ClusterClient) (*pb.JoinReply, error) { return calls.Join(ctx, in) })
}

// JoinGateway is [Join] for a gateway.
func JoinGateway(ctx context.Context, token *pki.Token, in *pb.JoinGatewayRequest, now func() time.Time) (*pb.JoinGatewayReply, error) {
	return joinAny(ctx, token, now, func(calls pb.ClusterClient) (*pb.JoinGatewayReply, error) { return calls.JoinGateway(ctx, in) })
}

func joinAny[T any](ctx context.Context, token *pki.Token, now func() time.Time, ask func(pb.ClusterClient) (*T, error)) (*T, error) {
	var errs []error
	for _, address := range token.Addresses {
		out, err := joinAt(ctx, address, token, now, ask)
		if err == nil {
			return out, nil
		}
		errs = append(errs, err)
		if errors.Is(err, ErrRefused) || ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func joinAt[T any](ctx context.Context, address string, token *pki.Token, now func() time.Time, ask func(pb.ClusterClient) (*T, error)) (*T, error) {
	// Dialled first, for its error: gRPC would wrap it in its own.
	raw, root, err := port.DialPinned(ctx, address, token.Fingerprint, now)
	if err != nil {
		return nil, err
	}
	if root.Cluster() != token.Cluster {
		return nil, errors.Join(fmt.Errorf("%w: the token is for cluster %s, %s is of %s", ErrRefused, token.Cluster, address, root.Cluster()), raw.Close())
	}
	used := false
	conn, err := connect(address, func(ctx context.Context, _ string) (net.Conn, error) {
		if used {
			c, _, err := port.DialPinned(ctx, address, token.Fingerprint, now)
			return c, err
		}
		used = true
		return raw, nil
	})
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	defer conn.Close()
	out, err := ask(pb.NewClusterClient(conn))
	switch status.Code(err) {
	case codes.PermissionDenied:
		return nil, fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	case codes.Unimplemented:
		return nil, fmt.Errorf("%w: the member at %s is of a build that does not know gateways; upgrade the members first", ErrRefused, address)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s to let this node in: %w", address, err)
	}
	return out, nil
}
