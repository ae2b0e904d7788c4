package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"purser/api/admin"
	"purser/cluster/peer"
	"purser/internal/directory"
	"purser/internal/live"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

const (
	// liveEvery is how often one who watches is told that there is nothing: so soon it is
	// known that nobody reads any more.
	liveEvery = 10 * time.Second
	// liveLong is how long a watch lasts: what its caller may see is asked again after that.
	liveLong = 15 * time.Minute
	// liveAgain is how soon a node that is not heard is asked again.
	liveAgain = time.Second
	// liveSilence is how long a node may be silent before it counts as not heard.
	liveSilence = 4 * time.Second
)

// Watch implements admin.Live.
func (c control) Watch(ctx context.Context, q admin.UsageQuery, say func(admin.LiveEvent) error) error {
	query := usage.Query{Within: within(q.Reach)}
	var err error
	if query.Where, err = conditions(&q); err != nil {
		return err
	}
	in := live.NewInbox()
	end, err := c.n.live.Watch(in, query.Selects)
	if err != nil {
		return &admin.Fault{Status: http.StatusServiceUnavailable, Code: "undecided", Message: err.Error(), RetryAfter: time.Minute}
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, liveLong)
	defer cancel()
	w := &watch{n: c.n, in: in, hearing: map[string]bool{}}
	defer w.hearers.Wait()
	defer cancel() // before they are waited for
	if w.question, err = usage.MarshalQuery(&query); err != nil {
		return err
	}
	for {
		w.hear(ctx)
		if err := say(admin.LiveEvent{Missing: w.missing()}); err != nil {
			return err
		}
		if over, err := w.relay(ctx, say); over || err != nil {
			return err
		}
	}
}

// watch is one who watches the whole cluster.
type watch struct {
	n        *Node
	in       *live.Inbox
	question []byte
	hearers  sync.WaitGroup

	mu      sync.Mutex
	hearing map[string]bool // by the nodes that are listened to: whether they are heard
}

// hear begins to listen to nodes that are not listened to yet.
func (w *watch) hear(ctx context.Context) {
	if w.n.colleagues == nil {
		return
	}
	for _, node := range w.n.otherNodes() {
		w.mu.Lock()
		_, known := w.hearing[node]
		if !known {
			w.hearing[node] = false
		}
		w.mu.Unlock()
		if !known {
			w.hearers.Go(func() { w.listen(ctx, node) })
		}
	}
}

// listen puts what a node tells into the inbox, until ctx ends or the node is gone.
func (w *watch) listen(ctx context.Context, node string) {
	for ctx.Err() == nil {
		err := w.n.colleagues.listenFor(ctx, liveSilence, node, topicUsageLive, w.question, func(kind byte, piece []byte) error {
			if kind != pieceLive {
				return fmt.Errorf("a piece of kind %d: %w", kind, usage.ErrForm)
			}
			b, err := live.DecodeBatch(slices.Clone(piece))
			if err != nil {
				return err
			}
			w.heard(node, true)
			w.in.Lose(b.Dropped)
			for _, stored := range b.Records {
				w.in.Put(stored)
			}
			return nil
		})
		w.heard(node, false)
		pause := liveAgain
		if errors.Is(err, peer.ErrNoTopic) {
			pause = liveLong // its build tells of nothing
		}
		if d, ok := w.n.fsm.Directory().Node(ledger.NodeID(node)); !ok || d.State == directory.NodeRemoved {
			w.mu.Lock()
			delete(w.hearing, node)
			w.mu.Unlock()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (w *watch) heard(node string, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hearing[node] = yes
}

// missing are the nodes that are not heard.
func (w *watch) missing() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for node, heard := range w.hearing {
		if !heard {
			list = append(list, node)
		}
	}
	slices.Sort(list)
	return list
}

// relay says what comes into the inbox for liveEvery. over: nothing more will come.
func (w *watch) relay(ctx context.Context, say func(admin.LiveEvent) error) (over bool, err error) {
	for quiet := time.Now().Add(liveEvery); ; {
		waiting, cancel := context.WithDeadline(ctx, quiet)
		batch, err := w.in.Next(waiting)
		cancel()
		switch {
		case errors.Is(err, live.ErrClosed), ctx.Err() != nil:
			return true, nil
		case err != nil:
			return false, nil
		}
		e := eventOf(batch)
		e.Missing = w.missing()
		if err := say(e); err != nil {
			return true, err
		}
	}
}

// eventOf reads the records of a batch, some of which may be another node's. Those that
// cannot be read, of a newer build, count as dropped.
func eventOf(b live.Batch) (e admin.LiveEvent) {
	e.Dropped = b.Dropped
	var dec record.Decoder
	var r record.Record
	for _, stored := range b.Records {
		err := dec.Decode(&r, stored)
		var text []byte
		if err == nil {
			text, err = json.Marshal(&r)
		}
		if err != nil {
			e.Dropped++
			continue
		}
		e.Records = append(e.Records, text)
	}
	return e
}

// topicUsageLive tells another node, for who watches there, of this one's records as they end.
const topicUsageLive = "usage.live"

// tellLive answers topicUsageLive, as long as it is listened to.
func (n *Node) tellLive(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	q, err := usage.UnmarshalQuery(body)
	if err != nil {
		return err
	}
	in := live.NewInbox()
	end, err := n.live.Watch(in, q.Selects)
	if err != nil {
		return err
	}
	defer end()
	t := n.answeringEvery(ctx, liveSilence/4, say)
	defer t.end()
	batch := live.Batch{} // the first says that there will be others
	for {
		if err := t.say(pieceLive, live.AppendBatch(nil, batch)); err != nil {
			return err
		}
		if batch, err = in.Next(ctx); err != nil {
			return nil // this node stops, or who asked has gone
		}
	}
}
