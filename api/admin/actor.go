package admin

import "context"

// Actor is who makes an administrative change, as the audit log names them. It
// holds no secret.
type Actor struct {
	Name    string // "token:<id>", "person:<subject>", "node:<id>", or "root" for the configured token
	Address string // where the request came from, without the port; "" for a node's own change
}

type actorKey struct{}

// WithActor returns a context in which a is who acts.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom is who acts in ctx; the zero Actor if nobody was named.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}
