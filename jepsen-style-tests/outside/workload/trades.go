package workload

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"purser/api/admin"
)

// dollar is one in nano-dollars. A plenty never ends in a run.
const (
	dollar = 1_000_000_000
	plenty = 1_000 * dollar
)

// customers are those of the workload "many".
const (
	customers  = 1000
	manyBudget = "many"
)

// all are the workloads there are.
func (t *Town) all() ([]*trade, error) {
	list := []*trade{
		t.idle(), t.hot(), t.spent(), t.many(), t.chain(), t.streams(),
		t.rates(), t.slots(), t.windows(), t.cached(), t.anthropic(), t.idem(),
	}
	if t.o.Trace == "" {
		return list, nil
	}
	replay, err := t.replay()
	return append(list, replay), err
}

// usd is a budget in dollars of what teams, or other dimensions, ask.
func usd(id string, limit int64, window string, match map[string][]string) budget {
	return budget{admin.Budget{ID: id, Unit: "usd", Window: window, Match: match}, limit}
}

func ofTeam(team string) map[string][]string { return map[string][]string{"team": {team}} }

// teamKey is a key whose requests are a team's.
func teamKey(team string) admin.NewKey {
	return admin.NewKey{ID: team, Bound: map[string]string{"team": team}, CacheOff: true}
}

// one makes an operation of a client: a whole answer of chat, unless told otherwise by
// change; a client that gets none is in no hurry to ask again.
func (t *Town) one(ctx context.Context, c *client, budgets []string, change func(*Question, *Call)) (ok bool) {
	q := Question{ID: c.next(), Cap: 16 + c.rand.IntN(48)}
	q.Text = text(c.rand, q.ID, 20+c.rand.IntN(40))
	call := Call{ID: q.ID, Client: c.id, Workload: c.trade.name, Node: c.node, Key: c.trade.name, Budgets: budgets}
	if change != nil {
		change(&q, &call)
	}
	if call.Stream = q.Stream; call.Body == nil {
		call.Body = q.Chat()
	}
	r := t.Ask(ctx, call)
	if r.Status == 0 && !r.Left {
		backOff(ctx, c.rand)
	}
	return r.Status == http.StatusOK
}

// idle has budgets and a key that nobody uses.
func (t *Town) idle() *trade {
	tr := &trade{name: "idle", keys: []admin.NewKey{teamKey("idle")}}
	for i := range 3 {
		tr.budgets = append(tr.budgets, usd(fmt.Sprintf("idle-%d", i+1), dollar, []string{"total", "hour", "minute"}[i], ofTeam("idle")))
	}
	return tr
}

// hot is one budget that all nodes spend from and that does not end. Its answers fill
// the cache.
func (t *Town) hot() *trade {
	key := teamKey("hot")
	key.CacheOff = false
	return &trade{
		name: "hot", share: 6, clients: 3,
		budgets: []budget{usd("hot", plenty, "total", ofTeam("hot"))},
		keys:    []admin.NewKey{key},
		ask:     func(ctx context.Context, c *client) { t.one(ctx, c, []string{"hot"}, nil) },
	}
}

// many is one budget with an account for each of a thousand customers, of which few
// spend all they have.
func (t *Town) many() *trade {
	const each = 150 * usual
	b := usd(manyBudget, each, "total", ofTeam("many"))
	b.Each = []string{"customer"}
	return &trade{
		name: "many", share: 4, clients: 2, budgets: []budget{b}, keys: []admin.NewKey{teamKey("many")},
		ask: func(ctx context.Context, c *client) {
			who := fmt.Sprintf("c%d", c.crowd.next())
			t.one(ctx, c, []string{manyBudget + "[" + who + "]"}, func(_ *Question, call *Call) { call.Headers = map[string]string{"x-purser-customer": who} })
		},
	}
}

// chain has four budgets on each request: of the organisation, the team, the project and
// the key. Projects have little for each minute.
func (t *Town) chain() *trade {
	const projects = 4
	perMinute := int64(usual * t.o.Rate * 60 / 10 / projects * 2 / 3)
	project := usd("chain-project", max(perMinute, 10*usual), "minute", ofTeam("chain"))
	project.Each = []string{"project"}
	key := teamKey("chain")
	key.Bound["org"] = "chain"
	return &trade{
		name: "chain", share: 3, clients: 2, keys: []admin.NewKey{key},
		budgets: []budget{
			usd("chain-org", plenty, "month", map[string][]string{"org": {"chain"}}),
			usd("chain-team", plenty, "hour", ofTeam("chain")),
			project,
			usd("chain-key", plenty, "total", map[string][]string{"key": {"chain"}}),
		},
		ask: func(ctx context.Context, c *client) {
			which := fmt.Sprintf("p%d", c.rand.IntN(projects))
			t.one(ctx, c, []string{"chain-org", "chain-team", "chain-project[" + which + "]", "chain-key"}, func(_ *Question, call *Call) {
				call.Headers = map[string]string{"x-purser-project": which}
			})
		},
	}
}

// streams has clients that read their answers as they come, or slowly, or not to the end.
func (t *Town) streams() *trade {
	return &trade{
		name: "streams", share: 3, clients: 3, keys: []admin.NewKey{teamKey("streams")},
		budgets: []budget{usd("streams", plenty, "day", ofTeam("streams"))},
		ask: func(ctx context.Context, c *client) {
			t.one(ctx, c, []string{"streams"}, func(q *Question, call *Call) {
				q.Stream, call.Mode = true, "slow-chunks=5ms"
				switch at := 1 + c.rand.IntN(8000); c.rand.IntN(6) {
				case 0:
					call.Reading = Reading{PauseAt: at, Pause: between(c.rand, 100*time.Millisecond, 2*time.Second)}
				case 1:
					call.Reading = Reading{LeaveAt: at}
				case 2:
					call.Reading = Reading{LeaveAfter: between(c.rand, time.Millisecond, 300*time.Millisecond)}
				}
			})
		},
	}
}
