package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"purser/cluster/peer"
	"purser/internal/directory"
)

// colleagues are the other nodes, of which each has records and outcomes of its own.
type colleagues struct {
	peers   *peers
	clients *peer.Clients // of their own: what is about money does not queue behind them
	slots   chan struct{} // bounds the questions under way
	// gathering bounds those about the whole cluster, and streaming those of them that last
	// as long as somebody reads.
	gathering, streaming chan struct{}
}

func newColleagues(p *peers) *colleagues {
	return &colleagues{peers: p, clients: peer.NewClients(p.proof), slots: make(chan struct{}, maxAsked), gathering: make(chan struct{}, maxGathering), streaming: make(chan struct{}, maxGathering)}
}

func (p *colleagues) close() {
	if p != nil {
		p.clients.Close()
	}
}

// others are the other nodes of the cluster.
func (p *colleagues) others() (list []*directory.Node) {
	for _, d := range p.peers.n.fsm.Directory().Nodes() {
		if d.State != directory.NodeRemoved && string(d.ID) != p.peers.n.cfg.Node.ID {
			list = append(list, d)
		}
	}
	return list
}

// each asks every other node at once, and returns when all have answered, or ctx is done.
func (p *colleagues) each(ctx context.Context, ask func(ctx context.Context, node, address string) error) error {
	var mu sync.Mutex
	var errs []error
	var asking sync.WaitGroup
	defer asking.Wait()
	failed := func(node string, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, fmt.Errorf("node %s: %w", node, err))
	}
	for _, d := range p.others() {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			failed(string(d.ID), ctx.Err())
			continue
		}
		asking.Go(func() {
			defer func() { <-p.slots }()
			if err := ask(ctx, string(d.ID), p.peers.where(string(d.ID), d.Address)); err != nil {
				failed(string(d.ID), err)
			}
		})
	}
	asking.Wait()
	return errors.Join(errs...)
}

// ask puts a question to every other node at once and has take called with the pieces of
// their answers, one at a time, those of one node in order. It returns what went wrong, by
// node: an answer is whole only where its node is not named. A nil receiver has no others.
func (p *colleagues) ask(ctx context.Context, topic string, body []byte, take func(node string, piece []byte) error) map[string]error {
	if p == nil {
		return nil
	}
	var mu sync.Mutex
	faults := map[string]error{}
	// What each returns is in faults, too.
	_ = p.each(ctx, func(ctx context.Context, node, address string) error {
		err := p.clients.Ask(ctx, node, address, topic, body, func(piece []byte) error {
			mu.Lock()
			defer mu.Unlock()
			return take(node, piece)
		})
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			faults[node] = err
		}
		return err
	})
	return faults
}
