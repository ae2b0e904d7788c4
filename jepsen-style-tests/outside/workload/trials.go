package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// Budgets and keys for requests of faults' own; each key is its team's. Trials and
// Overcap do not end, Edge and Rolls are small: Edge in all, Rolls in each minute.
const (
	Trials  = "trials"
	Overcap = "overcap" // the provider bills its calls above their caps
	Edge    = "edge"
	Rolls   = "rolls"
)

// Rolled is the limit of Rolls, and Edged what Edge begins with.
const (
	Rolled = 40 * usual
	Edged  = 20 * usual
	Plenty = plenty
)

// grounds are what faults use for requests of their own.
func (t *Town) grounds() *trade {
	return &trade{
		name: "grounds",
		keys: []admin.NewKey{teamKey(Trials), teamKey(Overcap), teamKey(Edge), teamKey(Rolls)},
		budgets: []budget{
			usd(Trials, plenty, "total", ofTeam(Trials)),
			usd(Overcap, plenty, "total", ofTeam(Overcap)),
			usd(Edge, Edged, "total", ofTeam(Edge)),
			usd(Rolls, Rolled, "minute", ofTeam(Rolls)),
		},
	}
}

// Number tells operations and things of faults apart.
func (t *Town) Number() int64 { return t.numbers.Add(1) }

// Trial is a request of a fault's own, of the key and under the budget of a name; change
// may make another of it.
func (t *Town) Trial(ctx context.Context, n *rig.Node, name string, change func(*Question, *Call)) history.Request {
	number := t.Number()
	q := Question{ID: fmt.Sprintf("%s-f%d", name, number), Cap: 30}
	q.Text = q.ID + " of a fault"
	c := Call{ID: q.ID, Client: -int(number), Workload: "trials", Node: n, Key: name, Budgets: []string{name}}
	if change != nil {
		change(&q, &c)
	}
	if c.Stream = q.Stream; c.Body == nil {
		c.Body = q.Chat()
	}
	return t.Ask(ctx, c)
}

// Plentiful are the budgets under load that do not end by themselves.
func (t *Town) Plentiful() (list []string) {
	for _, id := range t.looked() {
		if slices.Contains([]string{"hot", "chain-org", "chain-team", "chain-key", "streams"}, id) {
			list = append(list, id)
		}
	}
	return list
}

// Insist asks for a limit at one node after the other until one says that it holds.
func (t *Town) Insist(ctx context.Context, session int, budget string, limit int64) error {
	return t.insist(ctx, fmt.Sprintf("budget %s is given the limit %d", budget, limit), func(n *rig.Node) error {
		return t.SetLimit(ctx, session, n, budget, limit)
	})
}

// Away deletes budgets for good at one node after the other until one says that they
// are gone.
func (t *Town) Away(ctx context.Context, session int, budgets ...string) error {
	var errs []error
	for _, b := range budgets {
		errs = append(errs, t.insist(ctx, "budget "+b+" is deleted", func(n *rig.Node) error { return t.Delete(ctx, session, n, b) }))
	}
	return errors.Join(errs...)
}
