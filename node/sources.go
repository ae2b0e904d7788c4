package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"purser/api/admin"
	"purser/internal/copies"
	"purser/internal/directory"
	"purser/internal/gather"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

const (
	// maxGathering bounds the questions about the whole cluster that this node has under
	// way: each may take some megabytes for each node. It bounds the streams of records, too,
	// which have places of their own: who reads slowly keeps no report waiting.
	maxGathering = 8
	// placeWait is how long a question waits for its place.
	placeWait = 30 * time.Second
	// maxPart bounds what one node answers to one question, in bytes.
	maxPart = 64 << 20
	// clockSkew is how far the clocks of two nodes may be apart when it is decided whether
	// a node can have records of a range.
	clockSkew = ledger.Hour
)

// enter waits for a place among the questions under way, or among the streams.
func enter(ctx context.Context, places chan struct{}) (leave func(), err error) {
	late := time.NewTimer(placeWait)
	defer late.Stop()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-late.C:
		return nil, admin.Undecided(fmt.Sprintf("this node has %d such questions about the whole cluster under way, as many as it may; ask again when one is done, or another node", cap(places)))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answersItself is this node's part in an answer.
func (n *Node) answersItself() admin.NodeAnswer {
	return admin.NodeAnswer{Node: n.cfg.Node.ID, By: n.cfg.Node.ID}
}

// otherNodes are those of the directory that may answer.
func (n *Node) otherNodes() (list []string) {
	for _, d := range n.fsm.Directory().Nodes() {
		if d.State != directory.NodeRemoved && string(d.ID) != n.cfg.Node.ID {
			list = append(list, string(d.ID))
		}
	}
	return list
}

// absent is an origin that does not answer for itself.
type absent struct {
	node string
	why  string
	long bool // it is gone for longer than records are kept
}

// absentees are the origins that may have records of a range and do not answer. Beside
// nodes of the directory these are others of which somebody holds copies: nodes that had
// left the cluster before it was restored from a backup, which forgets them.
func (n *Node) absentees(span usage.Range, faults map[string]error, held map[string][]copies.Held) (list []absent, err error) {
	known := map[string]bool{n.cfg.Node.ID: true}
	for _, d := range n.fsm.Directory().Nodes() {
		known[string(d.ID)] = true
		a := absent{node: string(d.ID)}
		fault, silent := faults[a.node]
		switch {
		case a.node == n.cfg.Node.ID:
			continue
		case d.State == directory.NodeRemoved:
			since, told, err := n.copies.GoneSince(a.node)
			if err != nil {
				return nil, err
			}
			if told && since+clockSkew < span.From {
				continue
			}
			a.why, a.long = "it was removed", told && now()-since > ledger.Instant(n.cfg.Usage.Retention)
		case !silent:
			continue // it has answered
		default:
			a.why = whySilent(fault)
		}
		if d.Joined-clockSkew < span.To {
			list = append(list, a)
		}
	}
	for _, origin := range gather.Forgotten(known, held) {
		list = append(list, absent{node: origin, why: "the cluster, which was restored from a backup, does not know it any more"})
	}
	return list, nil
}

// unanswered is an origin's part in an answer when nobody answers for it; false where there
// is nothing to be missed.
func (a absent) unanswered(why string) (admin.NodeAnswer, bool) {
	return admin.NodeAnswer{Node: a.node, Err: a.why + ", and " + why}, !a.long
}

// keepers are the nodes that have copies of an origin, the most whole first.
func (n *Node) keepers(origin string, held map[string][]copies.Held) []gather.Keeper {
	// A gateway knows no incarnations: there, a seal is what the keepers know of.
	known, _ := n.fsm.Ledger().Node(ledger.NodeID(origin))
	return gather.Keepers(origin, known.Incarnation, held)
}

const noCopies = "no node that answers has copies of its records"

// origin is where records are read: a shelf of a node.
type origin struct {
	node  string
	shelf usage.Shelf
}

// sources asks who has what, and chooses one source for each origin.
func (n *Node) sources(ctx context.Context, span usage.Range) (list []origin, nodes []admin.NodeAnswer, err error) {
	held := map[string][]copies.Held{}
	var mu sync.Mutex
	others := n.otherNodes()
	faults := n.colleagues.fan(ctx, others, func(ctx context.Context, node string) error {
		return n.colleagues.listen(ctx, node, topicUsageHeld, nil, func(kind byte, piece []byte) error {
			h, err := hasOf(kind, piece)
			mu.Lock()
			defer mu.Unlock()
			held[node] = h.Copies
			return err
		})
	})
	if held[n.cfg.Node.ID], err = n.copies.Held(); err != nil {
		return nil, nil, err
	}
	list, nodes = append(list, origin{n.cfg.Node.ID, usage.Own}), append(nodes, n.answersItself())
	for _, node := range others {
		if faults[node] == nil {
			list, nodes = append(list, origin{node, usage.Own}), append(nodes, admin.NodeAnswer{Node: node, By: node})
		} else {
			delete(held, node)
		}
	}
	away, err := n.absentees(span, faults, held)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range away {
		keepers := n.keepers(a.node, held)
		if len(keepers) == 0 {
			if answer, missed := a.unanswered(noCopies); missed {
				nodes = append(nodes, answer)
			}
			continue
		}
		k := keepers[0]
		list = append(list, origin{k.Node, usage.Shelf(a.node)})
		nodes = append(nodes, admin.NodeAnswer{Node: a.node, By: k.Node, MayLack: !k.Held.Sealed})
	}
	return list, inOrder(nodes), nil
}

// inOrder sorts answers by node.
func inOrder(nodes []admin.NodeAnswer) []admin.NodeAnswer {
	slices.SortFunc(nodes, func(a, b admin.NodeAnswer) int {
		if a.Node < b.Node {
			return -1
		}
		return 1
	})
	return nodes
}

// fetching is the records of another node on their way.
type fetching struct {
	pieces chan []byte
	stop   context.CancelFunc
	done   sync.WaitGroup
	err    error // set before pieces is closed
}

// fetch begins to read a source of another node. No more is read than is asked for, but for
// a piece or two. close must be called.
func (n *Node) fetch(ctx context.Context, s origin, query []byte) *fetching {
	ctx, stop := context.WithCancel(ctx)
	f := &fetching{pieces: make(chan []byte), stop: stop}
	f.done.Go(func() {
		defer close(f.pieces)
		var body []byte
		if body, f.err = questionOn(s.shelf, query, 0); f.err != nil {
			return
		}
		f.err = n.colleagues.listen(ctx, s.node, topicUsageRecords, body, func(kind byte, piece []byte) error {
			if kind != pieceRecords {
				return fmt.Errorf("a piece of kind %d: %w", kind, usage.ErrForm)
			}
			select {
			case f.pieces <- slices.Clone(piece):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if f.err != nil {
			f.err = fmt.Errorf("the records of node %s: %w", s.node, f.err)
		}
	})
	return f
}

func (f *fetching) close() {
	f.stop()
	f.done.Wait()
}

// records implements gather.Sequence.
func (f *fetching) records(yield func(*record.Record, error) bool) {
	var dec record.Decoder
	var r record.Record
	for piece := range f.pieces {
		for len(piece) > 0 {
			var err error
			if piece, err = oneRecord(&dec, &r, piece); err != nil {
				yield(nil, err)
				return
			}
			if !yield(&r, nil) {
				return
			}
		}
	}
	if f.err != nil && !errors.Is(f.err, context.Canceled) {
		yield(nil, f.err)
	}
}
