package workload

import (
	"context"
	"math/rand/v2"
	"time"

	"purser/api/admin"
)

// spent is a budget at its edge: small, and raised by little each time it is spent.
func (t *Town) spent() *trade {
	refused := make(chan struct{}, 1)
	limit := int64(30 * usual)
	return &trade{
		name: "spent", share: 4, clients: 2, keys: []admin.NewKey{teamKey("spent")},
		budgets: []budget{usd("spent", limit, "total", ofTeam("spent"))},
		ask: func(ctx context.Context, c *client) {
			if ok := t.one(ctx, c, []string{"spent"}, nil); ok {
				return
			}
			select {
			case refused <- struct{}{}:
			default:
			}
		},
		staff: func(ctx context.Context) { t.raise(ctx, "spent", limit, refused) },
	}
}

// raise asks for a little more of a budget each time that a request was refused, at a
// node that is drawn. What was asked for and may not have come about is not asked again:
// the next is more.
func (t *Town) raise(ctx context.Context, budget string, limit int64, refused <-chan struct{}) {
	session := t.Session()
	rng := rand.New(rand.NewPCG(t.o.Seed, 0x7261697365))
	for {
		select {
		case <-ctx.Done():
			return
		case <-refused:
		}
		if !pause(ctx, between(rng, 200*time.Millisecond, 2*time.Second)) {
			return
		}
		limit = t.Limit(budget, max(limit, t.highest(budget))+usual*(5+rng.Int64N(20)))
		_ = t.SetLimit(ctx, session, t.Cluster.Nodes[rng.IntN(len(t.Cluster.Nodes))], budget, limit) // it is in the history
	}
}
