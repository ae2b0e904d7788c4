package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// GiveBack is what operators do after a restore, which withholds what may have been
// spent since the backup was written: they lower a limit by what the provider has billed
// since, and release the rest. Here it is done for budgets of which there is plenty; of
// others it stays withheld, until their windows end.
func (t *Town) GiveBack(ctx context.Context, since time.Time) error {
	rows, err := t.Cluster.Rows()
	if err != nil {
		return fmt.Errorf("reading the bill: %w", err)
	}
	t.mu.Lock()
	rules := slices.Collect(maps.Values(t.rules))
	t.mu.Unlock()
	billed, unknown := billedSince(rows, since, t.History.Covered(t.History.At(since)))
	session := t.Session()
	for _, r := range rules {
		most := t.highest(r.ID)
		if r.Unit != "usd" || most < Plenty {
			continue
		}
		// A budget that was made after the backup is gone; a node that cannot say is
		// asked again by the next who changes it. Both are noted, as every change is.
		if t.Insist(ctx, session, r.ID, t.Limit(r.ID, max(1, most-billed[r.ID]-unknown))) != nil {
			continue
		}
		_ = t.insist(ctx, "budget "+r.ID+" is released", func(n *rig.Node) error {
			return t.Change(ctx, history.Change{Session: session, Kind: "release", Of: r.ID}, n, func(ctx context.Context, a *admin.Client) error {
				return a.ReleaseBudget(ctx, r.ID)
			})
		})
	}
	return ctx.Err()
}

// billedSince sums up by budget. What nobody can tell of may be of any.
func billedSince(rows []simprovider.Row, since time.Time, covered map[string][]string) (sums map[string]int64, unknown int64) {
	sums = map[string]int64{}
	for i := range rows {
		if rows[i].At.Before(since) {
			continue
		}
		accounts, known := covered[rows[i].EndUser]
		if !known {
			unknown += int64(rows[i].Cost)
		}
		for _, name := range accounts {
			sums[history.BudgetOf(name)] += int64(rows[i].Cost)
		}
	}
	return sums, unknown
}
