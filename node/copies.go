package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/copies"
	"purser/internal/directory"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

// topicUsageCopy takes copies of a node's records to its peer.
const topicUsageCopy = "usage.copy"

// sealTime is how long a node that stops tries to have everything on its peer.
const sealTime = 3 * time.Second

// openCopies prepares what this node keeps on a peer, too, and for others. A node that is
// alone keeps nothing. Things of other kinds are kept alike if they are among the parts here,
// mostly as small makes them, and whoever writes one puts copies.Note of its key into the
// same batch.
func (n *Node) openCopies() {
	if n.cfg.Cluster.Listen == "" {
		return
	}
	n.copies = copies.New(copies.Config{
		Self: n.cfg.Node.ID, Store: n.store,
		Parts: append([]copies.Part{n.copiedRecords(), n.copiedLossesOf(), n.copiedNamesOf()}, n.copiedOutcomes()...),
		Nodes: n.copyNodes, Push: n.pushCopies, Flush: n.usage.Flush, Now: now, Log: n.log,
		Incarnation: func() uint32 { return n.purse.Incarnation() }, // when it stops, which is after it has begun
	})
}

// copiedRecords are the usage records.
func (n *Node) copiedRecords() copies.Part {
	return copies.Part{
		Own:   []byte{store.PrefixRecord},
		Shelf: func(origin string) []byte { return usage.Shelf(origin).Prefix() },
		Keep: func(origin string, items []copies.Item) error {
			return n.usage.Copy(usage.Shelf(origin), store.Buffered, func(c *usage.Copying) error {
				for _, it := range items {
					if err := c.PutKey(it.Key, it.Value); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// copyNodes are the nodes of the directory, as copying sees them.
func (n *Node) copyNodes() []copies.Node {
	var list []copies.Node
	for _, d := range n.fsm.Directory().Nodes() {
		list = append(list, copies.Node{
			ID: string(d.ID), Region: d.Region, Zone: d.Zone,
			Gone: d.State == directory.NodeRemoved, Leaving: d.State == directory.NodeDraining,
		})
	}
	return list
}

// pushCopies implements copies.Config.Push.
func (n *Node) pushCopies(ctx context.Context, node string, body []byte) (answer []byte, err error) {
	err = n.colleagues.askOne(ctx, node, topicUsageCopy, body, func(piece []byte) error {
		if answer != nil {
			return errors.New("more than one answer")
		}
		answer = append([]byte{}, piece...)
		return nil
	})
	return answer, err
}

// takeCopies answers topicUsageCopy.
func (n *Node) takeCopies(ctx context.Context, from string, body []byte, say func([]byte) error) error {
	if n.copies == nil {
		return errNotReady
	}
	answer, err := n.copies.Receive(ctx, from, body)
	if err != nil {
		return err
	}
	return say(answer)
}

var errNotReady = errors.New("this node is not ready for that yet")

// askOne puts a question to one node.
func (p *colleagues) askOne(ctx context.Context, node, topic string, body []byte, take func([]byte) error) error {
	d, ok := p.peers.n.fsm.Directory().Node(ledger.NodeID(node))
	if !ok {
		return fmt.Errorf("no node %s is known", node)
	}
	return p.clients.Ask(ctx, node, p.peers.where(node, d.Address), topic, body, take)
}

// copyLag is how far copying is behind: seconds, and how many records wait.
func (n *Node) copyLag() (seconds, unsent float64) {
	if n.copies == nil {
		return 0, 0
	}
	lag, waiting := n.copies.Lag()
	return float64(lag) / float64(ledger.Second), float64(waiting)
}
