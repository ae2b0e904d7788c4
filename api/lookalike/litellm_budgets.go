package lookalike

import (
	"net/http"
	"slices"
	"strconv"

	"purser/api/admin"
	"purser/internal/litellm"
)

// budget is what one of LiteLLM's budgets says, which each key that names it has for
// itself: rules that match the tag which such keys are bound to.
func (s *session) budget(id string) (limited, []admin.BudgetDetail, error) {
	have, err := s.ListBudgets(s.ctx)
	if err != nil {
		return limited{}, nil, err
	}
	l := limitsOf(litellm.OwnerOfBudget(litellm.Name(id)), have)
	if l.Amounts == (litellm.Amounts{}) {
		return l, have, admin.NotFound("no budget " + strconv.Quote(litellm.Name(id)) + " was made with /budget/new")
	}
	return l, have, nil
}

func budgetRow(id string, l *limited) map[string]any {
	row := map[string]any{"budget_id": id, "model_max_budget": nil}
	l.into(row)
	return row
}

// putBudget makes a budget what a form says, onto what it was.
func (s *session) putBudget(f *form, id string, l limited, have []admin.BudgetDetail) (any, error) {
	f.amounts(&l.Amounts)
	if err := f.end(); err != nil {
		return nil, err
	}
	owner := litellm.OwnerOfBudget(id)
	if limits, err := made(owner, l.Amounts); err != nil || len(limits) == 0 {
		if err == nil {
			err = admin.Invalid("a budget is to limit something: give max_budget, soft_budget, rpm_limit, tpm_limit or max_parallel_requests")
		}
		return nil, err
	}
	done, err := s.putLimits(owner, l.Amounts, have)
	if err != nil {
		return nil, done.back(err)
	}
	now, _, err := s.budget(id)
	return budgetRow(id, &now), err
}

func (s *session) newBudget(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("budget_id")
	if id == "" {
		id = newID()
	}
	id = litellm.Name(id)
	_, have, err := s.budget(id)
	switch {
	case err == nil:
		return nil, admin.Conflict("there is a budget " + strconv.Quote(id) + "; change it with /budget/update")
	case !isNotFound(err):
		return nil, err
	}
	return s.putBudget(f, id, limited{}, have)
}

func (s *session) updateBudget(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("budget_id")
	if id == "" {
		return nil, admin.Invalid("budget_id is missing")
	}
	l, have, err := s.budget(id)
	if err != nil {
		return nil, err
	}
	return s.putBudget(f, litellm.Name(id), l, have)
}

func (s *session) budgetInfo(r *http.Request) (any, error) {
	f := readForm(r)
	ids, _ := f.texts("budgets")
	if err := f.end(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, admin.Invalid("budgets are missing: a list of budget ids")
	}
	rows := []any{}
	for _, id := range ids {
		l, _, err := s.budget(id)
		switch {
		case err == nil:
			rows = append(rows, budgetRow(litellm.Name(id), &l))
		case !isNotFound(err):
			return nil, err
		}
	}
	return rows, nil
}

// deleteBudget deletes a budget that no key names: those that do would be without
// their limits.
func (s *session) deleteBudget(r *http.Request) (any, error) {
	f := readForm(r)
	id, _ := f.text("id")
	if err := f.end(); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, admin.Invalid("id is missing")
	}
	l, have, err := s.budget(id)
	if err != nil {
		return nil, err
	}
	id = litellm.Name(id)
	keys, err := s.ListKeys(s.ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(keys, func(k admin.Key) bool { return k.State != "revoked" && k.Bound[litellm.BudgetTag] == id }); i >= 0 {
		return nil, admin.Conflict("key " + keys[i].ID + " has this budget: give it another, or limits of its own, first")
	}
	return budgetRow(id, &l), s.dropLimits(litellm.OwnerOfBudget(id), have, nil)
}

func (s *session) listBudgets(r *http.Request) (any, error) {
	if err := only(r.URL.Query()); err != nil {
		return nil, err
	}
	have, err := s.ListBudgets(s.ctx)
	if err != nil {
		return nil, err
	}
	rows, seen := []any{}, map[string]bool{}
	for _, b := range have {
		of := b.Match[litellm.BudgetTag]
		if len(of) != 1 || seen[of[0]] {
			continue
		}
		seen[of[0]] = true
		if l := limitsOf(litellm.OwnerOfBudget(of[0]), have); l.Amounts != (litellm.Amounts{}) {
			rows = append(rows, budgetRow(of[0], &l))
		}
	}
	return rows, nil
}
