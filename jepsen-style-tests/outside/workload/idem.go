package workload

import (
	"context"
	"fmt"
	"sync"
	"time"

	"purser/api/admin"
)

// idem sends each request under an idempotency key, and again up to three times: at once
// or later, at the same node or at others. All are one operation, with one ID.
func (t *Town) idem() *trade {
	return &trade{
		name: "idem", share: 2, clients: 2, keys: []admin.NewKey{teamKey("idem")},
		budgets: []budget{usd("idem", plenty, "total", ofTeam("idem"))},
		ask:     func(ctx context.Context, c *client) { t.again(ctx, c) },
	}
}

// again makes one operation and its repetitions.
func (t *Town) again(ctx context.Context, c *client) {
	const most = 3
	q := Question{ID: c.next(), Cap: 16 + c.rand.IntN(48), Stream: c.rand.IntN(3) == 0}
	q.Text = text(c.rand, q.ID, 20)
	call := Call{ID: q.ID, Client: c.id, Workload: c.trade.name, Node: c.node, Key: c.trade.name, Budgets: []string{"idem"},
		Idem: fmt.Sprintf("%s-%d", q.ID, t.o.Seed), Stream: q.Stream, Body: q.Chat()}
	atOnce := c.rand.IntN(2) == 0
	tries := []Call{call}
	for range c.rand.IntN(most + 1) {
		next := call
		next.Try = len(tries)
		if c.rand.IntN(3) > 0 {
			next.Node = t.Cluster.Nodes[c.rand.IntN(len(t.Cluster.Nodes))]
		}
		tries = append(tries, next)
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, try := range tries {
		if atOnce {
			all.Go(func() { t.Ask(ctx, try) })
			continue
		}
		if r := t.Ask(ctx, try); r.Status == 0 {
			backOff(ctx, c.rand)
		}
		if !pause(ctx, between(c.rand, 0, 300*time.Millisecond)) {
			return
		}
	}
}
