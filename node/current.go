package node

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"purser/internal/purse"
)

// errOutdated is a node that may not know of a revoked key or a changed budget.
var errOutdated = errors.New("this node has not been known to be up to date within authority_ttl")

// currency keeps watch over how old what this node goes by may be. The purse
// hears the leader's answers; that says nothing of the keys and rules here, which
// come through the log.
type currency struct {
	ttl time.Duration
	// confirm returns when this node has everything that was acknowledged before
	// the call.
	confirm  func(context.Context) error
	outdated atomic.Bool
}

// watch confirms, several times in each ttl, until ctx is done.
func (c *currency) watch(ctx context.Context) {
	lapse := time.AfterFunc(c.ttl, func() { c.outdated.Store(true) })
	defer lapse.Stop()
	every := time.NewTicker(c.ttl / confirmations)
	defer every.Stop()
	for {
		asked := time.Now()
		once, cancel := context.WithTimeout(ctx, c.ttl)
		err := c.confirm(once)
		cancel()
		if left := c.ttl - time.Since(asked); err == nil && left > 0 {
			lapse.Reset(left)
			c.outdated.Store(false)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// confirmations is how often in each ttl a node asks whether it is up to date.
const confirmations = 6

// err is why nothing may be admitted, or nil.
func (c *currency) err() error {
	if c.outdated.Load() {
		return undecided{errors.Join(purse.ErrNoAuthority, errOutdated)}
	}
	return nil
}

// confirm waits until this node has everything that was acknowledged before, and
// its requests go by it.
func (n *Node) confirm(ctx context.Context) error {
	err := n.catchUp(ctx)
	if err == nil {
		n.refresh(n.fsm.Versions())
	}
	return err
}

// catchUp waits until this node has everything that was acknowledged before.
func (n *Node) catchUp(ctx context.Context) error {
	index, err := n.readIndex(ctx)
	if err == nil {
		err = n.raft.WaitApplied(ctx, index)
	}
	return err
}
