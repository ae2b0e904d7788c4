package ledger

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRulesAreTheBudgetsAlone: whatever has happened, the rules are those in force,
// they load, and what becomes of either state does not show in the other.
func TestRulesAreTheBudgetsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorldOf(t)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w.step()
		}
		before := w.state.Digest()
		rules := w.state.Rules()
		for b := range w.state.Budgets() {
			if got, ok := rules.Budget(b.ID); !ok || got != b {
				t.Fatalf("budget %s is missing", b.ID)
			}
		}
		count := 0
		for b := range rules.Budgets() {
			if _, ok := w.state.Budget(b.ID); !ok {
				t.Fatalf("budget %s is not in force", b.ID)
			}
			count++
		}
		if rules.accounts.size+rules.nodes.size != 0 || rules.budgets.size != count || rules.Now() != w.state.Now() {
			t.Fatalf("%d accounts, %d nodes, %d rules of %d, at %d", rules.accounts.size, rules.nodes.size, rules.budgets.size, count, rules.Now())
		}
		back, err := Load(func(yield func([]byte, error) bool) {
			for b := range rules.Records() {
				if !yield(b, nil) {
					return
				}
			}
		})
		if err != nil || back.Digest() != rules.Digest() {
			t.Fatalf("the rules do not load: %v", err)
		}
		for b := range rules.Budgets() {
			rules.Apply(rules.Now(), DeleteBudget{ID: b.ID})
		}
		if w.state.Digest() != before {
			t.Fatal("a change of the rules changed the ledger")
		}
	})
}
