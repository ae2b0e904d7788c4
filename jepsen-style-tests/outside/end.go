package outside

import (
	"context"
	"fmt"
	"time"

	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// drainWithin is how soon nothing is outstanding when the clients are gone (C8).
const drainWithin = 30 * time.Second

// end waits until every node has given back what it held, gathers what there is, and
// ends the nodes in peace.
func (w *world) end(ctx context.Context) error {
	e := &history.End{Left: w.h.Now(), Nodes: map[string]history.NodeEnd{}}
	w.result.End = e
	begun := time.Now()
	err := rig.Eventually(ctx, drainWithin, "nothing is outstanding on any node", func() error { return w.drained(ctx) })
	if err == nil {
		e.Drained = max(1, time.Since(begun))
	} else {
		w.found("C8", "%v", err)
	}
	for _, n := range w.c.Nodes {
		status, err := n.Admin().Status(ctx)
		if err != nil {
			w.found("recovery", "%s does not say how it is at the end: %v", n.Place, err)
			continue
		}
		budgets, err := n.Admin().ListBudgets(ctx)
		if err != nil {
			w.found("recovery", "%s does not show the budgets at the end: %v", n.Place, err)
			continue
		}
		e.Nodes[n.Place] = history.NodeEnd{Status: status, Budgets: budgets}
	}
	if err := w.gather(ctx, e); err != nil {
		if ctx.Err() != nil {
			return err
		}
		w.found("recovery", "the nodes do not show what they kept: %v", err)
	}
	e.Exits = w.c.StopAll()
	for _, d := range w.c.Deaths() {
		w.found("crash", "%s", d)
	}
	for _, how := range e.Exits {
		w.found("shutdown", "%s", how)
	}
	for _, f := range w.h.Faults {
		if f.Err != "" {
			w.found("fault", "%s (%d): %s", f.Name, f.Seq, f.Err)
		}
	}
	if e.Rows, err = w.c.Rows(); err != nil {
		return fmt.Errorf("reading the bill: %w", err)
	}
	return nil
}

// drained is nil when no node sees anything outstanding.
func (w *world) drained(ctx context.Context) error {
	for _, n := range w.c.Nodes {
		budgets, err := n.Admin().ListBudgets(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Place, err)
		}
		for _, a := range accounts(budgets) {
			if a.Outstanding != 0 {
				return fmt.Errorf("%s: %s%v has %d outstanding", n.Place, a.Budget, a.Split, a.Outstanding)
			}
		}
		s, err := n.Here().Status(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Place, err)
		}
		if s.Holds != 0 {
			return fmt.Errorf("%s has %d holds", n.Place, s.Holds)
		}
	}
	return nil
}

// gather reads what the nodes kept of the run: usage records and the audit trail.
func (w *world) gather(ctx context.Context, e *history.End) (err error) {
	e.Disks = w.c.Disks()
	if err = w.c.Records(ctx, e); err != nil {
		return fmt.Errorf("reading the usage records: %w", err)
	}
	if e.Audit, err = w.c.Audit(ctx); err != nil {
		return fmt.Errorf("reading the audit trail: %w", err)
	}
	return nil
}
