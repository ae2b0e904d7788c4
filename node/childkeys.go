package node

import (
	"context"
	"errors"
	"fmt"

	"purser/internal/children"
	"purser/internal/directory"
	"purser/ledger"
)

// openChildren makes the register of child keys.
func (n *Node) openChildren() *children.Registry {
	return children.New(&n.keys, replicatedChildren{n}, func(id ledger.BudgetID) bool {
		_, ok := (*n.counted.Load())[id]
		return ok
	})
}

// replicatedChildren is what all nodes have alike of child keys.
type replicatedChildren struct{ n *Node }

// Directory implements children.Replicated.
func (r replicatedChildren) Directory() *directory.State { return r.n.fsm.Directory() }

// Admit implements children.Replicated.
func (r replicatedChildren) Admit(ctx context.Context, c directory.AdmitChildren) (directory.Code, error) {
	out, err := insist(ctx, func(ctx context.Context) (directory.Outcome, error) { return r.n.proposer.ProposeDirectory(ctx, c) })
	return out.Code, err
}

// Cap implements children.Replicated.
func (r replicatedChildren) Cap(ctx context.Context, rule ledger.Budget) error {
	if b, ok := r.n.fsm.Ledger().Budget(rule.ID); !ok || b.Limit != rule.Limit || b.Soft {
		rules := 0
		for b := range r.n.fsm.Ledger().Budgets() {
			if children.IsSlice(b.ID) {
				rules++
			}
		}
		if rules >= children.MaxRules {
			return children.ErrRules
		}
		out, err := r.n.proposer.Propose(ctx, ledger.PutBudget{Budget: rule})
		switch {
		case err != nil:
			return err
		case out.Code != ledger.Applied && out.Code != ledger.Repeated: // another node made it
			return fmt.Errorf("the ledger refused the rule of a slice: %s", out.Code)
		}
	}
	return r.n.confirm(ctx)
}

// dropSlices deletes the rules of slices whose day is over, if this node leads.
func (n *Node) dropSlices(ctx context.Context) error {
	if !n.raft.Leader() {
		return nil
	}
	var errs []error
	for b := range n.fsm.Ledger().Budgets() {
		if !children.Over(b.ID, n.fsm.Now()) {
			continue
		}
		once, cancel := context.WithTimeout(ctx, changeWait)
		_, err := n.proposer.Propose(once, ledger.DeleteBudget{ID: b.ID})
		cancel()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
