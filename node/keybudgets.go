package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"purser/api/admin"
	"purser/internal/children"
	"purser/internal/directory"
	"purser/ledger"
)

// ownBudgetID names a key's own budget of a unit and a window.
func ownBudgetID(key directory.KeyID, unit, window string) string {
	return "key." + string(key) + "." + unit + "." + window
}

// ownBudgets are a key's own budgets as budgets of the API: each matches the key.
func ownBudgets(key directory.KeyID, in []admin.KeyBudget) ([]admin.Budget, error) {
	var out []admin.Budget
	for _, b := range in {
		unit, window := cmp.Or(b.Unit, ledger.USD.String()), cmp.Or(b.Window, ledger.Total.String())
		rule := admin.Budget{
			ID: ownBudgetID(key, unit, window), Match: map[string][]string{ledger.DimKey.String(): {string(key)}},
			Unit: unit, Limit: b.Limit, Window: window, Zone: b.Zone, Soft: b.Soft, Alerts: b.Alerts,
		}
		if slices.ContainsFunc(out, func(o admin.Budget) bool { return o.ID == rule.ID }) {
			return nil, admin.Invalid(fmt.Sprintf("budgets: there are two of %s for each %s", unit, window))
		}
		if _, err := ruleOf(rule); err != nil {
			return nil, err
		}
		out = append(out, rule)
	}
	return out, nil
}

// BelongsToKey says whether a budget is a key's own, or caps a slice of one: no file
// says that there is to be one.
func BelongsToKey(b admin.Budget) bool {
	keys := b.Match[ledger.DimKey.String()]
	return children.IsSlice(ledger.BudgetID(b.ID)) ||
		len(keys) == 1 && b.ID == ownBudgetID(directory.KeyID(keys[0]), b.Unit, b.Window)
}

// putBudgets makes or changes budgets, before the key that they bind.
func (c control) putBudgets(ctx context.Context, list []admin.Budget) error {
	for _, b := range list {
		if _, err := c.PutBudget(ctx, b, nil); err != nil {
			return fmt.Errorf("the key's budget %s: %w", b.ID, err)
		}
	}
	return nil
}

// makeBudgets makes the budgets of a key that is not there yet, and lists those it
// made. What is left of an attempt that failed is changed; what somebody else makes
// at this moment is not.
func (c control) makeBudgets(ctx context.Context, list []admin.Budget) (made []string, err error) {
	state := c.n.fsm.Ledger()
	for _, b := range list {
		expect := admin.Version(0)
		if was, ok := state.Budget(ledger.BudgetID(b.ID)); ok {
			expect = admin.Version(ruleText(was).Version)
		}
		if _, err := c.PutBudget(ctx, b, expect); err != nil {
			return made, fmt.Errorf("the key's budget %s: %w", b.ID, err)
		}
		made = append(made, b.ID)
	}
	return made, nil
}

// dropThese deletes budgets again.
func (c control) dropThese(ctx context.Context, ids []string) error {
	var errs []error
	for _, id := range ids {
		errs = append(errs, c.DeleteBudget(ctx, id))
	}
	return errors.Join(errs...)
}

// ownBudgetsOf are the own budgets that a key has.
func (c control) ownBudgetsOf(key directory.KeyID) (out []ledger.BudgetID) {
	state := c.n.fsm.Ledger()
	for unit := ledger.USD; unit <= ledger.Slots; unit++ {
		for window := ledger.Total; window <= ledger.PerMonth; window++ {
			if b, ok := state.Budget(ledger.BudgetID(ownBudgetID(key, unit.String(), window.String()))); ok {
				out = append(out, b.ID)
			}
		}
	}
	return out
}

// dropBudgets deletes the own budgets of a key that are not among those to be kept.
func (c control) dropBudgets(ctx context.Context, key directory.KeyID, keep []admin.Budget) (dropped int, err error) {
	var errs []error
	for _, id := range c.ownBudgetsOf(key) {
		if slices.ContainsFunc(keep, func(b admin.Budget) bool { return b.ID == string(id) }) {
			continue
		}
		dropped++
		errs = append(errs, c.DeleteBudget(ctx, string(id)))
	}
	return dropped, errors.Join(errs...)
}
