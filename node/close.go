package node

import (
	"context"
	"errors"
	"time"
)

// close ends every part that was opened, in reverse order.
func (n *Node) close() error {
	n.stop()
	n.background.Wait()
	n.copies.Stop()
	if n.alerts != nil {
		n.alerts.close()
	}
	n.closeUpstreams()
	errs := []error{n.closeTelemetry()}
	if n.unsubscribe != nil {
		n.unsubscribe()
	}
	if n.purse != nil {
		n.purse.Close()
	}
	if n.proposer != nil {
		n.proposer.Close()
	}
	if n.raft != nil {
		errs = append(errs, n.raft.Close())
	}
	if n.cache != nil {
		n.cache.fleet.Close() // before the others' calls are waited for
	}
	n.sharing.close()
	n.colleagues.close()
	if n.peers != nil {
		errs = append(errs, n.peers.close())
	}
	n.redactor.close()
	n.compressors.close()
	if n.semantic != nil {
		n.semantic.tier.Close()
	}
	errs = append(errs, n.closeShared())
	if n.cache != nil {
		n.cache.tier.Close()
	}
	if n.usage != nil {
		errs = append(errs, n.usage.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// closeUpstreams breaks off what still runs at the upstreams. The error of a
// client that had to is no news: its requests have said so.
func (n *Node) closeUpstreams() {
	at := time.Now()
	for _, u := range n.upstreams {
		ctx, cancel := context.WithDeadline(context.Background(), at)
		_ = u.Client.Close(ctx)
		cancel()
	}
	for _, t := range n.tokens {
		t.Close()
	}
}
