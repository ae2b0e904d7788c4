package proxy

import (
	"context"
	"time"

	"purser/proxy/dialect"
)

// presentEvery is how often a wait looks for its client: often enough to free its
// place soon, seldom enough to cost nothing.
const presentEvery = 250 * time.Millisecond

// present is a context for waiting on the client's behalf: it ends when the node
// stops, and soon after the client has left. stop ends the looking.
func (x *exchange) present() (ctx context.Context, stop func()) {
	client := x.req.Client
	if client == nil {
		return x.g.base, func() {}
	}
	ctx, cancel := context.WithCancel(x.g.base)
	var look *time.Timer
	ready := make(chan struct{})
	look = time.AfterFunc(presentEvery, func() {
		<-ready
		switch {
		case ctx.Err() != nil:
		case client.Gone():
			cancel()
		default:
			look.Reset(presentEvery)
		}
	})
	close(ready)
	return ctx, func() {
		look.Stop()
		cancel()
	}
}

// whyNot is why a wait on the client's behalf ended before its time.
func (x *exchange) whyNot() *dialect.Error {
	if x.g.base.Err() == nil {
		return dialect.NewError(dialect.CodeClientGone, "", "the client has left")
	}
	return dialect.NewError(dialect.CodeShuttingDown, "", "this node is shutting down; try again")
}
