package workload

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
)

// idem sends each request under an idempotency key, and again up to three times: at once
// or later, at the same node or at others. All are one operation, with one ID.
func (t *Town) idem() *trade {
	w := &onceOnly{Town: t}
	first := teamKey("idem")
	w.key.Store(&first.ID)
	return &trade{
		name: "idem", share: 2, clients: 2, keys: []admin.NewKey{first},
		budgets: []budget{usd("idem", plenty, "total", ofTeam("idem"))},
		ask:     w.ask, staff: w.renew,
	}
}

// onceOnly is the workload "idem".
type onceOnly struct {
	*Town
	key  atomic.Pointer[string] // the virtual key of operations that begin
	lost atomic.Bool            // a node did not know it
}

// renew takes another virtual key when a node was replaced by another: what one had a
// part in that was removed is refused for a day, but for virtual keys that were made
// after (ADR 0058).
func (w *onceOnly) renew(ctx context.Context) {
	const look = 2 * time.Second
	session, are := w.Session(), w.members()
	for i := 2; pause(ctx, look); {
		now := w.members()
		if now == are && !w.lost.Load() {
			continue
		}
		k := teamKey("idem")
		k.ID = fmt.Sprintf("idem-%d", i)
		if i++; w.NewKey(ctx, session, k) != nil {
			continue // some node is away; the next look tries again
		}
		w.key.Store(&k.ID)
		w.lost.Store(false)
		are = now
	}
}

// members are the nodes of now.
func (w *onceOnly) members() string {
	var ids []string
	for _, n := range w.Cluster.Nodes {
		ids = append(ids, n.ID())
	}
	return strings.Join(ids, " ")
}

// ask makes one operation and its repetitions. The last comes when the others have had
// their answers.
func (w *onceOnly) ask(ctx context.Context, c *client) {
	const most = 3
	q := Question{ID: c.next(), Cap: 16 + c.rand.IntN(48), Stream: c.rand.IntN(3) == 0}
	q.Text = text(c.rand, q.ID, 20)
	call := Call{ID: q.ID, Client: c.id, Workload: c.trade.name, Node: c.node, Key: *w.key.Load(), Budgets: []string{"idem"},
		Idem: fmt.Sprintf("%s-%d", q.ID, w.o.Seed), Stream: q.Stream, Body: q.Chat()}
	tries := []Call{call}
	for range c.rand.IntN(most + 1) {
		next := call
		next.Try = len(tries)
		if c.rand.IntN(3) > 0 {
			next.Node = w.Cluster.Nodes[c.rand.IntN(len(w.Cluster.Nodes))]
		}
		tries = append(tries, next)
	}
	first := 1
	if c.rand.IntN(2) == 0 {
		first = max(1, len(tries)-1) // all but the last at once
	}
	var all sync.WaitGroup
	for _, try := range tries[:first] {
		all.Go(func() { w.try(ctx, try) })
	}
	all.Wait()
	for _, try := range tries[first:] {
		if !pause(ctx, between(c.rand, 0, 300*time.Millisecond)) {
			return
		}
		if w.try(ctx, try) == 0 {
			backOff(ctx, c.rand)
		}
	}
}

func (w *onceOnly) try(ctx context.Context, c Call) (status int) {
	r := w.Ask(ctx, c)
	if r.Status == http.StatusUnauthorized {
		w.lost.Store(true)
	}
	return r.Status
}
