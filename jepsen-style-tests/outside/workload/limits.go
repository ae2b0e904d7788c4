package workload

import (
	"context"
	"fmt"

	"purser/api/admin"
)

// counted is a budget in something other than dollars.
func counted(id, unit string, limit int64, window string) budget {
	return budget{admin.Budget{ID: id, Unit: unit, Window: window, Match: ofTeam(id)}, limit}
}

// perMinute is how many requests a workload of that share makes at all nodes in a minute,
// about; the shares of all add up to some thirty.
func (t *Town) perMinute(share float64) int64 {
	const seconds, all = 60, 30
	return max(20, int64(t.o.Rate*seconds*share/all)*int64(len(t.Cluster.Nodes)))
}

// rates has limits of requests and of tokens for each minute, both of which it reaches.
func (t *Town) rates() *trade {
	const share, tokens = 2, 100
	n := t.perMinute(share)
	requests := counted("rates", "requests", n*2/3, "minute")
	used := counted("rates", "tokens", n*tokens/2, "minute")
	requests.ID, used.ID = "rates-requests", "rates-tokens"
	return &trade{
		name: "rates", share: share, clients: 2, keys: []admin.NewKey{teamKey("rates")}, budgets: []budget{requests, used},
		ask: func(ctx context.Context, c *client) { t.one(ctx, c, []string{"rates-requests", "rates-tokens"}, nil) },
	}
}

// slots has fewer requests at once than its clients would make.
func (t *Town) slots() *trade {
	const each = 3
	return &trade{
		name: "slots", share: 2, clients: each, keys: []admin.NewKey{teamKey("slots")},
		budgets: []budget{counted("slots", "slots", int64(each*len(t.Cluster.Nodes)/2), "total")},
		ask: func(ctx context.Context, c *client) {
			t.one(ctx, c, []string{"slots"}, func(_ *Question, call *Call) { call.Mode = "slow-first=400ms" })
		},
	}
}

// windows has dollars for each minute, which end before the minute does.
func (t *Town) windows() *trade {
	const share = 2
	return &trade{
		name: "windows", share: share, clients: 2, keys: []admin.NewKey{teamKey("windows")},
		budgets: []budget{usd("windows", t.perMinute(share)*usual*2/3, "minute", ofTeam("windows"))},
		ask:     func(ctx context.Context, c *client) { t.one(ctx, c, []string{"windows"}, nil) },
	}
}

// cached asks few questions, so that most answers are there already, or under way at
// another node.
func (t *Town) cached() *trade {
	const questions = 40
	key := teamKey("cached")
	key.CacheOff = false
	return &trade{
		name: "cached", share: 3, clients: 2, keys: []admin.NewKey{key},
		budgets: []budget{usd("cached", plenty, "total", ofTeam("cached"))},
		ask: func(ctx context.Context, c *client) {
			t.one(ctx, c, []string{"cached"}, func(q *Question, call *Call) {
				which := c.rand.IntN(questions)
				q.Text, q.Cap, q.Stream = fmt.Sprintf("what is in drawer %d?", which), 40, which%4 == 0
				if c.rand.IntN(20) == 0 {
					call.Headers = map[string]string{"x-purser-cache": "refresh"}
				}
			})
		},
	}
}

// anthropic speaks Anthropic's dialect, whole answers and streams, to a budget that ends
// in some hours.
func (t *Town) anthropic() *trade {
	return &trade{
		name: "anthropic", share: 2, clients: 2, keys: []admin.NewKey{teamKey("anthropic")},
		budgets: []budget{usd("anthropic", plenty, "hour", ofTeam("anthropic"))},
		ask: func(ctx context.Context, c *client) {
			t.one(ctx, c, []string{"anthropic"}, func(q *Question, call *Call) {
				q.Stream = c.rand.IntN(2) == 0
				call.Path, call.Body = messagesPath, q.Messages()
				call.Headers = map[string]string{"anthropic-version": "2023-06-01"}
			})
		},
	}
}
